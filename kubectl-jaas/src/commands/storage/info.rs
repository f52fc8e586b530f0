//! `storage info`: what the store is, and what decides about its files.

use std::collections::BTreeMap;

use jaas_api::admin::{Owner, Stats};
use jaas_findings::Known;
use jaas_findings::facts::{Flags, Volume, VolumeKind};

use super::super::{Error, Invocation, Verdict};
use super::ground::Ground;
use crate::cli::StoreArgs;
use crate::exit::Exit;
use crate::facts;
use crate::operator::Operator;
use crate::road::{self, ADMIN_FLAG, Need};
use crate::session::Writes;
use crate::view::{Found, Info, Report};

/// Settings that decide about files.
const TELLING: [&str; 24] = [
    "storage-backend",
    "storage-path",
    "storage-base-url",
    "storage-quota",
    "storage-namespace-quota",
    "storage-cache",
    "storage-orphan-age",
    "storage-sweep-interval",
    "storage-sweep-max-tmp-age",
    "artifact-gc-grace",
    "max-withdraw-wait",
    "max-artifact-bytes",
    "watch-namespaces",
    "label-selector",
    "s3-endpoint",
    "s3-bucket",
    "s3-prefix",
    "s3-region",
    "s3-use-ssl",
    "s3-credentials-file",
    "s3-access-key",
    "s3-secret-key",
    "s3-session-token",
    ADMIN_FLAG,
];

/// Notes what the store is.
pub(super) async fn run(args: &StoreArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let ground = Ground::open(invocation, &args.operator, &args.road, Writes::Refused, report).await?;
    invocation.listener.say(&format!("storage info; {}", ground.session.destination));
    let site = ground.site(invocation, &args.operator, &args.road);
    let volume = match &ground.operator {
        Some(operator) => facts::volume(&ground.session, operator).await,
        None => Known::Yes(None),
    };
    let (opened, tried) = match road::open(&site, Need::Stats).await {
        Ok(opened) => (Some(opened), Vec::new()),
        Err(tried) => (None, tried),
    };
    let (stats, missing) = match &opened {
        Some(opened) => match opened.road.stats(&ground.flags).await {
            Ok(stats) => (Some(stats), None),
            Err(failure) => (None, Some(failure)),
        },
        None => (None, None),
    };
    let info = info(ground.operator.as_ref(), &ground.flags, &volume, stats.as_ref());
    let backend = info.backend.clone();
    report.detail = Some(ground.view(opened.as_ref(), Found::Info(info)));
    let message = format!("the store is {}", if backend == "s3" { "a bucket" } else { "a folder" });
    // That an operator has no endpoint is an answer; that one which has does not give it is none.
    let hindered = tried.iter().find(|failure| failure.obstacle != jaas_findings::known::Obstacle::NotOffered).cloned();
    Ok(match missing.or(hindered) {
        Some(failure) => Verdict {
            exit: Exit::Partial,
            message: format!("{message}; its state is not known: {failure}"),
            hint: Some(failure.how).filter(|how| !how.is_empty()),
        },
        None => Verdict {
            exit: Exit::Done,
            message,
            hint: tried.first().map(|failure| format!("{failure}; {}", failure.how)),
        },
    })
}

fn info(operator: Option<&Operator>, flags: &Flags, volume: &Known<Option<Volume>>, stats: Option<&Stats>) -> Info {
    let settings: BTreeMap<_, _> =
        TELLING.iter().filter_map(|name| Some(((*name).to_owned(), flags.get(name)?.to_owned()))).collect();
    Info {
        backend: flags.backend().to_owned(),
        volume: words(volume),
        image: operator.and_then(Operator::image).unwrap_or_default().to_owned(),
        admin: match (operator.is_some(), flags.get(ADMIN_FLAG)) {
            (_, Some(address)) => format!("on, {address}"),
            (true, None) => "off".to_owned(),
            (false, None) => "not known: no operator was seen".to_owned(),
        },
        owner: stats.map(owner).unwrap_or_default(),
        health: stats.and_then(|stats| stats.health.as_ref()).map_or(String::new(), |health| {
            match health.detail.as_str() {
                "" => health.state.word().to_owned(),
                detail => format!("{}: {detail}", health.state.word()),
            }
        }),
        guarded: stats.and_then(|stats| stats.guarded.clone()),
        settings,
    }
}

/// Whose the store is, in words.
pub(super) fn owner(stats: &Stats) -> String {
    let words = |owner: &Owner| format!("{} of cluster {}", owner.release, owner.cluster);
    match (&stats.owner, &stats.identity) {
        _ if !stats.owner_known => "its mark could not be read".to_owned(),
        (None, _) => "it carries no mark".to_owned(),
        (Some(owner), Some(identity)) if owner == identity => format!("{}, which is this one", words(owner)),
        (Some(owner), Some(_)) => format!("{}, which is ANOTHER one", words(owner)),
        (Some(owner), None) => words(owner),
    }
}

fn words(volume: &Known<Option<Volume>>) -> String {
    let volume = match volume {
        Known::Yes(Some(volume)) => volume,
        Known::Yes(None) => return String::new(),
        Known::No(why) => return format!("unknown: {why}"),
    };
    let mut parts = vec![match (volume.kind, &volume.name) {
        (VolumeKind::EmptyDir, _) => "emptyDir: every restart empties it".to_owned(),
        (VolumeKind::Claim, Some(name)) => format!("pvc/{name}"),
        (VolumeKind::Claim | VolumeKind::Other, _) => "a volume of another kind".to_owned(),
    }];
    parts.extend(volume.access_modes.iter().cloned());
    parts.extend(volume.phase.clone());
    parts.extend(volume.size.map(crate::size::words));
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_endpoint_is_told() {
        let flags = Flags::of_arguments([
            "--storage-backend=s3",
            "--s3-secret-key=abcdefgh12",
            "--admin-bind-address=127.0.0.1:8085",
            "--log-level=info",
        ]);
        let told = info(None, &flags, &Known::Yes(None), None);
        assert_eq!(told.settings.get("s3-secret-key").map(String::as_str), Some("****12"));
        assert_eq!((told.admin.as_str(), told.settings.contains_key("log-level")), ("on, 127.0.0.1:8085", false));
    }

    #[test]
    fn a_foreign_mark_is_told_as_one() {
        let mark = |release: &str| Some(Owner { cluster: "u".to_owned(), release: release.to_owned() });
        let stats = |owner, identity, owner_known| Stats { owner, identity, owner_known, ..Stats::default() };
        assert_eq!(owner(&stats(mark("a/b"), mark("a/b"), true)), "a/b of cluster u, which is this one");
        assert!(owner(&stats(mark("a/b"), mark("c/d"), true)).ends_with("ANOTHER one"));
        assert_eq!(owner(&stats(None, mark("c/d"), true)), "it carries no mark");
        assert_eq!(owner(&stats(None, None, false)), "its mark could not be read");
    }
}
