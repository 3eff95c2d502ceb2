//! What triggers and functions of a source fail with themselves: it is theirs, and no fault of the statement or of its tables.
//! Must not know: how errors are told.

use super::same::{oracle, seen};
use super::writable;
use crate::harness::raw::{Raw, error, frame, rows};

/// Triggers that name what is not there, by the amount that is written.
const TRIGGER: &str = "
    create function @.fails() returns trigger language plpgsql as $$ begin
        if new.amount = 1 then perform 1 from nowhere; end if;
        if new.amount = 2 then perform nothing from @.places; end if;
        if new.amount = 3 then perform @.unheard_of(1); end if;
        if new.amount = 4 then perform currval('@.log_n_seq'); end if;
        if new.amount = 5 then execute 'selct'; end if;
        if new.amount = 6 then perform 1 / (new.amount - 6); end if;
        if new.amount = 7 then raise sqlstate '42P01' using message = 'made up', detail = 'In detail.', hint = 'Do not.'; end if;
        return new;
    end $$;
    create trigger fails before insert or update on @.stock for each row execute function @.fails();
    create function @.late() returns trigger language plpgsql as $$ begin perform 1 from nowhere; return null; end $$;
    create constraint trigger late after insert on @.places deferrable initially deferred for each row execute function @.late()";

/// The same at the end of a block and at once.
const BLOCKS: &[&[&str]] = &[
    &["insert into shop.places values (9, 'late')"],
    &["begin", "insert into shop.places values (9, 'late')", "commit"],
    &["begin", "insert into shop.places values (9, 'late')", "set constraints all immediate", "rollback"],
    &["update shop.stock set amount = 1 where id = 1 returning nope"],
    &["select 1 from shop.stock where nope = 1"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_trigger_misses_is_not_missing_in_the_statement() {
    let (postgres, daemon) = writable("").await;
    postgres.exec(&TRIGGER.replace('@', "public")).await;
    let there = postgres.connect_to("oracle").await;
    there.batch_execute(&TRIGGER.replace('@', "shop")).await.unwrap();
    let (mut ours, mut theirs) = (Raw::login(daemon.port(), "wes", "tusk"), oracle(postgres.port()));
    let mut nan = Raw::login(daemon.port(), "nan", "tusk");
    for amount in 1..=7 {
        for sql in [
            format!("update shop.stock set amount = {amount} where id = 1"),
            format!("insert into shop.stock (id, amount) values (77, {amount}) returning id"),
        ] {
            for _ in 0..2 {
                assert_eq!(seen(&ours.ask(&sql)), seen(&theirs.ask(&sql)), "{sql}");
            }
        }
    }
    for block in BLOCKS {
        for sql in *block {
            assert_eq!(seen(&ours.ask(sql)), seen(&theirs.ask(sql)), "{sql} of {block:?}");
        }
    }
    for raw in [&mut ours, &mut theirs] {
        raw.query("copy shop.stock (id, amount) from stdin");
        raw.until(b'G');
        raw.bytes(&[frame(b'd', b"50\t1\n"), frame(b'c', b"")].concat());
    }
    let (a, b) = (error(&ours.until(b'Z')), error(&theirs.until(b'Z')));
    assert_eq!((&a[&'C'], &a[&'M']), (&b[&'C'], &b[&'M']));
    // Who does not see all that there is, is told which kind of error it was, and no names.
    for (amount, state) in [(1, "42P01"), (2, "42703"), (3, "42883")] {
        postgres.exec(&format!("alter table stock alter column amount set default {amount}")).await;
        let failed = error(&nan.ask("insert into shop.stock (id) values (78)"));
        assert_eq!((failed[&'C'].as_str(), failed[&'M'].as_str()), (state, "source \"shop\" refused the statement"));
        assert!(!failed.contains_key(&'D') && !failed.contains_key(&'H') && !failed.contains_key(&'P'), "{failed:?}");
    }
    // What is missing in the statement is as before.
    postgres.exec("drop table log").await;
    assert_eq!(error(&ours.ask("insert into shop.log (note) values ('x')"))[&'C'], "42P01");
    assert_eq!(rows(&nan.ask("select count(*) from shop.stock")), [[Some("10".to_owned())]]);
}
