//! Sequences, inheritance and partitions, what depends on what, and the forms of definitions for people: as a PostgreSQL tells them of the
//! same schema, and to a role with what it may see.
//! Must not know: how the catalogs are filled.

use super::{Both, SCHEMA};
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;

const LINEAGE: &str = include_str!("lineage.sql");

/// `eve` sees some tables whole, one without the column that a sequence belongs to, partitions with and without the table that they are of.
const ROLES: &str = r#"
[[role]]
name = "some"
[[role.grant]]
tables = ["public.serial_of", "public.measured", "public.measured_mid", "public.measured_low", "public.measured_mid_a", "public.hashed_0",
          "public.uses_hidden", "public.derived", "public.alone", "public.refers"]
privileges = ["select"]
[[role.grant]]
tables = ["public.identity_of"]
columns = ["note", "by_default"]
privileges = ["select"]
[[role]]
name = "filtered"
[[role.grant]]
tables = ["public.measured_*"]
privileges = ["select"]
[[role.grant]]
tables = ["public.measured"]
row_filter = "v < 10"
privileges = ["select"]
[[user]]
name = "eve"
roles = ["some"]
[[user]]
name = "finn"
roles = ["filtered"]
"#;

/// Both over the schema of these tests.
pub(super) async fn both() -> Both {
    let postgres = TestPostgres::start();
    postgres.exec(SCHEMA).await;
    postgres.exec(LINEAGE).await;
    let tusk = over(&postgres, "schemas = { public = \"public\" }", ROLES);
    Both { postgres, tusk }
}

/// In the order of names, which no collation changes.
const PRETTY: &[&str] = &[
    "select conrelid::regclass, conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid, false), pg_get_constraintdef(oid, true), \
     pg_get_expr(conbin, conrelid), pg_get_expr(conbin, conrelid, true), connoinherit, conislocal, coninhcount from pg_constraint \
     where connamespace = 'public'::regnamespace and conrelid <> 0 and conname <> 'customer_c_balance_check' \
     order by conrelid::regclass::text collate \"C\", conname",
    "select conname, pg_get_constraintdef(oid), pg_get_constraintdef(oid, true), pg_get_expr(conbin, 0), pg_get_expr(conbin, 0, true) \
     from pg_constraint where contypid <> 0 order by 1",
    "select indexrelid::regclass, pg_get_indexdef(indexrelid), pg_get_indexdef(indexrelid, 0, true), pg_get_indexdef(indexrelid, 1, true), \
     pg_get_indexdef(indexrelid, 1, false), pg_get_indexdef(indexrelid, 3, true), pg_get_expr(indexprs, indrelid), \
     pg_get_expr(indexprs, indrelid, true), pg_get_expr(indpred, indrelid), pg_get_expr(indpred, indrelid, true), indcollation, reloptions \
     from pg_index i join pg_class c on c.oid = indexrelid where relnamespace = 'public'::regnamespace \
     order by indexrelid::regclass::text collate \"C\"",
    "select adrelid::regclass, adnum, pg_get_expr(adbin, adrelid), pg_get_expr(adbin, adrelid, true) from pg_attrdef a \
     join pg_class c on c.oid = adrelid where relnamespace = 'public'::regnamespace order by adrelid::regclass::text collate \"C\", 2",
    "select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1",
    "select pg_get_expr(null, 1259), pg_get_constraintdef(1), pg_get_constraintdef(null, true)",
];

