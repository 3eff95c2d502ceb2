//! Denied is missing: the same error to the byte, absent from every list.
//! Must not know: what statements are refused for what they are.

use super::texts;
use crate::harness::federation::Federation;
use crate::harness::raw::{Message, Raw, describe, error, frame, parse, rows, transcript};
use crate::harness::routes::{ROUTES, goes, routed};

/// Statements in which `@` stands for a name: once for one that is denied, once for one of the same length that does not exist.
/// `bob` may read three columns of `shop.orders`, and `lake.rates`.
const NAMES: &[(&str, &[(&str, &str)])] = &[
    (
        "table",
        &[
            ("shop.customer", "shop.customes"),
            ("crm.nation", "crm.natiom"),
            ("lake.events", "lake.eventz"),
            ("customer", "customes"),
        ],
    ),
    (
        "column",
        &[("o_totalprice", "o_totalprize"), ("o_orderstatus", "o_orderstatuz"), ("o_shippriority", "o_shippriorita")],
    ),
];

const OF_TABLES: &[&str] = &[
    "select * from @",
    "select count(*) from @",
    "select 1 from shop.orders, @",
    "select (select 1 from @ limit 1)",
    "select o_orderkey from shop.orders where exists (select 1 from @)",
    "with x as (select * from @) select 1",
    "select * from shop.orders o join @ c on true",
    "table @",
    "explain select * from @",
    "explain analyze select * from @",
    "select * from only @",
    "select * from tusk.@",
    "select '@'::regclass",
    "select to_regclass('@')",
    "select count(*) from pg_class where oid = '@'::regclass",
    "select has_table_privilege('@', 'select')",
    "copy @ to stdout",
    "copy (select * from @) to stdout",
    "declare c cursor for select * from @",
    "insert into @ values (1)",
    "delete from @",
];

const OF_COLUMNS: &[&str] = &[
    "select @ from shop.orders",
    "select o.@ from shop.orders o",
    "select orders.@ from shop.orders",
    "select o_orderkey from shop.orders where @ = 'x'",
    "select o_orderkey from shop.orders where @ = 1",
    "select o_orderkey from shop.orders order by @",
    "select count(*) from shop.orders group by @",
    "select max(@) from shop.orders",
    "select a.o_orderkey from shop.orders a join shop.orders b using (@)",
    "select a.o_orderkey from shop.orders a join shop.orders b on a.@ = b.@",
    "select (o).@ from shop.orders o",
    "explain select @ from shop.orders",
    "select has_column_privilege('shop.orders', '@', 'select')",
    "select row_to_json(o)->>'@' is null from shop.orders o limit 1",
];

/// `eli` may read some columns of a table of each kind of source.
const ELI: &str = r#"
[[role]]
name = "partial"
[[role.grant]]
tables = ["shop.orders"]
columns = ["o_orderkey", "o_custkey", "o_orderdate"]
privileges = ["select"]
[[role.grant]]
tables = ["lake.rates"]
columns = ["year", "rate"]
privileges = ["select"]
[[role.grant]]
tables = ["crm.nation"]
columns = ["n_nationkey", "n_regionkey"]
privileges = ["select"]

[[user]]
name = "eli"
roles = ["partial"]
"#;

/// Joins of two sources, and a column of one of them that `eli` may not read: the join, what its table is called there, the column, and a name
/// that does not exist.
const JOINS: &[(&str, &str, &str, &str)] = &[
    ("shop.orders o join lake.rates r on r.year = o.o_custkey", "o", "o_totalprice", "o_totalprize"),
    ("shop.orders o join crm.nation n on n.n_nationkey = o.o_custkey", "o", "o_orderstatus", "o_orderstatuz"),
    ("shop.orders o join lake.rates r on r.year = o.o_custkey", "r", "currency", "currencz"),
    ("crm.nation n left join shop.orders o on n.n_nationkey = o.o_custkey", "n", "n_name", "n_namz"),
];

/// `@` is a column, `%` what its table is called, `$` the join.
const OF_JOINS: &[&str] = &[
    "select @ from $",
    "select %.@ from $",
    "select count(*) from $ where @ = 'x'",
    "select count(*) from $ where %.@ is null",
    "select count(*) from $ group by @",
    "select count(*) from $ having max(@) is null",
    "select o.o_orderkey from $ order by %.@",
    "select min(@), max(%.@) from $",
    "select sum(o.o_orderkey) over (partition by @) from $",
    "select (%).@ from $",
    "select x.@ from (select * from $) x",
    "with x as (select * from $) select x.@ from x",
    "select count(*) from $ where exists (select 1 from lake.rates q where q.year = o.o_custkey and %.@ is not null)",
    "select (select %.@) from $",
    "select distinct on (@) o.o_orderkey from $",
    "select o.o_orderkey from $ join lake.rates q using (@)",
    "select o.o_orderkey from $ join lake.rates q on q.year = %.@",
    "select o.o_orderkey from $ join lake.rates q on q.rate > 1 and %.@ = 'x'",
    "explain select @ from $",
    "explain analyze select count(%.@) from $",
    "copy (select @ from $) to stdout",
    "declare c cursor for select %.@ from $",
    "select row_to_json(%)->>'@' is null from $ limit 1",
];

