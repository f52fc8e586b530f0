//! Programs by chance: mostly of fitting types, so that they get far, and now and then not.
//!
//! What is known to differ is left out: see `known.rs`.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Whole,
    Text,
    Truth,
    List,
    Object,
}

const KINDS: [Kind; 6] = [Kind::Number, Kind::Whole, Kind::Text, Kind::Truth, Kind::List, Kind::Object];

const TEXTS: [&str; 20] = [
    "''",
    "'a'",
    "'b c'",
    "'A-b_c.9'",
    "'é中😀'",
    "'line\\nline\\n'",
    "'line\\nline'",
    "'tab\\t\\\"quote\\\\'",
    "'\\u007f\\u0085\\u0001\\u2028'",
    "'aXbXc'",
    "'12'",
    "'-7'",
    "'0x1F'",
    "'true'",
    "'e'",
    "' pad '",
    "'<&\\'>'",
    "'eWJj'",
    "|||\n  block\n   text\n|||",
    "@'a\\b'",
];

const NAMES: [&str; 12] = ["a", "b", "c", "x1", "'k-k'", "'e'", "'1e3'", "'0x1'", "'y'", "'é'", "''", "'a b'"];

/// A whole program.
pub(crate) fn program(random: &mut StdRng) -> String {
    let mut writer = Writer { random, scope: Vec::new(), self_fields: 0 };
    let kind = *KINDS.choose(writer.random).unwrap_or(&Kind::List);
    let depth = writer.random.random_range(2..6);
    writer.expression(kind, depth)
}

struct Writer<'a> {
    random: &'a mut StdRng,
    scope: Vec<(String, Kind)>,
    /// How many objects are around whose field `a` is a number.
    self_fields: usize,
}

