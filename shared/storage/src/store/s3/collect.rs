//! Lists objects and takes them away.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use futures::{StreamExt, TryStreamExt, stream};

use super::Inner;
use super::error::{Failure, Meaning};
use super::expiry::Expiring;
use crate::artifact::Revision;
use crate::store::key::file_name;
use crate::store::listing::trash_name;
use crate::store::{ErrorKind, Item, ItemKind, Key, Removed, StoreError, Swept, TRASH_AGE, Upload};

/// Deletions at a time.
const CONCURRENT: usize = 8;

impl Inner {
    /// All objects below a path. Complete or an error.
    pub(super) async fn list(&self, below: &str) -> Result<Vec<Item>, StoreError> {
        self.pages(below, None).await.map_err(|failure| self.failed("listing", below, failure))
    }

    /// The same in pages of a given size.
    pub(super) async fn pages(&self, below: &str, page: Option<i32>) -> Result<Vec<Item>, Failure> {
        let corrupt = |what: &str| Failure::trouble(ErrorKind::Corrupt, format!("the listing {what}"));
        let prefix = self.object(below);
        let (mut found, mut keys, mut tokens) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut token: Option<String> = None;
        loop {
            let answer = self.page(&prefix, page, token.take()).await?;
            let objects = answer.contents.unwrap_or_default();
            if answer.key_count.is_none_or(|count| usize::try_from(count) != Ok(objects.len())) {
                return Err(corrupt("counts other objects than it names"));
            }
            for object in objects {
                let path = object.key.as_deref().filter(|key| key.starts_with(&prefix));
                let Some(path) = path.and_then(|key| key.strip_prefix(&*self.prefix)) else {
                    return Err(corrupt("names an object outside of the prefix"));
                };
                if !keys.insert(path.to_owned()) {
                    return Err(corrupt("names an object twice"));
                }
                let size = object.size.and_then(|size| u64::try_from(size).ok());
                let Some(size) = size else { return Err(corrupt("names an object without its size")) };
                let written = object.last_modified.and_then(|written| time(written.secs()));
                let version = object.e_tag.as_deref().map(plain).unwrap_or_default().to_owned();
                found.push(Item { written, version, ..Item::of(path, size) });
            }
            match (answer.is_truncated, answer.next_continuation_token) {
                (Some(true), Some(next)) if tokens.insert(next.clone()) => token = Some(next),
                (Some(true), Some(_)) => return Err(corrupt("goes in a circle")),
                (Some(true), None) => return Err(corrupt("ends in the middle")),
                (Some(false), _) => return Ok(found),
                (None, _) => return Err(corrupt("does not say whether it is complete")),
            }
        }
    }

    async fn page(
        &self,
        prefix: &str,
        page: Option<i32>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, Failure> {
        let answer = self.connection.call(0, |client| {
            client
                .list_objects_v2()
                .bucket(self.bucket())
                .set_prefix(Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()))
                .set_max_keys(page)
                .set_continuation_token(token.clone())
                .send()
        });
        answer.await
    }

    /// See [`crate::store::Store::remove`].
    pub(super) async fn remove(&self, key: &Key, revision: &Revision) -> Result<(), StoreError> {
        let path = key.path(revision);
        self.forget(&path);
        let removed = self.delete_object(&path, None).await;
        self.forget(&path);
        removed.map(drop).map_err(|failure| self.failed("removing", &path, failure))
    }

    /// See [`crate::store::Store::remove_if`].
    pub(super) async fn remove_if(&self, item: &Item) -> Result<Removed, StoreError> {
        let path = &item.path;
        let failed = |failure| self.failed("removing", path, failure);
        if !Item::of(path, item.size).is_removable() {
            let odd = "it is neither an artifact nor a left-over of one";
            return Err(failed(Failure::trouble(ErrorKind::Unavailable, odd)));
        }
        self.forget(path);
        let Some(head) = self.head("removing", path).await? else { return Ok(Removed::Missing) };
        if plain(&head.etag) != item.version || head.size != item.size {
            return Ok(Removed::Changed);
        }
        let conditional = self.known_capabilities().and_then(|known| known.conditional_delete) == Some(true);
        let removed = self.delete_object(path, Some(head.etag).filter(|_| conditional)).await;
        self.forget(path);
        match removed {
            Ok(true) => Ok(Removed::Gone),
            Ok(false) => Ok(Removed::Missing),
            Err(failure) if failure.meaning == Meaning::Precondition => Ok(Removed::Changed),
            Err(failure) => Err(failed(failure)),
        }
    }