/// Statements that say other things of a name that is denied than of one that does not exist. Each is asked in a session of its own.
fn that_tell(session: &dyn Fn() -> Raw, statements: &[impl AsRef<str>], denied: &str, missing: &str) -> Vec<String> {
    let swap = |answer: &[Message]| transcript(answer).replace(denied, "@").replace(missing, "@");
    let whole = |name: &str, sql: &str| {
        let sql = sql.replace('@', name);
        let answer = session().ask(&sql);
        // Every field but the source line of the server: severity, code, text, detail, hint, position, context, names.
        let fields: Vec<_> = answer.iter().filter(|message| message.tag == b'E').map(Message::fields).collect();
        let prepared = session().batch(&[parse("", &sql, &[]), describe(b'S', "")]);
        (format!("{}{}", swap(&answer), swap(&prepared)), format!("{fields:?}").replace(name, "@"))
    };
    let mut findings = Vec::new();
    for sql in statements {
        let sql: &str = sql.as_ref();
        // Lengths differ by a letter for some names: positions are compared for names of one length only.
        let (ours, theirs) = (whole(denied, sql), whole(missing, sql));
        let clean = |text: &str| if denied.len() == missing.len() { text.to_owned() } else { without_positions(text) };
        if clean(&ours.0) != clean(&theirs.0) || clean(&ours.1) != clean(&theirs.1) {
            findings.push(format!("{sql} with {denied} / {missing}\ndenied:  {}missing: {}", ours.0, theirs.0));
        }
    }
    findings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_is_missing_to_the_byte() {
    let federation = Federation::start().await;
    let bob = || Raw::login(federation.tusk.port(), "bob", "tusk");
    let mut findings = Vec::new();
    for (kind, pairs) in NAMES {
        for (denied, missing) in *pairs {
            if *kind == "table" {
                // Whether a table is there is known before a route is chosen.
                findings.extend(that_tell(&bob, OF_TABLES, denied, missing));
                continue;
            }
            for route in ROUTES {
                let bob = || routed(&federation.tusk, "bob", route);
                goes(&mut bob(), route, "select o_orderkey from shop.orders");
                let told = that_tell(&bob, OF_COLUMNS, denied, missing);
                findings.extend(told.into_iter().map(|finding| format!("route {route}: {finding}")));
            }
        }
    }
    assert!(findings.is_empty(), "{} tell that something is denied:\n{}", findings.len(), findings.join("\n"));
    // What the errors say is what PostgreSQL says.
    let fields = error(&bob().ask("select * from shop.customer"));
    assert_eq!((fields[&'C'].as_str(), fields[&'M'].as_str()), ("42P01", "relation \"shop.customer\" does not exist"));
    assert_eq!(fields[&'P'], "15");
    for route in ROUTES {
        let fields = error(&routed(&federation.tusk, "bob", route).ask("select o_totalprice from shop.orders"));
        assert_eq!(
            (fields[&'C'].as_str(), fields[&'M'].as_str()),
            ("42703", "column \"o_totalprice\" does not exist"),
            "{route}"
        );
        assert_eq!(fields[&'P'], "8", "{route}");
    }
}

/// No join with what another source has shows a denied column, or that there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_columns_are_missing_from_joins_of_sources() {
    let federation = Federation::start_with("", ELI).await;
    let eli = || Raw::login(federation.tusk.port(), "eli", "tusk");
    let mut findings = Vec::new();
    for (join, table, denied, missing) in JOINS {
        // The join itself is right: what fails is the column.
        assert_eq!(rows(&eli().ask(&format!("select count(*) from {join}"))).len(), 1, "{join}");
        let fields = error(&eli().ask(&format!("select {denied} from {join}")));
        let text = format!("column \"{denied}\" does not exist");
        assert_eq!((fields[&'C'].as_str(), &fields[&'M']), ("42703", &text), "{join}");
        let statements: Vec<String> = OF_JOINS.iter().map(|sql| sql.replace('$', join).replace('%', table)).collect();
        findings.extend(that_tell(&eli, &statements, denied, missing));
    }
    assert!(findings.is_empty(), "{} tell that something is denied:\n{}", findings.len(), findings.join("\n"));
}

