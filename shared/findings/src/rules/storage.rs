//! Whether the store does what it is asked. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use jaas_api::Reason;

use super::answers::{count, judge};
use super::artifacts::{PRESENCE, presence};
use super::ask;
use super::garbage::is_any_expired;
use super::outcome::{Outcome, Seen, Stop};
use super::reconcile::about;
use crate::code::{Code, Severity};
use crate::facts::snippets::path_of;
use crate::facts::{Facts, HealthState, LogRecord, Ready, Snippet, Usage};
use crate::finding::{Command, Evidence, Finding};
use crate::known::Why;
use crate::size::words as size;

/// How old a log record may be that tells of the present. The Go implementation tries again after 1000 s at the latest.
const RECENT: u64 = 20 * 60;
/// Seconds by which clocks may differ before most object stores refuse signed requests.
const SKEW_LIMIT: u64 = 15 * 60;
/// Seconds by which clocks may differ before it is worth telling.
const SKEW_NOTICED: u64 = 5 * 60;

/// Whether a log record tells of the present.
pub(crate) fn is_recent(facts: &Facts, record: &LogRecord) -> bool {
    record.last.is_none_or(|last| facts.seconds_since(last) <= RECENT)
}

/// The store is in trouble of one kind. Whoever asked the store itself decides; where nobody could, snippets and log records tell.
fn trouble(facts: &Facts, code: Code, state: HealthState, summary: &str, blames: impl Fn(&Ready) -> bool) -> Outcome {
    let finding = blame(facts, state, Finding::new(code, summary), blames);
    match facts.store.health.told("whether the store answers") {
        Ok(health) if health.state != state => Ok(Seen::fine()),
        Ok(health) => {
            let said = if health.detail.is_empty() { health.state.word() } else { &health.detail };
            Ok(finding.with(Evidence::seen("store", said).instead_of(HealthState::Fine.word())).into())
        }
        Err(why) if finding.evidence.is_empty() => Err(why.into()),
        Err(_) => Ok(finding.into()),
    }
}

/// The finding with the snippets that suffer from it and the log records that tell of it.
fn blame(facts: &Facts, state: HealthState, mut finding: Finding, blames: impl Fn(&Ready) -> bool) -> Finding {
    let snippets = facts.snippets.ok().map(|snippets| snippets.items.as_slice()).unwrap_or_default();
    let victims: Vec<_> = snippets.iter().filter(|snippet| snippet.failure().is_some_and(&blames)).collect();
    let logs = facts.signals.logs.ok().map(Vec::as_slice).unwrap_or_default();
    let tells = |record: &&LogRecord| record.store == Some(state) && is_recent(facts, record);
    let records: Vec<_> =
        logs.iter().filter(tells).map(|record| format!("{} times: {}", record.count, record.text)).collect();
    if !victims.is_empty() {
        let names = ask::names(victims.iter().copied());
        finding = finding
            .about(victims.iter().map(|snippet| snippet.subject()))
            .with(Evidence::several("snippets that cannot publish", names));
    }
    if records.is_empty() { finding } else { finding.with(Evidence::several("log records", records)) }
}

fn gives(reason: Reason) -> impl Fn(&Ready) -> bool {
    move |ready| ready.reason == reason.as_str()
}

/// Whether a snippet that says that the store is full means inodes.
fn means_inodes(facts: &Facts) -> impl Fn(&Ready) -> bool {
    let health = facts.store.health.ok().map(|health| health.state);
    let usage = facts.store.usage.ok();
    let (bytes, inodes) = (
        usage.is_some_and(|usage| usage.is_over_quota() || usage.free_bytes.ok() == Some(&0)),
        usage.is_some_and(|usage| usage.free_inodes.ok() == Some(&Some(0))),
    );
    move |ready| match health {
        Some(HealthState::NoInodes) => true,
        Some(HealthState::Full) => false,
        _ if bytes != inodes => inodes,
        _ => ready.message.contains(" 0 inodes free"),
    }
}

