//! Evaluates in real worker processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixture;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fixture::{LIMITS, TEAM, endless, pool, rendered, request, settled, until, works};
use jaas_render::worker::{Ending, EvaluateError, Limits, Pool};
use jaas_render::{Output, Request};
use tokio::time::timeout;

async fn ending(pool: &Pool, request: &Request) -> Ending {
    match pool.evaluate(TEAM, request, 0).await {
        Err(EvaluateError::Died { cause }) => cause.ending,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_worker_starts_with_the_first_request_and_serves_the_next_ones() {
    let pool = pool(LIMITS);
    assert_eq!((pool.running(), pool.idle(), pool.max_workers()), (0, 0, 2));
    for _ in 0..20 {
        works(&pool).await;
        settled(&pool).await;
        assert_eq!(pool.idle(), 1);
    }
}

#[tokio::test]
async fn what_evaluation_answers_is_passed_on() {
    let pool = pool(LIMITS);
    match pool.evaluate(TEAM, &request("error 'no'"), 0).await {
        Err(EvaluateError::Failed(failure)) => {
            assert_eq!(failure, jaas_render::evaluate(&request("error 'no'")).unwrap_err());
        }
        other => panic!("{other:?}"),
    }
    settled(&pool).await;
    assert_eq!(pool.idle(), 1);
}

#[tokio::test]
async fn an_evaluation_that_takes_too_long_is_killed() {
    let pool = pool(Limits { timeout: Duration::from_millis(300), max_workers: 1, ..LIMITS });
    let started = Instant::now();
    match pool.evaluate(TEAM, &endless(), 0).await {
        Err(error @ EvaluateError::Timeout { .. }) => {
            let text = error.to_string();
            let (start, end) =
                ("evaluation exceeded 300ms; entry file team/app/main.jsonnet", " of 256 MiB of memory in use");
            assert!(text.starts_with(start) && text.ends_with(end), "{text}");
            assert!(text.contains(", last file loaded team/app/main.jsonnet, "), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!((pool.running(), pool.idle()), (0, 0));
    works(&pool).await;
}

#[tokio::test]
async fn waiting_for_a_worker_does_not_count_against_the_deadline() {
    let pool = Arc::new(pool(Limits { timeout: Duration::from_millis(700), max_workers: 1, ..LIMITS }));
    let busy = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.evaluate(TEAM, &endless(), 0).await }
    });
    until(|| pool.running() == 1).await;
    let second = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.evaluate(TEAM, &endless(), 0).await }
    });
    works(&pool).await;
    assert!(matches!(busy.await.unwrap(), Err(EvaluateError::Timeout { .. })));
    assert!(matches!(second.await.unwrap(), Err(EvaluateError::Timeout { .. })));
}

#[tokio::test]
async fn an_evaluation_that_needs_too_much_memory_dies_alone() {
    let pool = pool(Limits { max_workers: 1, ..LIMITS });
    for bomb in [
        "std.length(std.foldl(function(all, n) all + all, std.range(1, 40), 'x'))",
        "std.makeArray(1000000000, function(n) [n])",
        "std.foldl(function(inner, n) { a: inner }, std.range(1, 1000000), {})",
    ] {
        match pool.evaluate(TEAM, &request(bomb), 0).await {
            Err(EvaluateError::Died { cause }) => {
                assert!(matches!(cause.ending, Ending::OutOfMemory(_)), "{bomb}: {cause}");
                let text = cause.to_string();
                assert!(text.starts_with("evaluation needs more memory than its limit of 256 MiB"), "{text}");
                assert!(
                    text.ends_with("; entry file team/app/main.jsonnet, last file loaded team/app/main.jsonnet"),
                    "{text}"
                );
            }
            other => panic!("{bomb}: {other:?}"),
        }
        works(&pool).await;
    }
}

#[tokio::test]
async fn an_evaluation_that_recurses_without_end_dies_alone() {
    let pool = pool(Limits { max_workers: 1, ..LIMITS });
    let recursion = ending(&pool, &request("{ a: ({} + $).a }")).await;
    assert_eq!(recursion, Ending::StackOverflow);
    works(&pool).await;
    let nesting = ending(&pool, &request(&"[".repeat(200_000))).await;
    assert_eq!(nesting, Ending::StackOverflow);
    works(&pool).await;
}

