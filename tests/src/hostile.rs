//! Programs that would take an evaluator down: some by name, and as many as wanted by chance.

use std::collections::BTreeMap;
use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// The longest program by chance, in bytes; an object of the API server may have a few times that.
const LONGEST: usize = 200_000;

/// What a snippet with such a program is told. Anything else says that the evaluator, not the program, went wrong.
pub const REASONS: [&str; 6] = [
    "ArtifactTooLarge",
    "EvaluationFailed",
    "EvaluationOutOfMemory",
    "EvaluationTimeout",
    "EvaluationTooDeep",
    // Of what does no harm in the end.
    "Synced",
];

/// A program, and what may be said of it.
pub struct Hostile {
    /// Fit for the name of an object.
    pub name: &'static str,
    /// By path; `main.jsonnet` is the entry.
    pub files: BTreeMap<String, String>,
    /// The reasons that tell the truth. There are several where it depends on the machine which limit is reached first.
    pub reasons: &'static [&'static str],
}

/// The ways to do harm that are known by name.
#[must_use]
pub fn named() -> Vec<Hostile> {
    const FAILS: &[&str] = &["EvaluationFailed"];
    const DEEP: &[&str] = &["EvaluationTooDeep"];
    const LARGE: &[&str] = &["EvaluationOutOfMemory"];
    const ENDLESS: &[&str] = &["EvaluationTimeout"];
    const GROWING: &[&str] = &["EvaluationOutOfMemory", "EvaluationTimeout"];
    let nested = |open: &str, times: usize| open.repeat(times);
    let programs: Vec<(&'static str, String, &'static [&'static str])> = vec![
        // Depth.
        ("deep-fields", "{ a: ({} + $).a }".to_owned(), DEEP),
        ("deep-brackets", nested("[", 200_000), DEEP),
        ("deep-parentheses", nested("(", 200_000), DEEP),
        ("deep-signs", nested("-", 200_000), DEEP),
        ("deep-conditions", nested("if true then ", 15_000) + "1", &["EvaluationTooDeep", "EvaluationFailed", "Synced"]),
        ("deep-sum", nested("1+", 90_000) + "1", &["EvaluationTooDeep", "EvaluationFailed", "Synced"]),
        ("deep-objects", nested("{a:", 60_000), DEEP),
        ("deep-calls", "local f(x) = f(x + 1) + 1; f(0)".to_owned(), FAILS),
        ("deep-json", format!("std.parseJson('{}')", nested("[", 100_000)), FAILS),
        ("deep-yaml", format!("std.parseYaml('{}')", nested("[", 10_000)), FAILS),
        (
            "deep-output",
            "std.foldl(function(inner, n) { a: inner }, std.range(1, 1000000), {})".to_owned(),
            &["EvaluationOutOfMemory", "EvaluationTimeout", "EvaluationTooDeep", "EvaluationFailed"],
        ),
        // Memory.
        ("large-array", "std.makeArray(1000000000, function(n) [n])".to_owned(), LARGE),
        ("large-string", "std.repeat('x', 1000000000)".to_owned(), LARGE),
        (
            "large-product",
            "std.length('a' * 1000000000000000000)".to_owned(),
            &["EvaluationOutOfMemory", "EvaluationFailed"],
        ),
        (
            "large-doubling",
            "std.length(std.foldl(function(all, n) all + all, std.range(1, 40), 'x'))".to_owned(),
            GROWING,
        ),
        (
            "large-sum",
            "std.length(std.foldl(function(all, n) all + std.repeat('x', 1000000), std.range(1, 100000), ''))".to_owned(),
            GROWING,
        ),
        ("large-map", "std.sort(std.map(function(x) -x, std.range(1, 10000000)))".to_owned(), GROWING),
        (
            "large-product-of-lists",
            "std.length([[a, b] for a in std.range(1, 100000) for b in std.range(1, 100000)])".to_owned(),
            GROWING,
        ),
        ("large-format", "'%1000000000d' % 1".to_owned(), &["EvaluationOutOfMemory", "EvaluationFailed"]),
        (
            "large-aliases",
            "std.parseYaml(std.join('\\n', ['a0: &a0 [x, x]'] + ['a%d: &a%d [*a%d, *a%d, *a%d]' % [n, n, n - 1, n - 1, n - 1] for n in std.range(1, 60)]))".to_owned(),
            &["EvaluationFailed", "EvaluationOutOfMemory", "EvaluationTimeout"],
        ),
        // Time.
        ("endless-calls", "local f(n) = if n < 0 then 0 else f(n - 1) + f(n - 1); f(60)".to_owned(), ENDLESS),
        ("endless-loop", "std.foldl(function(sum, n) sum + n, std.range(1, 2000000000), 0)".to_owned(), ENDLESS),
        (
            "endless-talk",
            "std.foldl(function(sum, n) std.trace('x', sum + n), std.range(1, 2000000000), 0)".to_owned(),
            ENDLESS,
        ),
        // Size.
        (
            "huge-text",
            "std.repeat('0123456789', 5000000)".to_owned(),
            &["ArtifactTooLarge", "EvaluationOutOfMemory"],
        ),
        (
            "huge-list",
            "std.range(1, 100000000)".to_owned(),
            &["ArtifactTooLarge", "EvaluationOutOfMemory", "EvaluationTimeout"],
        ),
        // What an engine may trip over.
        ("odd-product", "1e300 * 'a'".to_owned(), FAILS),
        ("odd-bounds", "std.assertEqual(std.clamp(1, 3, 2), 'no')".to_owned(), FAILS),
        ("odd-cycle", "local a = b, b = a; a".to_owned(), FAILS),
        ("odd-import", "import 'main.jsonnet'".to_owned(), FAILS),
        ("odd-traversal", "importstr '../../../../../../etc/passwd'".to_owned(), FAILS),
        ("odd-absolute", "importstr '/etc/passwd'".to_owned(), FAILS),
        ("odd-address", "importstr 'http://169.254.169.254/latest/meta-data/'".to_owned(), FAILS),
    ];
    let one = |code: String| BTreeMap::from([("main.jsonnet".to_owned(), code)]);
    let mut all: Vec<_> =
        programs.into_iter().map(|(name, code, reasons)| Hostile { name, files: one(code), reasons }).collect();
    all.push(Hostile {
        name: "deep-imports",
        files: chain(3_000),
        reasons: &["EvaluationFailed", "EvaluationTooDeep", "Synced"],
    });
    all
}

/// Files of which each imports the next, on the way to a field of the last.
fn chain(length: usize) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([("main.jsonnet".to_owned(), "(import 'f1').x".to_owned())]);
    files.extend((1..length).map(|n| (format!("f{n}"), format!("{{x: (import 'f{}').x + 1}}", n + 1))));
    files.insert(format!("f{length}"), "{x: 1}".to_owned());
    files
}

