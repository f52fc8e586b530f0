//! The storage server, before clients that send what no library would, or hardly anything.

use std::time::{Duration, Instant};

use futures::future::join_all;
use jaas_tests::wait::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::field::{Field, PATIENCE};
use crate::parts::publish_large;

/// Connections that are open at once: as many as a process may commonly have, less some.
const MANY: usize = 400;

async fn connect(field: &Field) -> TcpStream {
    TcpStream::connect(field.operator.base_url().trim_start_matches("http://")).await.unwrap()
}

/// What comes until the server closes the connection.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    // A server that closes without reading all makes the kernel reset the connection.
    let _ = stream.read_to_end(&mut received).await;
    received
}

/// Sends these bytes and gives what comes until the server closes the connection.
async fn exchange(field: &Field, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(field).await;
    // A server that has seen enough may close before all is sent.
    let _ = stream.write_all(bytes).await;
    tokio::time::timeout(PATIENCE, rest(stream)).await.unwrap()
}

/// The statuses of answers one after another, each with the number of its body's bytes.
fn statuses(mut answers: &[u8], with_bodies: bool) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !answers.is_empty() {
        let end = answers.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head") + 4;
        let head = String::from_utf8_lossy(&answers[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        statuses.push(head.split(' ').nth(1).unwrap().parse().unwrap());
        answers = &answers[end + if with_bodies { length } else { 0 }..];
    }
    statuses
}

fn get(target: &[u8]) -> Vec<u8> {
    [b"GET ", target, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"].concat()
}

/// A namespace with an artifact, and the artifact's path.
async fn published(prefix: &str, args: &[&str]) -> (Field, String) {
    let field = Field::with(prefix, args).await;
    field.create_file("web", "1").await;
    field.synced("web").await;
    let path = field.artifact("web").await.published().unwrap().path.clone();
    (field, path)
}

#[tokio::test]
async fn nothing_but_artifacts_can_be_reached() {
    let (field, path) = published("paths", &[]).await;
    let (folder, file) = path.rsplit_once('/').unwrap();
    let root = field.operator.storage_path();
    let bytes = std::fs::read(root.join(&path)).unwrap();
    let other = |digit: &str| format!("sha256-{}.tar.gz", digit.repeat(64));
    for beside in [".tmp", ".meta", ".trash-1", ".", "~"] {
        std::fs::write(root.join(format!("{path}{beside}")), &bytes).unwrap();
    }
    std::fs::create_dir(root.join(folder).join(other("1"))).unwrap();
    std::os::unix::fs::symlink(file, root.join(folder).join(other("2"))).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join(folder).join(other("3"))).unwrap();

    for reached in [format!("/{path}"), format!("/{path}?a=b"), format!("http://elsewhere/{path}")] {
        assert_eq!(statuses(&exchange(&field, &get(reached.as_bytes())).await, true), [200], "{reached}");
    }
    for missing in [
        "/".to_owned(),
        "*".to_owned(),
        path.clone(),
        format!("/{folder}"),
        format!("/{folder}/"),
        format!("//{path}"),
        format!("/{folder}//{file}"),
        format!("/{path}/"),
        format!("/./{path}"),
        format!("/{folder}/./{file}"),
        format!("/{folder}/../web/{file}"),
        format!("/{folder}/%2e%2e/web/{file}"),
        format!("/{folder}/%252e%252e/web/{file}"),
        format!("/{folder}/%c0%ae%c0%ae/web/{file}"),
        format!("/{folder}%2f{file}"),
        format!("/{folder}%5c{file}"),
        format!("/{folder}\\{file}"),
        format!("/{path}%00"),
        format!("/{path}%20"),
        format!("/{path};a"),
        format!("/{folder}/{}", file.replace("sha256-", "SHA256-")),
        format!("/{folder}/{}", file.to_uppercase()),
        format!("/{}", path.replace("/web/", "/WEB/")),
        format!("/{}", path.replace("/web/", "/web./")),
        format!("/{}", path.replace("/web/", "/%77eb/")),
        format!("/{path}."),
        format!("/{path}.tmp"),
        format!("/{path}.meta"),
        format!("/{path}.trash-1"),
        format!("/{path}~"),
        format!("/{folder}/{}", other("0")),
        format!("/{folder}/{}", other("1")),
        format!("/{folder}/{}", other("2")),
        format!("/{folder}/{}", other("3")),
        "/../../../../etc/passwd".to_owned(),
        "http://elsewhere".to_owned(),
        "elsewhere".to_owned(),
        "elsewhere:80".to_owned(),
        format!("http://elsewhere/%2e/{path}"),
        "/ready".to_owned(),
        "/metrics".to_owned(),
    ] {
        // Without its slash a target is no path at all.
        let expected = if missing == path { 400 } else { 404 };
        let answer = exchange(&field, &get(missing.as_bytes())).await;
        assert_eq!(statuses(&answer, true), [expected], "{missing}");
    }
    for garbled in [&b"\0"[..], b"\xc0\xae\xc0\xae", b"\xff", b"\x7f", b"\r", b" x"] {
        let target = [b"/", path.as_bytes(), garbled].concat();
        let answer = exchange(&field, &get(&target)).await;
        assert_eq!(statuses(&answer, true), [400], "{garbled:?}");
    }
}

#[tokio::test]
async fn a_request_is_understood_in_one_way_or_not_at_all() {
    let (field, path) = published("smuggling", &[]).await;
    let ask = |head: &str, body: &str| format!("GET /{path} HTTP/1.1\r\nHost: x\r\n{head}\r\n{body}");
    let next = "GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let inside = format!("{:x}\r\n{next}\r\n0\r\n\r\n", next.len());
    let lines = |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    let close = "Connection: close\r\n";
    let thousand = vec!["0-0"; 1000].join(",");
    let overlapping = (0..1000).map(|n| format!("{n}-")).collect::<Vec<_>>().join(",");
    for (what, request, expected) in [
        ("two requests", ask("", next), &[200, 404][..]),
        ("a body of known length", ask("Content-Length: 5\r\n", &format!("hello{next}")), &[200, 404]),
        (
            "the same length twice",
            ask("Content-Length: 5\r\nContent-Length: 5\r\n", &format!("hello{next}")),
            &[200, 404],
        ),
        ("another method", format!("POST /{path} HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello{next}"), &[405, 404]),
        ("an unknown method", format!("FOO /{path} HTTP/1.1\r\nHost: x\r\n{close}\r\n"), &[405]),
        ("a method in lower case", format!("get /{path} HTTP/1.1\r\nHost: x\r\n{close}\r\n"), &[405]),
        ("every resource", format!("OPTIONS * HTTP/1.1\r\nHost: x\r\n{close}\r\n"), &[405]),
        ("a tunnel", format!("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n{close}\r\n"), &[405]),
        ("HTTP/1.0", format!("GET /{path} HTTP/1.0\r\n\r\n"), &[200]),
        ("both lengths", ask("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", &inside), &[400]),
        (
            "both lengths, the other way",
            ask("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", &format!("0\r\n\r\nG{next}")),
            &[400],
        ),
        ("a body in chunks", ask("Transfer-Encoding: chunked\r\n", &inside), &[400]),
        ("two encodings", ask("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", next), &[400]),
        ("an unknown encoding", ask("Transfer-Encoding: xchunked\r\n", next), &[400]),
        (
            "an encoding in HTTP/1.0",
            format!("GET /{path} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{inside}"),
            &[400],
        ),
        ("two lengths", ask("Content-Length: 5\r\nContent-Length: 6\r\n", next), &[400]),
        ("a list of lengths", ask("Content-Length: 5, 6\r\n", next), &[400]),
        ("a signed length", ask("Content-Length: +5\r\n", next), &[400]),
        ("a negative length", ask("Content-Length: -5\r\n", next), &[400]),
        ("a huge length", ask("Content-Length: 99999999999999999999999\r\n", next), &[400]),
        ("a space before the colon", ask("Transfer-Encoding : chunked\r\n", &inside), &[400]),
        ("a folded line", ask("X: y\r\n z: 1\r\n", next), &[400]),
        ("a NUL in a value", ask("X: \0\r\n", next), &[400]),
        ("a lone CR in a value", ask("X: a\rb\r\n", next), &[400]),
        ("a line without a colon", ask("nonsense\r\n", next), &[400]),
        ("no version", format!("GET /{path}\r\n\r\n"), &[400]),
        ("an unknown version", format!("GET /{path} HTTP/3.0\r\n\r\n"), &[400]),
        ("no HTTP", "\x16\x03\x01\x02\0\x01\0".repeat(99) + "\r\n\r\n", &[400]),
        ("64 KiB of a field", ask(&format!("X: {}\r\n{close}", "y".repeat(64 << 10)), ""), &[200]),
        ("99 fields", ask(&(lines(97) + close), ""), &[200]),
        ("101 fields", ask(&(lines(99) + close), ""), &[431]),
        ("64 KiB of a path", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(64 << 10)), &[414]),
        ("a thousand ranges", ask(&format!("Range: bytes={thousand}\r\n{close}"), ""), &[200]),
        ("a thousand ranges that overlap", ask(&format!("Range: bytes={overlapping}\r\n{close}"), ""), &[200]),
        ("a range twice", ask(&format!("Range: bytes=0-0\r\nRange: bytes=1-1\r\n{close}"), ""), &[200]),
        ("a garbled range", ask(&format!("Range: bytes=\t,-,=-9\r\n{close}"), ""), &[200]),
        ("a garbled tag", ask(&format!("Range: bytes=0-0\r\nIf-Range: \"a b\r\n{close}"), ""), &[200]),
    ] {
        let answer = exchange(&field, request.as_bytes()).await;
        assert_eq!(statuses(&answer, true), expected, "{what}: {}", String::from_utf8_lossy(&answer));
    }
    // Some of it is never read, so the kernel may take the answer back.
    let flood = exchange(&field, ask(&format!("X: {}\r\n", "y".repeat(4 << 20)), "").as_bytes()).await;
    assert!([&[][..], &[431]].contains(&&*statuses(&flood, true)), "{}", String::from_utf8_lossy(&flood));
    assert_eq!(statuses(&exchange(&field, &get(format!("/{path}").as_bytes())).await, true), [200]);
}

