//! Whole statements: a source that runs what a client said, re-printed, and says itself what comes back.
//! Must not know: how a statement was printed, who asks.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

use super::{BatchStream, Opening, RemoteTransaction, ScanMeter};
use crate::error::{Notices, Result};
use crate::types::PgType;

/// Rows as a PostgreSQL sends them: whole DataRow messages, and how many. Dropping it stops whatever produces them.
pub type RowStream = Pin<Box<dyn Stream<Item = Result<(Bytes, u64)>> + Send>>;

/// A source that runs whole statements.
#[async_trait]
pub trait StatementRunner: Send + Sync {
    /// Has a statement parsed and described, without running it.
    ///
    /// # Errors
    /// `08001` where there is no connection; whatever the source says of the statement, in words that the client may read.
    async fn describe(&self, statement: &WholeStatement) -> Result<Described>;

    /// Starts a statement. The stream owns its connection; dropping it cancels the statement at the source within a second and never leaves a
    /// connection in an unknown state in the pool.
    ///
    /// # Errors
    /// What the source says before it runs; [`Error::is_unrun`](crate::error::Error::is_unrun), where its tables are not those that were described.
    async fn run(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: Vec<Argument>,
    ) -> Result<BatchStream>;

    /// The same, with the rows as the source sends them; the arguments come with the formats of the columns that are wanted (binary or not:
    /// none, one for all, or one for each), for which the statement is [described](Described::relayed).
    ///
    /// # Errors
    /// As [`StatementRunner::run`].
    async fn relay(
        &self,
        statement: WholeStatement,
        described: Arc<Described>,
        arguments: (Vec<Argument>, Vec<bool>),
    ) -> Result<RowStream>;

    /// Functions that statements may call beside PostgreSQL's own: `function`, or `schema.function` as the source knows it.
    fn functions(&self) -> &[String];

    /// Begins a transaction.
    ///
    /// # Errors
    /// `08001` where there is no connection; `22023` for a setting that the source does not take.
    async fn begin(&self, opening: Opening) -> Result<Arc<dyn RemoteTransaction>>;
}

/// What stands behind the WITH of a statement that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    /// Where it begins in the text, in bytes.
    pub at: usize,
    /// It is a query.
    pub reads: bool,
}

/// A statement, as it is sent.
#[derive(Debug, Clone)]
pub struct WholeStatement {
    /// Its text: one statement.
    pub sql: Arc<str>,
    /// What stands behind its WITH, if it writes, so that it cannot stand in another.
    pub body: Option<Body>,
    /// The types of its parameters that are known, by oid; 0: the source finds out.
    pub parameters: Vec<u32>,
    /// What it is without the values of its constants, where it runs at once: it need not be described if another of the same was.
    pub skeleton: Option<Arc<str>>,
    /// The settings of the session that decide what it says: statements of ours, every one of [`SESSION_SETTINGS`] in them.
    pub session: Arc<str>,
    /// Names the statement at the source (`application_name`).
    pub query_id: String,
    /// How its errors are told.
    pub words: Arc<Words>,
    /// Counts what was read.
    pub meter: Arc<ScanMeter>,
    /// Takes what the source says beside its answer.
    pub notices: Notices,
}

/// The settings that decide what a statement says, and what connections have where nobody set them.
pub const SESSION_SETTINGS: [(&str, &str); 6] = [
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("lock_timeout", "0"),
];

/// What a source says of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The types of its parameters: towards the client, and as the source numbers them.
    pub parameters: Vec<(PgType, u32)>,
    /// Its columns.
    pub columns: Vec<DescribedColumn>,
    /// The statement as it is run: with columns of types that are read as text cast to it.
    pub sql: Arc<str>,
    /// So many characters stand before the statement in it.
    pub shift: u32,
}

