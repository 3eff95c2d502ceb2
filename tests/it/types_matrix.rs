//! Every type, nasty values, every setting, text and binary, from a source's column, a literal and a parameter: the bytes are PostgreSQL's.
//! Must not know: how types are carried inside.

mod hostile;
mod values;

use self::values::{INVALID, NAMES, OF_SOURCES, REFUSED, SETTINGS, TYPES};
use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Message, Raw, bind, close, describe, execute, parse, printable};
use crate::harness::routes::{ROUTES, goes, take};

/// What Tusk cannot hold and refuses by name: times beyond the ends of Arrow's types, NaN where a precision makes a decimal.
fn cannot_be_held(shown: &str) -> bool {
    let of_time = shown.contains("error 22008")
        && ["timestamp out of range", "interval out of range"].iter().any(|m| shown.contains(m));
    of_time || shown.contains("NaN cannot be held by numeric")
}

/// A cast that Tusk refuses: to an array whose elements have a length.
fn refused(answer: &[String]) -> bool {
    answer.iter().any(|line| line.starts_with("error 0A000 a cast to type") && line.contains("[]"))
}

/// Both servers, a session at each.
struct Pair {
    /// They run as long as this does.
    _servers: (TestPostgres, Daemon),
    ours: Raw,
    theirs: Raw,
}

impl Pair {
    async fn start(setup: &str) -> Pair {
        let postgres = TestPostgres::start();
        postgres.exec(setup).await;
        let tusk = over(&postgres, "", "");
        let ours = Raw::login(tusk.port(), "ana", "tusk");
        let theirs = Raw::login(postgres.port(), "postgres", "postgres");
        Pair { _servers: (postgres, tusk), ours, theirs }
    }

    fn set(&mut self, setting: &str) {
        for raw in [&mut self.ours, &mut self.theirs] {
            raw.ask(setting);
        }
    }

    /// A statement without parameters at both.
    fn ask(&mut self, ours: &str, theirs: &str, format: i16) -> (Vec<String>, Vec<String>) {
        let run = |raw: &mut Raw, sql: &str| {
            shown(&raw.batch(&[
                parse("", sql, &[]),
                bind("", "", 0, &[], &[format]),
                describe(b'P', ""),
                execute("", 0),
            ]))
        };
        (run(&mut self.ours, ours), run(&mut self.theirs, theirs))
    }

    /// A prepared statement with one parameter at both.
    fn given(&mut self, format: i16, value: &[u8], result: i16) -> (Vec<String>, Vec<String>) {
        let run = |raw: &mut Raw| {
            shown(&raw.batch(&[bind("", "s", format, &[Some(value)], &[result]), describe(b'P', ""), execute("", 0)]))
        };
        (run(&mut self.ours), run(&mut self.theirs))
    }

    /// Prepares a statement at both; false where one of them refuses.
    fn prepare(&mut self, sql: &str, types: &[u32]) -> (Vec<String>, Vec<String>) {
        let run = |raw: &mut Raw| shown(&raw.batch(&[close(b'S', "s"), parse("s", sql, types), describe(b'S', "s")]));
        (run(&mut self.ours), run(&mut self.theirs))
    }

    /// The binary form of a value as PostgreSQL sends it; none where it is no value of the type.
    fn binary_of(&mut self, ty: &str, text: &str) -> Option<Vec<u8>> {
        let sql = format!("select {}::{ty}", quoted(text));
        let answer = self.theirs.batch(&[parse("", &sql, &[]), bind("", "", 0, &[], &[1]), execute("", 0)]);
        let row = answer.iter().find(|message| message.tag == b'D')?;
        row.values().remove(0)
    }
}

