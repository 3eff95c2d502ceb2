//! `COPY t (a, b) FROM STDIN` for a PostgreSQL source, and the transaction around it.
//! Must not know: what the data mean, how they get there.

use crate::error::Result;

use super::super::copy_options::{CopyFormat, CopyOptions, ForceColumns, Header};
use super::literal::{quote_identifier, quote_literal};
use super::{Dialect, Print, Table, refuse};

/// The statement that takes the rows, with every option that has a meaning in its format written out.
///
/// # Errors
/// `0A000` for names that have no safe form, and for no columns at all (which would mean all).
pub fn copy_from(table: &Table, columns: &[String], options: &CopyOptions) -> Result<String> {
    if columns.is_empty() {
        return Err(refuse("COPY FROM without columns"));
    }
    let mut out = String::from("COPY ");
    table.print(Dialect::Postgres, &mut out)?;
    out.push_str(&format!(" {} FROM STDIN (", names(columns)?));
    out.push_str(&copy_options(options)?.join(", "));
    out.push(')');
    Ok(out)
}

/// The statement that opens a transaction.
///
/// # Errors
/// `0A000` for an isolation that is none.
pub fn begin_transaction(isolation: &str, read_only: bool, deferrable: bool) -> Result<String> {
    let isolation = match isolation {
        "serializable" => "SERIALIZABLE",
        "repeatable read" => "REPEATABLE READ",
        "read committed" => "READ COMMITTED",
        "read uncommitted" => "READ UNCOMMITTED",
        _ => return Err(refuse("an unknown isolation level")),
    };
    let access = if read_only { "READ ONLY" } else { "READ WRITE" };
    let deferrable = if deferrable { ", DEFERRABLE" } else { "" };
    Ok(format!("BEGIN ISOLATION LEVEL {isolation}, {access}{deferrable}"))
}

/// The statements that give a session these settings.
///
/// # Errors
/// `0A000` for a value that has no safe form.
pub fn set_session(settings: &[(&'static str, String)]) -> Result<String> {
    let each = settings.iter().map(|(name, value)| {
        let literal = quote_literal(Dialect::Postgres, value)?;
        Ok(format!("SET {name} = {literal}"))
    });
    Ok(each.collect::<Result<Vec<_>>>()?.join("; "))
}

fn copy_options(options: &CopyOptions) -> Result<Vec<String>> {
    let literal = |text: &str| quote_literal(Dialect::Postgres, text);
    let byte = |byte: u8| literal(&char::from(byte).to_string());
    let csv = options.format == CopyFormat::Csv;
    let mut out = Vec::new();
    out.push(format!(
        "FORMAT {}",
        match options.format {
            CopyFormat::Text => "text",
            CopyFormat::Csv => "csv",
            CopyFormat::Binary => "binary",
        }
    ));
    if options.freeze {
        out.push("FREEZE true".to_owned());
    }
    if options.format != CopyFormat::Binary {
        out.push(format!("DELIMITER {}", byte(options.delimiter)?));
        out.push(format!("NULL {}", literal(&options.null)?));
    }
    match options.header {
        Header::Off => {}
        Header::On => out.push("HEADER true".to_owned()),
        Header::Match => out.push("HEADER match".to_owned()),
    }
    if csv {
        out.push(format!("QUOTE {}", byte(options.quote)?));
        out.push(format!("ESCAPE {}", byte(options.escape)?));
    }
    for (name, columns) in [("FORCE_NOT_NULL", &options.force_not_null), ("FORCE_NULL", &options.force_null)] {
        if let ForceColumns::Named(columns) = columns {
            out.push(format!("{name} {}", names(columns)?));
        }
    }
    if let Some(encoding) = &options.encoding {
        out.push(format!("ENCODING {}", literal(encoding)?));
    }
    Ok(out)
}

fn names(columns: &[String]) -> Result<String> {
    let quoted = columns.iter().map(|column| quote_identifier(column)).collect::<Result<Vec<_>>>()?;
    Ok(format!("({})", quoted.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{StatementKind, parse};

    fn printed(sql: &str, columns: &[&str]) -> Result<String> {
        let statement = parse(sql).unwrap().remove(0);
        let StatementKind::Copy(copy) = statement.kind else { panic!("{sql}") };
        let options = CopyOptions::of(&copy.options, true, &|_| true).unwrap();
        let table = Table { schema: Some("pub\"lic".into()), name: "T".into() };
        copy_from(&table, &columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>(), &options)
    }

    #[test]
    fn every_option_is_ours() {
        assert_eq!(
            printed("copy t from stdin", &["a", "b c"]).unwrap(),
            "COPY \"pub\"\"lic\".\"T\" (\"a\", \"b c\") FROM STDIN (FORMAT text, DELIMITER E'\t', NULL E'\\\\N')"
        );
        let csv = "copy t from stdin csv header quote '''' escape '\\' null 'n\\a' force not null a force null b encoding 'x'';'";
        assert_eq!(
            printed(csv, &["a"]).unwrap(),
            "COPY \"pub\"\"lic\".\"T\" (\"a\") FROM STDIN (FORMAT csv, DELIMITER E',', NULL E'n\\\\a', HEADER true, QUOTE E'''', \
             ESCAPE E'\\\\', FORCE_NOT_NULL (\"a\"), FORCE_NULL (\"b\"), ENCODING E'x'';')"
        );
        assert_eq!(
            printed("copy t from stdin (format binary, freeze)", &["a"]).unwrap(),
            "COPY \"pub\"\"lic\".\"T\" (\"a\") FROM STDIN (FORMAT binary, FREEZE true)"
        );
        assert!(printed("copy t from stdin", &[]).is_err());
        assert_eq!(
            begin_transaction("serializable", true, true).unwrap(),
            "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"
        );
        assert_eq!(
            begin_transaction("read committed", false, false).unwrap(),
            "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
        );
        assert!(begin_transaction("x; drop", false, false).is_err());
    }
}