/// `S401`.
pub(crate) fn full(facts: &Facts) -> Outcome {
    let is_quota = |ready: &Ready| ready.message.contains("quota is used up");
    let by_quota = facts.store.usage.ok().is_some_and(Usage::is_over_quota)
        || facts.snippets.ok().is_some_and(|all| all.items.iter().any(|it| it.failure().is_some_and(is_quota)));
    let summary = match by_quota {
        true => "nothing new can be stored: --storage-quota is used up",
        false => "nothing new can be stored",
    };
    let (is_full, means_inodes) = (gives(Reason::StorageFull), means_inodes(facts));
    let blames = |ready: &Ready| is_full(ready) && !means_inodes(ready) && !means_namespace(ready);
    let usage = facts.store.usage.ok();
    let is_out = |usage: &&Usage| usage.is_over_quota() || usage.free_bytes.ok() == Some(&0);
    let waiting = |ready: &Ready| blames(ready) && lacks_room(facts, ready);
    let snippets = facts.snippets.ok().map(|snippets| snippets.items.as_slice()).unwrap_or_default();
    let n_waiting = snippets.iter().filter(|snippet| snippet.failure().is_some_and(waiting)).count();
    if let Some(usage) = usage.filter(is_out) {
        let finding = Finding::new(Code::VolumeFull, summary).with(figures(usage));
        return Ok(ways_out(facts, by_quota, blame(facts, HealthState::Full, finding, blames)).into());
    }
    // The store takes small files again, and what waits is larger than that.
    let is_fine = facts.store.health.ok().is_none_or(|health| health.state != HealthState::Full);
    if let Some(usage) = usage.filter(|_| n_waiting > 0 && is_fine) {
        let place = if by_quota { "--storage-quota leaves" } else { "there is" };
        let wait = if n_waiting == 1 { "waits" } else { "wait" };
        let summary = format!("{} {wait} for more room than {place}", count(n_waiting, "snippet"));
        let finding = Finding::new(Code::VolumeFull, summary).as_bad_as(Severity::Error).with(figures(usage));
        return Ok(ways_out(facts, by_quota, blame(facts, HealthState::Full, finding, waiting)).into());
    }
    match trouble(facts, Code::VolumeFull, HealthState::Full, summary, blames) {
        Ok(Seen { finding: Some(finding), blind }) => {
            let finding = match usage {
                Some(usage) => finding.with(figures(usage)),
                None => finding,
            };
            Ok(Seen { finding: Some(ways_out(facts, by_quota, finding)), blind })
        }
        // Room that was measured is an answer, also where nobody could ask the store to take a write.
        Err(Stop::Unknown(_)) if usage.is_some_and(|usage| usage.free_bytes.ok().is_some()) => {
            Ok(Seen::fine().blind_to(ask::snippets(facts).err()))
        }
        // Without the snippets it is not known whether one waits for more than there is.
        Ok(seen) if usage.is_some_and(|usage| usage.room().is_some()) => Ok(seen.blind_to(ask::snippets(facts).err())),
        // What one waits for is known, and what there is is not.
        Ok(seen)
            if snippets.iter().any(|it| it.failure().is_some_and(|it| blames(it) && needed(&it.message).is_some())) =>
        {
            Ok(seen.blind_to(facts.store.usage.told("how full the store is").err()))
        }
        told => told,
    }
}

/// Whether a snippet says that it needs more room than the store has now.
pub(crate) fn lacks_room(facts: &Facts, ready: &Ready) -> bool {
    let room = facts.store.usage.ok().and_then(Usage::room);
    room.zip(needed(&ready.message)).is_some_and(|(room, needed)| needed > room)
}

