//! From text to `File`: all mistakes of form at once.
//! Must not know: what the keys mean.
//!
//! serde stops at its first error. So the document is kept as a tree with places: what an error points at is taken out
//! of the tree, and the rest is read again, until nothing is wrong any more.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::errors::{Mistakes, Span, did_you_mean};
use super::file::File;

/// Larger files are no configuration; reading again after each mistake is quadratic in them.
const MAX_MISTAKES: usize = 100;

/// Reads the text. `None` where the form is so wrong that there is nothing to resolve; the mistakes say why.
pub(super) fn read(text: &str, mistakes: &mut Mistakes<'_>) -> Option<File> {
    let (mut tree, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        mistakes.add(&error.span().unwrap_or(0..0), syntax_message(error.message()));
    }
    if !errors.is_empty() {
        return None;
    }
    for _ in 0..MAX_MISTAKES {
        let error = match File::deserialize(toml::de::Deserializer::from(tree.clone())) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(0..0);
        let root = tree.span();
        let Some(removal) = remove_from_table(tree.get_mut(), &root, &span) else {
            mistakes.add(&span, form_message(error.message(), None));
            return None;
        };
        mistakes.add(&span, form_message(error.message(), removal.key.as_deref()));
        if let Some(key) = removal.key {
            mistakes.removed(removal.table, key);
        }
    }
    None
}

/// What was taken out.
struct Removal {
    /// The table it was in.
    table: Span,
    /// Its key; `None` for an element of an array.
    key: Option<String>,
}

/// Takes out the entry whose key or value is at `at`, or the smallest that holds it.
fn remove_from_table(table: &mut DeTable<'_>, span: &Span, at: &Span) -> Option<Removal> {
    let exact = table.iter().find(|(key, value)| key.span() == *at || value.span() == *at);
    if let Some(name) = exact.map(|(key, _)| key.get_ref().to_string()) {
        table.remove(name.as_str());
        return Some(Removal { table: span.clone(), key: Some(name) });
    }
    table.iter_mut().find_map(|(_, value)| remove_from_value(value, at))
}

fn remove_from_value(value: &mut Spanned<DeValue<'_>>, at: &Span) -> Option<Removal> {
    let span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => remove_from_table(table, &span, at),
        DeValue::Array(array) => {
            if let Some(position) = array.iter().position(|element| element.span() == *at) {
                let kept =
                    std::mem::replace(array, DeArray::new()).into_iter().enumerate().filter(|(i, _)| *i != position);
                *array = kept.map(|(_, element)| element).collect();
                return Some(Removal { table: span, key: None });
            }
            array.iter_mut().find_map(|element| remove_from_value(element, at))
        }
        _ => None,
    }
}

/// The parser's words, in ours where they differ in style only.
fn syntax_message(message: &str) -> String {
    format!("syntax error: {message}")
}

/// serde's words about a value, with the key named and typing errors guessed.
fn form_message(message: &str, key: Option<&str>) -> String {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().unwrap_or_default();
        let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
        return format!("unknown key \"{name}\"{}", did_you_mean(name, known));
    }
    match key {
        Some(key) => format!("key \"{key}\": {}", message.replace('`', "\"")),
        None => message.replace('`', "\""),
    }
}