/// A program by chance. The same seed and number give the same one.
#[must_use]
pub fn by_chance(seed: u64, number: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let depth = random.random_range(2..5);
    let mut code = expression(&mut random, Kind::Any, depth);
    if random.random_range(0..100) < 10 {
        code = broken(&mut random, &code);
    }
    code.truncate(code.floor_char_boundary(LONGEST));
    code
}

const NUMBERS: [&str; 20] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "0.1",
    "64",
    "500",
    "1e3",
    "1e4",
    "1e5",
    "1e6",
    "1e7",
    "1e9",
    "1e18",
    "1e300",
    "-1e308",
    "5e-324",
    "9007199254740993",
];
/// What an expression yields, where the program does not go wrong.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    List,
    Object,
    Any,
}

/// The first of a kind are those without an expression inside. What stands for an expression is `~` for a text, `^` for a list,
/// `&` for an object and `@` for any, what stands for a number `#`.
const TEXTS: [&str; 21] = [
    "''",
    "'x'",
    "'é\\u0000'",
    "'%s %s'",
    "'[[['",
    "'- 1: [x'",
    "std.thisFile",
    "importstr 'main.jsonnet'",
    "std.repeat(~, #)",
    "(~ + ~)",
    "(~ + @)",
    "std.foldl(function(a, b) a + a, std.range(1, #), ~)",
    "std.manifestJsonEx(@, '  ')",
    "std.manifestYamlDoc(@)",
    "std.manifestPython(@)",
    "std.manifestTomlEx(&, ' ')",
    "std.format(~, [@, @])",
    "('%#d' % #)",
    "std.strReplace(~, 'x', ~)",
    "std.join(~, [~, ~])",
    "std.base64(~)",
];
const LISTS: [&str; 19] = [
    "[]",
    "[1, 2, 3]",
    "['x', null, {}]",
    "std.range(0, #)",
    "std.makeArray(#, function(i) @)",
    "std.repeat(^, #)",
    "(^ + ^)",
    "[@ for i in std.range(1, #)]",
    "[[i, j] for i in std.range(1, #) for j in std.range(1, #) if i < j]",
    "std.map(function(x) @, ^)",
    "std.flatMap(function(x) [x, x], ^)",
    "std.foldl(function(a, b) a + a, std.range(1, #), ^)",
    "std.foldl(function(a, b) [a], std.range(1, #), ^)",
    "std.sort(std.range(-#, #))",
    "std.set([~, ~, ~])",
    "std.split(~, 'x')",
    "std.flattenDeepArray([^, [^]])",
    "std.encodeUTF8(~)",
    "std.stringChars(~)",
];
const OBJECTS: [&str; 9] = [
    "{}",
    "{ a: 1, b:: 2 }",
    "{ ['f%d' % i]: @ for i in std.range(1, #) }",
    "{ a: @, b: self.a, c: ({} + $).c }",
    "{ a: @, b: $.a, assert self.a != @ }",
    "({ a: @ } + { a+: @ })",
    "(& + &)",
    "std.foldr(function(a, b) { a: b }, std.range(1, #), &)",
    "std.mergePatch(&, &)",
];
const OTHERS: [&str; 16] = [
    "null",
    "true",
    "#",
    "error 'x'",
    "(# * #)",
    "(# % #)",
    "(^ == ^)",
    "(~ < ~)",
    "(if # < # then @ else @)",
    "std.length(^)",
    "std.md5(~)",
    "std.parseJson(~)",
    "std.parseYaml(~)",
    "(local f(x) = f(x + 1) + 1; f(#))",
    "(local f(x) = if x < 1 then 1 else f(x - 1) + f(x - 2); f(#))",
    "(local f(x) = if x < 1 then 1 else f(x - 1) tailstrict; f(#))",
];
const OPENERS: [(&str, &str); 6] =
    [("[", "]"), ("(", ")"), ("{a:", "}"), ("-", ""), ("if true then ", ""), ("std.toString(", ")")];