/// The bytes that a message of the store asks for: `needs 80.0 KiB`.
fn needed(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("needs ")?;
    let (number, rest) = rest.split_once(' ')?;
    let unit = rest.split(|letter: char| !letter.is_ascii_alphabetic()).next()?;
    let bytes = match unit {
        "bytes" => 1,
        "KiB" => 1_u64 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let (whole, tenths) = (whole.parse::<u64>().ok()?, tenths.parse::<u64>().ok()?);
    Some(whole.checked_mul(bytes)?.saturating_add(tenths.checked_mul(bytes)? / 10))
}

/// Of the registry's commands those that help here: nothing is pruned where nothing is expired, a larger volume is no help against a quota
/// and a larger quota none against a volume. The last resort names the snippet whose history takes most, or all where that one is not
/// enough, and how many revisions stay.
fn ways_out(facts: &Facts, by_quota: bool, mut finding: Finding) -> Finding {
    if is_any_expired(facts) == Some(false) {
        finding.commands.retain(|command| !command.command.contains(" prune --expired "));
    }
    let other = if by_quota { "advise resize" } else { "advise quota" };
    finding.commands.retain(|command| !command.command.ends_with(other));
    let wanted = wanted(facts);
    if let Some(wanted) = wanted {
        let room = facts.store.usage.ok().and_then(Usage::room);
        let left = room.map(|room| format!(", {} are left", size(room))).unwrap_or_default();
        finding.summary = format!("{}; what waits needs {}{left}", finding.summary, size(wanted));
        finding = finding.with(Evidence::seen("needed by what waits", size(wanted)));
    }
    let is_last_resort = |command: &Command| command.command.contains(" --keep 1 ");
    let Some(Resort { namespace, name, keep, frees, held, all }) = last_resort(facts, wanted) else {
        finding.commands.retain(|command| !is_last_resort(command));
        return finding;
    };
    let enough = match wanted.map(|wanted| (wanted, missing(facts, wanted))) {
        Some((wanted, missing)) if frees >= missing => {
            format!(", which makes room for the {} that what waits needs", size(wanted))
        }
        Some((wanted, _)) => format!(", which is not enough for the {} that what waits needs", size(wanted)),
        None => String::new(),
    };
    let (targets, whose) = match all {
        Some(number) => {
            let until =
                wanted.map(|wanted| format!(" --until-free {}Ki", wanted.div_ceil(1 << 10))).unwrap_or_default();
            (format!("--all -A --keep {keep}{until}"), count(number, "snippet"))
        }
        None => (format!("{name} -n {namespace} --keep {keep}"), format!("{namespace}/{name}")),
    };
    for command in finding.commands.iter_mut().filter(|command| is_last_resort(command)) {
        command.command = format!("kubectl jaas storage prune {targets} --dry-run");
        command.why = format!(
            "the last resort: names the older revisions of {whose}, {}, that would be lost for good{enough}; nothing brings them back",
            size(frees)
        );
    }
    let held = format!("{namespace}/{name}: {} beside the current revision", size(held));
    finding.with(Evidence::seen("largest history", held))
}

/// Bytes that all snippets together ask for that wait for room; `None` where none says how much.
fn wanted(facts: &Facts) -> Option<u64> {
    let full = |ready: &&Ready| ready.reason == Reason::StorageFull.as_str() && !means_namespace(ready);
    let snippets = &facts.snippets.ok()?.items;
    let needs = snippets.iter().filter_map(|it| it.failure().filter(full)).filter_map(|it| needed(&it.message));
    needs.reduce(u64::saturating_add)
}

/// Of that the bytes for which there is no room yet.
fn missing(facts: &Facts, wanted: u64) -> u64 {
    wanted.saturating_sub(facts.store.usage.ok().and_then(Usage::room).unwrap_or_default())
}

/// Revisions that can be given up, of one snippet or of all.
struct Resort<'a> {
    namespace: &'a str,
    name: &'a str,
    /// How many of the newest stay.
    keep: usize,
    /// Bytes that go then.
    frees: u64,
    /// Bytes of all older revisions of the snippet.
    held: u64,
    /// How many snippets have to give some up, where the one is not enough.
    all: Option<usize>,
}

/// A file of the store in whole blocks, as a volume and a quota count it; objects of a bucket have none.
pub(crate) fn blocks(facts: &Facts, bytes: u64) -> u64 {
    const BLOCK: u64 = 4096;
    if ask::backend(facts) == Ok(ask::Backend::S3) { bytes } else { bytes.div_ceil(BLOCK).saturating_mul(BLOCK) }
}

