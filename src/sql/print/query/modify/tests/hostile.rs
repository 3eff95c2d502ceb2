//! Thousands of statements that write, made up and broken at random: what is printed reads back as the same, and is never the client's text.

use super::super::super::tests::Random;
use super::{printed, sql};
use crate::sql::lexer::{Kind, lex};
use crate::sql::{StatementKind, keywords, parse};

const ROUNDS: u64 = 4_000;

/// Words that are printed and are no keywords of PostgreSQL's.
const OURS: &[&str] =
    &["pg_catalog", "timestamptz", "timetz", "now", "unnest", "tusk", "dow", "epoch", "tusk_0000000000"];

/// A statement of ours: words are keywords or ours, everything else is quoted, a number or a sign; and there is only one.
fn is_ours(text: &str) {
    let lexed = lex(text, &mut |_, _| Ok(())).unwrap_or_else(|error| panic!("{text}: {error}"));
    for lexeme in &lexed.lexemes {
        let raw = lexed.raw(lexeme);
        match lexeme.kind {
            Kind::Word => {
                let known = keywords::is_keyword(lexed.value(lexeme)) || OURS.contains(&raw);
                assert!(known, "{raw} in {text}");
            }
            Kind::Quoted => assert!(raw.starts_with('"'), "{text}"),
            Kind::Text => assert!(raw.starts_with("E'"), "{text}"),
            Kind::Symbol => assert_ne!(raw, ";", "{text}"),
            _ => {}
        }
    }
}

/// Prints a statement twice, if it is one that is printed at all.
fn twice(text: &str) -> Option<String> {
    match parse(text).ok()?.as_slice() {
        [only] if matches!(only.kind, StatementKind::Modify(_)) => {}
        _ => return None,
    }
    let first = match printed(text) {
        Ok(first) => first,
        Err(error) => {
            assert!(matches!(error.state().code(), "0A000" | "42703" | "42601"), "{text}: {error}");
            return None;
        }
    };
    is_ours(&first.sql);
    assert!(first.places.is_sorted(), "{text}");
    let length = text.chars().count();
    assert!(first.places.iter().all(|(_, there)| (*there as usize) <= length), "{text}");
    Some(first.sql)
}

impl Random {
    fn assignments(&mut self, depth: u64) -> String {
        let value = |random: &mut Random| match random.below(4) {
            0 => "default".to_owned(),
            _ => random.expression(depth),
        };
        match self.below(5) {
            0 => {
                let (n, m, a, b) = (self.name(), self.name(), value(self), value(self));
                format!("({n}, {m}) = ({a}, {b})")
            }
            1 => {
                let (n, a) = (self.name(), value(self));
                format!("({n}) = row({a})")
            }
            2 => {
                let (n, q) = (self.name(), self.query(depth / 2));
                format!("({n}, b) = ({q})")
            }
            3 => {
                let (n, i, a) = (self.name(), self.expression(0), value(self));
                let part = self.of(&["[1]", "[1:2]", ".f", "[:]", "[2:]"]);
                format!("{n}{part}[{i}] = {a}")
            }
            _ => {
                let (n, a, b) = (self.name(), value(self), value(self));
                format!("{n} = {a}, b = {b}")
            }
        }
    }

    fn returning(&mut self) -> String {
        let (a, n) = (self.expression(1), self.name());
        match self.below(5) {
            0 => " returning *".to_owned(),
            1 => format!(" returning {a} as {n}, x.*"),
            2 => format!(" returning current_date, {a}, ({a})"),
            _ => String::new(),
        }
    }

    fn modify(&mut self, depth: u64, target: &str) -> String {
        let (a, b, q) = (self.expression(depth), self.expression(1), self.query(depth / 2));
        let (n, m, set, end) = (self.name(), self.name(), self.assignments(depth), self.returning());
        let with = if self.below(3) == 0 { format!("with {n} as ({q}) ") } else { String::new() };
        let over = self.of(&["", "", "overriding user value", "overriding system value"]);
        match self.below(11) {
            0 => {
                format!("{with}insert into {target} as x ({n}, {m}) {over} values ({a}, default), (default, {b}){end}")
            }
            1 => format!("{with}insert into {target} {over} {q}{end}"),
            2 => format!(
                "insert into {target} as x ({n}) values ({a}) on conflict ({m}, ({b})) where {b} do update set {set} where {a}{end}"
            ),
            3 => format!("insert into {target} ({n}) ({q}) on conflict on constraint {m} do nothing{end}"),
            4 => format!("{with}update {target} as x set {set}, {set} where {a}{end}"),
            5 => format!(
                "{with}update only {target} {n} set {set} from u left join v on ({b}), lateral ({q}) {m} where {a}{end}"
            ),
            6 => format!("{with}delete from {target} x using u as {n} where {a}{end}"),
            7 => format!("insert into {target} default values{end}"),
            8 => format!(
                "with {m} as (select {b}), {n} (p) as materialized (update {target} as x set {set} from {m} where {a}{end}), v as (delete from u{end}) \
                 select * from {n}, v, ({q}) y where {b}"
            ),
            9 => format!(
                "with recursive {n} as (with {m} as ({q}) insert into {target} as x select {a} from {m} on conflict do nothing{end}) \
                 delete from u using {n}, {m} where {b}{end}"
            ),
            _ => format!(
                "{with}merge into {target} x using u as {n} on {b} when matched and {a} then update set {set} when matched then delete \
                 when not matched and {b} then insert ({m}, a) {over} values ({a}, default) when not matched then do nothing"
            ),
        }
    }

