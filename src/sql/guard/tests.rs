//! What no parser may see, and what must still pass.

use std::time::{Duration, Instant};

use crate::sql::{Scope, parse, rewrite};

fn code(message: &str) -> &'static str {
    match parse(message) {
        Ok(_) => "ok",
        Err(error) => error.state().code(),
    }
}

fn wrapped(open: &str, times: usize, middle: &str, close: &str) -> String {
    format!("select {}{middle}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn what_would_overflow_a_stack_is_refused_at_once() {
    let n = 100_000;
    let start = Instant::now();
    for message in [
        wrapped("(", n, "1", ")"),
        wrapped("f(", n, "1", ")"),
        wrapped("(select ", n, "1", ")"),
        wrapped("[", n, "1", "]"),
        wrapped("array[", n, "1", "]"),
        wrapped("case when ", n, "1", ""),
        wrapped("not ", n, "true", ""),
        wrapped("- ", n, "1", ""),
        wrapped("1+", n, "1", ""),
        wrapped("1 - ", n, "1", ""),
        wrapped("true or ", n, "true", ""),
        wrapped("true and ", n, "true", ""),
        wrapped("1+and+", n, "1", ""),
        wrapped("1+order+", n, "1", ""),
        wrapped("interval ", n, "'1'", ""),
        format!("select 1{}", "::int".repeat(n)),
        format!("select 1{}", " union all select 1".repeat(50_000)),
        format!("select 1{}", " intersect select 1".repeat(50_000)),
        format!("select a{}", ".a".repeat(n)),
        format!("select a{}", "[1]".repeat(n)),
        format!("select a{}", "()".repeat(n)),
        format!("select a{}", " is null".repeat(n)),
        format!("select a{}", " collate \"C\"".repeat(50_000)),
        format!("select * from {}t", "(".repeat(n)),
        format!("select * from t{}", " join t on true".repeat(50_000)),
        format!("select * from t{}", ",t".repeat(n)),
        format!("select * from {}t", "(select * from ".repeat(60_000)),
        "explain ".repeat(n),
        format!("update t set a = {}1", "1+".repeat(n)),
        format!("update t set a = 1 from {}t", "(".repeat(n)),
        format!("update t set a = 1 from {}t", "(select * from ".repeat(50_000)),
        format!("update t set a{} = 1", "[1]".repeat(n)),
        format!("delete from t using t{}", " join t on true".repeat(50_000)),
        format!("delete from t where {}true", "not ".repeat(n)),
        format!("insert into t values ({}1", "(".repeat(n)),
        format!("insert into t {}select 1", "(".repeat(n)),
        format!("merge into t using u on {}true when matched then delete", "- ".repeat(n)),
    ] {
        assert_eq!(code(&message), "54001", "{}", message.chars().take(60).collect::<String>());
    }
    // Milliseconds each; the bound is for machines that are busy.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let error = parse(&wrapped("(", n, "1", ")")).map(|_| ()).expect_err("too deep");
    assert_eq!(error.message(), "stack depth limit exceeded");
    assert!(error.hint().is_some());
}

#[test]
fn size_and_width_are_bounded() {
    assert_eq!(code(&" ".repeat(super::MAX_BYTES + 1)), "54001");
    assert_eq!(code(&" ".repeat(super::MAX_BYTES)), "ok");
    assert_eq!(code(&format!("select 1{}", ",1".repeat(1663))), "ok");
    assert_eq!(code(&format!("select 1{}", ",1".repeat(1664))), "54011");
}

#[test]
fn what_people_write_passes() {
    for message in [
        format!("select 1 in (1{})", ",1".repeat(100_000)),
        format!("values (1){}", ",(1)".repeat(50_000)),
        format!("select f(1{})", ",1".repeat(5_000)),
        format!("select true{}", " or a = 1".repeat(400)),
        format!("select 1{}", " union all select a from t where b = 1 and c = 2".repeat(490)),
        format!("select * from t{}", " join t on a = b".repeat(60)),
        format!("select case a {} end", "when 1 then 2 ".repeat(2_000)),
        wrapped("(", 120, "1", ")"),
        wrapped("(select ", 60, "1", ")"),
        format!("select 1{}", "+1".repeat(490)),
        format!("select a is distinct from b{}", ", c".repeat(100)),
        format!("select extract(year from a){}", ", c".repeat(100)),
        format!("select * from {}a{}", "(".repeat(60), " join b on true)".repeat(60)),
        format!("insert into t (a{}) values (1{}){}", ",a".repeat(1_000), ",1".repeat(1_000), ",(1,2)".repeat(20_000)),
        format!("update t set a = 1{} from a, b where c = 1", ", b = c + 1".repeat(1_000)),
        format!(
            "insert into t select * from u on conflict (a) do update set a = 1{}",
            ", b = excluded.b".repeat(1_000)
        ),
        format!("merge into t using u on a = b when matched then update set a = 1{}", ", b = 2".repeat(1_000)),
        format!("merge into t using u on a = b{}", " when matched and a = 1 then do nothing".repeat(1_000)),
        format!("delete from t where a = 1{} returning a{}", " or a = 1".repeat(400), ", a + 1".repeat(400)),
    ] {
        assert_eq!(code(&message), "ok", "{}", message.chars().take(60).collect::<String>());
    }
}

#[test]
fn a_wrong_text_costs_no_exponential_time() {
    let start = Instant::now();
    for (open, middle) in [
        ("floor(", "]"),
        ("cast(", "]"),
        ("position(", "1 ]"),
        ("case when ", "]"),
        ("x in ((select 1 where ", "]"),
        ("extract(year from ", "]"),
        ("array(select ", "]"),
        ("(1,", "]"),
        ("f() over (partition by ", "]"),
    ] {
        assert_ne!(code(&wrapped(open, 60, middle, "")), "ok", "{open}");
        assert_ne!(code(&wrapped(open, 120, middle, "")), "ok", "{open}");
    }
    for open in
        ["((select * from ", "(((select * from ", "((with a as (select * from ", "((values ((", "((select from "]
    {
        assert_ne!(code(&format!("select * from {}t ]", open.repeat(30))), "ok", "{open}");
        assert_ne!(code(&format!("update t set a = 1 from {}t ]", open.repeat(30))), "ok", "{open}");
        assert_ne!(code(&format!("delete from t using {}t ]", open.repeat(30))), "ok", "{open}");
        assert_ne!(code(&format!("merge into t using {}t ]", open.repeat(30))), "ok", "{open}");
        assert_ne!(code(&format!("insert into t {}t ]", open.repeat(30))), "ok", "{open}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// The deepest trees that pass must be walked, rewritten and dropped on a small stack.
#[test]
fn what_passes_fits_on_a_small_stack() {
    let deep = |inner: &str| {
        let mut text = inner.to_owned();
        while text.len() < 200_000 && code(&format!("select {text}")) == "ok" {
            text = format!("({text}){}", " + 1".repeat(40));
        }
        text
    };
    for message in [
        format!("select 1{}", "+1".repeat(499)),
        format!("select 1{}", "::int".repeat(499)),
        wrapped("not ", 499, "true", ""),
        wrapped("- ", 499, "1", ""),
        wrapped("(select ", 62, "1", ")"),
        format!("select 1{}", " union all select 1".repeat(498)),
        format!("select {}", deep("1").trim_end_matches(" + 1")),
        format!("update t set a = {}", deep("1").trim_end_matches(" + 1")),
        format!("delete from t where {} = 1", deep("1").trim_end_matches(" + 1")),
    ] {
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || {
                if let Ok(statements) = parse(&message) {
                    for statement in statements {
                        let _ = Scope::of_statement(&statement);
                        if let crate::sql::StatementKind::Query(query) = statement.kind {
                            drop(rewrite(query));
                        }
                    }
                }
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
