//! Columns of types that are a source's own: on every route and beside a file the answer is PostgreSQL's, or a refusal.
//! Must not know: how types are carried inside.

mod statements;

use tempfile::TempDir;

use self::statements::{BESIDE, CITEXT, REFUSED, SAME, SETUP, SHOWN};
use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Message, Raw, bind, describe, error, execute, parse, rows};
use crate::harness::routes::{ROUTES, goes, routed};

const WORDS: &[(i32, &str, i32)] = &[(10, "sad", 1), (20, "Zest", 2), (30, "strange", 3)];

struct Both {
    /// They run as long as this does.
    _servers: (TestPostgres, Daemon, TempDir),
    theirs: Raw,
    ours: Vec<(&'static str, Raw)>,
}

impl Both {
    async fn start(more: &str) -> Both {
        let postgres = TestPostgres::start();
        postgres.exec(SETUP).await;
        postgres.exec(more).await;
        postgres.exec("create schema lake; create table lake.words (id int, w text, n int)").await;
        let files = tempfile::tempdir().unwrap();
        let mut csv = "id,w,n\n".to_owned();
        for (id, word, n) in WORDS {
            csv += &format!("{id},{word},{n}\n");
            postgres.exec(&format!("insert into lake.words values ({id}, '{word}', {n})")).await;
        }
        std::fs::write(files.path().join("words.csv"), csv).unwrap();
        let lake = format!("[[source]]\nname = \"lake\"\ntype = \"files\"\npath = \"{}\"\n", files.path().display());
        let tusk = over(&postgres, "schemas = { public = \"shop\" }", &lake);
        let theirs = Raw::login(postgres.port(), "postgres", "postgres");
        let ours = ROUTES.into_iter().map(|route| (route, routed(&tusk, "ana", route))).collect();
        Both { _servers: (postgres, tusk, files), theirs, ours }
    }

    /// What differs from PostgreSQL's answer, of all these statements on these routes.
    fn differing(&mut self, statements: &[&str], routes: &[&str]) -> Vec<String> {
        let mut findings = Vec::new();
        for sql in statements {
            let theirs = said(&self.theirs.ask(sql));
            for (route, raw) in self.ours.iter_mut().filter(|(route, _)| routes.contains(route)) {
                let ours = said(&raw.ask(sql));
                if !alike(&ours, &theirs) {
                    findings.push(format!("{sql}\n  {route}: {ours:?}\n  PostgreSQL: {theirs:?}"));
                }
            }
        }
        findings
    }

    /// What is answered though it should be refused, of statements that PostgreSQL answers.
    fn answered(&mut self, statements: &[&str]) -> Vec<String> {
        let mut findings = Vec::new();
        for sql in statements {
            let theirs = said(&self.theirs.ask(sql));
            assert!(theirs.is_ok(), "PostgreSQL refuses {sql}: {theirs:?}");
            let raw = self.ours.iter_mut().find(|(route, _)| *route == "federated").map(|(_, raw)| raw).unwrap();
            match said(&raw.ask(sql)) {
                Err(refusal) if refusal.starts_with("0A000") => {}
                other => findings.push(format!("{sql}\n  {other:?}")),
            }
        }
        findings
    }
}

type Said = Result<Vec<Vec<Option<String>>>, String>;

fn said(answer: &[Message]) -> Said {
    match answer.iter().find(|message| message.tag == b'E') {
        Some(failed) => {
            let fields = failed.fields();
            let field = |kind: char| fields.get(&kind).cloned().unwrap_or_default();
            Err(format!("{} {} at {}", field('C'), field('M'), field('P')))
        }
        None => Ok(rows(answer)),
    }
}

/// The same rows, or errors of one kind. Where PostgreSQL fails, a refusal will do.
fn alike(ours: &Said, theirs: &Said) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (Err(ours), Err(theirs)) => ours.get(..5) == theirs.get(..5) || ours.starts_with("0A000"),
        _ => false,
    }
}

fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enums_are_what_they_are_at_their_source() {
    let mut both = Both::start("").await;
    for (route, raw) in &mut both.ours {
        goes(raw, route, "select m from shop.t order by m");
    }
    let mut findings = both.differing(SAME, &ROUTES);
    findings.extend(both.differing(BESIDE, &["auto"]));
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_label_is_complained_about_as_postgresql_does() {
    let mut both = Both::start("").await;
    for sql in [
        "select id from t where m = 'nope'",
        "select id from t where 'ok' < m and m < 'nope'",
        "select id from t where m in ('ok', 'nope')",
        "select coalesce(m, 'nope') from t",
        "select id from t where m = s",
        "select id from t where m = 'ok'::text",
        "select lower(m) from t",
    ] {
        let theirs = error(&both.theirs.ask(sql));
        // What a source says itself names types by the schema that clients see.
        for (route, raw) in both.ours.iter_mut().filter(|(route, _)| *route == "federated") {
            let ours = error(&raw.ask(sql));
            for field in ['C', 'M', 'P', 'H'] {
                assert_eq!(ours.get(&field), theirs.get(&field), "{route}: {sql}, field {field}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_beside_enums_are_labels() {
    let mut both = Both::start("").await;
    let mut findings = Vec::new();
    for sql in [
        "select id from t where m = $1 order by id",
        "select id from t where m < $1 order by id",
        "select id from t where m in ($1, 'a') order by id",
        "select id from t where m between $1 and 'Zest' order by id",
        "select id, coalesce(m, $1) from t order by 2, 1",
        "select id from t where m = $1::mood order by id",
        "select id from t where m = any ($1) order by id",
        "select id from t where m::text = $1 order by id",
    ] {
        let values = if sql.contains("any") { ["{ok,a}", "{ok,nope}", "{}"] } else { ["ok", "nope", "a"] };
        for value in values.map(Some).into_iter().chain([None]) {
            let run = |raw: &mut Raw| {
                let value = value.map(str::as_bytes);
                said(&raw.batch(&[parse("", sql, &[]), bind("", "", 0, &[value], &[]), execute("", 0)]))
            };
            let theirs = run(&mut both.theirs);
            for (route, raw) in &mut both.ours {
                let ours = run(raw);
                if !alike(&ours, &theirs) || ours.as_ref().is_err_and(|refusal| refusal.starts_with("0A000")) {
                    findings.push(format!("{route}: {sql} {value:?}\n  {ours:?}\n  PostgreSQL: {theirs:?}"));
                }
            }
        }
    }
    none(&findings);
    // A type of a source's own has no number that clients know: such a parameter is told to be text.
    let (_, federated) = both.ours.iter_mut().find(|(route, _)| *route == "federated").unwrap();
    let told = federated.batch(&[parse("", "select m, ms from t where m = $1", &[]), describe(b'S', "")]);
    let parameters = told.iter().find(|message| message.tag == b't').unwrap();
    assert_eq!(parameters.body, [0, 1, 0, 0, 0, 25]);
    let columns = told.iter().find(|message| message.tag == b'T').unwrap().columns();
    assert_eq!(columns.iter().map(|column| column.oid).collect::<Vec<_>>(), [25, 1009]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_its_source_understands_is_shown_or_refused() {
    let mut both = Both::start("").await;
    let mut findings = both.differing(SHOWN, &["federated"]);
    findings.extend(both.answered(REFUSED));
    none(&findings);
    let (_, federated) = both.ours.iter_mut().find(|(route, _)| *route == "federated").unwrap();
    let refusal = error(&federated.ask("select id from o where c > '5'"));
    assert_eq!(refusal[&'M'], "operator money > unknown is not supported");
    assert!(refusal[&'H'].contains("Cast them to text"), "{refusal:?}");
}

/// A statement over money that its source runs comes back as the source sends it, in text and in binary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_is_handed_on_as_it_comes() {
    let mut both = Both::start("").await;
    let (_, passing) = both.ours.iter_mut().find(|(route, _)| *route == "auto").unwrap();
    goes(passing, "auto", "select c from cash order by c");
    for sql in [
        "select id, c, cs, pr from cash order by id",
        "select id from cash order by c desc, id",
        "select sum(c), max(pr), array_agg(c order by id) from cash",
        "select id, c * 2, c / pr, c::numeric from cash order by c, id",
        "select c, count(*) from cash group by c order by c",
    ] {
        for format in [0, 1] {
            let ask = [parse("", sql, &[]), describe(b'S', ""), bind("", "", 0, &[], &[format]), execute("", 0)];
            let sent = |raw: &mut Raw| {
                let answer = raw.batch(&ask);
                assert!(
                    answer.iter().all(|message| message.tag != b'E'),
                    "{sql}, format {format}: {:?}",
                    said(&answer)
                );
                let types = answer.iter().find(|message| message.tag == b'T').unwrap().columns();
                let types: Vec<_> = types.iter().map(|column| (column.oid, column.typmod)).collect();
                let rows: Vec<_> = answer.iter().filter(|message| message.tag == b'D').map(Message::values).collect();
                (types, rows)
            };
            assert_eq!(sent(passing), sent(&mut both.theirs), "{sql}, format {format}");
        }
    }
    let found = |raw: &mut Raw| {
        let sql = "select id from cash where c > $1 order by id";
        said(&raw.batch(&[parse("", sql, &[]), bind("", "", 0, &[Some(b"5.5")], &[]), execute("", 0)]))
    };
    assert_eq!(found(passing), found(&mut both.theirs));
    // A cursor's rows are held between.
    for sql in [
        "begin",
        "declare k cursor for select id, c, cs from cash order by id",
        "fetch 2 from k",
        "fetch all from k",
        "commit",
    ] {
        assert_eq!(said(&passing.ask(sql)), said(&both.theirs.ask(sql)), "{sql}");
    }
    // Its type is told as it is.
    let sql = "select attname, atttypid::regtype::text from pg_attribute where attrelid = 'shop.cash'::regclass and attnum > 0 \
               order by attnum";
    let told = rows(&passing.ask(sql));
    assert_eq!(told[1], [Some("c".to_owned()), Some("money".to_owned())]);
    assert_eq!(told[2], [Some("cs".to_owned()), Some("money[]".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn citext_is_not_compared_letter_by_letter() {
    let postgres = TestPostgres::start();
    if postgres.connect().await.batch_execute("create extension citext").await.is_err() {
        eprintln!("skipped: this PostgreSQL has no extension citext");
        return;
    }
    drop(postgres);
    let mut both =
        Both::start("create extension citext; create table ci (id int, c citext); insert into ci values (1, 'A'), (2, 'a'), (3, 'B')")
            .await;
    let mut findings = both.differing(CITEXT.0, &ROUTES);
    findings.extend(both.answered(CITEXT.1));
    none(&findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_whose_collation_is_not_deterministic_is_not_compared_letter_by_letter() {
    let postgres = TestPostgres::start();
    let made = "create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                create table lo (id int, c text collate loose, cs text[] collate loose); insert into lo values (1, 'A', '{A}'), (2, 'a', '{b}')";
    if postgres.connect().await.batch_execute(made).await.is_err() {
        eprintln!("skipped: this PostgreSQL has no ICU");
        return;
    }
    let tusk = over(&postgres, "", "");
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    // The source knows.
    assert_eq!(rows(&raw.ask("select count(*) from shop.lo where c = 'a'")), [[Some("2".to_owned())]]);
    raw.ask("set tusk.route = federated");
    for sql in [
        "select id from shop.lo where c = 'a'",
        "select id from shop.lo where c::text = 'a'",
        "select id from shop.lo where c::varchar in ('a', 'b')",
        "select id from shop.lo where lower(c) = 'a'",
        "select id from shop.lo order by c",
        "select distinct c from shop.lo",
        "select count(distinct c) from shop.lo",
        "select c, count(*) from shop.lo group by c",
        "select max(c) from shop.lo",
        "select a.id from shop.lo a join shop.lo b on a.c = b.c",
        "select id from shop.lo where 'a' = any (cs)",
    ] {
        assert_eq!(error(&raw.ask(sql))[&'C'], "0A000", "{sql}");
    }
    let found = rows(&raw.ask("select id, c, cs, c is null from shop.lo where c collate \"C\" = 'a'"));
    assert_eq!(found, [["2", "a", "{b}", "f"].map(|text| Some(text.to_owned()))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enums_of_two_sources_are_two() {
    let postgres = TestPostgres::start();
    postgres.exec(SETUP).await;
    let other = TestPostgres::start();
    other.exec("create type mood as enum ('sad', 'ok'); create table v (m mood); insert into v values ('ok')").await;
    let crm = format!(
        "[[source]]\nname = \"crm\"\ntype = \"postgres\"\nurl = \"postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable\"\n",
        other.port()
    );
    let tusk = over(&postgres, "", &crm);
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    let refusal = error(&raw.ask("select t.id from shop.t join crm.v on t.m = v.m"));
    assert_eq!(
        (refusal[&'C'].as_str(), refusal[&'M'].as_str()),
        ("42883", "operator does not exist: shop.mood = crm.mood")
    );
    let found = rows(&raw.ask("select t.id from shop.t join crm.v on t.m::text = v.m::text order by t.id"));
    assert_eq!(found, [[Some("7".to_owned())]]);
}

/// An equality with a label is asked at the source, an order is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_are_looked_for_at_the_source() {
    let mut both = Both::start("").await;
    let (_, federated) = both.ours.iter_mut().find(|(route, _)| *route == "federated").unwrap();
    let mut plan = |sql: &str| {
        let lines = rows(&federated.ask(&format!("explain {sql}")));
        lines.into_iter().map(|row| row[0].clone().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    let equal = plan("select id from t where m = 'o''clock'");
    assert!(equal.contains("WHERE (t.\"m\" = E'o''clock')"), "{equal}");
    let listed = plan("select id from t where m in ('ok', 'a')");
    assert!(listed.contains("WHERE ") && listed.contains("E'ok'") && listed.contains("E'a'"), "{listed}");
    for sql in
        ["select id from t where m < 'ok'", "select id from t where m::text = 'ok'", "select id from o where p is null"]
    {
        let read = plan(sql);
        assert!(read.contains("RemoteScan") && !read.contains("WHERE"), "{read}");
    }
}

/// What an enum's labels are is known anew when the source's schema is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_label_is_one_after_a_refresh() {
    let postgres = TestPostgres::start();
    postgres.exec(SETUP).await;
    let tusk = over(&postgres, "", "");
    let mut raw = routed(&tusk, "ana", "federated");
    let mut root = Raw::login(tusk.port(), "root", "tusk");
    let sql = "select m from shop.t where m < 'ok' order by m";
    let prepared = [parse("before", sql, &[])];
    assert!(raw.batch(&prepared).iter().all(|message| message.tag != b'E'));
    postgres.exec("alter type mood add value 'worst' before 'sad'").await;
    postgres.exec("insert into t values (8, 'worst')").await;
    // A label that is not known has no place in the order.
    let stale = error(&raw.ask("select m from shop.t order by m"));
    assert_eq!(stale[&'M'], "cached plan must not change result type");
    let refreshed = root.ask("select tusk.refresh('shop')");
    assert!(refreshed.iter().all(|message| message.tag != b'E'), "{:?}", said(&refreshed));
    let expected = [[Some("worst".to_owned())], [Some("sad".to_owned())]];
    assert_eq!(rows(&raw.ask(sql)), expected);
    let again = raw.batch(&[bind("", "before", 0, &[], &[]), execute("", 0)]);
    match said(&again) {
        Ok(found) => assert_eq!(found, expected),
        Err(changed) => assert!(changed.contains("cached plan must not change result type"), "{changed}"),
    }
}