impl Described {
    /// The statement for a client who is sent its rows as they come, in these formats; none where a column comes as text that its client
    /// wants in the binary form of another type. `plain`: the statement without its casts.
    #[must_use]
    pub fn relayed(self: &Arc<Self>, plain: &Arc<str>, formats: &[bool]) -> Option<Arc<Described>> {
        let binary = |at: usize| match formats {
            [] => false,
            [all] => *all,
            each => each.get(at).copied().unwrap_or(false),
        };
        let texts = || self.columns.iter().enumerate().filter(|(at, column)| column.as_text && binary(*at));
        if texts().all(|(_, column)| column.ty == PgType::TEXT) {
            return Some(Arc::clone(self));
        }
        // What we cannot read of money, and of records, its client can.
        if !texts().all(|(_, column)| column.sent_as_is) {
            return None;
        }
        let as_sent = |column: &DescribedColumn| DescribedColumn {
            as_text: column.as_text && !column.sent_as_is,
            ..column.clone()
        };
        let columns = self.columns.iter().map(as_sent).collect();
        Some(Arc::new(Described { columns, sql: Arc::clone(plain), shift: 0, parameters: self.parameters.clone() }))
    }
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedColumn {
    /// Its name.
    pub name: String,
    /// Its type towards the client.
    pub ty: PgType,
    /// The source's number of its type, where it is run.
    pub oid: u32,
    /// The table and the number of the column there that it is, unchanged; of a whole row the number is 0.
    pub origin: Option<(u32, i16)>,
    /// It comes in its text form.
    pub as_text: bool,
    /// Its binary form here is the source's own, which cannot be read: a client may be sent that.
    pub sent_as_is: bool,
}

/// A parameter's value.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its bytes; `None`: NULL.
    pub value: Option<Bytes>,
    /// They are its binary form.
    pub binary: bool,
}

/// The tables that a statement writes, as far as they decide what the client is told of rows that the source does not take.
#[derive(Clone)]
pub struct Target {
    /// Their schemas and names at the source.
    pub tables: Vec<(String, String)>,
    /// The client sees all columns of each of them: it may read what the source says of a row and of the table's rules.
    pub whole: bool,
    /// The client sees all tables and columns of the source: it may read what others of them, and their triggers, say.
    pub everything: bool,
    /// Whether the client sees the source's table of this name.
    pub sees: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("whole", &self.whole).finish_non_exhaustive()
    }
}

/// How errors of a statement are told to the client: at places of its text, in its names, and never in others.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// The client's text, in lower case.
    pub text: String,
    /// Positions of the printed text and of the client's message, ascending.
    pub places: Vec<(u32, u32)>,
    /// Our names in the printed text, and the client's.
    pub renamed: Vec<(String, String)>,
    /// Schemas of its relations at the source, and as the client knows them.
    pub schemas: Vec<(String, String)>,
    /// Names that may be told although the client did not write them: columns that it may see.
    pub known: Vec<String>,
    /// What it writes; `None`: nothing.
    pub target: Option<Target>,
    /// What the source says beside its answer may be told: it comes from functions and triggers, and may be about any column of the relations.
    pub open: bool,
    /// What runs may set off, or be made of, what the client does not see: the source's words may tell of that.
    pub hidden: bool,
    /// It is a read of ours, of which the client wrote nothing: it is told in our words.
    pub ours: bool,
}

impl Words {
    /// The place in the client's message of a position in the printed text.
    #[must_use]
    pub fn place(&self, position: u32) -> Option<u32> {
        let after = self.places.partition_point(|(here, _)| *here <= position);
        after.checked_sub(1).and_then(|at| self.places.get(at)).map(|(_, there)| *there)
    }

    /// Whether something of the client's stands at exactly this position.
    #[must_use]
    pub fn is_theirs(&self, position: u32) -> bool {
        self.places.binary_search_by_key(&position, |(here, _)| *here).is_ok()
    }

    /// A message with schemas called as the client knows them.
    #[must_use]
    pub fn seen(&self, message: &str) -> String {
        let mut seen = message.to_owned();
        for (there, here) in &self.schemas {
            for before in [' ', '"'] {
                seen = seen.replace(&format!("{before}{there}."), &format!("{before}{here}."));
            }
        }
        seen
    }

    /// A message in which nothing is called by a name of ours.
    #[must_use]
    pub fn renamed(&self, message: &str) -> String {
        let rename = |told: String, (ours, theirs): &(String, String)| told.replace(ours.as_str(), theirs);
        self.renamed.iter().fold(message.to_owned(), rename)
    }