/// What a client reads: types and rows, or the error with its context.
fn shown(answer: &[Message]) -> Vec<String> {
    let one = |message: &Message| match message.tag {
        b'T' => Some(
            message
                .columns()
                .iter()
                .map(|c| format!("{} {} {} {}", c.oid, c.length, c.typmod, c.format))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        b't' => Some(format!("parameters {:?}", &message.body)),
        b'D' => Some(
            message
                .values()
                .iter()
                .map(|value| value.as_deref().map_or("NULL".into(), printable))
                .collect::<Vec<_>>()
                .join(" | "),
        ),
        b'E' => {
            let fields = message.fields();
            let field = |kind: char| fields.get(&kind).cloned().unwrap_or_default();
            Some(format!("error {} {} {} {} {}", field('C'), field('M'), field('D'), field('H'), field('W')))
        }
        _ => None,
    };
    let lines: Vec<String> = answer.iter().filter_map(one).collect();
    // A constant that cannot be computed fails before its description is sent, or behind it.
    match lines.iter().find(|line| line.starts_with("error")) {
        Some(error) => vec![error.clone()],
        None => lines,
    }
}

/// Whether settings change how values of a type look.
fn styled(ty: &str) -> bool {
    let all = [
        "float", "bytea", "date", "time", "interval", "ts", "point", "lseg", "box", "path", "polygon", "line", "circle",
    ];
    all.iter().any(|name| ty.starts_with(name))
}

fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Differences found, told at the end.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    /// But for what Tusk cannot hold and says so.
    fn compare(&mut self, what: &str, answers: (Vec<String>, Vec<String>)) {
        if !answers.0.iter().any(|line| cannot_be_held(line)) {
            self.compare_all(what, answers);
        }
    }

    fn compare_all(&mut self, what: &str, (ours, theirs): (Vec<String>, Vec<String>)) {
        if ours != theirs {
            self.0.push(format!(
                "--- {what}\n  Tusk:       {}\n  PostgreSQL: {}",
                ours.join("\n    "),
                theirs.join("\n    ")
            ));
        }
    }

    fn none(self) {
        let told: Vec<String> = self.0.iter().take(400).map(|finding| finding.chars().take(2000).collect()).collect();
        assert!(self.0.is_empty(), "{} differ:\n{}", self.0.len(), told.join("\n"));
    }
}

/// A table for each type, a row for each value and a NULL; beside it the array of all of them.
fn tables() -> String {
    let mut sql = String::new();
    for (at, (ty, values)) in TYPES.iter().chain(OF_SOURCES).chain(NAMES).enumerate() {
        sql += &format!("create table m{at} (id int, c {ty}, a {ty}[]);");
        for (id, value) in values.iter().enumerate() {
            let value = quoted(value);
            sql += &format!("insert into m{at} values ({id}, {value}, array[{value}, null]::{ty}[]);");
        }
        let all: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        sql +=
            &format!("insert into m{at} values (1000, null, array[array[{0}], array[{0}]]::{ty}[]);", all.join(", "));
        sql += &format!("insert into m{at} values (1001, null, '{{}}');");
    }
    sql
}

/// A table of a type, and how it is asked for.
struct Asked<'a> {
    route: &'a str,
    setting: &'a str,
    at: usize,
    ty: &'a str,
    values: &'a [&'a str],
    format: i16,
}