/// The snippet whose history takes the most bytes, with the most revisions that it can keep while there comes enough room. Where giving up
/// all but its current one is not enough, the same of all snippets together; where nobody knows how much is enough, of that snippet all.
fn last_resort(facts: &Facts, wanted: Option<u64>) -> Option<Resort<'_>> {
    let files = &facts.store.inventory.ok()?.files;
    let sizes: HashMap<_, _> = files.iter().map(|file| (file.path.as_str(), file.bytes)).collect();
    let older = |snippet: &Snippet| -> Vec<u64> {
        let bytes = |revision: &str| {
            let path = path_of(&snippet.namespace, &snippet.name, revision)?;
            sizes.get(path.as_str()).map(|bytes| blocks(facts, *bytes))
        };
        let is_current = |revision: &str| snippet.revision.as_deref() == Some(revision);
        let of = |revision: &str| if is_current(revision) { 0 } else { bytes(revision).unwrap_or_default() };
        let mut newest_first: Vec<_> = snippet.history.iter().collect();
        newest_first.sort_by_key(|it| (!is_current(&it.revision), Reverse(it.time), it.revision.as_str()));
        newest_first.into_iter().map(|record| of(&record.revision)).collect()
    };
    let all: Vec<_> = facts.snippets.ok()?.items.iter().map(|snippet| (older(snippet), snippet)).collect();
    let sum = |older: &[u64]| older.iter().sum::<u64>();
    let holding = all.iter().filter(|(older, _)| sum(older) > 0).count();
    // Of several that hold as much always the same one.
    let (older, snippet) = all
        .iter()
        .max_by_key(|(older, it)| (sum(older), Reverse((it.namespace.as_str(), it.name.as_str()))))
        .filter(|(older, _)| sum(older) > 0)?;
    let frees = |keep: usize| older.iter().skip(keep).sum::<u64>();
    let together = |keep: usize| all.iter().map(|(older, _)| older.iter().skip(keep).sum::<u64>()).sum::<u64>();
    let missing = wanted.map(|wanted| missing(facts, wanted)).filter(|missing| *missing > 0);
    let (namespace, name, held) = (snippet.namespace.as_str(), snippet.name.as_str(), sum(older));
    let resort = |keep, frees, all| Resort { namespace, name, keep, frees, held, all };
    let Some(missing) = missing else { return Some(resort(1, frees(1), None)) };
    let most = |longest: usize, frees: &dyn Fn(usize) -> u64| (1..longest).rev().find(|keep| frees(*keep) >= missing);
    if let Some(keep) = most(older.len(), &frees) {
        return Some(resort(keep, frees(keep), None));
    }
    if holding < 2 {
        return Some(resort(1, frees(1), None));
    }
    let longest = all.iter().map(|(older, _)| older.len()).max().unwrap_or_default();
    let keep = most(longest, &together).unwrap_or(1);
    Some(resort(keep, together(keep), Some(holding)))
}

/// How full the store is.
pub(crate) fn figures(usage: &Usage) -> Evidence {
    let of = match (usage.quota, usage.total_bytes.ok()) {
        (Some(quota), _) if quota > 0 => format!(" of the {} that may be", size(quota)),
        (_, Some(total)) => format!(", on a volume of {}", size(*total)),
        _ => String::new(),
    };
    let free = usage.free_bytes.ok().map_or(String::new(), |free| format!(", {} free on the volume", size(*free)));
    Evidence::seen("room", format!("{} stored{of}{free}", size(usage.bytes)))
}

/// `S403`.
pub(crate) fn no_inodes(facts: &Facts) -> Outcome {
    ask::only_local(facts)?;
    let summary = "the file system takes no further file";
    let (is_full, means_inodes) = (gives(Reason::StorageFull), means_inodes(facts));
    let blames = |ready: &Ready| is_full(ready) && means_inodes(ready) && !means_namespace(ready);
    let free = facts.store.usage.ok().and_then(|usage| usage.free_inodes.ok()).copied();
    if free == Some(Some(0)) {
        let figure = Evidence::seen("free inodes", 0).instead_of("some");
        let finding = Finding::new(Code::NoInodes, summary).with(figure);
        return Ok(blame(facts, HealthState::NoInodes, finding, blames).into());
    }
    match trouble(facts, Code::NoInodes, HealthState::NoInodes, summary, blames) {
        Err(Stop::Unknown(_)) if free.is_some() => Ok(Seen::fine()),
        told => told,
    }
}

