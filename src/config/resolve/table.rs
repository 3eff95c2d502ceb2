//! `[[source.table]]`: a table over files, with a name and options of its own.
//! Must not know: SQL types; they are kept as written and read where files are.

use super::super::errors::Span;
use super::super::file::{At, BadRows, RawCsv, RawTable};
use super::super::{CsvSettings, FileFormat, FileTableSettings};
use super::Context;
use super::checks::any_name;
use super::source::glob_path;

pub(super) fn file_table(raw: RawTable, at: &Span, cx: &mut Context<'_, '_>) -> Option<FileTableSettings> {
    match &raw.name {
        Some(name) => any_name(name.get_ref(), "table", &name.span(), cx),
        None => cx.mistakes.missing(at, "name", "[[source.table]]"),
    }
    if raw.path.is_none() {
        cx.mistakes.missing(at, "path", "[[source.table]]");
    }
    let path = raw.path.as_ref().map(|path| glob_path(path, cx));
    let format = raw.format.map(toml::Spanned::into_inner);
    let csv = raw.csv.map_or_else(CsvSettings::default, |csv| {
        if format.is_some_and(|format| !matches!(format, FileFormat::Csv | FileFormat::Tsv)) {
            cx.mistake(&csv.span(), "csv goes with format = \"csv\" or \"tsv\" only");
        }
        csv_options(csv.into_inner(), cx)
    });
    let schema = raw.schema.map(|schema| columns(&schema, cx));
    Some(FileTableSettings { name: raw.name?.into_inner(), path: path?, format, csv, schema })
}

fn csv_options(raw: RawCsv, cx: &mut Context<'_, '_>) -> CsvSettings {
    let delimiter = raw.delimiter.as_ref().and_then(|text| delimiter(text, cx));
    CsvSettings {
        delimiter,
        header: raw.header.unwrap_or(true),
        null: raw.null,
        skip_bad_rows: raw.bad_rows.is_some_and(|bad_rows| *bad_rows.get_ref() == BadRows::Skip),
    }
}

fn delimiter(raw: &At<String>, cx: &mut Context<'_, '_>) -> Option<u8> {
    match raw.get_ref().as_bytes() {
        // As PostgreSQL's COPY: what quotes or ends a row cannot part fields.
        [b'"' | b'\n' | b'\r' | 0] => {
            cx.mistake(&raw.span(), "delimiter cannot be a quote, a line end or NUL");
            None
        }
        [byte] if byte.is_ascii() => Some(*byte),
        _ => {
            cx.mistake(&raw.span(), "delimiter must be a single one-byte character");
            None
        }
    }
}

/// `day date, currency text, rate numeric(18,6)`.
fn columns(raw: &At<String>, cx: &mut Context<'_, '_>) -> Vec<(String, String)> {
    let at = raw.span();
    let mut columns: Vec<(String, String)> = Vec::new();
    let Some(items) = split_list(raw.get_ref()) else {
        cx.mistake(&at, "schema has a quote or parenthesis that is not closed");
        return columns;
    };
    for item in items {
        let Some((name, sql_type)) = column(item.trim()) else {
            cx.mistake(&at, format!("schema: \"{}\" must be a column's name and its type", item.trim().escape_debug()));
            continue;
        };
        any_name(&name, "column", &at, cx);
        if columns.iter().any(|(other, _)| *other == name) {
            cx.mistake(&at, format!("schema: column \"{name}\" is named twice"));
        }
        columns.push((name, sql_type));
    }
    columns
}

/// Splits at commas outside quotes and parentheses; `None` if one of these is not closed.
fn split_list(text: &str) -> Option<Vec<&str>> {
    let (mut items, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0u32, false);
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.checked_sub(1)?,
            ',' if !quoted && depth == 0 => {
                items.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    items.push(&text[start..]);
    (depth == 0 && !quoted).then_some(items)
}

/// A name, folded unless it is quoted, and a type.
fn column(item: &str) -> Option<(String, String)> {
    let (name, rest) = match item.strip_prefix('"') {
        Some(inner) => {
            let end = quoted_end(inner)?;
            (inner[..end].replace("\"\"", "\""), &inner[end + 1..])
        }
        None => {
            let end = item.find(char::is_whitespace)?;
            let name = &item[..end];
            let plain = name
                .chars()
                .enumerate()
                .all(|(i, c)| c == '_' || c.is_alphabetic() || (i > 0 && (c.is_ascii_digit() || c == '$')));
            if !plain {
                return None;
            }
            (name.to_ascii_lowercase(), &item[end..])
        }
    };
    let sql_type = rest.trim();
    let begins_well = sql_type.chars().next().is_some_and(|c| c.is_alphabetic() || c == '"' || c == '_');
    (rest.starts_with(char::is_whitespace) && begins_well).then(|| (name, sql_type.to_owned()))
}

/// Where a quoted identifier ends: at a quote that is not doubled.
fn quoted_end(inner: &str) -> Option<usize> {
    let bytes = inner.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'"' {
            if bytes.get(i + 1) != Some(&b'"') {
                return Some(i);
            }
            i += 1;
        }
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_parentheses() {
        let items = split_list("day date, \"Rate, mid\" numeric(18,6) ,x text").unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(column(items[1].trim()), Some(("Rate, mid".to_owned(), "numeric(18,6)".to_owned())));
        assert_eq!(column("Day date"), Some(("day".to_owned(), "date".to_owned())));
        assert_eq!(column("\"a\"\"b\" timestamp with time zone").unwrap().0, "a\"b");
        assert_eq!(split_list("a numeric(18"), None);
        for bad in ["", "day", "day ", "1a int", "a-b int", "\"a\"int", "a (1)"] {
            assert_eq!(column(bad), None, "{bad}");
        }
    }
}