#[tokio::test]
async fn a_panic_of_the_engine_is_a_failure_and_costs_its_worker() {
    let pool = pool(LIMITS);
    match probe(&pool, "panic").await {
        Err(EvaluateError::Failed(failure)) => assert_eq!(failure.to_string(), "the engine panicked: on purpose"),
        other => panic!("{other:?}"),
    }
    settled(&pool).await;
    assert_eq!(pool.idle(), 0);
    works(&pool).await;
}

#[tokio::test]
async fn a_dropped_evaluation_is_killed_and_frees_its_slot() {
    let pool = pool(Limits { timeout: Duration::ZERO, max_workers: 1, ..LIMITS });
    assert!(timeout(Duration::from_millis(200), pool.evaluate(TEAM, &endless(), 0)).await.is_err());
    works(&pool).await;
    until(|| pool.running() == 0).await;
    assert_eq!(pool.idle(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_share_two_workers() {
    let pool = Arc::new(pool(LIMITS));
    let evaluations: Vec<_> = (0..100)
        .map(|n| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                let answer = pool.evaluate(TEAM, &request(&format!("{n}")), 0).await.unwrap();
                assert!(pool.running() <= 2 && pool.idle() <= 2);
                (n, answer)
            })
        })
        .collect();
    for evaluation in evaluations {
        let (n, answer) = evaluation.await.unwrap();
        assert_eq!(answer, rendered(&format!("{n}\n")));
    }
    settled(&pool).await;
    assert_eq!(pool.idle(), 2);
}

#[tokio::test]
async fn requests_and_answers_larger_than_a_pipe_go_through() {
    let pool = pool(LIMITS);
    let text = "x".repeat(8 << 20);
    let mut large = request("importstr 'text'");
    large.files.insert("text".to_owned(), text.clone().into_bytes());
    assert_eq!(pool.evaluate(TEAM, &large, 0).await.unwrap(), rendered(&format!("\"{text}\"\n")));
}

