//! A statement: what it is, its text, and what may be asked of it without planning it.
//! Must not know: how text becomes one (`parse`), sessions, engines.

use datafusion::sql::sqlparser::ast;

use crate::error::{Error, Result, SqlState};

use super::allow;
use super::copy_options::CopyOption;
use super::modify::Writing;
use super::scope::TableRef;

/// One statement of a message.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its own text, without space, comments and semicolon around it.
    pub text: String,
    /// Characters of the message before it. Positions in its tree and errors count from the start of the message.
    pub offset: u32,
    /// What it is.
    pub kind: StatementKind,
    /// The highest `$n` in it.
    pub(super) parameters: u16,
    /// Identifiers in it that had to be cut, as they were written.
    pub shortened: Vec<String>,
}

/// The statements that Tusk executes, and [`StatementKind::Refused`] for those that it does not.
#[derive(Debug, Clone)]
pub enum StatementKind {
    /// SELECT, VALUES, TABLE, WITH: reads only.
    Query(Box<ast::Query>),
    /// INSERT, UPDATE, DELETE, MERGE, and a query in whose WITH one of them stands.
    Modify(Box<Writing>),
    /// EXPLAIN, in either syntax.
    Explain {
        /// As written, in order; EXPLAIN ANALYZE VERBOSE too comes as options.
        options: Vec<ExplainOption>,
        /// What is explained.
        statement: Box<Statement>,
    },
    /// SET, also SET TRANSACTION (whose settings are `transaction_isolation` and its kin).
    Set(Vec<Assignment>),
    /// SHOW, the name in lower case (as PostgreSQL: `SHOW TIME ZONE` is `timezone`).
    Show(String),
    /// SHOW ALL.
    ShowAll,
    /// RESET of one setting.
    Reset(String),
    /// RESET ALL.
    ResetAll,
    /// BEGIN and START TRANSACTION.
    Begin {
        /// Was it START TRANSACTION?
        start: bool,
        /// What it says of the transaction.
        modes: TransactionModes,
    },
    /// COMMIT and END.
    Commit {
        /// AND CHAIN.
        chain: bool,
    },
    /// ROLLBACK and ABORT.
    Rollback {
        /// AND CHAIN.
        chain: bool,
    },
    /// SAVEPOINT.
    Savepoint(String),
    /// RELEASE SAVEPOINT.
    ReleaseSavepoint(String),
    /// ROLLBACK TO SAVEPOINT.
    RollbackToSavepoint(String),
    /// DISCARD.
    Discard(Discard),
    /// PREPARE.
    Prepare {
        /// The statement's name.
        name: String,
        /// The parameter types as written, and where they stand: characters of the message, from 1.
        types: Vec<(String, u32)>,
        /// What is prepared.
        statement: Box<Statement>,
    },
    /// EXECUTE.
    Execute {
        /// The statement's name.
        name: String,
        /// The arguments.
        arguments: Vec<ast::Expr>,
    },
    /// DEALLOCATE; no name means all.
    Deallocate(Option<String>),
    /// DECLARE ... CURSOR.
    DeclareCursor(Box<Declare>),
    /// FETCH.
    Fetch(Fetch),
    /// MOVE.
    Move(Fetch),
    /// CLOSE; no name means all.
    ClosePortal(Option<String>),
    /// LISTEN.
    Listen(String),
    /// UNLISTEN; no name means all.
    Unlisten(Option<String>),
    /// NOTIFY.
    Notify {
        /// The channel.
        channel: String,
        /// What is said.
        payload: String,
    },
    /// COPY ... TO STDOUT and COPY ... FROM STDIN.
    Copy(Box<Copy>),
    /// LOCK TABLE.
    Lock {
        /// The tables.
        tables: Vec<TableRef>,
        /// ACCESS SHARE, the only mode that a reader may have.
        shared: bool,
    },
    /// VACUUM, ANALYZE, CLUSTER, REINDEX.
    Maintain(Maintenance),
    /// PREPARE TRANSACTION.
    PrepareTransaction,
    /// COMMIT PREPARED (true) and ROLLBACK PREPARED.
    FinishPrepared {
        /// COMMIT?
        commit: bool,
        /// The transaction's identifier.
        identifier: String,
    },
    /// SET CONSTRAINTS; no name means all.
    SetConstraints {
        /// The constraints.
        names: Vec<String>,
        /// DEFERRED (true) or IMMEDIATE.
        deferred: bool,
    },
    /// A statement of PostgreSQL that Tusk does not execute: see [`Statement::refusal`].
    Refused {
        /// PostgreSQL's command tag of it.
        tag: &'static str,
        /// Why.
        why: Refusal,
    },
}

