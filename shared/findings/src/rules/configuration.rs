//! Settings that hurt, now or later. Pure.

use std::collections::BTreeSet;

use super::answers::count;
use super::ask;
use super::outcome::{Outcome, Seen, Stop};
use super::volume::{volume, volume_subject};
use crate::code::{Code, Severity};
use crate::facts::operator::{CredentialSource, Pod};
use crate::facts::store::Owner;
use crate::facts::{Facts, Implementation, LifecycleRule, VolumeKind};
use crate::finding::{Evidence, Finding, Subject};

/// `C201`.
pub(crate) fn empty_dir(facts: &Facts) -> Outcome {
    Ok(match volume(facts)? {
        Some(volume) if volume.kind == VolumeKind::EmptyDir => {
            Finding::new(Code::EmptyDir, "every replacement of the Pod empties the store")
                .with(Evidence::seen("volume", "emptyDir").instead_of("PersistentVolumeClaim"))
                .into()
        }
        _ => Seen::fine(),
    })
}

/// `C202`.
pub(crate) fn volume_not_shared(facts: &Facts) -> Outcome {
    let Some(volume) = volume(facts)? else { return Ok(Seen::fine()) };
    let replicas = ask::deployment(facts)?.desired;
    let seen = match volume.kind {
        VolumeKind::EmptyDir => "emptyDir".to_owned(),
        VolumeKind::Claim if volume.access_modes.iter().any(|mode| mode == "ReadWriteMany") => return Ok(Seen::fine()),
        VolumeKind::Claim => volume.access_modes.join(", "),
        VolumeKind::Other => return Ok(Seen::fine()),
    };
    if replicas < 2 {
        return Ok(Seen::fine());
    }
    let finding = Finding::new(Code::VolumeNotShared, format!("{replicas} replicas cannot all use this volume"))
        .about(volume_subject(facts, volume))
        .with(Evidence::seen("volume", seen).instead_of("ReadWriteMany"))
        .with(Evidence::seen("replicas", replicas));
    Ok(finding.into())
}

/// `C203`.
pub(crate) fn keys_in_arguments(facts: &Facts) -> Outcome {
    let held = ask::flags(facts)?.holds_keys();
    let finding = || {
        Finding::new(Code::KeysInArguments, "the Deployment shows the keys to everybody who may read it")
            .with(Evidence::seen("arguments", "keys").instead_of("a Secret"))
    };
    Ok(if held { finding().into() } else { Seen::fine() })
}

/// `C204`.
pub(crate) fn keys_newer_than_pod(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let credentials = facts.operator.credentials.told("where the keys come from")?;
    match credentials.source {
        CredentialSource::Environment => {}
        CredentialSource::Arguments => return Err(Stop::skip("keys in arguments change with the Pods")),
        CredentialSource::File | CredentialSource::Identity => {
            return Err(Stop::skip("keys are read again by themselves"));
        }
    }
    let changed = *credentials.changed.told("when the Secret with the keys last changed")?;
    let is_older = |pod: &&Pod| pod.started.is_some_and(|started| started < changed);
    let older: Vec<_> = ask::live_pods(facts)?.into_iter().filter(is_older).collect();
    Ok(Seen::of(older, |older| {
        let pods = older.iter().map(|pod| pod.name.clone());
        Finding::new(Code::KeysNewerThanPod, format!("{} still on the old keys", count(older.len(), "Pod")))
            .about(older.iter().map(|pod| Subject::new("Pod", &facts.operator.namespace, &pod.name)))
            .with(Evidence::seen("keys changed", changed))
            .with(Evidence::several("Pods that started before", pods))
    }))
}

/// `C205`.
pub(crate) fn no_size_limit(facts: &Facts) -> Outcome {
    let finding = || {
        Finding::new(Code::NoSizeLimit, "an artifact may be of any size that consumers take")
            .with(Evidence::seen("--max-artifact-bytes", 0))
    };
    Ok(if ask::setting(facts, "max-artifact-bytes")? == "0" { finding().into() } else { Seen::fine() })
}

/// `C206`.
pub(crate) fn sweep_off(facts: &Facts) -> Outcome {
    let finding = || {
        Finding::new(Code::SweepOff, "nothing removes what interrupted writes leave behind")
            .with(Evidence::seen("--storage-sweep-interval", 0))
    };
    Ok(if ask::seconds(facts, "storage-sweep-interval")? == 0 { finding().into() } else { Seen::fine() })
}