/// Whether a snippet that says that the store is full means the share of its namespace.
fn means_namespace(ready: &Ready) -> bool {
    ready.message.contains("--storage-namespace-quota=")
}

/// `S416`.
pub(crate) fn namespace_full(facts: &Facts) -> Outcome {
    let snippets = ask::snippets(facts)?;
    let refused = |snippet: &&Snippet| {
        snippet.failure().is_some_and(|ready| ready.reason == Reason::StorageFull.as_str() && means_namespace(ready))
    };
    let these: Vec<_> = snippets.items.iter().filter(refused).collect();
    let namespaces: BTreeSet<_> = these.iter().map(|snippet| snippet.namespace.clone()).collect();
    let messages: Vec<_> = these
        .iter()
        .filter_map(|snippet| snippet.failure().map(|ready| format!("{}: {}", snippet.subject().path(), ready.message)))
        .collect();
    Ok(about(snippets, these, |number| {
        let mut finding = Finding::new(
            Code::NamespaceFull,
            format!(
                "{} cannot publish: {} used up its share of the store",
                count(number, "snippet"),
                count(namespaces.len(), "namespace")
            ),
        );
        if let Some(namespace) = namespaces.first() {
            for command in &mut finding.commands {
                command.command = command.command.replace("NAMESPACE", namespace);
            }
        }
        finding.with(Evidence::several("conditions", messages))
    }))
}

/// `S405`.
pub(crate) fn volume_denied(facts: &Facts) -> Outcome {
    ask::only_local(facts)?;
    let summary = "the volume does not let the operator in";
    trouble(facts, Code::VolumeDenied, HealthState::Denied, summary, gives(Reason::StorageDenied))
}

/// `S406`.
pub(crate) fn keys_refused(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let summary = "the object store refuses the operator's keys";
    trouble(facts, Code::KeysRefused, HealthState::Denied, summary, gives(Reason::StorageDenied))
}

/// `S407`.
pub(crate) fn object_store_unreachable(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let summary = "the object store does not answer";
    trouble(facts, Code::ObjectStoreUnreachable, HealthState::Unavailable, summary, gives(Reason::StorageUnavailable))
}

/// `S408`.
pub(crate) fn bucket_missing(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let bucket = facts.operator.flags.ok().and_then(|flags| flags.get("s3-bucket")).unwrap_or_default();
    let summary = format!("the object store has no bucket {bucket:?}");
    trouble(facts, Code::BucketMissing, HealthState::BucketMissing, &summary, gives(Reason::BucketMissing))
}

/// `S409`.
pub(crate) fn prefix_empty(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let judged = judge(facts, presence)?;
    let all = ask::artifacts(facts)?.iter().filter(|artifact| artifact.ours && !artifact.path.is_empty()).count();
    if judged.bad.is_empty() || judged.bad.len() < all {
        return Ok(Seen::fine().blind_to(judged.blind(PRESENCE)));
    }
    // A bucket that is not there, or does not answer, looks the same and is another finding.
    let lists = facts.store.inventory.ok().is_some_and(|inventory| inventory.complete);
    if !lists && facts.store.health.told("whether the bucket answers")?.state != HealthState::Fine {
        return Err(Stop::skip("the bucket does not answer"));
    }
    let flags = ask::flags(facts)?;
    let place =
        format!("{}/{}", flags.get("s3-bucket").unwrap_or_default(), flags.get("s3-prefix").unwrap_or_default());
    Ok(judged.seen(PRESENCE, |bad| {
        Finding::new(Code::PrefixEmpty, format!("none of {} is under {place}", count(bad.len(), "current artifact")))
            .about(bad.iter().map(|(artifact, _)| artifact.subject()))
            .with(Evidence::seen("bucket and prefix", &place))
            .with(Evidence::seen("artifacts there", 0).instead_of(bad.len()))
    }))
}

/// `S410`.
pub(crate) fn throttled(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let summary = "the object store asks for fewer requests";
    // The operator has one word for a store that does not answer and for one that wants fewer requests.
    let is_throttled = facts.store.health.ok().is_some_and(|health| health.state == HealthState::Throttled);
    let is_away = gives(Reason::StorageUnavailable);
    trouble(facts, Code::Throttled, HealthState::Throttled, summary, |ready| is_throttled && is_away(ready))
}