const SEQUENCES: &[&str] = &[
    "select relname, relkind, relam, relnatts, relpersistence, relreplident, obj_description(c.oid, 'pg_class') from pg_class c \
     where relnamespace = 'public'::regnamespace and relkind = 'S' order by 1",
    "select seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle from pg_sequence \
     order by seqrelid::regclass::text collate \"C\"",
    "select schemaname, sequencename, data_type, start_value, min_value, max_value, increment_by, cycle, cache_size from pg_sequences order by 2",
    "select sequence_schema, sequence_name, data_type, numeric_precision, numeric_precision_radix, numeric_scale, start_value, minimum_value, \
     maximum_value, increment, cycle_option from information_schema.sequences order by 2",
    "select column_name, is_identity, identity_generation, identity_start, identity_increment, identity_maximum, identity_minimum, identity_cycle, \
     column_default from information_schema.columns where table_name in ('identity_of', 'serial_of', 'borrows', 'Mixed Case') \
     order by table_name, ordinal_position",
    "select pg_get_serial_sequence('serial_of', 'id'), pg_get_serial_sequence('public.serial_of', 'small'), \
     pg_get_serial_sequence('identity_of', 'id'), pg_get_serial_sequence('identity_of', 'note'), \
     pg_get_serial_sequence('\"Mixed Case\"', 'Key Col'), pg_get_serial_sequence('borrows', 'id'), pg_get_serial_sequence(null, 'id')",
    "select attname, atttypid::regtype, attnum, attnotnull from pg_attribute where attrelid = 'alone'::regclass and attnum > 0 order by attnum",
    "select c.relname, a.attname, d.deptype, s.relname from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S' \
     join pg_class c on c.oid = d.refobjid join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid \
     where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass order by 1, 2, 4",
    // As Rails asks for the key and the sequence of a table.
    "select attr.attname, nsp.nspname, seq.relname from pg_class seq, pg_attribute attr, pg_depend dep, pg_constraint cons, pg_namespace nsp \
     where seq.oid = dep.objid and seq.relkind = 'S' and attr.attrelid = dep.refobjid and attr.attnum = dep.refobjsubid \
     and attr.attrelid = cons.conrelid and attr.attnum = cons.conkey[1] and seq.relnamespace = nsp.oid and cons.contype = 'p' \
     and dep.classid = 'pg_class'::regclass and dep.refobjid = '\"serial_of\"'::regclass",
    "select to_regclass('alone')::text, 'public.alone'::regclass, pg_table_is_visible('alone'::regclass), pg_relation_size('alone') >= 0",
];

const DEPENDENCIES: &[&str] = &[
    // All but types of rows, what the inside of expressions depends on, toast tables, rules and triggers.
    "select pg_describe_object(classid, objid, objsubid), pg_describe_object(refclassid, refobjid, refobjsubid), deptype from pg_depend d \
     where classid in ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass) and deptype in ('a', 'i', 'P', 'S', 'n') \
     and pg_describe_object(classid, objid, objsubid) !~ '(toast|pg_|information_schema|cardinal_number|yes_or_no|pretty|domained|measured.*place|by_expression|line|made|orders_lower|orders_some)' \
     order by (pg_describe_object(classid, objid, objsubid)) collate \"C\", (pg_describe_object(refclassid, refobjid, refobjsubid)) collate \"C\", 3",
    "select distinct classid::regclass, refclassid::regclass, deptype from pg_depend d join pg_class c on c.oid = d.objid \
     where relname in ('serial_of_id_seq', 'serial_of_pkey', 'measured_low', 'measured_low_pkey') order by 1, 2, 3",
    "select pg_describe_object('pg_constraint'::regclass, oid, 0) from pg_constraint where connamespace = 'public'::regnamespace order by (pg_describe_object('pg_constraint'::regclass, oid, 0)) collate \"C\"",
];

const PARTITIONS: &[&str] = &[
    "select inhrelid::regclass, inhparent::regclass, inhseqno, inhdetachpending from pg_inherits order by inhrelid::regclass::text collate \"C\"",
    "select partrelid::regclass, partstrat, partnatts, partdefid::regclass, partattrs, partclass, partcollation, pg_get_expr(partexprs, partrelid), \
     pg_get_expr(partexprs, partrelid, true), pg_get_partkeydef(partrelid) from pg_partitioned_table order by partrelid::regclass::text collate \"C\"",
    "select relname, relkind, relispartition, relhassubclass, relam, relreplident, pg_get_expr(relpartbound, oid), pg_get_expr(relpartbound, oid, true) \
     from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'i', 'I') order by 1",
    "select relname, pg_get_partition_constraintdef(oid), pg_partition_root(oid) from pg_class where relnamespace = 'public'::regnamespace \
     and relkind in ('r', 'p') and relname !~ 'hashed_' order by 1",
    "select * from pg_partition_tree('measured')",
    "select relid, parentrelid, isleaf, level from pg_partition_tree('measured_mid') order by 4, relid::regclass::text",
    "select * from pg_partition_ancestors('measured_mid_a')",
    "select * from pg_partition_ancestors('measured_pkey')",
    "select count(*) from pg_partition_tree('orders')",
    "select conname, conrelid::regclass, confrelid::regclass, conparentid <> 0, pg_get_constraintdef(oid) from pg_constraint \
     where conrelid in (select oid from pg_class where relname ~ '^(measured|refers)') order by 1, conrelid::regclass::text collate \"C\", confrelid::regclass::text collate \"C\"",
    "select attname, attislocal, attinhcount from pg_attribute where attrelid in ('derived'::regclass, 'measured_low'::regclass, 'base'::regclass) \
     and attnum > 0 order by attrelid::regclass::text, attnum",
    "select table_name, table_type from information_schema.tables where table_schema = 'public' and table_name ~ '^(measured|hashed|base|derived)' order by 1",
    "select tablename, hasindexes from pg_tables where schemaname = 'public' and tablename ~ '^(measured|hashed)' order by 1",
    "select indexname, indexdef from pg_indexes where tablename ~ '^measured' order by 1",
    "select pg_relation_size('measured'), pg_relation_size('measured_low') > 0, pg_relation_size('measured_pkey'), \
     pg_table_size('measured_low') = (select pg_table_size(oid) from pg_class where relname = 'measured_low')",
    "select count(*) from measured_low",
    "select count(*), sum(v) from measured_mid",
    "select count(*) from only measured_low",
];