    /// A message as the client may read it; `None`: it names something that the client did not.
    #[must_use]
    pub fn told(&self, message: &str) -> Option<String> {
        let mut told = self.renamed(message);
        if !self.text.contains("pg_catalog") {
            told = told.replace("pg_catalog.", "");
        }
        names(&told).iter().all(|name| self.is_known(name)).then_some(told)
    }

    fn is_known(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        name.is_empty() || self.text.contains(&name) || self.known.iter().any(|known| known.to_lowercase() == name)
    }
}

/// What may be a name in a message: what is quoted, and words with a point between them; each part of it.
fn names(message: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut quoted = message.split('"');
    while let Some(plain) = quoted.next() {
        for word in plain.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '$')) {
            let word = word.trim_matches('.');
            if word.contains('.') && !word.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
                found.extend(word.split('.').map(str::to_owned));
            }
        }
        if let Some(inside) = quoted.next() {
            found.extend(inside.split('.').map(str::to_owned));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_what_the_client_named() {
        let words = Words {
            text: "select o.nope, lower(1) from orders o".into(),
            renamed: vec![("tusk_with_1".into(), "w".into())],
            schemas: vec![("public".into(), "shop".into())],
            known: vec!["Price".into()],
            places: vec![(3, 8), (10, 20)],
            target: None,
            open: false,
            hidden: false,
            ours: false,
        };
        let told = |message: &str| words.told(message);
        assert_eq!(told("column o.nope does not exist").as_deref(), Some("column o.nope does not exist"));
        assert_eq!(
            told("function pg_catalog.lower(integer) does not exist").as_deref(),
            Some("function lower(integer) does not exist")
        );
        assert!(told("column \"o.Price\" must appear in the GROUP BY clause").is_some());
        assert_eq!(told("relation \"public.orders\" does not exist"), None);
        assert_eq!(told("operator does not exist: public.mood = integer"), None);
        assert_eq!(told("column \"o.salary\" must appear"), None);
        assert_eq!(words.seen("invalid input value for enum public.mood"), "invalid input value for enum shop.mood");
        assert!(words.is_theirs(10) && !words.is_theirs(9));
        assert_eq!(words.place(3), Some(8));
        assert_eq!(words.place(9), Some(8));
        assert_eq!((words.place(2), words.place(11)), (None, Some(20)));
    }

    fn described(types: &[(PgType, bool)]) -> Arc<Described> {
        let column = |(ty, as_text): &(PgType, bool)| DescribedColumn {
            name: "c".into(),
            ty: *ty,
            oid: ty.oid,
            origin: None,
            as_text: *as_text,
            sent_as_is: matches!(*ty, PgType::MONEY | PgType::MONEY_ARRAY),
        };
        let columns = types.iter().map(column).collect();
        Arc::new(Described { parameters: Vec::new(), columns, sql: "cast".into(), shift: 4 })
    }

    #[test]
    fn text_is_not_sent_for_the_binary_form_of_another_type() {
        let sent = |types: &[(PgType, bool)], formats: &[bool]| {
            let found = described(types).relayed(&"plain".into(), formats)?;
            Some((
                found.sql.to_string(),
                found.shift,
                found.columns.iter().map(|column| column.as_text).collect::<Vec<_>>(),
            ))
        };
        let (int, own, record) = ((PgType::INT4, false), (PgType::TEXT, true), (PgType::RECORD, true));
        let (money, moneys) = ((PgType::MONEY, true), (PgType::MONEY_ARRAY, true));
        let cast = |texts: &[bool]| Some(("cast".to_owned(), 4, texts.to_vec()));
        assert_eq!(sent(&[int, own], &[true]), cast(&[false, true]));
        assert_eq!(sent(&[int, record, money], &[]), cast(&[false, true, true]));
        assert_eq!(sent(&[int, record], &[true, false]), cast(&[false, true]));
        assert_eq!(sent(&[record], &[true]), None);
        let plain = |texts: &[bool]| Some(("plain".to_owned(), 0, texts.to_vec()));
        assert_eq!(sent(&[int, money, moneys], &[true]), plain(&[false, false, false]));
        assert_eq!(sent(&[own, money], &[false, true]), plain(&[true, false]));
        // Its text would have to be asked for, and is not to be for the other.
        assert_eq!(sent(&[own, money], &[true]), None);
    }
}
