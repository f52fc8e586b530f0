//! Everything that the store holds, one line each.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use jaas_api::admin::{File, FileClass, InventoryEnd, InventoryLine};
use jaas_storage::store::{Item, ItemKind, Upload};
use jiff::Timestamp;
use warp::reply::Response;

use super::auth::Caller;
use super::lines::{Gone, Lines, lines};
use super::problem::Refused;
use super::rights::{On, Scope};
use super::{Admin, Turn};
use crate::snippet::outcome::chain;

/// Lists the store, then sends what the caller may see of it.
pub(super) async fn inventory(
    admin: &Admin,
    caller: &Caller,
    namespace: Option<String>,
    turn: Turn,
) -> Result<Response, Refused> {
    if let Some(name) = &namespace {
        admin.rights.demand(caller, "list", On::Storage, Some(name)).await?;
    }
    let listed_at = Timestamp::now();
    let store = &admin.world.store;
    let listing = store.list().await.map_err(|error| Refused::unavailable(chain(&error)))?;
    let (uploads, uploads_unknown) = match store.uploads().await {
        Ok(uploads) => (uploads, None),
        Err(error) => (Vec::new(), Some(chain(&error))),
    };
    let all: Vec<Found> = listing.into_iter().map(Found::file).chain(uploads.into_iter().map(Found::upload)).collect();
    let (scope, whole) = match namespace {
        Some(name) => (Scope::Some(BTreeSet::from([name])), false),
        None => {
            let namespaces = all.iter().filter_map(|found| found.namespace.clone()).collect();
            (admin.rights.scope(caller, "list", On::Storage, namespaces).await?, true)
        }
    };
    let (files, hidden): (Vec<_>, Vec<_>) = all.into_iter().partition(|found| scope.covers(found.namespace.as_deref()));
    let hidden: Vec<_> = hidden.into_iter().filter(|_| whole).collect();
    let end = InventoryEnd {
        complete: hidden.is_empty(),
        omitted: hidden.into_iter().filter_map(|found| found.namespace).collect::<BTreeSet<_>>().into_iter().collect(),
        files: files.len() as u64,
        listed_at: Some(listed_at),
        uploads_unknown,
    };
    let (lines, response) = lines();
    tokio::spawn(async move {
        let _turn = turn;
        // Whoever left needs no more.
        let _ = send(lines, files, end).await;
    });
    Ok(response)
}

async fn send(mut lines: Lines, files: Vec<Found>, end: InventoryEnd) -> Result<(), Gone> {
    for found in files {
        lines.write(&InventoryLine::File(found.file)).await?;
    }
    lines.send(&InventoryLine::End(end)).await
}

struct Found {
    namespace: Option<String>,
    file: File,
}

impl Found {
    fn file(item: Item) -> Self {
        let file = File {
            class: class(&item.kind),
            bytes: item.size,
            age: item.written.map(age),
            version: item.version,
            path: item.path,
        };
        Self { namespace: item.key.map(|key| key.namespace().to_owned()), file }
    }

    fn upload(upload: Upload) -> Self {
        let namespace = Item::of(&upload.path, 0).key.map(|key| key.namespace().to_owned());
        let age = upload.begun.map(age);
        Self {
            namespace,
            file: File { path: upload.path, class: FileClass::Multipart, bytes: 0, age, version: String::new() },
        }
    }
}

/// The class of what a name says.
pub(super) fn class(kind: &ItemKind) -> FileClass {
    match kind {
        ItemKind::Revision(_) => FileClass::Revision,
        ItemKind::Temporary => FileClass::Tmp,
        ItemKind::Trash => FileClass::Trash,
        ItemKind::OwnerMark => FileClass::OwnerMark,
        ItemKind::Foreign => FileClass::Foreign,
    }
}

/// Seconds since a time; none where it is to come, as by the clock of a service that is ahead.
pub(super) fn age(written: SystemTime) -> u64 {
    SystemTime::now().duration_since(written).unwrap_or(Duration::ZERO).as_secs()
}
