//! Parts of artifacts and conditions, the same from a directory and from a bucket.

use jaas_storage::{Content, Digest, Key};
use jaas_tests::http::{client, read};
use jaas_tests::s3::faults::{Fault, FaultServer};

use crate::field::Field;

/// Bytes of a content that is too large to be verified in memory: more than 4 MiB in a directory, 8 MiB in a bucket.
const LARGE: usize = 9 << 20;

/// Asks for parts of what is at `url`, and for what has no part, and compares every byte with `whole`.
async fn parts_are_right(url: &str, whole: &[u8]) {
    let (size, end) = (whole.len(), whole.len() - 1);
    let ask = async |fields: &[(&str, &str)]| {
        let request = client().unwrap().get(url);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = read(request).await.unwrap();
        let range = answer.headers.get("content-range").map(|range| range.to_str().unwrap().to_owned());
        (answer.status.as_u16(), range, answer)
    };
    for (first, last, range) in [
        (0, 0, "bytes=0-0".to_owned()),
        (2, 40, "bytes=2-40".to_owned()),
        (size / 3, size / 3 * 2, format!("bytes={}-{}", size / 3, size / 3 * 2)),
        (size / 2, end, format!("bytes={}-", size / 2)),
        (end, end, "bytes=-1".to_owned()),
        (0, end, format!("bytes=-{}", size + 1)),
        (0, end, "bytes=0-".to_owned()),
    ] {
        let (status, named, answer) = ask(&[("range", &range)]).await;
        assert_eq!((status, named), (206, Some(format!("bytes {first}-{last}/{size}"))), "{range} of {url}");
        assert!(answer.body == whole[first..=last], "{range} of {url}");
        assert_eq!(answer.headers["content-length"].to_str().unwrap(), (last + 1 - first).to_string());
    }
    let (status, named, _) = ask(&[("range", &format!("bytes={size}-"))]).await;
    assert_eq!((status, named), (416, Some(format!("bytes */{size}"))), "{url}");
    let tag = format!("\"{}\"", Digest::of(whole));
    let (status, _, answer) = ask(&[("range", "bytes=2-40"), ("if-range", &tag)]).await;
    assert_eq!((status, &*answer.body), (206, &whole[2..=40]));
    let many = format!("bytes={}", vec!["0-0"; 1000].join(","));
    for fields in
        [&[("range", "bytes=0-0,2-2")][..], &[("range", "bytes=2-5"), ("if-range", "\"other\"")], &[("range", &many)]]
    {
        let (status, named, answer) = ask(fields).await;
        assert_eq!((status, named), (200, None), "{url}");
        assert!(answer.body == whole, "{url}");
        assert_eq!(answer.headers["accept-ranges"], "bytes");
    }
    for (name, value, expected) in [
        ("if-none-match", &*tag, 304),
        ("if-none-match", "*", 304),
        ("if-match", &tag, 200),
        ("if-match", "\"x\"", 412),
    ] {
        assert_eq!(ask(&[(name, value)]).await.0, expected, "{name}: {value} at {url}");
    }
    let head = read(client().unwrap().head(url).header("range", "bytes=0-0")).await.unwrap();
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"].to_str().unwrap(), size.to_string());
}

#[tokio::test]
async fn parts_are_served_from_a_directory() {
    let field = Field::new("parts").await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let file = field.file("web").await;
    parts_are_right(&field.artifact("web").await.published().unwrap().url, &std::fs::read(file).unwrap()).await;

    let (url, bytes) = publish_large(&field).await;
    parts_are_right(&url, &bytes).await;
}

#[tokio::test]
async fn parts_are_served_from_a_bucket_and_never_complete_if_the_whole_is_damaged() {
    let server = FaultServer::start().await.unwrap();
    let endpoint = format!("--s3-endpoint={}", server.endpoint());
    let field = Field::with(
        "bucket",
        &[
            "--storage-backend=s3",
            &endpoint,
            "--s3-bucket=artifacts",
            "--s3-region=any",
            "--s3-use-ssl=false",
            "--s3-access-key=any",
            "--s3-secret-key=any",
            // What was read once would be served right from memory.
            "--storage-cache=0",
        ],
    )
    .await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let url = field.artifact("web").await.published().unwrap().url.clone();
    parts_are_right(&url, &field.get(&url).await.body).await;

    let (path, bytes) = large(&field);
    let object = format!("http://{}/artifacts/{path}", server.endpoint());
    assert_eq!(read(client().unwrap().put(object).body(bytes.clone())).await.unwrap().status, 200);
    let url = announce_large(&field, &bytes).await;
    parts_are_right(&url, &bytes).await;

    server.always(Some(Fault::CorruptBody));
    for range in ["bytes=0-9", "bytes=0-", "bytes=-1"] {
        let mut answer = client().unwrap().get(&url).header("range", range).send().await.unwrap();
        let length: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let mut received = 0;
        let ended = loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => received += chunk.len(),
                other => break other,
            }
        };
        assert!(ended.is_err() && received < length, "{range}: {received} of {length}, {ended:?}");
    }
    server.always(None);
    parts_are_right(&url, &bytes).await;
}

/// Path and bytes of an artifact that no backend verifies in memory: packed as other software might, hardly smaller than its content.
fn large(field: &Field) -> (String, Vec<u8>) {
    let json = format!("\"{}\"\n", "x".repeat(LARGE));
    let content = Content::document("rendered.json", json.into_bytes());
    let mut tar = Vec::new();
    let packed = content.packed().unwrap();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed), &mut tar).unwrap();
    let mut bytes = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut bytes, &tar).unwrap();
    (Key::new(&field.namespace.name, "large").unwrap().path(content.revision()), bytes.finish().unwrap())
}

/// Publishes the snippet of [`large`], whose file is there already, and answers the address.
async fn announce_large(field: &Field, bytes: &[u8]) -> String {
    field.create_file("large", &format!("std.repeat('x', {LARGE})")).await;
    field.synced("large").await;
    let published = field.artifact("large").await.published().unwrap().clone();
    assert_eq!(published.digest, Some(Digest::of(bytes).to_string()), "what was there is kept");
    published.url
}

/// Publishes an artifact of more than [`LARGE`] bytes from a directory. Answers its address and its bytes.
pub(crate) async fn publish_large(field: &Field) -> (String, Vec<u8>) {
    let (path, bytes) = large(field);
    let file = field.operator.storage_path().join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, &bytes).unwrap();
    (announce_large(field, &bytes).await, bytes)
}
