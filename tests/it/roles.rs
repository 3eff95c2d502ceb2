//! A role sees its own world: what it may not read is what does not exist, and nothing but reading happens.
//! Must not know: how grants are kept.

mod denied;
mod refused;

use crate::harness::raw::{Raw, rows};

fn texts(raw: &mut Raw, sql: &str) -> Vec<String> {
    let answer = rows(&raw.ask(sql));
    answer
        .into_iter()
        .map(|row| row.into_iter().map(|value| value.unwrap_or("NULL".into())).collect::<Vec<_>>().join("|"))
        .collect()
}