#[tokio::test]
async fn many_connections_and_many_requests_on_one_are_all_served() {
    let (field, path) = published("crowd", &[]).await;
    let mut waiting = Vec::new();
    for _ in 0..MANY {
        let mut stream = connect(&field).await;
        stream.write_all(format!("GET /{path} HTTP/1.1\r\n").as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    let heads = format!("HEAD /{path} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(2 * MANY);
    let last = format!("HEAD /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answers = exchange(&field, (heads + &last).as_bytes()).await;
    assert_eq!(statuses(&answers, false), vec![200; 2 * MANY + 1], "a HEAD has no body");
    let served = join_all(waiting.into_iter().map(async |mut stream| {
        stream.write_all(b"Host: x\r\nConnection: close\r\n\r\n").await.unwrap();
        statuses(&rest(stream).await, true)
    }));
    assert_eq!(tokio::time::timeout(PATIENCE, served).await.unwrap(), vec![[200]; MANY]);
}

#[tokio::test]
async fn who_dawdles_is_cut_off() {
    let (field, path) = published("dawdlers", &["--storage-read-timeout=1s", "--storage-write-timeout=1s"]).await;
    let (url, bytes) = publish_large(&field).await;
    let target = url.strip_prefix(&field.operator.base_url()).unwrap();

    // One who asks for much and takes nothing; its small buffer and the server's hold but a part.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let address = field.operator.base_url().trim_start_matches("http://").parse().unwrap();
    let mut greedy = socket.connect(address).await.unwrap();
    greedy.write_all(&get(target.as_bytes())).await.unwrap();
    let ends = (address.port(), greedy.local_addr().unwrap().port());
    eventually(
        "the server to let go",
        PATIENCE,
        async || if is_established(ends) { Err("it holds on") } else { Ok(()) },
    )
    .await
    .unwrap();
    let received = rest(greedy).await;
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(received.len() - head < bytes.len() && bytes.starts_with(&received[head..]));

    // Connections without a request stay longer, since clients keep some in stock, but not for ever.
    let begun = Instant::now();
    let line = format!("GET /{path} HTTP/1.1\r\n");
    let idle = [String::new(), "G".to_owned(), line.clone(), format!("{line}Host: x\r\n\r\n")].map(async |sent| {
        let mut stream = connect(&field).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        statuses(&rest(stream).await, true)
    });
    let dripping = async {
        let (mut reading, mut writing) = connect(&field).await.into_split();
        let drip = async {
            writing.write_all(line.as_bytes()).await.unwrap();
            let mut pause = tokio::time::interval(Duration::from_millis(200));
            while writing.write_all(b"X: y\r\n").await.is_ok() {
                pause.tick().await;
            }
        };
        let mut received = Vec::new();
        let (_, ()) = tokio::join!(reading.read_to_end(&mut received), drip);
        statuses(&received, true)
    };
    let ended = async { tokio::join!(join_all(idle), dripping) };
    let (idle, dripping) = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    assert_eq!(idle, [&[][..], &[], &[], &[200]]);
    assert!(dripping.is_empty() || dripping == [431], "{dripping:?}");
    assert!(begun.elapsed() > Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(field.get(&url).await.status, 200);
}

/// Whether the kernel still has the server's end of a connection open, given the server's port and the client's.
fn is_established((server, client): (u16, u16)) -> bool {
    const ESTABLISHED: &str = "01";
    let ends_so = |end: Option<&&str>, port: u16| end.is_some_and(|end| end.ends_with(&format!(":{port:04X}")));
    std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        ends_so(fields.get(1), server) && ends_so(fields.get(2), client) && fields.get(3) == Some(&ESTABLISHED)
    })
}