/// `C208`.
pub(crate) fn uploads_never_expire(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    if ask::implementation(facts)? == Implementation::Ours {
        return Err(Stop::skip("this operator drops unfinished uploads itself"));
    }
    let prefix = prefix(facts)?;
    let rules = facts.store.lifecycle.told("the lifecycle rules of the bucket")?;
    let drops = |rule: &&LifecycleRule| {
        rule.enabled && !rule.filtered && rule.aborts_uploads_after_days.is_some() && prefix.starts_with(&rule.prefix)
    };
    if rules.iter().any(|rule| drops(&rule)) {
        return Ok(Seen::fine());
    }
    let finding =
        Finding::new(Code::UploadsNeverExpire, "no rule of the bucket drops unfinished uploads under the prefix")
            .with(Evidence::several("rules", rules.iter().map(|rule| rule.id.clone())));
    Ok(finding.into())
}

/// Where the operator's objects begin, ending with a slash unless it is the whole bucket.
fn prefix(facts: &Facts) -> Result<String, Stop> {
    let prefix = ask::flags(facts)?.get("s3-prefix").unwrap_or_default().trim_matches('/');
    Ok(if prefix.is_empty() { String::new() } else { format!("{prefix}/") })
}

/// `C209`.
pub(crate) fn no_owner_mark(facts: &Facts) -> Outcome {
    Ok(match facts.store.owner.told("the mark of the store")? {
        Some(_) => Seen::fine(),
        None => Finding::new(Code::NoOwnerMark, "the store does not say whose it is").into(),
    })
}

/// `C210`.
pub(crate) fn prefix_expires(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let prefix = prefix(facts)?;
    let rules = facts.store.lifecycle.told("the lifecycle rules of the bucket")?;
    let meets = |rule: &&LifecycleRule| {
        let expires = rule.expires_after_days.is_some() || rule.expires_at_date;
        rule.enabled && expires && (prefix.starts_with(&rule.prefix) || rule.prefix.starts_with(&prefix))
    };
    let fatal: Vec<_> = rules.iter().filter(meets).collect();
    Ok(Seen::of(fatal, |fatal| {
        let texts = fatal.iter().map(|rule| {
            let when = rule
                .expires_after_days
                .map_or("at a date".to_owned(), |days| format!("after {}", count(days as usize, "day")));
            let what = if rule.filtered { "some of " } else { "" };
            format!("{}: {what}{:?} expires {when}", rule.id, rule.prefix)
        });
        let finding =
            Finding::new(Code::PrefixExpires, format!("{} live artifacts under {prefix:?}", remove(fatal.len())))
                .with(Evidence::several("rules", texts));
        // A rule for some tags or sizes may spare every artifact; only the bucket's owner can tell.
        if fatal.iter().all(|rule| rule.filtered) { finding.as_bad_as(Severity::Warning) } else { finding }
    }))
}

fn remove(rules: usize) -> String {
    if rules == 1 { "1 rule of the bucket removes".to_owned() } else { format!("{rules} rules of the bucket remove") }
}

/// `C211`.
pub(crate) fn foreign_owner_mark(facts: &Facts) -> Outcome {
    let Some(mark) = facts.store.owner.told("the mark of the store")? else { return Ok(Seen::fine()) };
    let ours = facts.operator.identity.told("the mark of this installation")?;
    if mark == ours {
        return Ok(Seen::fine());
    }
    let finding = Finding::new(Code::ForeignOwnerMark, format!("the store is marked as that of {}", mark.release))
        .with(Evidence::seen("mark", show(mark)).instead_of(show(ours)));
    Ok(finding.into())
}

fn show(owner: &Owner) -> String {
    format!("{} in cluster {}", owner.release, owner.cluster)
}

/// `C212`.
pub(crate) fn pods_differ(facts: &Facts) -> Outcome {
    if ask::deployment(facts)?.rolling {
        return Err(Stop::skip("a roll-out is under way"));
    }
    let pods = ask::live_pods(facts)?;
    if pods.len() < 2 {
        return Ok(Seen::fine());
    }
    let images: BTreeSet<_> = pods.iter().map(|pod| pod.image.clone()).collect();
    let mut blind = Vec::new();
    let mut arguments = Vec::new();
    for pod in &pods {
        match pod.arguments.told(&format!("the arguments of Pod {}", pod.name)) {
            Ok(flags) => arguments.push(flags),
            Err(why) => blind.push(why),
        }
    }
    let names: BTreeSet<&String> = arguments.iter().flat_map(|flags| flags.0.keys()).collect();
    let differing: Vec<_> = names
        .into_iter()
        .filter(|name| arguments.iter().map(|flags| flags.0.get(*name)).collect::<BTreeSet<_>>().len() > 1)
        .map(|name| format!("--{name}"))
        .collect();
    if images.len() < 2 && differing.is_empty() {
        return Ok(Seen::fine().blind_to(blind));
    }
    let finding = Finding::new(Code::PodsDiffer, format!("{} differ in image or arguments", count(pods.len(), "Pod")))
        .about(pods.iter().map(|pod| Subject::new("Pod", &facts.operator.namespace, &pod.name)))
        .with(Evidence::several("images", images))
        .with(Evidence::several("arguments that differ", differing));
    Ok(Seen::from(finding).blind_to(blind))
}