#[tokio::test(flavor = "multi_thread")]
async fn definitions_have_both_forms() {
    both().await.say_the_same(PRETTY);
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_are_told_with_the_columns_that_they_belong_to() {
    let both = both().await;
    both.say_the_same(SEQUENCES);
    for sql in [
        "select pg_get_serial_sequence('serial_of', 'nope')",
        "select pg_get_serial_sequence('nope', 'id')",
        "select has_sequence_privilege('orders', 'usage')",
        "select has_sequence_privilege('alone', 'fly')",
    ] {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        assert_eq!(first(both.tusk("ana", sql)), first(both.oracle(sql)), "{sql}");
    }
    // Nobody may do anything with one.
    assert_eq!(both.tusk("ana", "select has_sequence_privilege('alone', 'usage, select, update')"), "f\n");
    assert_eq!(both.tusk("ana", "select count(last_value) from pg_sequences"), "0\n");
    assert!(both.tusk("ana", "select * from alone").starts_with("ERROR:  permission denied for sequence alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_and_partitions_are_told() {
    let both = both().await;
    both.say_the_same(DEPENDENCIES);
    both.say_the_same(PARTITIONS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_told_of_what_it_sees() {
    let both = both().await;
    let eve = |sql: &str| both.tusk("eve", sql);
    // The sequence of a column that eve does not see is not there, nor that of a table; one by itself is, as its name is granted.
    assert_eq!(
        eve("select relname from pg_class where relkind = 'S' order by 1"),
        "alone\nidentity_of_by_default_seq\nserial_of_id_seq\nserial_of_small_seq\n"
    );
    // Its default names a sequence out of sight.
    let defaults =
        "select column_default from information_schema.columns where table_name = 'uses_hidden' and column_name = 'id'";
    assert_eq!(eve(defaults), "\n");
    assert_eq!(both.tusk("ana", defaults), "nextval('hidden_of_id_seq'::regclass)\n");
    assert_eq!(
        eve("select atthasdef from pg_attribute where attrelid = 'uses_hidden'::regclass and attname = 'id'"),
        "f\n"
    );
    assert!(
        eve("select pg_get_serial_sequence('identity_of', 'id')")
            .contains("column \"id\" of relation \"identity_of\" does not exist")
    );
    // Partitions of tables that eve sees whole, where their names are granted; of no other table.
    assert_eq!(
        eve(
            "select inhrelid::regclass, inhparent::regclass from pg_inherits where inhrelid in (select oid from pg_class where relkind in ('r', 'p')) order by inhrelid::regclass::text"
        ),
        "measured_low|measured\nmeasured_mid|measured\nmeasured_mid_a|measured_mid\n"
    );
    assert!(eve("select * from hashed_0").contains("relation \"hashed_0\" does not exist"));
    assert_eq!(eve("select count(*) from measured_low"), "100\n");
    assert_eq!(
        eve("select attislocal, attinhcount from pg_attribute where attrelid = 'derived'::regclass and attnum = 1"),
        "t|0\n"
    );
    // A filter holds for the table, so its partitions, which would show what it hides, are not there.
    let finn = |sql: &str| both.tusk("finn", sql);
    assert_eq!(
        finn("select relname from pg_class where relname ~ '^measured' and relkind in ('r', 'p') order by 1"),
        ""
    );
    assert!(finn("select * from measured_low").contains("relation \"measured_low\" does not exist"));
    assert_eq!(finn("select count(*) from pg_inherits"), "0\n");
    let mut told = Vec::new();
    let relations =
        eve("select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables \
         where table_schema in ('pg_catalog', 'information_schema') order by 1");
    for relation in relations.lines() {
        let whole = eve(&format!("select * from {relation}"));
        assert!(!whole.contains("ERROR"), "{relation}: {whole}");
        let hidden = [
            "hidden_of",
            "hashed_",
            "by_expression",
            "borrow",
            "measured_rest",
            "mid_other",
            "identity_of_id",
            "Key Col",
        ];
        told.extend(
            hidden.iter().filter(|word| whole.contains(**word)).map(|word| format!("{relation} tells of {word}")),
        );
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_written_through_their_table() {
    let postgres = TestPostgres::start();
    postgres.exec(SCHEMA).await;
    postgres.exec(LINEAGE).await;
    let writer = "[[role]]\nname = \"writer\"\n[[role.grant]]\ntables = [\"public.*\"]\nprivileges = [\"select\", \"insert\", \"update\", \"delete\"]\n\
                  [[user]]\nname = \"wes\"\nroles = [\"writer\"]\n";
    let tusk = over(&postgres, "schemas = { public = \"public\" }\nwritable = true", writer);
    let wes = |sql: &str| {
        let (out, said) = tusk.psql("wes", &["-X", "-At", "-c", sql]);
        format!("{out}{said}")
    };
    assert_eq!(wes("insert into measured values (1000, 'z', 1)"), "INSERT 0 1\n");
    for sql in [
        "insert into measured_low values (1001, 'z', 1)",
        "update measured_low set v = 0",
        "delete from measured_mid_a",
        "select * from measured_low for update",
        "copy measured_low from stdin",
    ] {
        assert!(wes(sql).contains("permission denied for table measured_"), "{sql}: {}", wes(sql));
    }
    assert_eq!(
        wes("select has_table_privilege('measured', 'insert'), has_table_privilege('measured_low', 'insert')"),
        "t|f\n"
    );
}

/// What psql shows of these is the same text.
const COMMANDS: &[&str] = &[
    r"\d serial_of",
    r"\d identity_of",
    r#"\d "Mixed Case""#,
    r"\d alone",
    r"\d serial_of_id_seq",
    r"\d identity_of_id_seq",
    r"\ds",
    r"\d borrows",
    r"\d measured",
    r"\d+ measured",
    r"\d measured_low",
    r"\d+ measured_mid",
    r"\d+ measured_mid_a",
    r"\d measured_pkey",
    r"\d measured_low_place_expr_idx",
    r"\d hashed",
    r"\d by_expression",
    r"\d refers",
    r"\d+ base",
    r"\d derived",
    r"\d pretty_of",
    r"\d pretty_expr",
    r"\dD",
    r"\dP",
    r"\di measured*",
    r"\dt measured*",
];

#[tokio::test(flavor = "multi_thread")]
async fn psql_shows_the_same() {
    let both = both().await;
    let port = both.postgres.port().to_string();
    let mut wrong = Vec::new();
    for command in COMMANDS {
        let asked = ["-X", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-c", command];
        let output = std::process::Command::new("psql").args(asked).output().unwrap();
        let theirs = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let (out, said) = both.tusk.psql("ana", &["-X", "-c", command]);
        // Who owns it is another; how wide its column is, too.
        let told = |text: &str| {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            let lines = text
                .replace("postgres", "tusk")
                .lines()
                .filter(|line| !line.contains("--"))
                .map(words)
                .collect::<Vec<_>>();
            lines.join("\n")
        };
        let ours = format!("{out}{said}");
        assert!(!theirs.contains("Did not find") && !theirs.contains("ERROR"), "{command}: {theirs}");
        if told(&theirs) != told(&ours) {
            wrong.push(format!("{command}\n--- PostgreSQL\n{theirs}--- Tusk\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), COMMANDS.len(), wrong.join("\n"));
}