fn without_positions(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(at) = rest.find("P=").or_else(|| rest.find("'P': ")) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        rest = after[2..].trim_start_matches(|c: char| c.is_ascii_digit() || "': \"".contains(c));
    }
    out + rest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_is_absent_from_every_list() {
    let federation = Federation::start().await;
    let mut bob = Raw::login(federation.tusk.port(), "bob", "tusk");
    let hidden = [
        "customer",
        "lineitem",
        "events",
        "nation",
        "region",
        "crm",
        "o_totalprice",
        "o_orderstatus",
        "o_shippriority",
    ];
    let lists = [
        "select table_schema, table_name from information_schema.tables",
        "select table_schema, table_name, column_name, data_type from information_schema.columns",
        "select schema_name from information_schema.schemata",
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace",
        "select attrelid::text, attname from pg_attribute",
        "select nspname from pg_namespace",
        "select source_name, tables, error from tusk.sources",
        "select current_schemas(true)",
        "show search_path",
        "select * from tusk.sessions",
        "select * from tusk.queries",
        "explain select * from shop.orders",
        "explain analyze select * from shop.orders",
        "show all",
    ];
    for sql in lists {
        // Lists that a later version adds may be missing; what is there must be silent.
        let answer = bob.ask(sql);
        let said = transcript(&answer);
        // A view of Tusk's own has the name of a table that is hidden.
        let own_text = said.replace(sql, "").replace("tusk | events", "");
        for name in hidden {
            assert!(!own_text.contains(name), "{sql} tells of {name}:\n{said}");
        }
    }
    assert!(texts(&mut bob, lists[0]).contains(&"shop|orders".to_owned()));
    assert!(texts(&mut bob, lists[1]).contains(&"shop|orders|o_orderdate|date".to_owned()));
    let star: Vec<String> =
        bob.ask("select * from shop.orders limit 0")[0].columns().into_iter().map(|column| column.name).collect();
    assert_eq!(star, ["o_orderkey", "o_custkey", "o_orderdate"]);
    for (command, shown) in
        [(r"\d", "orders"), (r"\dt *.*", "rates"), (r"\dn", "shop"), (r"\d shop.orders", "o_orderdate")]
    {
        let (out, err) = federation.tusk.psql("bob", &["-c", command]);
        assert_eq!(err, "", "{command}");
        assert!(out.contains(shown), "{command}:\n{out}");
        for name in hidden {
            assert!(!out.contains(name), "{command} tells of {name}:\n{out}");
        }
    }
    let (out, err) = federation.tusk.psql("bob", &["-c", r"\d shop.customer"]);
    assert_eq!((out.as_str(), err.as_str()), ("", "Did not find any relation named \"shop.customer\".\n"));
    // An administrator sees the others; bob's list of sessions has himself alone.
    let mut root = Raw::login(federation.tusk.port(), "root", "tusk");
    assert_eq!(texts(&mut root, "select distinct user_name from tusk.sessions order by 1"), ["bob", "root"]);
    assert_eq!(texts(&mut bob, "select distinct user_name from tusk.sessions"), ["bob"]);
}

/// A grant with a row filter or a mask needs what enforces it, which this version does not have: then the table is not there at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_cannot_be_kept_hides_the_table() {
    let mut rest = String::new();
    for (user, rule) in [("ruth", "row_filter = \"o_custkey = 3\""), ("mara", "mask = { o_orderstatus = \"'*'\" }")] {
        rest += &format!(
            "[[role]]\nname = \"{user}\"\n[[role.grant]]\ntables = [\"shop.*\"]\nprivileges = [\"select\"]\n{rule}\n\
             [[user]]\nname = \"{user}\"\nroles = [\"{user}\"]\n"
        );
    }
    let federation = Federation::start_with("", &rest).await;
    for user in ["ruth", "mara"] {
        let mut raw = Raw::login(federation.tusk.port(), user, "tusk");
        let fields = error(&raw.ask("select o_orderkey, o_orderstatus from shop.orders"));
        assert_eq!(
            (fields[&'C'].as_str(), fields[&'M'].as_str()),
            ("42P01", "relation \"shop.orders\" does not exist")
        );
        assert!(
            texts(&mut raw, "select table_name from information_schema.tables where table_schema = 'shop'").is_empty()
        );
    }
}

/// Who has a role without grants, or none that names a table, sees an empty world, and can work in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_by_default() {
    let federation =
        Federation::start_with("", "[[role]]\nname = \"empty\"\n[[user]]\nname = \"nell\"\nroles = [\"empty\"]\n")
            .await;
    let mut nell = Raw::login(federation.tusk.port(), "nell", "tusk");
    assert_eq!(error(&nell.ask("select * from shop.orders"))[&'C'], "42P01");
    let mine = "select table_schema from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema', 'tusk')";
    assert!(texts(&mut nell, mine).is_empty());
    assert_eq!(texts(&mut nell, "select 1"), ["1"]);
    // Administrators' verbs are not for everybody.
    let mut root = Raw::login(federation.tusk.port(), "root", "tusk");
    let pid = root.key.clone().unwrap().0;
    for verb in ["pg_cancel_backend", "pg_terminate_backend"] {
        let answer = nell.ask(&format!("select {verb}({pid})"));
        assert!(transcript(&answer).contains("E ") || texts(&mut nell, "select 1") == ["1"], "{}", transcript(&answer));
    }
    assert_eq!(texts(&mut root, "select 2"), ["2"], "a session of another user was ended");
    assert_eq!(error(&nell.ask("select tusk.refresh('shop')"))[&'M'], "source \"shop\" does not exist");
    nell.bytes(&frame(b'X', b""));
}