/// An option in parentheses, of EXPLAIN and its kin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainOption {
    /// In lower case.
    pub name: String,
    /// As written.
    pub value: Option<String>,
    /// Where it stands: characters of the message, from 1; 0 if it has no name of its own there.
    pub position: u32,
}

impl ExplainOption {
    /// Its value as a switch; none means on.
    ///
    /// # Errors
    /// `42601` for what is no switch.
    pub fn is_on(&self) -> Result<bool> {
        super::utility::boolean(&self.name, self.value.as_deref())
    }
}

/// VACUUM and its kin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// Which.
    pub verb: MaintenanceVerb,
    /// REINDEX CONCURRENTLY.
    pub concurrently: bool,
    /// What it is about.
    pub target: MaintenanceTarget,
}

/// What keeps tables in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaintenanceVerb {
    /// VACUUM.
    Vacuum,
    /// ANALYZE.
    Analyze,
    /// CLUSTER.
    Cluster,
    /// REINDEX.
    Reindex,
}

/// What VACUUM and its kin are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaintenanceTarget {
    /// Everything.
    All,
    /// These tables (or the index of that name).
    Tables(Vec<TableRef>),
    /// A schema.
    Schema(String),
    /// A database, as DATABASE or SYSTEM.
    Database(&'static str, String),
}

/// Why a statement is not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It writes, and every transaction is read-only: `25006`.
    ReadOnly,
    /// Only an administrator may: `42501`.
    Privilege(&'static str),
    /// Tusk does not have it: `0A000`.
    Unsupported,
    /// Tusk has the statement, but not this form of it: `0A000`, in these words.
    Form(&'static str),
}

/// One setting that SET changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// For how long.
    pub scope: SetScope,
    /// The setting, in lower case.
    pub name: String,
    /// Its new value.
    pub value: SetValue,
}

/// For how long SET changes a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetScope {
    /// Until the session ends (or the transaction is rolled back).
    Session,
    /// Until the transaction ends.
    Local,
}

/// The value of SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetValue {
    /// DEFAULT.
    Default,
    /// One value or several parted by commas.
    List(Vec<SetArgument>),
}

impl SetValue {
    /// The one text that PostgreSQL makes of it for a setting that is no list: the values with `, ` between. For a list
    /// setting (`search_path`), names that need quotes get them if `quote_list` says so.
    #[must_use]
    pub fn text(&self, quote_list: bool) -> Option<String> {
        let SetValue::List(arguments) = self else { return None };
        let text = |argument: &SetArgument| match argument {
            SetArgument::Word(text) | SetArgument::Text(text) if quote_list => crate::names::quote_if_needed(text),
            SetArgument::Word(text) | SetArgument::Text(text) | SetArgument::Number(text) => text.clone(),
        };
        Some(arguments.iter().map(text).collect::<Vec<_>>().join(", "))
    }
}

/// One value of SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetArgument {
    /// A bare or quoted name, folded unless quoted; also `on`, `off`, `true`.
    Word(String),
    /// A string.
    Text(String),
    /// A number as written, with its sign.
    Number(String),
}