/// `S411`.
pub(crate) fn clock_skew(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let ahead = facts.store.health.ok().and_then(|health| health.clock_ahead_seconds);
    let off = ahead.map(i64::unsigned_abs).unwrap_or_default();
    let clocks = |ahead: i64| Evidence::seen("object store's clock", format!("{ahead} s ahead")).instead_of("0 s");
    let summary = "signed requests are refused because of their time";
    let told = trouble(facts, Code::ClockSkew, HealthState::ClockSkew, summary, gives(Reason::ClockSkew));
    match (told, ahead.filter(|_| off > SKEW_NOTICED)) {
        (Ok(Seen { finding: Some(finding), blind }), ahead) => {
            let finding = match ahead {
                Some(ahead) => finding.with(clocks(ahead)),
                None => finding,
            };
            Ok(Seen { finding: Some(finding), blind })
        }
        (_, Some(ahead)) => {
            let finding = Finding::new(Code::ClockSkew, "the clocks drift apart").with(clocks(ahead));
            Ok(if off > SKEW_LIMIT { finding } else { finding.as_bad_as(Severity::Warning) }.into())
        }
        (told, None) => told,
    }
}

/// `S412`.
pub(crate) fn absence_hidden(facts: &Facts) -> Outcome {
    ask::only_s3(facts)?;
    let health = facts.store.health.told("whether the bucket answers")?;
    match health.missing_is_told {
        Some(true) => Ok(Seen::fine()),
        Some(false) => Ok(Finding::new(Code::AbsenceHidden, "a missing object is answered with a refusal")
            .with(Evidence::seen("answer for a random name", "denied").instead_of("not found"))
            .into()),
        None => Err(Why::not_asked("the answer for a name that does not exist").into()),
    }
}

/// `S413`.
pub(crate) fn read_only(facts: &Facts) -> Outcome {
    ask::only_local(facts)?;
    let summary = "the volume takes no writes";
    trouble(facts, Code::VolumeReadOnly, HealthState::ReadOnly, summary, gives(Reason::StorageReadOnly))
}

