//! Listings, right and wrong. Pure.

use super::fault::{Fault, decoded, parameter};
use super::objects::{Answer, Bucket};

/// Token of the page after [`Fault::EmptyPage`].
const AFTER_NOTHING: &str = "after-nothing";

/// One page of the objects below a prefix.
pub(super) fn objects(bucket: &Bucket, query: &str, fault: &Fault) -> Answer {
    let prefix = parameter(query, "prefix").unwrap_or_default();
    let after = parameter(query, "continuation-token").filter(|token| token != AFTER_NOTHING).unwrap_or_default();
    let most: usize = parameter(query, "max-keys").and_then(|most| most.parse().ok()).unwrap_or(1000);
    let before = (*fault == Fault::LateList).then(|| bucket.objects_before());
    let objects = before.as_ref().unwrap_or_else(|| bucket.objects());
    let matching = objects.iter().filter(|(key, _)| key.starts_with(&prefix) && **key > after);
    let mut page: Vec<_> = matching.take(most + 1).collect();
    let more = page.len() > most;
    page.truncate(most);
    let mut next = page.last().filter(|_| more).map(|(key, _)| (*key).clone());
    match fault {
        Fault::DoubleList => page.extend(page.first().copied()),
        Fault::CircularList => {
            page.clear();
            next = Some("again".to_owned());
        }
        Fault::EmptyPage => {
            page.clear();
            next = Some(AFTER_NOTHING.to_owned());
        }
        Fault::CutList => next = None,
        Fault::VagueList => {
            return Answer::xml("<ListBucketResult><Name>artifacts</Name></ListBucketResult>".to_owned());
        }
        _ => {}
    }
    let truncated = more || matches!(fault, Fault::CircularList | Fault::EmptyPage | Fault::CutList);
    let contents: String = page
        .iter()
        .map(|(key, object)| {
            let (size, written, etag) = (object.bytes.len(), object.written, object.etag());
            format!("<Contents><Key>{key}</Key><LastModified>{written:.3}</LastModified><ETag>{etag}</ETag><Size>{size}</Size></Contents>")
        })
        .collect();
    let next = next.map_or(String::new(), |next| format!("<NextContinuationToken>{next}</NextContinuationToken>"));
    let count = page.len();
    Answer::xml(format!(
        "<ListBucketResult><IsTruncated>{truncated}</IsTruncated><KeyCount>{count}</KeyCount>{next}{contents}</ListBucketResult>"
    ))
}

/// All unfinished uploads.
pub(super) fn uploads(bucket: &Bucket) -> Answer {
    let uploads: String = bucket
        .uploads()
        .iter()
        .map(|(id, key)| {
            let key = decoded(key);
            format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>2024-01-01T00:00:00.000Z</Initiated></Upload>")
        })
        .collect();
    Answer::xml(format!(
        "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{uploads}</ListMultipartUploadsResult>"
    ))
}
