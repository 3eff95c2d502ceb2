//! The options of COPY, checked as PostgreSQL checks them: when the statement runs, in PostgreSQL's order.
//! Must not know: how rows are written.

use crate::error::{Error, Result, SqlState};

/// An option as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOption {
    /// Its name, folded unless quoted.
    pub name: String,
    /// What is said of it.
    pub value: OptionValue,
    /// Where it stands: characters of the message, from 1.
    pub position: u32,
}

/// What an option says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// Nothing.
    None,
    /// A word or a string.
    Text(String),
    /// A number as written.
    Number(String),
    /// `*`.
    Star,
    /// `(a, b)`.
    List(Vec<String>),
}

/// How COPY writes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyFormat {
    /// Tab-separated text with backslash escapes.
    #[default]
    Text,
    /// Comma-separated values.
    Csv,
    /// PostgreSQL's binary format.
    Binary,
}

/// Columns for which an option of CSV holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ForceColumns {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// These.
    Named(Vec<String>),
}

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Header {
    /// A row like any other.
    #[default]
    Off,
    /// The column names.
    On,
    /// The column names, which must be those of the table.
    Match,
}

/// The options of COPY, with PostgreSQL's defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    /// The format.
    pub format: CopyFormat,
    /// Between columns: one byte.
    pub delimiter: u8,
    /// What a NULL looks like.
    pub null: String,
    /// The first line.
    pub header: Header,
    /// CSV's quote: one byte.
    pub quote: u8,
    /// CSV's escape: one byte.
    pub escape: u8,
    /// CSV's columns that are always quoted (TO).
    pub force_quote: ForceColumns,
    /// CSV's columns in which nothing is NULL (FROM).
    pub force_not_null: ForceColumns,
    /// CSV's columns in which quoted text may be NULL, too (FROM).
    pub force_null: ForceColumns,
    /// FREEZE (FROM).
    pub freeze: bool,
    /// The encoding asked for, as written.
    pub encoding: Option<String>,
}

/// What the statement says, before defaults.
#[derive(Default)]
struct Said {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<Header>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<ForceColumns>,
    force_not_null: Option<ForceColumns>,
    force_null: Option<ForceColumns>,
    freeze: Option<bool>,
    encoding: Option<String>,
}

fn syntax(message: impl Into<String>) -> Error {
    Error::client(SqlState::SYNTAX_ERROR, message)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::client(SqlState::INVALID_PARAMETER_VALUE, message)
}

impl CopyOption {
    /// PostgreSQL's defGetString.
    fn text(&self) -> Result<String> {
        match &self.value {
            OptionValue::None => Err(syntax(format!("{} requires a parameter", self.name))),
            OptionValue::Text(text) | OptionValue::Number(text) => Ok(text.clone()),
            OptionValue::Star => Ok("*".to_owned()),
            OptionValue::List(parts) => Ok(parts.join(".")),
        }
    }

    /// PostgreSQL's defGetBoolean: the words of its grammar, and the numbers 0 and 1.
    fn switch(&self) -> Result<Option<bool>> {
        Ok(match &self.value {
            OptionValue::None => Some(true),
            OptionValue::Number(number) if number == "1" => Some(true),
            OptionValue::Number(number) if number == "0" => Some(false),
            _ => match self.text()?.to_ascii_lowercase().as_str() {
                "true" | "on" if !matches!(self.value, OptionValue::Number(_)) => Some(true),
                "false" | "off" if !matches!(self.value, OptionValue::Number(_)) => Some(false),
                _ => None,
            },
        })
    }

    fn boolean(&self) -> Result<bool> {
        self.switch()?.ok_or_else(|| syntax(format!("{} requires a Boolean value", self.name)))
    }

    fn header(&self, from: bool) -> Result<Header> {
        match self.switch()? {
            Some(true) => return Ok(Header::On),
            Some(false) => return Ok(Header::Off),
            None => {}
        }
        let text = self.text()?;
        if !text.eq_ignore_ascii_case("match") {
            return Err(syntax(format!("{} requires a Boolean value or \"match\"", self.name)));
        }
        if !from {
            return Err(Error::unsupported(format!("cannot use \"{text}\" with HEADER in COPY TO")));
        }
        Ok(Header::Match)
    }

    fn format(&self) -> Result<CopyFormat> {
        match self.text()?.as_str() {
            "text" => Ok(CopyFormat::Text),
            "csv" => Ok(CopyFormat::Csv),
            "binary" => Ok(CopyFormat::Binary),
            other => Err(self.at(invalid(format!("COPY format \"{other}\" not recognized")))),
        }
    }

    fn columns(&self, star: bool) -> Result<ForceColumns> {
        match &self.value {
            OptionValue::Star if star => Ok(ForceColumns::All),
            OptionValue::List(names) => Ok(ForceColumns::Named(names.clone())),
            _ => {
                let message = format!("argument to option \"{}\" must be a list of column names", self.name);
                Err(self.at(invalid(message)))
            }
        }
    }

    fn at(&self, error: Error) -> Error {
        error.with_position(self.position)
    }

    /// Sets what is said once at most.
    fn put<T>(&self, slot: &mut Option<T>, value: impl FnOnce(&Self) -> Result<T>) -> Result<()> {
        if slot.is_some() {
            return Err(self.at(syntax("conflicting or redundant options")));
        }
        *slot = Some(value(self)?);
        Ok(())
    }
}