/// `S414`.
pub(crate) fn volume_unavailable(facts: &Facts) -> Outcome {
    ask::only_local(facts)?;
    let summary = "the volume does not answer";
    trouble(facts, Code::VolumeUnavailable, HealthState::Unavailable, summary, gives(Reason::StorageUnavailable))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

    use super::*;

    fn file(revision: &str, bytes: u64) -> crate::facts::File {
        let path = path_of("team-a", "web", revision).unwrap();
        let class = crate::facts::FileClass::Revision;
        crate::facts::File { path, class, bytes, age: None, version: String::new() }
    }

    /// `web` keeps four older revisions of 40 KiB, 36 KiB are left, and each of these waits.
    fn waiting(needs: &[&str]) -> Facts {
        use crate::facts::snippets::{RevisionAt, Snippets};
        use crate::known::Known;
        let revision = |number: usize| format!("sha256:{}", number.to_string().repeat(64));
        let record = |number: usize| RevisionAt { revision: revision(number), time: None };
        let web = Snippet {
            namespace: "team-a".to_owned(),
            name: "web".to_owned(),
            revision: Some(revision(1)),
            history: (1..=5).map(record).collect(),
            ..Snippet::default()
        };
        let late = needs.iter().map(|needs| Snippet {
            ready: Some(Ready {
                status: "False".to_owned(),
                reason: Reason::StorageFull.to_string(),
                message: format!("the quota is used up (needs {needs}, 220.0 KiB of 256.0 KiB used)"),
                since: None,
            }),
            ..Snippet::default()
        });
        let mut facts = Facts::empty(jiff::Timestamp::UNIX_EPOCH);
        let items = std::iter::once(web).chain(late).collect();
        facts.snippets = Known::Yes(Snippets { items, ..Snippets::default() });
        let files = (1..=5).map(|number| file(&revision(number), 40_000)).collect();
        facts.store.inventory = Known::Yes(crate::facts::Inventory { complete: true, files, uploads_unknown: None });
        facts.store.usage = Known::Yes(Usage {
            bytes: 220 << 10,
            quota: Some(256 << 10),
            free_bytes: Known::Yes(1 << 30),
            ..Usage::default()
        });
        facts
    }

    #[test]
    fn the_last_resort_keeps_as_many_as_there_comes_room_for_all_that_waits() {
        let keep = |needs: &[&str]| {
            let facts = waiting(needs);
            last_resort(&facts, wanted(&facts)).map(|it| (it.keep, it.frees >> 10)).unwrap()
        };
        assert_eq!(keep(&["70.0 KiB"]), (4, 40));
        assert_eq!(keep(&["80.0 KiB"]), (3, 80));
        assert_eq!(keep(&["80.0 KiB", "76.0 KiB"]), (2, 120));
        assert_eq!(keep(&["1.0 MiB"]), (1, 160));
        assert_eq!(keep(&[]), (1, 160));
    }

    #[test]
    fn where_one_history_is_not_enough_all_give_some_up() {
        use crate::known::Known;
        let mut facts = waiting(&["180.0 KiB", "76.0 KiB"]);
        let Known::Yes(snippets) = &mut facts.snippets else { panic!("no snippets") };
        let mut other = snippets.items[0].clone();
        other.name = "api".to_owned();
        other.history.truncate(4);
        snippets.items.push(other);
        let Known::Yes(inventory) = &mut facts.store.inventory else { panic!("no files") };
        let copy = |file: &crate::facts::File| crate::facts::File {
            path: file.path.replace("/web/", "/api/"),
            ..file.clone()
        };
        let copies: Vec<_> = inventory.files.iter().map(copy).collect();
        inventory.files.extend(copies);
        // 220 KiB are missing: of the larger history 160 KiB can go, of both 280 KiB, and with two left of each 200 KiB.
        let resort = last_resort(&facts, wanted(&facts)).unwrap();
        assert_eq!((resort.all, resort.keep, resort.frees >> 10), (Some(2), 1, 280));
        let finding = ways_out(&facts, true, Finding::new(Code::VolumeFull, ""));
        let prune = finding.commands.iter().find(|it| it.command.contains(" --keep ")).unwrap();
        assert_eq!(prune.command, "kubectl jaas storage prune --all -A --keep 1 --until-free 256Ki --dry-run");
        assert!(prune.why.contains("of 2 snippets, 280.0 KiB") && prune.why.contains("makes room"), "{}", prune.why);
        let facts_of_one = waiting(&["80.0 KiB"]);
        assert_eq!(last_resort(&facts_of_one, wanted(&facts_of_one)).unwrap().all, None);
    }

    #[test]
    fn the_sum_that_is_needed_is_told_beside_the_prune() {
        let told = |needs: &[&str]| {
            let finding = ways_out(&waiting(needs), true, Finding::new(Code::VolumeFull, ""));
            let prune = finding.commands.iter().find(|it| it.command.contains(" prune web ")).unwrap().clone();
            (prune.command, prune.why)
        };
        let (command, why) = told(&["80.0 KiB", "76.0 KiB"]);
        assert_eq!(command, "kubectl jaas storage prune web -n team-a --keep 2 --dry-run");
        assert!(
            why.contains("120.0 KiB") && why.contains("makes room for the 156.0 KiB that what waits needs"),
            "{why}"
        );
        assert!(told(&["1.0 MiB"]).1.contains("is not enough for the 1.0 MiB"));
        let finding = ways_out(&waiting(&["80.0 KiB", "76.0 KiB"]), true, Finding::new(Code::VolumeFull, "it is full"));
        assert_eq!(finding.summary, "it is full; what waits needs 156.0 KiB, 36.0 KiB are left");
    }

    #[test]
    fn what_a_snippet_waits_for_is_read_from_its_message() {
        assert_eq!(needed("no room (needs 80.0 KiB, 220.0 KiB of 256.0 KiB used)"), Some(80 << 10));
        assert_eq!(needed("no room (needs 1.5 MiB, 0 bytes free)"), Some(3 << 19));
        assert_eq!(needed("no room (needs 512 bytes)"), Some(512));
        assert_eq!((needed("no room"), needed("needs more room")), (None, None));
    }
}