#[tokio::test]
async fn a_request_that_cannot_fit_is_refused() {
    let pool = pool(Limits { memory_bytes: 128 << 20, ..LIMITS });
    let mut large = request("1");
    large.files.insert("x".to_owned(), vec![0; 65 << 20]);
    match pool.evaluate(TEAM, &large, 0).await {
        Err(EvaluateError::TooLarge { bytes, limit }) => {
            assert_eq!((bytes, limit), ((65 << 20) + 14, 64 << 20));
        }
        other => panic!("{other:?}"),
    }
    works(&pool).await;
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_unavailable() {
    let pool = Pool::new("/nonexistent".into(), LIMITS);
    for _ in 0..3 {
        assert!(matches!(pool.evaluate(TEAM, &request("1"), 0).await, Err(EvaluateError::Unavailable(_))));
    }
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_reported_with_what_it_says() {
    let pool = Pool::new("/bin/cat".into(), LIMITS);
    match pool.evaluate(TEAM, &request("1"), 0).await {
        Err(EvaluateError::Unavailable(error)) => {
            assert!(error.to_string().contains("ended itself with code 1"), "{error}");
            assert!(error.to_string().contains("--memory"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn less_memory_than_the_stack_is_reported_as_such() {
    let pool = pool(Limits { memory_bytes: 64 << 20, ..LIMITS });
    assert_eq!(ending(&pool, &request("1")).await, Ending::OutOfMemory(None));
}

/// Has a worker try something else than evaluating; the program of the tests knows how.
async fn probe(pool: &Pool, what: &str) -> Result<(), EvaluateError> {
    let request = Request { label: format!("probe/{what}"), ..request("1") };
    pool.evaluate(TEAM, &request, 0).await.map(|rendered| assert_eq!(rendered.bytes, b"done"))
}

#[tokio::test]
async fn a_worker_has_no_files_no_network_no_processes_and_no_signals() {
    let pool = pool(Limits { max_workers: 1, ..LIMITS });
    let isolation = pool.prepare().await.unwrap();
    assert!(isolation.is_whole(), "{isolation}");
    for what in
        ["read", "read-own", "write", "remove", "list", "connect", "socket", "run", "signal", "look-for", "signal-own"]
    {
        match probe(&pool, what).await {
            Err(EvaluateError::Failed(failure)) => {
                let text = failure.to_string();
                assert!(text.contains("os error"), "{what}: {text}");
            }
            Err(EvaluateError::Died { cause }) => assert_eq!(cause.ending, Ending::Forbidden, "{what}: {cause}"),
            other => panic!("{what}: {other:?}"),
        }
        works(&pool).await;
    }
    for what in ["thread", "core", "talk"] {
        probe(&pool, what).await.unwrap();
    }
}

#[tokio::test]
async fn a_descriptor_that_was_left_open_does_not_reach_a_worker() {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::{FdFlags, fcntl_getfd};

    // Of a program that started this one, or of a library that does not know better.
    let left: File = open("/etc/passwd", OFlags::RDONLY, Mode::empty()).unwrap().into();
    assert!(!fcntl_getfd(&left).unwrap().contains(FdFlags::CLOEXEC));
    probe(&pool(LIMITS), "descriptors").await.unwrap();
}

#[tokio::test]
async fn a_spare_worker_is_taken_and_replaced_and_nobody_gets_the_worker_of_another() {
    let pool = pool(Limits { spare_workers: 1, ..LIMITS });
    pool.prepare().await.unwrap();
    assert_eq!((pool.spare(), pool.idle()), (1, 0));
    for (owner, idle) in [("a", 1), ("a", 1), ("b", 2), ("a", 2)] {
        pool.evaluate(owner, &request("1"), 0).await.unwrap();
        settled(&pool).await;
        assert_eq!(pool.idle(), idle, "{owner}");
        until(|| pool.spare() == 1).await;
    }
    // Two may rest; the one that rested longest goes.
    pool.evaluate("c", &request("1"), 0).await.unwrap();
    settled(&pool).await;
    assert_eq!(pool.idle(), 2);
}

#[tokio::test]
async fn a_worker_that_gives_its_memory_back_serves_again_and_one_that_keeps_it_is_replaced() {
    let pool = pool(LIMITS);
    pool.evaluate(TEAM, &request("std.length(std.repeat('x', 40000000))"), 0).await.unwrap();
    settled(&pool).await;
    assert_eq!(pool.idle(), 1);
    probe(&pool, "keep").await.unwrap();
    settled(&pool).await;
    assert_eq!(pool.idle(), 0);
    works(&pool).await;
}

#[tokio::test]
async fn what_a_worker_does_after_its_answer_takes_nothing_from_it() {
    let pool = pool(LIMITS);
    for what in ["after/panic", "after/abort", "after/babble", "after/linger"] {
        probe(&pool, what).await.unwrap();
        works(&pool).await;
        settled(&pool).await;
        assert_eq!(pool.idle(), 1, "{what}: only the other one is of use");
    }
}

#[tokio::test]
async fn a_worker_that_says_it_wrote_more_than_it_may_is_not_believed() {
    let pool = pool(LIMITS);
    match probe(&pool, "lie").await {
        Err(EvaluateError::Died { cause }) => assert_eq!(cause.ending, Ending::Babble, "{cause}"),
        other => panic!("{other:?}"),
    }
    works(&pool).await;
}

#[tokio::test]
async fn text_beyond_the_limit_is_not_written() {
    let pool = pool(LIMITS);
    let limit = 1 << 20;
    // One long string; many short ones; a string that is repeated.
    for large in
        ["std.repeat('x', 2000000)", "std.range(1, 1000000)", "[std.repeat('y', 1000) for n in std.range(1, 2000)]"]
    {
        match pool.evaluate(TEAM, &request(large), limit).await {
            Err(error @ EvaluateError::OutputTooLarge { .. }) => {
                assert_eq!(error.to_string(), "the rendered text is larger than 1048576 bytes");
            }
            other => panic!("{large}: {other:?}"),
        }
    }
    let objects = "[{ apiVersion: 'v1', kind: 'C', metadata: { name: 'c%d' % n }, d: std.repeat('z', 1000) } for n in std.range(1, 2000)]";
    let stream = Request { output: Output::Manifests { allow_empty: false }, ..request(objects) };
    assert!(matches!(pool.evaluate(TEAM, &stream, limit).await, Err(EvaluateError::OutputTooLarge { .. })));
    // What stands between the objects counts too.
    let stream =
        Request { output: Output::Manifests { allow_empty: false }, ..request(&objects.replace("2000", "100")) };
    let length = pool.evaluate(TEAM, &stream, 0).await.unwrap().bytes.len() as u64;
    assert_eq!(pool.evaluate(TEAM, &stream, length).await.unwrap().bytes.len() as u64, length);
    for less in [1, 4 * 100] {
        let outcome = pool.evaluate(TEAM, &stream, length - less).await;
        assert!(matches!(outcome, Err(EvaluateError::OutputTooLarge { .. })), "{less} less: {outcome:?}");
    }
    // Exactly the limit: two quotes and the end of the line belong to the text.
    let exact = format!("std.repeat('x', {})", limit - 3);
    assert_eq!(pool.evaluate(TEAM, &request(&exact), limit).await.unwrap().bytes.len() as u64, limit);
    let more = format!("std.repeat('x', {})", limit - 2);
    assert!(matches!(pool.evaluate(TEAM, &request(&more), limit).await, Err(EvaluateError::OutputTooLarge { .. })));
    settled(&pool).await;
    let idle = pool.idle();
    assert!(pool.evaluate(TEAM, &stream, 1).await.is_err());
    settled(&pool).await;
    assert_eq!(pool.idle(), idle, "a refusal costs no worker");
}

#[tokio::test]
async fn the_memory_of_an_evaluation_does_not_depend_on_the_size_of_the_program() {
    // A stack of 64 MiB, and 32 more: enough for the smallest of programs, however large this debug build is.
    let pool = pool(Limits { memory_bytes: 96 << 20, max_workers: 1, ..LIMITS });
    works(&pool).await;
    let sixteen = "std.length(std.foldl(function(text, n) text + text, std.range(1, 23), 'x'))";
    assert_eq!(pool.evaluate(TEAM, &request(sixteen), 0).await.unwrap(), rendered("8388608\n"));
}

#[tokio::test]
async fn the_file_that_was_loaded_last_is_named() {
    let pool = pool(LIMITS);
    let mut nested = request("local a = import 'a.libsonnet'; a + import 'lib/deep.libsonnet'");
    nested.files.insert("a.libsonnet".to_owned(), b"{}".to_vec());
    nested.libraries.insert("lib".to_owned(), [("deep.libsonnet".to_owned(), "[".repeat(200_000).into_bytes())].into());
    match pool.evaluate(TEAM, &nested, 0).await {
        Err(EvaluateError::Died { cause }) => {
            assert_eq!(cause.ending, Ending::StackOverflow);
            assert_eq!(cause.scene.last_file.as_deref(), Some("lib/deep.libsonnet"));
            assert_eq!(cause.scene.entry, "team/app/main.jsonnet");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn source_that_nests_deep_inside_of_a_deep_recursion_overflows_a_stack_too() {
    let pool = pool(Limits { memory_bytes: 1 << 30, ..LIMITS });
    // The recursion leaves the stack of its thread before the import.
    let code = "local go(n) = if n == 0 then import 'deep.libsonnet' else [go(n - 1)][0]; go(30000)";
    let mut nested = Request { max_stack: 1_000_000, ..request(code) };
    nested.files.insert("deep.libsonnet".to_owned(), "[".repeat(200_000).into_bytes());
    assert_eq!(ending(&pool, &nested).await, Ending::StackOverflow);
}

/// A request as it is sent to a worker, without a limit of what is written.
fn frame(request: &Request) -> Vec<u8> {
    let message = postcard::to_stdvec(&(request, 0_u64)).unwrap();
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_le_bytes()[..], &message].concat()
}

#[tokio::test]
async fn a_worker_without_a_parent_that_keeps_the_deadline_is_ended_by_its_processor_time() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    // The deadline itself is the pool's; here it is played by nobody.
    let mut worker = Command::new(fixture::program())
        .args([jaas_render::worker::ARGUMENT, "--processor", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut asked = worker.stdin.take().unwrap();
    std::io::Write::write_all(&mut asked, &frame(&endless())).unwrap();
    let status = tokio::task::spawn_blocking(move || worker.wait()).await.unwrap().unwrap();
    assert_eq!(status.signal(), Some(rustix::process::Signal::XCPU.as_raw()));
}

/// Tells when it is dropped.
struct Share(Arc<AtomicBool>);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn what_is_held_for_an_evaluation_is_held_for_as_long_as_its_slot() {
    let pool = pool(Limits { max_workers: 1, ..LIMITS });
    // Much to tidy up after the answer.
    let request = request("std.length([{ a: [i] } for i in std.range(1, 100000)])");
    for _ in 0..5 {
        let dropped = Arc::new(AtomicBool::new(false));
        let answer = pool.evaluate_holding(TEAM, &request, 0, Share(Arc::clone(&dropped))).await;
        let is_dropped = dropped.load(Ordering::SeqCst);
        assert!(!is_dropped || pool.running() == 0, "somebody else's turn would come without a slot");
        assert_eq!(answer.unwrap(), rendered("100000\n"));
        settled(&pool).await;
        until(|| dropped.load(Ordering::SeqCst)).await;
    }
}
