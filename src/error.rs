//! Every error of Tusk: a SQLSTATE, whose fault it is, and the words a client may read.
//! Must not know: sockets, engines, sessions. One place (`wire/respond`) turns an [`Error`] into bytes.

mod notices;
mod states;

use std::fmt;
use std::sync::Arc;

pub use notices::{Notice, Notices};
pub use states::SqlState;

/// Whose fault an error is. Decides what is logged and what a client may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The statement or the message that the client sent.
    Client,
    /// A rule forbids it.
    Policy,
    /// A source is down, slow or hands out bad data.
    Source,
    /// A limit of memory, time, connections or size.
    Resource,
    /// A bug of Tusk. The client reads a query id and nothing else; the log has the chain.
    Internal,
}

/// What an error is about, by name: what programs would else have to find in its message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// A schema, as clients know it.
    pub schema: Option<String>,
    /// A table of it.
    pub table: Option<String>,
    /// A column of the table.
    pub column: Option<String>,
    /// A type of the schema.
    pub datatype: Option<String>,
    /// A rule of the table or of the type.
    pub constraint: Option<String>,
}

struct Inner {
    state: SqlState,
    fault: Fault,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    position: Option<u32>,
    context: Option<String>,
    about: Option<Box<About>>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
    unrun: bool,
}

/// An error with everything PostgreSQL's ErrorResponse can say. Small (one pointer), cheap to return.
///
/// Message: PostgreSQL's style, lower case, no full stop. Detail and hint: sentences.
pub struct Error(Box<Inner>);

/// `Result` with Tusk's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with its SQLSTATE, whose fault it is, and its message.
    pub fn new(state: SqlState, fault: Fault, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            state,
            fault,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            about: None,
            cause: None,
            unrun: false,
        }))
    }

    /// The client's fault.
    pub fn client(state: SqlState, message: impl Into<String>) -> Self {
        Error::new(state, Fault::Client, message)
    }

    /// A rule forbids it.
    pub fn policy(state: SqlState, message: impl Into<String>) -> Self {
        Error::new(state, Fault::Policy, message)
    }

    /// A source's fault.
    pub fn source_fault(state: SqlState, message: impl Into<String>) -> Self {
        Error::new(state, Fault::Source, message)
    }

    /// A limit was reached.
    pub fn resource(state: SqlState, message: impl Into<String>) -> Self {
        Error::new(state, Fault::Resource, message)
    }

    /// A bug of Tusk (`XX000`). The message goes to the log only.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(SqlState::INTERNAL_ERROR, Fault::Internal, message)
    }

    /// A feature that is refused rather than approximated (`0A000`).
    pub fn unsupported(message: impl Into<String>) -> Self {
        Error::new(SqlState::FEATURE_NOT_SUPPORTED, Fault::Client, message)
    }

    /// The statement was cancelled on request, with PostgreSQL's text.
    #[must_use]
    pub fn canceled() -> Self {
        Error::resource(SqlState::QUERY_CANCELED, "canceling statement due to user request")
    }

    /// The statement ran into `statement_timeout`, with PostgreSQL's text.
    #[must_use]
    pub fn timed_out() -> Self {
        Error::resource(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
    }

    /// The statement needs more memory than there is for it.
    #[must_use]
    pub fn out_of_memory() -> Self {
        Error::resource(SqlState::OUT_OF_MEMORY, "out of memory: the statement needs more than its limit allows")
    }

    /// Adds a detail: a sentence.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a hint: a sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the position in the statement: characters, counted from 1.
    #[must_use]
    pub fn with_position(mut self, position: u32) -> Self {
        self.0.position = Some(position);
        self
    }

    /// Without a position: what it is about does not stand in the text that the client sent.
    #[must_use]
    pub fn without_position(mut self) -> Self {
        self.0.position = None;
        self
    }

    /// Adds where it happened (file, line and column of a row, say).
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.0.context = Some(context.into());
        self
    }

    /// Adds what it is about, for programs.
    #[must_use]
    pub fn with_about(mut self, about: About) -> Self {
        self.0.about = Some(Box::new(about));
        self
    }

    /// Adds the cause; it is logged, never sent to a client.
    #[must_use]
    pub fn with_cause(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.cause = Some(Arc::new(cause));
        self
    }

    /// Nothing of the statement has run: what it reads or writes is not what it was planned for. It may be planned anew.
    #[must_use]
    pub fn unrun(mut self) -> Self {
        self.0.unrun = true;
        self
    }

    /// Whether nothing of the statement has run, and another plan may do better.
    #[must_use]
    pub fn is_unrun(&self) -> bool {
        self.0.unrun
    }

    /// The SQLSTATE.
    #[must_use]
    pub fn state(&self) -> SqlState {
        self.0.state
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// The message, for a client unless the fault is [`Fault::Internal`].
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The detail, if any.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The hint, if any.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The position in the statement, in characters from 1, if known.
    #[must_use]
    pub fn position(&self) -> Option<u32> {
        self.0.position
    }

    /// Where it happened, if known.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// What it is about, if known.
    #[must_use]
    pub fn about(&self) -> Option<&About> {
        self.0.about.as_deref()
    }

    /// The message and the whole chain of causes, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = format!("{}: {}", self.0.state, self.0.message);
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl Clone for Error {
    fn clone(&self) -> Self {
        let inner = &self.0;
        Error(Box::new(Inner {
            state: inner.state,
            fault: inner.fault,
            message: inner.message.clone(),
            detail: inner.detail.clone(),
            hint: inner.hint.clone(),
            position: inner.position,
            context: inner.context.clone(),
            about: inner.about.clone(),
            cause: inner.cause.clone(),
            unrun: inner.unrun,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("state", &self.0.state)
            .field("fault", &self.0.fault)
            .field("message", &self.0.message)
            .field("cause", &self.0.cause)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}