impl Said {
    fn of(options: &[CopyOption], from: bool, known: &dyn Fn(&str) -> bool) -> Result<Self> {
        let mut said = Said::default();
        for option in options {
            match option.name.as_str() {
                "format" => option.put(&mut said.format, CopyOption::format)?,
                "freeze" => option.put(&mut said.freeze, CopyOption::boolean)?,
                "delimiter" => option.put(&mut said.delimiter, CopyOption::text)?,
                "null" => option.put(&mut said.null, CopyOption::text)?,
                "header" => option.put(&mut said.header, |option| option.header(from))?,
                "quote" => option.put(&mut said.quote, CopyOption::text)?,
                "escape" => option.put(&mut said.escape, CopyOption::text)?,
                "force_quote" => option.put(&mut said.force_quote, |option| option.columns(true))?,
                "force_not_null" => option.put(&mut said.force_not_null, |option| option.columns(false))?,
                "force_null" => option.put(&mut said.force_null, |option| option.columns(false))?,
                "encoding" => {
                    option.put(&mut said.encoding, CopyOption::text)?;
                    if !said.encoding.as_deref().is_some_and(known) {
                        let message = "argument to option \"encoding\" must be a valid encoding name";
                        return Err(option.at(invalid(message)));
                    }
                }
                other => return Err(option.at(syntax(format!("option \"{other}\" not recognized")))),
            }
        }
        Ok(said)
    }

    /// What the delimiter and the text of NULL may be.
    fn delimiter_and_null(&self, csv: bool) -> Result<(u8, String)> {
        let delimiter = one_byte(
            self.delimiter.as_deref().unwrap_or(if csv { "," } else { "\t" }),
            "COPY delimiter must be a single one-byte character",
        )?;
        if matches!(delimiter, b'\n' | b'\r') {
            return Err(invalid("COPY delimiter cannot be newline or carriage return"));
        }
        let null = self.null.clone().unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() });
        if null.contains(['\n', '\r']) {
            return Err(invalid("COPY null representation cannot use newline or carriage return"));
        }
        if !csv && (delimiter.is_ascii_lowercase() || delimiter.is_ascii_digit() || matches!(delimiter, b'\\' | b'.')) {
            return Err(invalid(format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
        }
        Ok((delimiter, null))
    }

    /// What only CSV has, and only one direction.
    fn csv_only(&self, csv: bool, from: bool) -> Result<()> {
        let only = |what: &str, said: bool, direction: Option<bool>| {
            if said && !csv {
                return Err(Error::unsupported(format!("COPY {what} available only in CSV mode")));
            }
            match direction {
                Some(wanted) if said && wanted != from => {
                    let way = if wanted { "FROM" } else { "TO" };
                    Err(Error::unsupported(format!("COPY {what} only available using COPY {way}")))
                }
                _ => Ok(()),
            }
        };
        only("force quote", self.force_quote.is_some(), Some(false))?;
        only("force not null", self.force_not_null.is_some(), Some(true))?;
        only("force null", self.force_null.is_some(), Some(true))
    }
}

fn one_byte(value: &str, message: &str) -> Result<u8> {
    match value.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(Error::unsupported(message)),
    }
}

impl CopyOptions {
    /// Fills in the defaults and checks what fits together, in PostgreSQL's order. `known`: is it the name of an encoding?
    ///
    /// # Errors
    /// `42601`, `22023` and `0A000`, each as PostgreSQL has it.
    pub fn of(options: &[CopyOption], from: bool, known: &dyn Fn(&str) -> bool) -> Result<Self> {
        let said = Said::of(options, from, known)?;
        let format = said.format.unwrap_or_default();
        let (csv, binary) = (format == CopyFormat::Csv, format == CopyFormat::Binary);
        if binary && said.delimiter.is_some() {
            return Err(syntax("cannot specify DELIMITER in BINARY mode"));
        }
        if binary && said.null.is_some() {
            return Err(syntax("cannot specify NULL in BINARY mode"));
        }
        let (delimiter, null) = said.delimiter_and_null(csv)?;
        let header = said.header.unwrap_or_default();
        if binary && header != Header::Off {
            return Err(Error::unsupported("cannot specify HEADER in BINARY mode"));
        }
        if !csv && said.quote.is_some() {
            return Err(Error::unsupported("COPY quote available only in CSV mode"));
        }
        let quote = one_byte(said.quote.as_deref().unwrap_or("\""), "COPY quote must be a single one-byte character")?;
        if csv && delimiter == quote {
            return Err(invalid("COPY delimiter and quote must be different"));
        }
        if !csv && said.escape.is_some() {
            return Err(Error::unsupported("COPY escape available only in CSV mode"));
        }
        let escape = match said.escape.as_deref() {
            Some(escape) => one_byte(escape, "COPY escape must be a single one-byte character")?,
            None => quote,
        };
        said.csv_only(csv, from)?;
        if null.as_bytes().contains(&delimiter) {
            return Err(Error::unsupported("COPY delimiter must not appear in the NULL specification"));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(Error::unsupported("CSV quote character must not appear in the NULL specification"));
        }
        Ok(CopyOptions {
            format,
            delimiter,
            null,
            header,
            quote,
            escape,
            force_quote: said.force_quote.unwrap_or_default(),
            force_not_null: said.force_not_null.unwrap_or_default(),
            force_null: said.force_null.unwrap_or_default(),
            freeze: said.freeze.unwrap_or(false),
            encoding: said.encoding,
        })
    }
}
