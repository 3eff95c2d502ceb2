//! WHERE CURRENT OF: the row that a cursor stands on, in both protocols, as at the source.
//! Must not know: what other statements do.

use super::same::{oracle, seen};
use super::transactions::none_open;
use super::writable;
use crate::harness::raw::{Raw, bind, error, execute, parse, rows};

/// Scripts: one message after the other, each compared.
const SCRIPTS: &[&[&str]] = &[
    &[
        "begin",
        "declare c cursor for select id, amount from shop.stock",
        "fetch 3 from c",
        "update shop.stock set amount = 77 where current of c",
        "fetch next from c",
        "fetch 2 from c",
        "delete from shop.stock where current of c",
        "update shop.stock set amount = 1 where current of c",
        "fetch 1 from c",
        "update shop.stock as s set amount = 78 where current of c returning s.id, s.amount",
        "move 2 from c",
        "with x as (delete from shop.stock where current of c returning id) select id from x",
        "fetch absolute 10 from c",
        "commit",
        "select id, amount from shop.stock order by id",
    ],
    &[
        "begin",
        "declare \"My Cursor\" cursor for select * from shop.stock where id > 4 for update",
        "fetch from \"My Cursor\"",
        "prepare u (int) as update shop.stock set amount = $1 where current of \"My Cursor\"",
        "execute u (101)",
        "fetch from \"My Cursor\"",
        "execute u (102)",
        "close \"My Cursor\"",
        "declare \"My Cursor\" cursor for select name from shop.stock where id < 3 for no key update",
        "fetch 2 from \"My Cursor\"",
        "execute u (103)",
        "savepoint s",
        "execute u (-1)",
        "rollback to s",
        "fetch from \"My Cursor\"",
        "execute u (104)",
        "rollback to s",
        "deallocate u",
        "commit",
        "select id, amount from shop.stock order by id",
    ],
    &["delete from shop.stock where current of c"],
    &["begin", "update shop.stock set amount = 1 where current of nothing", "rollback"],
    &[
        "begin",
        "declare c cursor for select * from shop.stock",
        "update shop.stock set amount = 1 where current of c",
        "rollback",
        "begin",
        "declare c cursor for select * from shop.stock",
        "fetch all from c",
        "update shop.stock set amount = 1 where current of c",
        "rollback",
        "begin",
        "declare c cursor for select * from shop.places",
        "fetch 1 from c",
        "delete from shop.stock where current of c",
        "rollback",
        "begin",
        "declare c cursor for select count(*) from shop.stock",
        "fetch 1 from c",
        "delete from shop.stock where current of c",
        "rollback",
        "begin",
        "declare c cursor for select * from shop.places for update",
        "fetch 1 from c",
        "delete from shop.stock where current of c",
        "rollback",
    ],
    &[
        "begin",
        "declare c cursor with hold for select id from shop.stock",
        "fetch 1 from c",
        "update shop.stock set amount = 55 where current of c",
        "commit",
        "fetch 1 from c",
        "update shop.stock set amount = 1 where current of c",
        "close c",
        "select count(*) from shop.stock where amount = 55",
    ],
    &[
        "begin",
        "declare a cursor for select id, name, tags from shop.items where id < 9",
        "declare b cursor for select item, part from shop.parts",
        "fetch 2 from a",
        "fetch 3 from b",
        "delete from shop.parts where current of b",
        "update shop.items set name = 'current of tusk_0000000000' where current of a returning id, name",
        "select count(*) from shop.parts",
        "select id, name from shop.items where name like 'current%'",
        "rollback",
    ],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_of_a_cursor_is_changed_as_at_the_source() {
    let (postgres, daemon) = writable("").await;
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    for raw in [&mut ours, &mut theirs] {
        raw.ask("set timezone = 'UTC'");
    }
    for script in SCRIPTS {
        for sql in *script {
            let (a, b) = (ours.ask(sql), theirs.ask(sql));
            assert_eq!(seen(&a), seen(&b), "{sql} of {script:?}");
        }
    }
    // Portals of the extended protocol are cursors, too.
    for raw in [&mut ours, &mut theirs] {
        raw.ask("begin");
        let taken = raw.batch(&[
            parse("", "select id from shop.stock where id >= 3", &[]),
            bind("p", "", 0, &[], &[0]),
            execute("p", 2),
            parse("u", "update shop.stock set amount = 500 where current of p", &[]),
            bind("", "u", 0, &[], &[0]),
            execute("", 0),
            execute("p", 1),
            bind("", "u", 0, &[], &[0]),
            execute("", 0),
        ]);
        assert_eq!(rows(&taken).len(), 3);
    }
    let changed = "select id from shop.stock where amount = 500 order by id";
    assert_eq!(rows(&ours.ask(changed)), rows(&theirs.ask(changed)));
    assert_eq!(rows(&ours.ask(changed)).len(), 2);
    ours.ask("rollback");
    // What the source does not have as a cursor, or where that stands elsewhere.
    for declare in
        ["declare c cursor for select 1 as id", "declare c cursor for select count(*) from shop.stock, tusk.sources"]
    {
        ours.ask("begin");
        ours.ask("select count(*) from shop.stock");
        ours.ask(declare);
        assert_eq!(rows(&ours.ask("fetch 1 from c")).len(), 1);
        let refused = error(&ours.ask("delete from shop.stock where current of c"));
        assert_eq!((refused[&'C'].as_str(), refused.contains_key(&'D')), ("0A000", true), "{declare}: {refused:?}");
        ours.ask("rollback");
    }
    // Who may not change the row may not change it so; nobody's cursor is another's.
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    nan.ask("begin");
    nan.ask("declare c cursor for select id, name from shop.stock");
    nan.ask("fetch 2 from c");
    nan.ask("savepoint s");
    assert_eq!(error(&nan.ask("update shop.stock set amount = 1 where current of c"))[&'C'], "42501");
    nan.ask("rollback to s");
    assert_eq!(error(&nan.ask("delete from shop.stock where current of c"))[&'C'], "42501");
    nan.ask("rollback to s");
    assert_eq!(error(&nan.ask("update shop.stock set secret = '' where current of c"))[&'C'], "42703");
    nan.ask("rollback to s");
    rows(&nan.ask("update shop.stock set name = 'nan was here' where current of c"));
    assert_eq!(rows(&nan.ask("select count(*) from shop.stock where name = 'nan was here'")), [[Some("1".to_owned())]]);
    nan.ask("rollback");
    none_open(&postgres).await;
}

/// How cursors are declared: over ten rows.
const DECLARED: [&str; 5] = [
    "cursor for select id from shop.stock",
    "scroll cursor for select id from shop.stock",
    "no scroll cursor for select id from shop.stock",
    "cursor for select id from shop.stock for update",
    "scroll cursor for select id, name from shop.stock where amount > 0",
];

/// Ways among the rows. A cursor that cannot go them fails, and has no row then.
const WAYS: &[&[&str]] = &[
    &[],
    &["next"],
    &["3"],
    &["10"],
    &["11"],
    &["all"],
    &["first"],
    &["last"],
    &["last", "next"],
    &["last", "prior"],
    &["all", "prior"],
    &["absolute 4"],
    &["absolute 4", "2"],
    &["absolute 10"],
    &["absolute 11"],
    &["absolute 0"],
    &["absolute -3"],
    &["absolute -3", "next"],
    &["relative 2", "relative 2"],
    &["relative 0"],
    &["4", "0"],
    &["4", "prior"],
    &["4", "prior", "next"],
    &["4", "backward 2", "5"],
    &["4", "backward all"],
    &["4", "backward all", "2"],
    &["4", "backward -2"],
    &["4", "-2"],
    &["4", "relative -3"],
    &["4", "relative -9"],
    &["4", "absolute 2"],
    &["4", "absolute 2", "relative 5"],
    &["12", "backward 12", "forward 1"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_row_is_found_wherever_its_cursor_was_moved() {
    let (postgres, daemon) = writable("").await;
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    for (declared, command) in
        DECLARED.iter().flat_map(|declared| ["fetch", "move"].map(|command| (*declared, command)))
    {
        for way in WAYS {
            let mut script = vec!["begin".to_owned(), format!("declare c {declared}")];
            script.extend(way.iter().map(|step| format!("{command} {step} from c")));
            script.extend(
                [
                    "savepoint s",
                    "update shop.stock set amount = 77 where current of c returning id, amount",
                    "rollback to s",
                    "fetch next from c",
                    "delete from shop.stock where current of c returning id",
                    "rollback to s",
                    "fetch next from c",
                    "rollback",
                ]
                .map(str::to_owned),
            );
            for sql in &script {
                assert_eq!(seen(&ours.ask(sql)), seen(&theirs.ask(sql)), "{sql} of {script:?}");
            }
        }
    }
    none_open(&postgres).await;
}