/// What BEGIN, START TRANSACTION and SET TRANSACTION say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionModes {
    /// `read committed` and its kin, as `transaction_isolation` shows it.
    pub isolation: Option<&'static str>,
    /// READ ONLY (true) or READ WRITE.
    pub read_only: Option<bool>,
    /// DEFERRABLE (true) or NOT DEFERRABLE.
    pub deferrable: Option<bool>,
}

/// What DISCARD discards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// Everything.
    All,
    /// Cached plans.
    Plans,
    /// Sequence state.
    Sequences,
    /// Temporary tables.
    Temp,
}

/// DECLARE ... CURSOR.
#[derive(Debug, Clone)]
pub struct Declare {
    /// The cursor's name.
    pub name: String,
    /// BINARY: rows leave in binary format.
    pub binary: bool,
    /// SCROLL (true), NO SCROLL (false), or neither.
    pub scroll: Option<bool>,
    /// WITH HOLD: it outlives its transaction.
    pub hold: bool,
    /// Its query.
    pub statement: Statement,
}

/// FETCH and MOVE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The cursor.
    pub cursor: String,
    /// Which rows.
    pub direction: Direction,
}

/// Which rows FETCH takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// So many onwards; [`i64::MAX`] for ALL; negative goes back.
    Forward(i64),
    /// So many back; [`i64::MAX`] for ALL.
    Backward(i64),
    /// Row n, from 1; negative counts from the end.
    Absolute(i64),
    /// n rows from here.
    Relative(i64),
}

/// COPY ... TO STDOUT and COPY ... FROM STDIN.
#[derive(Debug, Clone)]
pub struct Copy {
    /// What is copied.
    pub what: CopyWhat,
    /// FROM STDIN.
    pub from: bool,
    /// The options as written: they are checked when it runs, as PostgreSQL does.
    pub options: Vec<CopyOption>,
    /// There is a WHERE (FROM only).
    pub filtered: bool,
}

/// What COPY copies.
#[derive(Debug, Clone)]
pub enum CopyWhat {
    /// A table.
    Table {
        /// Its name.
        table: TableRef,
        /// The columns, folded; none: all.
        columns: Vec<String>,
    },
    /// The rows of a query.
    Query(Statement),
}