    /// See [`crate::store::Store::delete`].
    pub(super) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let items = self.list(&format!("{key}/")).await?;
        if items.is_empty() {
            return Ok(());
        }
        let paths = items.into_iter().map(|item| item.path);
        stream::iter(paths)
            .map(|path| async move {
                self.forget(&path);
                let removed = self.delete_object(&path, None).await;
                self.forget(&path);
                removed.map(drop).map_err(|failure| self.failed("deleting", &path, failure))
            })
            .buffer_unordered(CONCURRENT)
            .try_collect::<Vec<()>>()
            .await
            .map(drop)
    }

    /// Whether there was something, as far as the service tells.
    pub(super) async fn delete_object(&self, path: &str, if_match: Option<String>) -> Result<bool, Failure> {
        let plainly = self.know_how_to_delete().await?;
        self.delete_so(path, if_match, plainly).await
    }

    /// As [`Inner::delete_object`], `plainly` or with a signature that ends soon.
    pub(super) async fn delete_so(&self, path: &str, if_match: Option<String>, plainly: bool) -> Result<bool, Failure> {
        let connection = &self.connection;
        let answer = connection.call(0, |client| {
            let delete = client.delete_object().bucket(self.bucket()).key(self.object(path));
            let mut delete = delete.set_if_match(if_match.clone()).customize();
            if !plainly {
                // The SDK sets the time of other signatures right, and that of such a one not. What it measured for the others it
                // keeps only if it does not measure by this clock.
                let times = aws_sdk_s3::config::Builder::new().time_source(connection.watch.clone());
                let times = times.disable_clock_skew_correction(true);
                delete = delete.config_override(times).interceptor(Expiring(connection.options.deletion_life));
            }
            delete.send()
        });
        match answer.await {
            Ok(_) => Ok(true),
            Err(failure) if failure.meaning == Meaning::Missing => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// See [`crate::store::Store::set_aside`].
    pub(super) async fn set_aside(&self, key: &Key, revision: &Revision, run: &str) -> Result<bool, StoreError> {
        let path = key.path(revision);
        let failed = |failure| self.failed("setting aside", &path, failure);
        let Some(aside) = trash_name(&file_name(revision), run) else {
            let odd = format!("`{run}` cannot be part of a name");
            return Err(failed(Failure::trouble(ErrorKind::Unavailable, odd)));
        };
        self.forget(&path);
        let Some(head) = self.head("setting aside", &path).await? else { return Ok(false) };
        let source = encoded(&format!("{}/{}", self.bucket(), self.object(&path)));
        let target = self.object(&format!("{key}/{aside}"));
        let answer = self.connection.call(0, |client| {
            client.copy_object().bucket(self.bucket()).copy_source(source.clone()).key(target.clone()).send()
        });
        match answer.await {
            Ok(copied) if copied.copy_object_result.as_ref().is_some_and(|result| result.e_tag.is_some()) => {}
            Ok(_) => return Err(failed(Failure::trouble(ErrorKind::Corrupt, "the answer to the copy has no ETag"))),
            Err(failure) if failure.meaning == Meaning::Missing => return Ok(false),
            Err(failure) => return Err(failed(failure)),
        }
        // What another writer put in its place meanwhile stays, where the service compares.
        let conditional = self.known_capabilities().and_then(|known| known.conditional_delete) == Some(true);
        let removed = self.delete_object(&path, Some(head.etag).filter(|_| conditional)).await;
        self.forget(&path);
        match removed {
            Err(failure) if failure.meaning != Meaning::Precondition => Err(failed(failure)),
            _ => Ok(true),
        }
    }

    /// See [`crate::store::Store::sweep`].
    pub(super) async fn sweep(&self, max_age: Duration) -> Result<Swept, StoreError> {
        let mut swept = Swept { removed: self.abort_uploads(max_age).await? };
        let now = self.connection.watch.service_now();
        for item in self.list("").await? {
            let age = match item.kind {
                ItemKind::Temporary => max_age,
                ItemKind::Trash => TRASH_AGE,
                _ => continue,
            };
            if is_older(now, seconds(item.written), age) {
                let gone = self.delete_object(&item.path, None).await;
                swept.removed += u64::from(gone.map_err(|failure| self.failed("sweeping", &item.path, failure))?);
            }
        }
        Ok(swept)
    }

    /// Ends uploads of artifacts in parts that nobody finished, as the Go implementation leaves them. We send artifacts whole.
    async fn abort_uploads(&self, max_age: Duration) -> Result<u64, StoreError> {
        let failed = |failure| self.failed("sweeping", "", failure);
        let mut aborted = 0;
        for upload in self.unfinished().await.map_err(failed)? {
            if is_older(self.connection.watch.service_now(), upload.begun, max_age) {
                self.abort(&upload.object, &upload.id).await.map_err(failed)?;
                aborted += 1;
            }
        }
        Ok(aborted)
    }

    /// See [`crate::store::Store::uploads`].
    pub(super) async fn uploads(&self) -> Result<Vec<Upload>, StoreError> {
        let found = self.unfinished().await.map_err(|failure| self.failed("listing the uploads of", "", failure))?;
        let upload = |found: Unfinished| {
            let path = found.object.strip_prefix(&*self.prefix)?.to_owned();
            Some(Upload { path, begun: time(found.begun) })
        };
        let mut uploads: Vec<Upload> = found.into_iter().filter_map(upload).collect();
        uploads.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(uploads)
    }

    /// Unfinished uploads of what a store holds: of artifacts, which other implementations send in parts. The whole bucket is asked and filtered here, since not every service filters by prefix.
    async fn unfinished(&self) -> Result<Vec<Unfinished>, Failure> {
        let mut found = Vec::new();
        let mut markers = HashSet::new();
        let mut marker: (Option<String>, Option<String>) = (None, None);
        loop {
            let asked = marker.clone();
            let answer = self.connection.call(0, |client| {
                let request = client.list_multipart_uploads().bucket(self.bucket());
                request.set_key_marker(asked.0.clone()).set_upload_id_marker(asked.1.clone()).send()
            });
            let page = match answer.await {
                Ok(page) => page,
                Err(failure) if failure.meaning == Meaning::Unsupported => return Ok(found),
                // Some services refuse the marker that they gave; the key alone works everywhere.
                Err(failure) if failure.status == Some(400) && marker.1.is_some() => {
                    marker.1 = None;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            for upload in page.uploads.unwrap_or_default() {
                let (Some(object), Some(id)) = (upload.key, upload.upload_id) else { continue };
                let begun = upload.initiated.map_or(i64::MAX, |time| time.secs());
                // A prefix may be empty, and the bucket shared.
                let path = object.strip_prefix(&*self.prefix);
                if path.is_some_and(|path| Item::of(path, 0).is_removable()) {
                    found.push(Unfinished { object, id, begun });
                }
            }
            let next = (page.next_key_marker, page.next_upload_id_marker);
            if page.is_truncated != Some(true) || next.0.is_none() || !markers.insert(next.clone()) {
                return Ok(found);
            }
            marker = next;
        }
    }

    async fn abort(&self, object: &str, id: &str) -> Result<(), Failure> {
        let answer = self
            .connection
            .call(0, |client| client.abort_multipart_upload().bucket(self.bucket()).key(object).upload_id(id).send());
        match answer.await {
            Ok(_) => Ok(()),
            // Somebody else ended it.
            Err(failure) if failure.status == Some(404) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// An upload in parts, by the service's own words; one without a time began at the end of time.
struct Unfinished {
    object: String,
    id: String,
    begun: i64,
}

/// Seconds since 1970 as a time; none where the service told none.
fn time(seconds: i64) -> Option<SystemTime> {
    let seconds = u64::try_from(seconds).ok().filter(|&seconds| seconds != i64::MAX.unsigned_abs())?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Seconds since 1970 of a time; the end of time where there is none, so that it is never old.
fn seconds(time: Option<SystemTime>) -> i64 {
    let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(i64::MAX)
}

/// An ETag without its quotes, which some services leave out in a listing.
fn plain(etag: &str) -> &str {
    etag.trim_matches('"')
}

fn is_older(now: i64, written: i64, age: Duration) -> bool {
    // Both times are cut to whole seconds, at different moments.
    u64::try_from(now.saturating_sub(written).saturating_add(1)).is_ok_and(|seconds| seconds >= age.as_secs())
}

/// A key as it stands in a header.
fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
