//! What a session variable is: its kind, its unit, its rules, who may set it.
//! Must not know: values, sessions.

/// A session variable: its name in PostgreSQL's case, what it may hold, who may set it.
#[derive(Debug)]
pub struct Variable {
    /// The name as SHOW ALL prints it.
    pub name: &'static str,
    /// The value that it has where nobody set another.
    pub default: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// Who may set it.
    pub context: Context,
    /// Whether clients are told of changes (ParameterStatus).
    pub reported: bool,
    /// Whether SHOW ALL and `pg_settings` leave it out.
    pub hidden: bool,
    /// The group, as `pg_settings.category`.
    pub category: &'static str,
    /// What it is for: a sentence.
    pub description: &'static str,
}

impl Variable {
    pub(super) const fn reported(mut self) -> Self {
        self.reported = true;
        self
    }

    pub(super) const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}

/// What a variable may hold.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `on` or `off`.
    Bool,
    /// A whole number.
    Int {
        /// What it counts.
        unit: Unit,
        /// The least.
        min: i32,
        /// The most.
        max: i32,
    },
    /// A number.
    Real {
        /// What it counts.
        unit: Unit,
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// One of these words.
    Enum(&'static [&'static str]),
    /// Text, with rules.
    Text(Check),
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing in particular.
    None,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// 1,024 bytes.
    Kib,
    /// 8,192 bytes.
    Blocks,
}

impl Unit {
    /// As `pg_settings.unit` names it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Unit::None => None,
            Unit::Millis => Some("ms"),
            Unit::Seconds => Some("s"),
            Unit::Bytes => Some("B"),
            Unit::Kib => Some("kB"),
            Unit::Blocks => Some("8kB"),
        }
    }
}

/// The rules of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// None.
    Any,
    /// A name, cut as one; anything but printable ASCII becomes `?`.
    Ascii,
    /// A list of identifiers.
    Identifiers,
    /// `DateStyle`.
    DateStyle,
    /// `TimeZone`.
    TimeZone,
    /// `client_encoding`.
    Encoding,
    /// A locale: `C` and `POSIX` are there.
    Locale,
    /// The name of a tablespace; empty: the database's own.
    Tablespace,
    /// The name of a table access method.
    AccessMethod,
    /// The name of a text search configuration.
    TextSearch,
    /// The name of a file of time zone abbreviations.
    Abbreviations,
}

/// Who may set a variable, as `pg_settings.context` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Nobody.
    Internal,
    /// The configuration, at a restart.
    Postmaster,
    /// A superuser; there is none.
    Superuser,
    /// Everybody.
    User,
}

impl Context {
    /// As `pg_settings.context` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Context::Internal => "internal",
            Context::Postmaster => "postmaster",
            Context::Superuser => "superuser",
            Context::User => "user",
        }
    }
}

/// Where a value comes from, as `pg_settings.source` says it; later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Built in.
    Default,
    /// The configuration.
    ConfigurationFile,
    /// The user's entry in the configuration.
    User,
    /// The start-up packet.
    Client,
    /// SET.
    Session,
}

impl Source {
    /// As `pg_settings.source` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Source::Default => "default",
            Source::ConfigurationFile => "configuration file",
            Source::User => "user",
            Source::Client => "client",
            Source::Session => "session",
        }
    }
}