    /// Breaks a text somewhere.
    fn broken(&mut self, text: &str) -> String {
        const PIECES: &[&str] = &[
            "'",
            "\\",
            "\"",
            "--",
            "/*",
            "*/",
            ";",
            "$$",
            "(",
            ")",
            ",",
            ".",
            "*",
            "=",
            " ",
            "::",
            "default",
            "only ",
            "returning ",
            "set ",
            " x ",
            "as ",
            "from ",
            "where ",
            "excluded.",
            "row",
            "select ",
            "values ",
            "on conflict ",
            "E'",
            "U&\"",
            "1",
            "$1",
            "\u{0}",
            "\u{1f418}",
            "current of ",
            "using ",
            "table ",
            "(select 1)",
            "delete from t",
            " tablesample system (1)",
            "for update",
        ];
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = usize::try_from(self.below(chars.len() as u64 + 1)).unwrap();
            let end = (at + usize::try_from(self.below(8)).unwrap()).min(chars.len());
            match self.below(4) {
                0 => drop(chars.drain(at..end)),
                1 => {
                    let piece: Vec<char> = self.of(PIECES).chars().collect();
                    chars.splice(at..at, piece);
                }
                2 => {
                    let copy: Vec<char> = chars[at..end].to_vec();
                    let to = usize::try_from(self.below(chars.len() as u64 + 1)).unwrap();
                    chars.splice(to..to, copy);
                }
                _ => {
                    let piece: Vec<char> = self.of(PIECES).chars().collect();
                    chars.splice(at..end, piece);
                }
            }
        }
        chars.into_iter().collect()
    }
}

#[test]
fn thousands_of_statements_read_back_as_they_were_meant() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut done, mut broken) = (0, 0);
    for round in 0..ROUNDS {
        let depth = random.below(3);
        let mut text = random.modify(depth, "t");
        if round % 2 == 1 {
            text = random.broken(&text);
        }
        let Some(first) = twice(&text) else { continue };
        let again = sql(&first);
        assert_eq!(again, first, "{text}");
        done += 1;
        broken += round % 2;
    }
    assert!(done > ROUNDS / 3 && broken > ROUNDS / 50, "{done} printed, {broken} of them broken");
}

/// The first name in a text that is the hidden column's, a column of the system, or the row of the target `x`.
fn reached(text: &str, insert: bool) -> Option<String> {
    let lexed = lex(text, &mut |_, _| Ok(())).unwrap();
    let at = |i: Option<usize>| i.and_then(|i| lexed.lexemes.get(i)).map_or("", |lexeme| lexed.raw(lexeme));
    let names = lexed.lexemes.iter().enumerate().filter(|(_, lexeme)| lexeme.kind == Kind::Quoted);
    let mut found = names.filter(|(i, lexeme)| {
        // Without an INSERT, `excluded` is a table that does not exist.
        let other = !insert && at(i.checked_sub(2)) == "\"excluded\"";
        match lexed.value(lexeme) {
            "x" => at(i.checked_sub(1)) != "AS" && (at(Some(i + 1)) != "." || at(Some(i + 2)) == "*"),
            "old" | "new" => at(Some(i + 1)) != "." || at(Some(i + 2)) == "*",
            "excluded" => insert && (at(Some(i + 1)) != "." || at(Some(i + 2)) == "*"),
            name => ["secret", "ctid", "xmin", "to_json"].contains(&name) && !other,
        }
    });
    found.next().map(|(_, lexeme)| lexed.raw(lexeme).to_owned())
}

/// Names of the target's hidden column and of its row, at random places: they are in no text that is printed.
#[test]
fn thousands_of_ways_to_a_hidden_column_end_nowhere() {
    const NAMES: &[&str] = &[
        "secret",
        "x.secret",
        "x",
        "x.*",
        "excluded",
        "excluded.secret",
        "(x).secret",
        "x.ctid",
        "xmin",
        "\"secret\"",
        "x.to_json",
        "a",
    ];
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let depth = random.below(3);
        let name = random.of(NAMES);
        let call = random.of(&["", "", "row_to_json", "count", "lower", "coalesce", "row", "array_agg", "secret"]);
        let wanted = if call.is_empty() { name.to_owned() } else { format!("{call}({name})") };
        // No label and no other table is called so: each of these names is one of the target's.
        let text = match random.below(6) {
            0 => format!("update narrow x set a = {}", random.expression(depth)),
            1 => format!("update narrow x set a = 1 where {} returning *", random.expression(depth)),
            2 => format!(
                "delete from narrow x where a in (select a from u where {}) returning a",
                random.expression(depth)
            ),
            3 => format!(
                "insert into narrow as x (a) values (1) on conflict (a) do update set a = {}",
                random.expression(depth)
            ),
            4 => format!("merge into narrow x using u on {} when matched then delete", random.expression(depth)),
            _ => format!("insert into narrow as x (a) values (1) returning {}", random.expression(depth)),
        };
        let text = text.replacen("t.a", &wanted, 1).replacen("t.b", &wanted, 1).replace("t.", "x.");
        let insert = text.starts_with("insert");
        let text = match random.below(3) {
            0 if !text.starts_with("merge") => format!("with y as ({text}), z as (delete from u) select a from y"),
            1 if !text.starts_with("merge") => {
                format!("with z as (select a from u), y as ({text}) insert into u select a from z, y")
            }
            _ => text,
        };
        match twice(&text) {
            Some(printed) => {
                assert_eq!(reached(&printed, insert), None, "{text}\n{printed}");
                done += 1;
            }
            None => refused += 1,
        }
    }
    assert!(done > 200 && refused > ROUNDS / 4, "{done} printed, {refused} not");
}