impl Statement {
    /// PostgreSQL's command tag. Rows are counted by who sends it (`SELECT 5`); EXECUTE takes that of what it runs.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        use StatementKind as Kind;
        match &self.kind {
            Kind::Query(_) => "SELECT",
            Kind::Modify(writing) => writing.tag(),
            Kind::Explain { .. } => "EXPLAIN",
            Kind::Set(_) => "SET",
            Kind::Show(_) | Kind::ShowAll => "SHOW",
            Kind::Reset(_) | Kind::ResetAll => "RESET",
            Kind::Begin { start: true, .. } => "START TRANSACTION",
            Kind::Begin { start: false, .. } => "BEGIN",
            Kind::Commit { .. } => "COMMIT",
            Kind::Rollback { .. } | Kind::RollbackToSavepoint(_) => "ROLLBACK",
            Kind::Savepoint(_) => "SAVEPOINT",
            Kind::ReleaseSavepoint(_) => "RELEASE",
            Kind::Discard(Discard::All) => "DISCARD ALL",
            Kind::Discard(Discard::Plans) => "DISCARD PLANS",
            Kind::Discard(Discard::Sequences) => "DISCARD SEQUENCES",
            Kind::Discard(Discard::Temp) => "DISCARD TEMP",
            Kind::Prepare { .. } => "PREPARE",
            Kind::Execute { .. } => "EXECUTE",
            Kind::Deallocate(Some(_)) => "DEALLOCATE",
            Kind::Deallocate(None) => "DEALLOCATE ALL",
            Kind::DeclareCursor(_) => "DECLARE CURSOR",
            Kind::Fetch(_) => "FETCH",
            Kind::Move(_) => "MOVE",
            Kind::ClosePortal(Some(_)) => "CLOSE CURSOR",
            Kind::ClosePortal(None) => "CLOSE CURSOR ALL",
            Kind::Listen(_) => "LISTEN",
            Kind::Unlisten(_) => "UNLISTEN",
            Kind::Notify { .. } => "NOTIFY",
            Kind::Copy(_) => "COPY",
            Kind::Lock { .. } => "LOCK TABLE",
            Kind::PrepareTransaction => "PREPARE TRANSACTION",
            Kind::FinishPrepared { commit: true, .. } => "COMMIT PREPARED",
            Kind::FinishPrepared { commit: false, .. } => "ROLLBACK PREPARED",
            Kind::SetConstraints { .. } => "SET CONSTRAINTS",
            Kind::Maintain(maintenance) => match maintenance.verb {
                MaintenanceVerb::Vacuum => "VACUUM",
                MaintenanceVerb::Analyze => "ANALYZE",
                MaintenanceVerb::Cluster => "CLUSTER",
                MaintenanceVerb::Reindex => "REINDEX",
            },
            Kind::Refused { tag, .. } => tag,
        }
    }

    /// The tag's first word in lower case: a label for metrics and logs, from a closed set.
    #[must_use]
    pub fn verb(&self) -> String {
        self.tag().split(' ').next().unwrap_or("").to_ascii_lowercase()
    }

    /// May it run in a failed transaction block?
    #[must_use]
    pub fn runs_in_failed_transaction(&self) -> bool {
        use StatementKind as Kind;
        matches!(
            self.kind,
            Kind::Commit { .. } | Kind::Rollback { .. } | Kind::RollbackToSavepoint(_) | Kind::PrepareTransaction
        )
    }

    /// Whether it writes rows, be it in its WITH.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self.kind, StatementKind::Modify(_))
    }

    /// The command of a query that locks the rows it reads, as FOR UPDATE does, be it in what writes; none if it does not.
    #[must_use]
    pub fn locks(&self) -> Option<&'static str> {
        match &self.kind {
            StatementKind::Query(query) => allow::query(query).ok().flatten(),
            StatementKind::Modify(writing) => allow::writing(writing).ok().flatten(),
            _ => None,
        }
    }

    /// Is it COPY, whose answer is a stream of its own kind?
    #[must_use]
    pub fn is_copy(&self) -> bool {
        matches!(self.kind, StatementKind::Copy(_))
    }

    /// The highest `$n`, 0 if there is none.
    #[must_use]
    pub fn parameter_count(&self) -> u16 {
        self.parameters
    }

    /// Whether it is a statement that nobody here may run: PostgreSQL reads such, and refuses it when it is run.
    #[must_use]
    pub fn is_refused_when_run(&self) -> bool {
        matches!(&self.kind, StatementKind::Refused { why: Refusal::ReadOnly | Refusal::Privilege(_), .. })
    }

    /// The error that answers a statement which Tusk does not execute; none if it does.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        let (tag, why) = match &self.kind {
            StatementKind::Refused { tag, why } => (*tag, *why),
            // What holds a statement that is refused is refused for it.
            StatementKind::Explain { statement, .. } | StatementKind::Prepare { statement, .. } => {
                return statement.refusal();
            }
            _ => return None,
        };
        Some(match why {
            Refusal::ReadOnly => Error::client(
                SqlState::READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {tag} in a read-only transaction"),
            ),
            Refusal::Privilege(message) => {
                let error = Error::policy(SqlState::INSUFFICIENT_PRIVILEGE, message);
                if message.contains("COPY") {
                    error.with_hint(
                        "Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.",
                    )
                } else {
                    error
                }
            }
            Refusal::Unsupported => Error::unsupported(format!("{tag} is not supported")),
            Refusal::Form(message) => Error::unsupported(message),
        })
    }
}
