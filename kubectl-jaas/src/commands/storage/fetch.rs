//! `storage fetch`: downloads one artifact, and keeps it only if it is right.

use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use jaas_findings::facts::Reply;
use jaas_storage::artifact::{Digest, unpack};

use super::super::{Error, Invocation, Verdict, one};
use super::ground::{self, Ground};
use super::prove::{self, Subject};
use crate::cli::FetchArgs;
use crate::exit::Exit;
use crate::road::{Need, Road, prove};
use crate::session::Writes;
use crate::view::{Fetched, Found, Packed, Report};

/// Downloads, proves, keeps.
pub(super) async fn run(args: &FetchArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    one::check(&args.name, invocation, "storage fetch")?;
    if let Some(file) = args.to.as_ref().filter(|file| file.exists() && !args.force) {
        let what = format!("{} is there already; nothing was written", file.display());
        return Err(Error::Refused { what, how: "add --force to write over it".to_owned() });
    }
    let ground = Ground::open(invocation, &args.operator, &args.road, Writes::Refused, report).await?;
    let key = one::key(&args.name, &ground.session, invocation, "storage fetch")?;
    invocation.listener.say(&format!("storage fetch of {key}; {}", ground.session.destination));
    let subjects = prove::of_one(&ground.session, &key, report).await?;
    let subject = choose(&subjects, args.revision.as_deref()).map_err(|what| Error::NoRevision { key, what })?;

    let site = ground.site(invocation, &args.operator, &args.road);
    let opened = ground::look(invocation, ground::open(&site, Need::Bytes, invocation)).await?;
    let mut stop = invocation.stop.clone();
    let proven = tokio::select! {
        proven = bytes(&opened.road, subject) => proven,
        signal = stop.signalled() => return Err(Error::Stopped(signal)),
    };
    let bytes = match proven {
        Ok(bytes) => bytes,
        Err(reply) => return Ok(refused(subject, reply)),
    };
    let entries =
        unpack(&bytes).map_err(|error| Error::File { file: subject.path.clone(), cause: error.to_string() })?;
    let mut fetched = Fetched {
        namespace: subject.key.namespace.clone(),
        name: subject.key.name.clone(),
        revision: subject.revision.clone(),
        digest: Digest::of(&bytes).to_string(),
        bytes: bytes.len() as u64,
        file: None,
        entries: entries.iter().map(|(path, it)| Packed { path: path.clone(), bytes: it.len() as u64 }).collect(),
        text: None,
    };
    let mut message =
        format!("{}: {}, digest and content are right", subject.path, crate::size::words(bytes.len() as u64));
    if let Some(wanted) = &args.cat {
        let Some(file) = entries.get(wanted) else {
            let there: Vec<_> = entries.keys().cloned().collect();
            let cause = format!("it is not in the artifact, which holds {}", crate::hint::few(&there));
            return Err(Error::File { file: wanted.clone(), cause });
        };
        fetched.text = Some(String::from_utf8_lossy(file).into_owned());
    }
    if let Some(target) = &args.to {
        keep(target, &bytes, args.force)?;
        fetched.file = Some(target.display().to_string());
        message.push_str(&format!("; kept as {}", target.display()));
    }
    report.detail = Some(ground.view(Some(&opened), Found::Fetched(fetched)));
    Ok(Verdict { exit: Exit::Done, message, hint: None })
}

/// The bytes of an artifact, proven whatever the road already did.
///
/// # Errors
/// What was found instead.
pub(in crate::commands) async fn bytes(road: &Road, subject: &Subject) -> Result<Bytes, Reply> {
    let bytes = match road {
        Road::Files(files) => files.bytes(&subject.path).await?,
        Road::Backing(backing) => backing.bytes(&subject.path, subject.digest.as_deref()).await?,
        Road::Admin(_) => return Err(Reply::Silent("the admin endpoint hands out no bytes".to_owned())),
    };
    match prove(&bytes, subject.digest.as_deref(), &subject.revision) {
        Reply::Verified(_) => Ok(bytes),
        wrong => Err(wrong),
    }
}

/// The subject that a word means: the current one without any, else the one whose revision begins so.
pub(in crate::commands) fn choose<'a>(subjects: &'a [Subject], word: Option<&str>) -> Result<&'a Subject, String> {
    let Some(word) = word else {
        let current = subjects.iter().find(|subject| subject.role == "current");
        return current.ok_or_else(|| "nothing was published yet".to_owned());
    };
    let digits = word.strip_prefix("sha256:").or(word.strip_prefix("sha256-")).unwrap_or(word);
    let hex = |subject: &Subject| subject.revision.trim_start_matches("sha256:").to_owned();
    let mut meant = subjects.iter().filter(|subject| !digits.is_empty() && hex(subject).starts_with(digits));
    match (meant.next(), meant.next()) {
        (Some(subject), None) => Ok(subject),
        (Some(_), Some(_)) => Err(format!("several revisions begin with `{word}`")),
        (None, _) => Err(format!("neither status nor history names a revision `{word}`")),
    }
}

fn refused(subject: &Subject, reply: Reply) -> Verdict {
    let proof = prove::judge(subject, reply);
    let what = format!("{}: {}", subject.path, proof.why);
    let heal = |command: &str| format!("kubectl jaas {command} {} -n {}", proof.name, proof.namespace);
    match proof.code {
        Some("A501") => {
            Verdict { exit: Exit::Findings, message: format!("A501 {what}"), hint: Some(heal("reconcile")) }
        }
        Some("A502") => Verdict { exit: Exit::Findings, message: format!("A502 {what}"), hint: None },
        Some(code) => Verdict {
            exit: Exit::Findings,
            message: format!("{code} {what}; nothing was kept"),
            hint: Some(heal("storage repair")),
        },
        None => Verdict {
            exit: Exit::Partial,
            message: what,
            hint: Some(heal("storage doctor")).map(|_| "see why: kubectl jaas storage doctor".to_owned()),
        },
    }
}

/// Writes beside the target and renames: whoever looks sees the whole file or none.
fn keep(target: &Path, bytes: &[u8], force: bool) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::File { file: target.display().to_string(), cause: error.to_string() };
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        if force {
            return std::fs::rename(&beside, target);
        }
        // A link is refused where somebody made the file meanwhile; a rename would write over it.
        std::fs::hard_link(&beside, target)?;
        std::fs::remove_file(&beside)
    })();
    if written.is_err() {
        // It may never have been made.
        drop(std::fs::remove_file(&beside));
    }
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::keep::tests::snippet;
    use super::*;

    #[test]
    fn a_revision_is_meant_by_its_first_digits() {
        let subjects = prove::subjects(&[snippet()], &[], false);
        let chosen = |word| choose(&subjects, word).map(|subject| subject.revision.clone());
        assert_eq!(chosen(None), Ok("sha256:4".to_owned()));
        assert_eq!(chosen(Some("sha256:3")), Ok("sha256:3".to_owned()));
        assert_eq!(chosen(Some("3")), Ok("sha256:3".to_owned()));
        assert!(chosen(Some("9")).is_err() && chosen(Some("sha256:")).is_err());
        assert!(choose(&[], None).is_err());
    }

    #[test]
    fn a_file_is_whole_or_not_there_and_never_written_over_by_accident() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("web.tar.gz");
        keep(&target, b"one", false).unwrap();
        assert!(keep(&target, b"two", false).is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"one");
        keep(&target, b"two", true).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(keep(&folder.path().join("no/such/folder"), b"x", false).is_err());
    }
}
