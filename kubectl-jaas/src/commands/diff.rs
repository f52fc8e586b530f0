//! `diff`: how what a snippet publishes differs between revisions, or from what it would publish.

mod compare;
mod values;

use jaas_storage::artifact::{Entries, unpack};

use super::storage::fetch;
use super::storage::ground::{self, Ground};
use super::storage::prove::{self, Subject};
use super::{Error, Invocation, Verdict, one, render};
use crate::cli::{DiffArgs, RenderArgs};
use crate::exit::Exit;
use crate::road::{Need, Road};
use crate::session::Writes;
use crate::view::{Detail, Difference, Report, Side};

/// One side: what it is, and its files.
type Sided = (Side, Entries);

/// Gets both sides and notes how they differ.
pub(super) async fn run(args: &DiffArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    one::check(&args.name, invocation, "diff")?;
    let mut stop = invocation.stop.clone();
    tokio::select! {
        verdict = compared(args, invocation, report) => verdict,
        signal = stop.signalled() => Err(Error::Stopped(signal)),
    }
}

async fn compared(args: &DiffArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    let ground = Ground::open(invocation, &args.operator, &args.road, Writes::Refused, report).await?;
    let key = one::key(&args.name, &ground.session, invocation, "diff")?;
    invocation.listener.say(&format!("diff of {key}; {}", ground.session.destination));
    let subjects = prove::of_one(&ground.session, &key, report).await?;
    let chosen = |word: Option<&str>| {
        fetch::choose(&subjects, word).map_err(|what| Error::NoRevision { key: key.clone(), what })
    };
    let site = ground.site(invocation, &args.operator, &args.road);
    let wanted = chosen(args.old.as_deref())?;
    let opened = ground::open(&site, Need::Bytes, invocation).await?;
    let old = match fetched(&opened.road, wanted).await {
        Ok(old) => old,
        Err(verdict) => return Ok(verdict),
    };
    let new = match (&args.old, &args.file) {
        (Some(_), _) => fetched(&opened.road, chosen(args.new.as_deref())?).await,
        (None, file) => {
            let what = file
                .as_ref()
                .map_or("render of the live spec".to_owned(), |file| format!("render of {}", file.display()));
            let (rendering, operator) = (rendering(args), ground.operator.as_ref());
            let content = render::content(&rendering, file.as_deref(), &ground.session, operator).await?;
            content.map(|content| (Side { what, revision: content.revision().to_string() }, content.entries().clone()))
        }
    };
    let new = match new {
        Ok(new) => new,
        Err(verdict) => return Ok(verdict),
    };
    let files = compare::files(&old.1, &new.1);
    let found = Difference { namespace: key.namespace, name: key.name, old: old.0, new: new.0, files };
    let verdict = judge(&found, args.exit_code);
    report.result.counts.insert("differences", found.count());
    report.detail = Some(Detail::Difference(Box::new(found)));
    Ok(verdict)
}

/// A stored revision; or, where it cannot be had or is not what it should be, the verdict.
async fn fetched(road: &Road, subject: &Subject) -> Result<Sided, Verdict> {
    let reply = match fetch::bytes(road, subject).await {
        Ok(bytes) => match unpack(&bytes) {
            Ok(entries) => {
                let what = if subject.role == "current" { "published" } else { "in the history" };
                return Ok((Side { what: what.to_owned(), revision: subject.revision.clone() }, entries));
            }
            Err(error) => jaas_findings::facts::Reply::NoTarball(error.to_string()),
        },
        Err(reply) => reply,
    };
    let proof = prove::judge(subject, reply);
    let code = proof.code.map(|code| format!("{code} ")).unwrap_or_default();
    let message = format!("{code}{}: {}; nothing was compared", subject.path, proof.why);
    let hint = match proof.code {
        Some("A502") => "a revision of the history does not come back by itself; compare with another one".to_owned(),
        Some(code) => format!("what it means and what to type: kubectl jaas explain {code}"),
        None => "see why: kubectl jaas storage doctor".to_owned(),
    };
    Err(Verdict { exit: Exit::Partial, message, hint: Some(hint) })
}

fn rendering(args: &DiffArgs) -> RenderArgs {
    RenderArgs {
        source: args.name.clone(),
        stats: false,
        time: false,
        runs: 1,
        ext_var: args.ext_var.clone(),
        evaluation_timeout: args.evaluation_timeout,
        operator: args.operator.clone(),
    }
}

fn judge(found: &Difference, with_exit_code: bool) -> Verdict {
    let plural = |count: usize, word: &str| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    let (exit, message) = match found.files.len() {
        0 if found.old.revision == found.new.revision => (Exit::Done, "they are the same revision".to_owned()),
        0 => (Exit::Done, "they hold the same files".to_owned()),
        files => {
            let exit = if with_exit_code { Exit::Findings } else { Exit::Done };
            (exit, format!("{} in {}", plural(found.count(), "difference"), plural(files, "file")))
        }
    };
    Verdict { exit, message, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{FileChange, FileDifference};

    #[test]
    fn a_difference_is_4_only_where_that_was_asked_for() {
        let side = |revision: &str| Side { what: String::new(), revision: revision.to_owned() };
        let file =
            FileDifference { path: "a".to_owned(), change: FileChange::Added, values: Vec::new(), text: String::new() };
        let found = |files: Vec<FileDifference>| Difference {
            namespace: "a".to_owned(),
            name: "web".to_owned(),
            old: side("1"),
            new: side("2"),
            files,
        };
        let told = |found: &Difference, strict| {
            let verdict = judge(found, strict);
            (verdict.exit, verdict.message)
        };
        assert_eq!(told(&found(vec![file.clone()]), false), (Exit::Done, "1 difference in 1 file".to_owned()));
        assert_eq!(told(&found(vec![file]), true).0, Exit::Findings);
        assert_eq!(told(&found(Vec::new()), true), (Exit::Done, "they hold the same files".to_owned()));
    }
}
