//! `pg_settings`: the variables of the session that looks.
//! Must not know: sessions; the viewer brings the variables.

use crate::catalog::Setting;
use crate::pg_catalog::relation::{Looking, Rows, Value};

pub(super) fn pg_settings(looking: &Looking<'_>, rows: &mut Rows) {
    for setting in looking.viewer.settings.all() {
        row(setting, rows);
    }
}

fn row(setting: Setting, rows: &mut Rows) {
    let (least, most) = setting.bounds.unzip();
    let words = setting
        .words
        .map(|words| format!("{{{}}}", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(",")));
    rows.push(&[
        ("name", setting.name.into()),
        ("setting", setting.setting.into()),
        ("unit", setting.unit.into()),
        ("category", setting.category.into()),
        ("short_desc", setting.short_desc.into()),
        ("context", setting.context.into()),
        ("vartype", setting.vartype.into()),
        ("source", setting.source.into()),
        ("min_val", least.into()),
        ("max_val", most.into()),
        ("enumvals", words.into()),
        ("boot_val", setting.boot_val.into()),
        ("reset_val", setting.reset_val.into()),
        ("sourceline", Value::Null),
        ("pending_restart", false.into()),
    ]);
}

/// An element of an array as PostgreSQL writes it.
fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() }
}