impl Writer<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from.choose(self.random).unwrap_or(&"null")
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    fn expression(&mut self, kind: Kind, depth: usize) -> String {
        // One in a hundred does not fit, but for what is known to differ: a string times a number, a fraction in a string.
        let unfit: &[Kind] = match kind {
            Kind::Number | Kind::Whole => &[Kind::Truth, Kind::List, Kind::Object],
            Kind::Text => &[Kind::Whole, Kind::Truth],
            Kind::Truth | Kind::List | Kind::Object => &[Kind::Whole, Kind::Truth],
        };
        let kind = if self.chance(1) { *unfit.choose(self.random).unwrap_or(&kind) } else { kind };
        let known: Vec<String> =
            self.scope.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name.clone()).collect();
        if !known.is_empty() && self.chance(25) {
            let at = self.below(known.len());
            return known[at].clone();
        }
        if depth == 0 {
            return self.leaf(kind);
        }
        match self.below(12) {
            0 => self.local(kind, depth),
            1 => self.condition(kind, depth),
            2 => self.call(kind, depth),
            3 => {
                let list = self.list_of(kind, depth - 1);
                format!("{list}[0]")
            }
            _ => self.of(kind, depth),
        }
    }

    fn local(&mut self, kind: Kind, depth: usize) -> String {
        let of = *KINDS.choose(self.random).unwrap_or(&kind);
        let name = format!("v{}", self.scope.len());
        let value = self.expression(of, depth - 1);
        self.scope.push((name.clone(), of));
        let body = self.expression(kind, depth - 1);
        self.scope.pop();
        format!("(local {name} = {value}; {body})")
    }

    fn condition(&mut self, kind: Kind, depth: usize) -> String {
        let (condition, yes, no) = (
            self.expression(Kind::Truth, depth - 1),
            self.expression(kind, depth - 1),
            self.expression(kind, depth - 1),
        );
        format!("(if {condition} then {yes} else {no})")
    }

    fn call(&mut self, kind: Kind, depth: usize) -> String {
        let of = *KINDS.choose(self.random).unwrap_or(&kind);
        let argument = self.expression(of, depth - 1);
        let name = format!("v{}", self.scope.len());
        self.scope.push((name.clone(), of));
        let body = self.expression(kind, depth - 1);
        self.scope.pop();
        // A function that returns its parameter has none of that name: see `known.rs`.
        match if body == name { 0 } else { self.below(3) } {
            0 => format!("(function({name}) {body})({argument})"),
            1 => format!("(function({name}={argument}) {body})()"),
            _ => format!("(local f({name}) = {body}; f({name}={argument}))"),
        }
    }

    fn list_of(&mut self, kind: Kind, depth: usize) -> String {
        let elements: Vec<_> = (0..=self.below(3)).map(|_| self.expression(kind, depth)).collect();
        format!("[{}]", elements.join(", "))
    }

    fn leaf(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Number => self.number(),
            Kind::Whole => self.random.random_range(-3..20).to_string(),
            Kind::Text => self.pick(&TEXTS).to_owned(),
            Kind::Truth => self.pick(&["true", "false"]).to_owned(),
            Kind::List => {
                self.pick(&["[]", "[1, 2, 3]", "['a', 'b']", "[[1], []]", "[null, true]", "[3, 1, 2]"]).to_owned()
            }
            Kind::Object => self
                .pick(&["{}", "{ a: 1 }", "{ a: 1, b:: 2, c::: 'x' }", "{ a: 0.5, 'k-k': [{}], e: null }"])
                .to_owned(),
        }
    }

    fn number(&mut self) -> String {
        match self.below(6) {
            0 => self
                .pick(&["0.1", "1e100", "1e-7", "123456789.125", "9007199254740993", "3.0", "1e21", "2.5e-10"])
                .to_owned(),
            1 => format!("{}", self.random.random_range(-1000.0..1000.0)),
            2 => format!("{:e}", self.random.random::<f64>() * 10f64.powi(self.random.random_range(-20..20))),
            _ => self.random.random_range(-50..100).to_string(),
        }
    }

    fn of(&mut self, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::Number => self.of_number(depth - 1),
            Kind::Whole => self.of_whole(depth - 1),
            Kind::Text => self.of_text(depth - 1),
            Kind::Truth => self.of_truth(depth - 1),
            Kind::List => self.of_list(depth - 1),
            Kind::Object => self.of_object(depth - 1),
        }
    }

    fn of_number(&mut self, depth: usize) -> String {
        let (x, y) = (self.expression(Kind::Number, depth), self.expression(Kind::Number, depth));
        match self.below(10) {
            0 => format!("({x} + {y})"),
            1 => format!("({x} - {y})"),
            2 => format!("({x} * {y})"),
            3 => format!("({x} / {y})"),
            4 => format!("({x} % {y})"),
            5 => format!("-{x}"),
            6 => {
                // Of the other elementary functions the last digit may differ, and `%` makes a large difference of a small one.
                let function = self.pick(&[
                    "abs", "sign", "floor", "ceil", "round", "sqrt", "mantissa", "exponent", "deg2rad", "rad2deg",
                ]);
                format!("std.{function}({x})")
            }
            7 => match self.pick(&["max", "min", "pow", "hypot", "modulo"]) {
                "pow" => format!("std.pow({x}, std.floor({y}) % 60)"),
                function => format!("std.{function}({x}, {y})"),
            },
            8 => {
                let numbers = self.list_of(Kind::Number, depth);
                format!("std.{}({numbers})", self.pick(&["sum", "avg", "minArray", "maxArray"]))
            }
            _ => format!("std.clamp({x}, {y}, 5)"),
        }
    }

    fn of_whole(&mut self, depth: usize) -> String {
        let (x, y) = (self.expression(Kind::Whole, depth), self.expression(Kind::Whole, depth));
        match self.below(9) {
            0 => format!("({x} {} {y})", self.pick(&["+", "-", "*", "&", "|", "^", "%"])),
            1 => format!("({x} {} 3)", self.pick(&["<<", ">>"])),
            // Signs within products are rewritten before the engine sees them.
            2 => match self.below(4) {
                0 => format!("(~{x})"),
                1 => format!("(-~{x} * {y})"),
                2 => format!("({x}*- // of {{\n~{y}* 2)"),
                _ => format!("({x} % -{y} * 2)"),
            },
            3 => {
                let of = self.pick_sized(depth);
                format!("std.length({of})")
            }
            4 => format!("std.codepoint({}[0])", self.expression(Kind::Text, depth)),
            5 => format!("std.parseInt('{}')", self.random.random_range(-99..999)),
            6 => format!("std.parseHex('{:x}')", self.random.random_range(0..99_999)),
            7 => {
                let list = self.expression(Kind::List, depth);
                format!("std.count({list}, {x})")
            }
            _ if self.self_fields > 0 => "self.a".to_owned(),
            _ => {
                let list = self.list_of(Kind::Whole, depth);
                let function = self.pick(&["function(x, y) x + y", "function(x, y) x * 2 - y"]);
                format!("std.{}({function}, {list}, {y})", self.pick(&["foldl", "foldr"]))
            }
        }
    }

    fn pick_sized(&mut self, depth: usize) -> String {
        let kind = [Kind::Text, Kind::List, Kind::Object][self.below(3)];
        self.expression(kind, depth)
    }

    fn any(&mut self, depth: usize) -> String {
        if self.chance(5) {
            return "null".to_owned();
        }
        let kind = *KINDS.choose(self.random).unwrap_or(&Kind::List);
        self.expression(kind, depth)
    }

    fn of_text(&mut self, depth: usize) -> String {
        let (x, y) = (self.expression(Kind::Text, depth), self.expression(Kind::Text, depth));
        match self.below(22) {
            0 | 1 => format!("({x} + {y})"),
            2 => {
                let whole = self.expression(Kind::Whole, depth);
                format!("({x} + {whole})")
            }
            3 => {
                let format = self.pick(&["'%d|%5d'", "'%-4d,%03d'", "'%+d %x'", "'%o %X'", "'%5.2f %d'"]);
                let (a, b) = (self.expression(Kind::Whole, depth), self.expression(Kind::Whole, depth));
                format!("({format} % [{a}, {b}])")
            }
            4 => format!("('%s and %s' % [{x}, {y}])"),
            5 => {
                let any = self.any(depth);
                format!("std.toString({any})")
            }
            6 => format!("std.strReplace({x}, 'a', {y})"),
            7 => format!("std.{}({x})", self.pick(&["asciiUpper", "asciiLower", "trim", "md5", "sha1", "sha256"])),
            8 => format!("std.substr({x}, {}, {})", self.below(4), self.below(5)),
            9 => {
                let list = self.list_of(Kind::Text, depth);
                format!("std.join({x}, {list})")
            }
            10 => format!(
                "std.{}({x})",
                self.pick(&[
                    "escapeStringJson",
                    "escapeStringPython",
                    "escapeStringBash",
                    "escapeStringDollars",
                    "escapeStringXML"
                ])
            ),
            11 => format!("std.{}({x}, 'a b\\n')", self.pick(&["stripChars", "lstripChars", "rstripChars"])),
            12 => format!("std.char({})", self.random.random_range(32..55_000)),
            13 => {
                let any = self.any(depth);
                let indent = self.pick(&["'  '", "''", "'\\t'"]);
                format!("std.manifestJsonEx({any}, {indent})")
            }
            14 => {
                let any = self.any(depth);
                format!("std.{}({any})", self.pick(&["manifestJson", "manifestJsonMinified", "manifestPython"]))
            }
            15 | 16 => {
                let any = self.any(depth);
                let options =
                    self.pick(&["", ", true", ", indent_array_in_object=true, quote_keys=false", ", quote_keys=false"]);
                format!("std.manifestYamlDoc({any}{options})")
            }
            17 => {
                let list = self.expression(Kind::List, depth);
                format!("std.manifestYamlStream({list}, c_document_end={})", self.pick(&["true", "false"]))
            }
            18 => {
                let object = self.expression(Kind::Object, depth);
                format!(
                    "std.{}",
                    self.pick(&["manifestToml(X)", "manifestTomlEx(X, ' ')", "manifestPythonVars(X)"])
                        .replace('X', &object)
                )
            }
            19 => {
                let object = self.expression(Kind::Object, depth);
                format!("std.manifestIni({{ main: {{ a: {x} }}, sections: {{ s: {object} }} }})")
            }
            20 => format!("std.base64({x})"),
            _ => format!("{x}[{}:{}]", self.below(3), self.below(6)),
        }
    }

    fn of_truth(&mut self, depth: usize) -> String {
        match self.below(9) {
            0 => {
                let (x, y) = (self.expression(Kind::Whole, depth), self.expression(Kind::Whole, depth));
                format!("({x} {} {y})", self.pick(&["<", ">", "<=", ">=", "==", "!="]))
            }
            1 => {
                let (x, y) = (self.expression(Kind::Text, depth), self.expression(Kind::Text, depth));
                format!("({x} {} {y})", self.pick(&["<", ">", "<=", ">=", "==", "!="]))
            }
            2 => {
                let (x, y) = (self.expression(Kind::Truth, depth), self.expression(Kind::Truth, depth));
                format!("({x} {} {y})", self.pick(&["&&", "||"]))
            }
            3 => format!("!{}", self.expression(Kind::Truth, depth)),
            4 => {
                let any = self.any(depth);
                format!(
                    "std.{}({any})",
                    self.pick(&["isString", "isNumber", "isBoolean", "isObject", "isArray", "isFunction", "isNull"])
                )
            }
            5 => {
                let (x, y) = (self.expression(Kind::Text, depth), self.expression(Kind::Text, depth));
                format!("std.{}({x}, {y})", self.pick(&["startsWith", "endsWith", "equalsIgnoreCase", "member"]))
            }
            6 => {
                let object = self.expression(Kind::Object, depth);
                self.pick(&["std.objectHas(X, 'a')", "std.objectHasAll(X, 'b')", "('c' in X)"]).replace('X', &object)
            }
            7 => {
                let x = self.expression(Kind::Number, depth);
                format!("std.{}({x})", self.pick(&["isEven", "isOdd", "isInteger", "isDecimal"]))
            }
            _ => {
                let (x, y) = (self.any(depth), self.any(depth));
                format!("std.equals({x}, {y})")
            }
        }
    }

    fn of_list(&mut self, depth: usize) -> String {
        match self.below(18) {
            0 | 1 => {
                let elements: Vec<_> = (0..self.below(4)).map(|_| self.any(depth)).collect();
                format!("[{}]", elements.join(", "))
            }
            2 => {
                let (x, y) = (self.expression(Kind::List, depth), self.expression(Kind::List, depth));
                format!("({x} + {y})")
            }
            3 => {
                // What a comprehension goes over must evaluate even if it is not used: see `known.rs`.
                let list = self.leaf(Kind::List);
                let over: Vec<_> = (0..=self.below(3)).map(|_| self.leaf(Kind::Whole)).collect();
                let over = format!("[{}]", over.join(", "));
                let name = format!("v{}", self.scope.len());
                self.scope.push((name.clone(), Kind::Whole));
                let (element, condition) = (self.any(depth), self.expression(Kind::Truth, depth));
                self.scope.pop();
                match self.below(3) {
                    0 => format!("[{element} for {name} in {over}]"),
                    1 => format!("[{element} for {name} in {over} if {condition}]"),
                    _ => format!("[[w, {element}] for {name} in {over} for w in {list}]"),
                }
            }
            4 => {
                // Two at least: a single one is not looked at, see `known.rs`.
                let (numbers, more) = (self.list_of(Kind::Number, depth), self.expression(Kind::Number, depth));
                format!("std.{}({numbers} + [{more}])", self.pick(&["sort", "set", "uniq", "reverse"]))
            }
            5 => {
                let (texts, more) = (self.list_of(Kind::Text, depth), self.expression(Kind::Text, depth));
                format!("std.{}({texts} + [{more}])", self.pick(&["sort", "set", "uniq", "reverse"]))
            }
            6 => {
                let (texts, more) = (self.list_of(Kind::Text, depth), self.expression(Kind::Text, depth));
                format!("std.{}({texts} + [{more}], keyF=std.length)", self.pick(&["sort", "set", "uniq"]))
            }
            7 => format!("std.range({}, {})", self.random.random_range(-2..3), self.random.random_range(-2..6)),
            8 => {
                let x = self.expression(Kind::Text, depth);
                let function = self.pick(&[
                    "stringChars(X)",
                    "encodeUTF8(X)",
                    "split(X, 'X')",
                    "splitLimit(X, 'X', 1)",
                    "splitLimitR(X, 'X', 1)",
                    "findSubstr('a', X)",
                    "base64DecodeBytes(std.base64(X))",
                ]);
                format!("std.{}", function.replace("(X", &format!("({x}")).replace(", X)", &format!(", {x})")))
            }
            9 => {
                let object = self.expression(Kind::Object, depth);
                format!(
                    "std.{}({object})",
                    self.pick(&[
                        "objectFields",
                        "objectFieldsAll",
                        "objectValues",
                        "objectKeysValues",
                        "objectValuesAll"
                    ])
                )
            }
            10 => {
                let list = self.expression(Kind::List, depth);
                let name = format!("v{}", self.scope.len());
                let body = self.any(depth);
                self.pick(&[
                    "std.map(function(V) [V, B], L)",
                    "std.mapWithIndex(function(i, V) [i, B], L)",
                    "std.filter(function(V) std.isArray(V) || V == 1, L)",
                    "std.flatMap(function(V) [V, B], L)",
                    "std.filterMap(function(V) V != null, function(V) [V, B], L)",
                    "std.makeArray(3, function(V) B)",
                ])
                .replace('V', &name)
                .replace('B', &body)
                .replace('L', &list)
            }
            11 => {
                let (x, y) = (self.expression(Kind::List, depth), self.any(depth));
                format!("std.{}", self.pick(&["remove(L, E)", "find(E, L)"]).replace('L', &x).replace('E', &y))
            }
            12 => {
                let (x, y) = (self.list_of(Kind::Whole, depth), self.list_of(Kind::Whole, depth));
                format!(
                    "std.{}(std.set({x} + [7]), std.set({y} + [7]))",
                    self.pick(&["setUnion", "setInter", "setDiff"])
                )
            }
            13 => {
                let list = self.expression(Kind::List, depth);
                format!("{list}[{}:{}:{}]", self.below(3), self.below(6), 1 + self.below(2))
            }
            14 => {
                let list = self.expression(Kind::List, depth);
                format!("std.{}({list})", self.pick(&["flattenDeepArray", "prune", "reverse"]))
            }
            15 => {
                let (x, y) = (self.expression(Kind::List, depth), self.expression(Kind::List, depth));
                format!(
                    "std.{}",
                    self.pick(&["flattenArrays([X, Y])", "join(X, [Y, X, null])", "repeat(X, 2)"])
                        .replace('X', &x)
                        .replace('Y', &y)
                )
            }
            16 => {
                let x = self.any(depth);
                format!("std.parseJson(std.manifestJsonMinified([{x}]))")
            }
            _ => {
                let x = self.any(depth);
                format!("[std.type({x}), std.parseYaml('a: 1\\nb: [x, 2.5]\\n')]")
            }
        }
    }

    fn of_object(&mut self, depth: usize) -> String {
        match self.below(9) {
            0..=2 => {
                self.self_fields += 1;
                let first = self.random.random_range(0..9);
                let mut fields = vec![format!("a: {first}")];
                let mut names = vec!["a"];
                for _ in 0..self.below(4) {
                    let name = self.pick(&NAMES);
                    if !names.contains(&name) {
                        names.push(name);
                        let value = self.any(depth);
                        fields.push(format!("{name}{} {value}", self.pick(&[":", ":", ":", "::", ":::"])));
                    }
                }
                self.self_fields -= 1;
                format!("{{ {} }}", fields.join(", "))
            }
            3 => {
                let (x, y) = (self.expression(Kind::Object, depth), self.expression(Kind::Object, depth));
                format!("({x} + {y})")
            }
            4 => {
                let (x, value) = (self.expression(Kind::Object, depth), self.expression(Kind::Object, depth));
                format!("({x} + {{ a+: 1, n: {value}, s: super.a }})")
            }
            5 => {
                let (keys, value) = (self.list_of(Kind::Text, depth), self.any(depth));
                format!("{{ [k]: {value} for k in std.set({keys} + ['z']) }}")
            }
            6 => {
                let (x, y) = (self.expression(Kind::Object, depth), self.expression(Kind::Object, depth));
                format!("std.mergePatch({x}, {y})")
            }
            7 => {
                let (x, value) = (self.expression(Kind::Object, depth), self.any(depth));
                self.pick(&[
                    "std.mapWithKey(function(k, v) [k, v, V], O)",
                    "std.prune(O)",
                    // No summand: there go-jsonnet finds the field even so, see `known.rs`.
                    "{ r: std.objectRemoveKey(O, 'b') }",
                    "{ g: std.get(O, 'a', V), h: std.get(O, 'b', V, false) }",
                ])
                .replace('V', &value)
                .replace('O', &x)
            }
            _ => {
                let value = self.expression(Kind::Whole, depth);
                format!("{{ local l = {value}, assert l == l : 'no', a: l, b: $.a, c: [self.b, l] }}")
            }
        }
    }
}
