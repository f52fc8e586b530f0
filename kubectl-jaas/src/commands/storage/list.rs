//! `storage ls`: files of the store.

use std::collections::BTreeSet;

use jaas_findings::facts::{File, FileClass};
use jiff::Timestamp;

use super::super::{Error, Invocation, Verdict, one};
use super::ground::{self, Ground};
use super::keep::{Keep, owner};
use super::scope::Watched;
use super::space::partly;
use crate::cli::LsArgs;
use crate::road::Need;
use crate::session::Writes;
use crate::size::words;
use crate::snippet::Snippet;
use crate::view::{FileView, Found, Report};

/// Notes the files.
pub(super) async fn run(args: &LsArgs, invocation: &Invocation<'_>, report: &mut Report) -> Result<Verdict, Error> {
    if let Some(name) = &args.name {
        one::check(name, invocation, "storage ls")?;
    }
    let ground = Ground::open(invocation, &args.operator, &args.road, Writes::Refused, report).await?;
    let key = args.name.as_deref().map(|name| one::key(name, &ground.session, invocation, "storage ls")).transpose()?;
    let namespace = match &key {
        Some(key) => Some(key.namespace.as_str()),
        None => invocation.connection.namespace.as_deref(),
    };
    report.metadata.scope.all_namespaces = namespace.is_none();
    report.metadata.scope.namespaces = namespace.iter().map(|name| (*name).to_owned()).collect();
    let what = match (&key, namespace) {
        (Some(key), _) => key.to_string(),
        (None, Some(namespace)) => format!("namespace `{namespace}`"),
        (None, None) => "everything".to_owned(),
    };
    invocation.listener.say(&format!("storage ls of {what}; {}", ground.session.destination));
    let site = ground.site(invocation, &args.operator, &args.road);
    let opened = ground::look(invocation, ground::open(&site, Need::List, invocation)).await?;
    let (inventory, omitted) = ground::look(invocation, async { Ok(opened.road.inventory(namespace).await?) }).await?;
    // What holds a file is worth knowing, and not needed to list it.
    let scope = Watched::of(&ground.flags)?;
    let mut left_out = BTreeSet::new();
    let keep = match ground::objects(&ground.session, namespace).await {
        Ok((snippets, artifacts)) => {
            left_out.extend(snippets.iter().filter(|snippet| !scope.selects(snippet)).map(Snippet::key));
            Some(Keep::of(&snippets, &artifacts))
        }
        // By their labels snippets can be left out that cannot be seen, and then nothing can be said of their files.
        Err(error) if args.out_of_scope && scope.has_labels() => return Err(error.into()),
        Err(error) => {
            invocation.listener.say(&format!("what holds the files is not known: {error}"));
            None
        }
    };
    let grace = ground.flags.seconds("artifact-gc-grace").unwrap_or_default();
    let now = Timestamp::now();
    let is_out_of_scope =
        |file: &File| owner(&file.path).is_some_and(|key| !scope.watches(&key.namespace) || left_out.contains(&key));
    let is_meant = |file: &&File| {
        key.as_ref().is_none_or(|key| owner(&file.path).as_ref() == Some(key))
            && (!args.out_of_scope || is_out_of_scope(file))
    };
    let files: Vec<_> =
        inventory.files.iter().filter(is_meant).map(|file| view(file, keep.as_ref(), grace, now)).collect();
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let mut message = format!("{}, {}", crate::hint::count(files.len(), "file"), words(bytes));
    if ground.flags.backend() == "local" {
        message.push_str(" by their sizes; storage df and du count whole blocks");
    }
    report.detail = Some(ground.view(Some(&opened), Found::Files(files)));
    Ok(partly(message, inventory.complete, &omitted))
}

fn view(file: &File, keep: Option<&Keep>, grace: u64, now: Timestamp) -> FileView {
    let held_by = match (file.class, keep, owner(&file.path)) {
        (FileClass::Revision, Some(keep), Some(key)) if keep.knows(&key) || keep.names(&file.path) => {
            keep.hold(file, grace, now).word()
        }
        (FileClass::Revision | FileClass::Tmp | FileClass::Trash, Some(keep), Some(key)) if !keep.knows(&key) => {
            "no snippet"
        }
        _ => "",
    };
    FileView { path: file.path.clone(), class: file.class.word(), held_by, bytes: file.bytes, age: file.age }
}

#[cfg(test)]
mod tests {
    use super::super::keep::tests::{file, noon, snippet};
    use super::*;

    #[test]
    fn a_file_is_shown_with_what_holds_it() {
        let keep = Keep::of(&[snippet()], &[]);
        let held = |file: &File| view(file, Some(&keep), 300, noon()).held_by;
        assert_eq!((held(&file("4", 1, 0)), held(&file("1", 1, 0))), ("current", "expired"));
        let gone = File { path: "team-x/old/sha256-1.tar.gz".to_owned(), ..file("1", 1, 0) };
        assert_eq!(held(&gone), "no snippet");
        let mark = File { path: ".jaas-owner.json".to_owned(), class: FileClass::OwnerMark, ..file("1", 1, 0) };
        assert_eq!(held(&mark), "");
        assert_eq!(view(&gone, None, 300, noon()).held_by, "");
    }
}
