//! Evaluates in real worker processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixture;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fixture::{LIMITS, endless, pool, rendered, request, until, works};
use jaas_render::Request;
use jaas_render::worker::{Ending, EvaluateError, Limits, Pool};
use tokio::time::timeout;

async fn ending(pool: &Pool, request: &Request) -> Ending {
    match pool.evaluate(request).await {
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
        assert_eq!((pool.running(), pool.idle()), (0, 1));
    }
}

#[tokio::test]
async fn what_evaluation_answers_is_passed_on() {
    let pool = pool(LIMITS);
    match pool.evaluate(&request("error 'no'")).await {
        Err(EvaluateError::Failed(failure)) => {
            assert_eq!(failure, jaas_render::evaluate(&request("error 'no'")).unwrap_err());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pool.idle(), 1);
}

#[tokio::test]
async fn an_evaluation_that_takes_too_long_is_killed() {
    let pool = pool(Limits { timeout: Duration::from_millis(300), max_workers: 1, ..LIMITS });
    let started = Instant::now();
    match pool.evaluate(&endless()).await {
        Err(error @ EvaluateError::Timeout(_)) => assert_eq!(error.to_string(), "evaluation exceeded 300ms"),
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
        async move { pool.evaluate(&endless()).await }
    });
    until(|| pool.running() == 1).await;
    let second = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { pool.evaluate(&endless()).await }
    });
    works(&pool).await;
    assert!(matches!(busy.await.unwrap(), Err(EvaluateError::Timeout(_))));
    assert!(matches!(second.await.unwrap(), Err(EvaluateError::Timeout(_))));
}

#[tokio::test]
async fn an_evaluation_that_needs_too_much_memory_dies_alone() {
    let pool = pool(Limits { max_workers: 1, ..LIMITS });
    for bomb in [
        "std.length(std.foldl(function(all, n) all + all, std.range(1, 40), 'x'))",
        "std.makeArray(1000000000, function(n) [n])",
        "std.foldl(function(inner, n) { a: inner }, std.range(1, 1000000), {})",
    ] {
        match pool.evaluate(&request(bomb)).await {
            Err(EvaluateError::Died { cause }) => {
                assert_eq!(cause.to_string(), "evaluation needs more memory than its limit of 256 MiB", "{bomb}");
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
    assert!(matches!(recursion, Ending::OutOfMemory | Ending::StackOverflow), "{recursion:?}");
    works(&pool).await;
    let nesting = ending(&pool, &request(&"[".repeat(200_000))).await;
    assert!(matches!(nesting, Ending::OutOfMemory | Ending::StackOverflow), "{nesting:?}");
    works(&pool).await;
}

#[tokio::test]
async fn a_panic_of_the_engine_is_a_failure_and_costs_its_worker() {
    let pool = pool(LIMITS);
    match pool.evaluate(&request("std.clamp(1, 3, 2)")).await {
        Err(EvaluateError::Failed(failure)) => {
            let text = failure.to_string();
            assert!(text.starts_with("the engine panicked: "), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pool.idle(), 0);
    works(&pool).await;
}

#[tokio::test]
async fn a_dropped_evaluation_is_killed_and_frees_its_slot() {
    let pool = pool(Limits { timeout: Duration::ZERO, max_workers: 1, ..LIMITS });
    assert!(timeout(Duration::from_millis(200), pool.evaluate(&endless())).await.is_err());
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
                let answer = pool.evaluate(&request(&format!("{n}"))).await.unwrap();
                assert!(pool.running() <= 2 && pool.idle() <= 2);
                (n, answer)
            })
        })
        .collect();
    for evaluation in evaluations {
        let (n, answer) = evaluation.await.unwrap();
        assert_eq!(answer, rendered(&format!("{n}\n")));
    }
    assert_eq!((pool.running(), pool.idle()), (0, 2));
}

#[tokio::test]
async fn requests_and_answers_larger_than_a_pipe_go_through() {
    let pool = pool(LIMITS);
    let text = "x".repeat(8 << 20);
    let mut large = request("importstr 'text'");
    large.files.insert("text".to_owned(), text.clone().into_bytes());
    assert_eq!(pool.evaluate(&large).await.unwrap(), rendered(&format!("\"{text}\"\n")));
}

#[tokio::test]
async fn a_request_that_cannot_fit_is_refused() {
    let pool = pool(Limits { memory_bytes: 128 << 20, ..LIMITS });
    let mut large = request("1");
    large.files.insert("x".to_owned(), vec![0; 65 << 20]);
    match pool.evaluate(&large).await {
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
        assert!(matches!(pool.evaluate(&request("1")).await, Err(EvaluateError::Unavailable(_))));
    }
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_reported_with_what_it_says() {
    let pool = Pool::new("/bin/cat".into(), LIMITS);
    match pool.evaluate(&request("1")).await {
        Err(EvaluateError::Died { cause }) => {
            assert_eq!(cause.ending, Ending::Exit(1));
            assert!(cause.last_words.contains("--memory"), "{cause}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn less_memory_than_the_stack_is_reported_as_such() {
    let pool = pool(Limits { memory_bytes: 64 << 20, ..LIMITS });
    assert_eq!(ending(&pool, &request("1")).await, Ending::OutOfMemory);
}