fn pick(random: &mut StdRng, from: &[&'static str]) -> &'static str {
    from.choose(random).copied().unwrap_or("null")
}

fn expression(random: &mut StdRng, kind: Kind, depth: usize) -> String {
    if depth > 0 && random.random_range(0..100) < 3 {
        let (open, close) = OPENERS.choose(random).copied().unwrap_or(("[", "]"));
        let times = 10_usize.pow(random.random_range(1..5));
        let inner = expression(random, Kind::Any, depth - 1);
        // One in four is never closed.
        let closing = if random.random_range(0..4) == 0 { String::new() } else { close.repeat(times) };
        return format!("{}{inner}{closing}", open.repeat(times));
    }
    // Now and then another kind than is wanted.
    let kind = if kind == Kind::Any || random.random_range(0..100) < 4 {
        *[Kind::Text, Kind::List, Kind::Object, Kind::Any].choose(random).unwrap_or(&Kind::Any)
    } else {
        kind
    };
    let forms: &[&str] = match kind {
        Kind::Text => &TEXTS,
        Kind::List => &LISTS,
        Kind::Object => &OBJECTS,
        Kind::Any => &OTHERS,
    };
    let simple = forms.iter().take_while(|form| !form.contains(['~', '^', '@'])).count();
    let form = pick(random, if depth == 0 { &forms[..simple.max(1)] } else { forms });
    let mut code = String::new();
    for character in form.chars() {
        let kind = match character {
            '~' => Kind::Text,
            '^' => Kind::List,
            '&' => Kind::Object,
            '@' => Kind::Any,
            '#' => {
                code.push_str(pick(random, &NUMBERS));
                continue;
            }
            other => {
                code.push(other);
                continue;
            }
        };
        code.push_str(&expression(random, kind, depth.saturating_sub(1)));
    }
    code
}

/// The program with a part removed, repeated or replaced.
fn broken(random: &mut StdRng, code: &str) -> String {
    let at = |random: &mut StdRng| code.floor_char_boundary(random.random_range(0..=code.len()));
    let (one, other) = (at(random), at(random));
    let (start, end) = (one.min(other), one.max(other));
    let mut whole = code[..start].to_owned();
    match random.random_range(0..4) {
        0 => {}
        1 => whole.push_str(&code[start..end].repeat(3)),
        2 => whole.extend(code[start..end].chars().rev()),
        _ => {
            // Writing to a string does not fail.
            let _ = writeln!(whole, "/* {} |||", &code[start..end]);
        }
    }
    whole + &code[end..]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn programs_by_chance_are_many_bounded_and_found_again() {
        let programs: BTreeSet<_> = (0..300).map(|number| by_chance(1, number)).collect();
        assert!(programs.len() > 200, "{}", programs.len());
        assert!(programs.iter().all(|program| program.len() <= LONGEST));
        assert_eq!(by_chance(1, 7), by_chance(1, 7));
        assert_ne!(by_chance(1, 7), by_chance(2, 7));
    }

    #[test]
    fn each_named_program_has_a_name_of_its_own_and_known_reasons() {
        let names: BTreeSet<_> = named().iter().map(|hostile| hostile.name).collect();
        assert_eq!(names.len(), named().len());
        assert!(named().iter().flat_map(|it| it.reasons).all(|reason| REASONS.contains(reason)));
    }
}