impl Asked<'_> {
    /// The table as a whole and, where that differs, value by value.
    fn compare(&self, pair: &mut Pair, findings: &mut Findings) {
        let Asked { route, setting, at, ty, values, format } = *self;
        let sql = |schema: &str| format!("select c, a from {schema}m{at} order by id");
        let whole = pair.ask(&sql("shop."), &sql(""), format);
        if whole.0 == whole.1 {
            return;
        }
        for (id, value) in values.iter().copied().chain([""; 2]).enumerate() {
            let id = if id < values.len() { id } else { 1000 + id - values.len() };
            for what in ["c", "a"] {
                let sql = |schema: &str| format!("select {what} from {schema}m{at} where id = {id}");
                let answers = pair.ask(&sql("shop."), &sql(""), format);
                let told = format!("{route}: {setting}: column {what} {ty} {value:?}, format {format}");
                // What is handed on as it comes need not be held.
                if route == "auto" { findings.compare_all(&told, answers) } else { findings.compare(&told, answers) }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_a_source() {
    let mut pair = Pair::start(&tables()).await;
    let mut findings = Findings::default();
    for route in ROUTES {
        take(&mut pair.ours, route);
        goes(&mut pair.ours, route, "select c, a from shop.m0 order by id");
        for (number, setting) in SETTINGS.iter().copied().enumerate() {
            pair.set(setting);
            for (at, (ty, values)) in TYPES.iter().chain(OF_SOURCES).chain(NAMES).copied().enumerate() {
                // Types that no setting changes were seen under the first; each statement is planned here, which takes its time.
                if route == "federated" && number > 0 && !styled(ty) {
                    continue;
                }
                let text_only = number > 0 || ty.starts_with("reg");
                for format in [0, 1].into_iter().filter(|format| *format == 0 || !text_only) {
                    Asked { route, setting, at, ty, values, format }.compare(&mut pair, &mut findings);
                }
            }
        }
    }
    findings.none();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn literals() {
    let mut pair = Pair::start("").await;
    let mut findings = Findings::default();
    for (number, setting) in SETTINGS.iter().enumerate() {
        pair.set(setting);
        for (ty, values) in TYPES.iter().chain(NAMES).filter(|(ty, _)| number == 0 || styled(ty)) {
            for format in [0, 1].into_iter().filter(|format| *format == 0 || number == 0) {
                for value in *values {
                    let value = quoted(value);
                    let sql = format!("select {value}::{ty}");
                    findings.compare(&format!("{setting}: {sql}, format {format}"), pair.ask(&sql, &sql, format));
                }
                if ty.starts_with("reg") {
                    continue;
                }
                let all: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                let sql = format!("select array[{}, null]::{ty}[]", all.join(", "));
                findings.compare(&format!("{setting}: {sql}, format {format}"), pair.ask(&sql, &sql, format));
            }
        }
    }
    findings.none();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters() {
    let mut pair = Pair::start("").await;
    let mut findings = Findings::default();
    for (number, setting) in SETTINGS.iter().enumerate() {
        for (ty, values) in TYPES.iter().filter(|(ty, _)| number == 0 || styled(ty)) {
            pair.set(setting);
            for (ty, values) in [
                ((*ty).to_owned(), values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>()),
                of_array(&mut pair, ty, values),
            ] {
                let prepared = pair.prepare(&format!("select $1::{ty}"), &[]);
                if refused(&prepared.0) {
                    continue;
                }
                findings.compare(&format!("prepare {ty}"), prepared);
                for value in values {
                    let sent = pair.binary_of(&ty, &value);
                    for result in [0, 1].into_iter().filter(|result| *result == 0 || number == 0) {
                        let what = format!("{setting}: $1::{ty} {value:?}, result {result}");
                        findings.compare(&format!("{what}, text"), pair.given(0, value.as_bytes(), result));
                        if let Some(sent) = &sent {
                            findings.compare(&format!("{what}, binary"), pair.given(1, sent, result));
                        }
                    }
                }
            }
        }
    }
    findings.none();
}

/// The array type over a type, with an array of all the values (as text, under default settings) and one of two dimensions.
fn of_array(pair: &mut Pair, ty: &str, values: &[&str]) -> (String, Vec<String>) {
    let all: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    let all = all.join(", ");
    let sql = format!("select array[{all}, null]::{ty}[]::text, array[array[{all}], array[{all}]]::{ty}[]::text");
    let row = pair.theirs.ask(&sql).into_iter().find(|message| message.tag == b'D');
    let texts = row.map(|row| row.values()).unwrap_or_default();
    let texts = texts.into_iter().flatten().map(|text| String::from_utf8(text).unwrap());
    (format!("{ty}[]"), texts.chain(["{}".to_owned(), "{NULL}".to_owned()]).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_form_is_refused() {
    let mut pair = Pair::start("").await;
    for (ty, value) in REFUSED {
        let sql = format!("select {}::{ty}", quoted(value));
        let (ours, _) = pair.ask(&sql, &sql, 0);
        assert!(ours.iter().any(|line| line.starts_with("error 0A000")), "{sql}: {ours:?}");
    }
}

/// Texts that are no values: the error is PostgreSQL's, for a literal and for a parameter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_texts() {
    let mut pair = Pair::start("").await;
    let mut findings = Findings::default();
    for (ty, texts) in INVALID {
        for text in *texts {
            let sql = format!("select {}::{ty}", quoted(text));
            findings.compare(&sql, pair.ask(&sql, &sql, 0));
        }
        pair.prepare(&format!("select $1::{ty}"), &[]);
        for text in *texts {
            findings.compare(&format!("$1::{ty} {text:?}"), pair.given(0, text.as_bytes(), 0));
        }
    }
    findings.none();
}

/// Rows as values, and names of oids: text and binary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_and_names() {
    let mut pair = Pair::start("").await;
    let mut findings = Findings::default();
    for sql in [
        "select row(1, 'a', null)",
        "select (1, 2.50)",
        "select array[row(1, 'a')]",
        "select row(1, 'a b', null)::text",
        "select row(1 > 2, row(1, 'x\"y\\z'))",
        "select row('x'::text, array[1, 2], true, '2024-01-01'::date, '1 day'::interval, '\\x00'::bytea)",
        "select row(''::text, '(a,b)'::text)",
        "select row(null)",
        "select null",
        "select 'a'",
        "select 'int4'::regtype",
        "select 'pg_class'::regclass, 'pg_catalog'::regnamespace",
        "select array['a', null]",
        "select '{}'::int[], '{{1},{2}}'::int[]",
        "select 'aclitem'::regtype",
    ] {
        for format in [0, 1] {
            findings.compare(&format!("{sql}, format {format}"), pair.ask(sql, sql, format));
        }
    }
    findings.none();
}
