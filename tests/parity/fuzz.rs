//! Generated programs: what go-jsonnet evaluates we do, to the same bytes, and what it refuses we refuse.
//!
//! `JAAS_SEED` picks the programs and `JAAS_SNIPPETS` their number; the full run is
//! `JAAS_SEED=1 JAAS_SNIPPETS=200000 cargo verify -- -p jaas-tests --test parity generated -- --nocapture`.

use std::env;

use jaas_tests::jsonnet::{Answer, Task};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::engines::{ours, shown, theirs};
use crate::generate;

/// How many differences are shown.
const SHOWN: usize = 10;

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).ok().map_or(otherwise, |text| text.parse().expect(variable))
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Output(output) => shown(output),
        other => format!("{other:?}"),
    }
}

#[test]
fn generated_programs_yield_the_bytes_of_go_jsonnet() {
    let (seed, count) = (number("JAAS_SEED", 7), number("JAAS_SNIPPETS", 2_000));
    let (mut ours, mut theirs) = (ours(), theirs());
    let (mut evaluated, mut refused, mut different) = (0, 0, Vec::new());
    for n in 0..count {
        // A program by itself, so that one number finds it again.
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(n));
        let program = generate::program(&mut random);
        let task = Task::program(&program);
        let (mine, other) = (ours.evaluate(&task).unwrap(), theirs.evaluate(&task).unwrap());
        match (&mine, &other) {
            (Answer::Output(mine), Answer::Output(other)) if mine == other => evaluated += 1,
            // Objects without an end overflow the stack of go-jsonnet.
            (Answer::Refused(_), Answer::Refused(_) | Answer::Died) => refused += 1,
            _ => {
                different.push(format!(
                    "program {n} of seed {seed}:\n{program}\nours: {}\ngo: {}",
                    told(&mine),
                    told(&other)
                ));
            }
        }
    }
    eprintln!("seed {seed}: {evaluated} the same, {refused} refused by both, {} different", different.len());
    // The shortest tell most.
    different.sort_by_key(String::len);
    for difference in different.iter().take(SHOWN) {
        eprintln!("{difference}\n");
    }
    assert!(different.is_empty(), "{} of {count} programs differ", different.len());
    assert!(evaluated * 2 > count, "too few programs evaluate for this to say something");
    assert!(refused * 50 > count, "too few refused ones");
}
