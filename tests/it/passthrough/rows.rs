//! Rows of tables as values: of the table's own type whichever way they come, and with the columns that a role may see.
//! Must not know: how records are carried.

use super::start;
use crate::harness::raw::{Message, Raw, bind, describe, error, execute, parse, rows};
use crate::harness::routes::{ROUTES, routed};

/// `eva` sees two columns of `emps`.
const NARROW: &str = r#"
[[role]]
name = "two"
[[role.grant]]
tables = ["shop.emps"]
columns = ["id", "name"]
privileges = ["select"]
[[user]]
name = "eva"
roles = ["two"]
"#;

/// Statements that give the whole row of one employee.
const WHOLE: &[&str] = &[
    "select e from shop.emps e where id = 3",
    "select emps from shop.emps where id = 3",
    "select q.e from (select e from shop.emps e) q where (q.e).id = 3",
    "with w as (select e from shop.emps e where e.id = 3) select e from w",
    "select coalesce(e, null) as e from shop.emps e where id = 3",
    "select b.e from shop.emps a join lateral (select e from shop.emps e where e.id = 3) b on a.id = 1",
];

fn oid(raw: &mut Raw, sql: &str) -> u32 {
    rows(&raw.ask(sql))[0][0].as_deref().unwrap().parse().unwrap()
}

fn described(answer: &[Message]) -> u32 {
    let description = answer.iter().find(|message| message.tag == b'T');
    description.unwrap_or_else(|| panic!("{:?}", error(answer))).columns()[0].oid
}

/// The first value of a statement in binary.
fn binary(raw: &mut Raw, sql: &str) -> Vec<u8> {
    let messages = [parse("", sql, &[]), bind("", "", 0, &[], &[1]), describe(b'P', ""), execute("", 0)];
    let answer = raw.batch(&messages);
    let row =
        answer.iter().find(|message| message.tag == b'D').unwrap_or_else(|| panic!("{sql}: {:?}", error(&answer)));
    row.values()[0].clone().unwrap()
}

#[tokio::test]
async fn a_whole_row_is_of_the_tables_type_and_holds_what_may_be_seen() {
    let (_postgres, tusk) = start("", NARROW).await;
    let mut numbers = Vec::new();
    for route in ROUTES {
        for (user, text, fields) in [("ana", "(3,1,Cid,7)", 4), ("eva", "(3,Cid)", 2_i32)] {
            let mut raw = routed(&tusk, user, route);
            let row = oid(&mut raw, "select reltype from pg_class where oid = 'shop.emps'::regclass");
            let array = oid(&mut raw, &format!("select typarray from pg_type where oid = {row}"));
            numbers.push((row, array));
            for sql in WHOLE {
                let answer = raw.ask(sql);
                assert_eq!(
                    (described(&answer), rows(&answer)),
                    (row, vec![vec![Some(text.into())]]),
                    "{sql} {user} {route}"
                );
            }
            let answer = raw.ask("select array_agg(e) from shop.emps e where id = 3");
            let expected = format!("{{{}}}", if user == "ana" { "\"(3,1,Cid,7)\"" } else { "\"(3,Cid)\"" });
            assert_eq!((described(&answer), rows(&answer)), (array, vec![vec![Some(expected)]]), "{user} {route}");
            for sql in WHOLE {
                let value = binary(&mut raw, sql);
                assert_eq!(value[..4], fields.to_be_bytes(), "{sql} {user} {route}");
                let salary = value.windows(4).any(|window| window == 1700_u32.to_be_bytes());
                assert_eq!(salary, user == "ana", "{sql} {user} {route}");
            }
            let kept = rows(&raw.ask("select row_to_json(e) from shop.emps e where id = 3"));
            assert_eq!(kept[0][0].as_ref().unwrap().contains("salary"), user == "ana");
            let fields = rows(&raw.ask("select (e).* from shop.emps e where id = 3"));
            assert_eq!(fields[0].len(), if user == "ana" { 4 } else { 2 });
            for sql in ["select (e).salary from shop.emps e", "select (q.e).salary from (select e from shop.emps e) q"]
            {
                let answer = raw.ask(sql);
                match user {
                    "ana" => assert_eq!(rows(&answer).len(), 5, "{sql}"),
                    _ => assert_eq!(error(&answer)[&'C'], "42703", "{sql} {route}"),
                }
            }
        }
    }
    assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]), "one table, one type: {numbers:?}");
}

#[tokio::test]
async fn a_row_that_is_missing_is_null() {
    let (_postgres, tusk) = start("", "").await;
    for route in ROUTES {
        let mut raw = routed(&tusk, "ana", route);
        let sql = "select p, p is null, (p).label from shop.items i left join shop.parts p on p.item = i.id and p.part = 1 \
                   where i.id in (50, 51) order by i.id";
        let text = |text: &str| Some(text.to_owned());
        let expected = [vec![text("(50,1,\"part 1\")"), text("f"), text("part 1")], vec![None, text("t"), None]];
        assert_eq!(rows(&raw.ask(sql)), expected, "{route}");
    }
}
