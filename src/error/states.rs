//! The SQLSTATEs that Tusk has names for.
//! Must not know: errors.

use std::collections::BTreeSet;
use std::fmt;

use parking_lot::Mutex;

/// A SQLSTATE: five ASCII letters or digits, as PostgreSQL's appendix A lists them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState(&'static str);

macro_rules! sql_states {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl SqlState {
            $($(#[$doc])* pub const $name: SqlState = SqlState($code);)*

            /// The known SQLSTATE with this code, if Tusk has a name for it.
            #[must_use]
            pub fn from_code(code: &str) -> Option<SqlState> {
                match code {
                    $($code => Some(SqlState::$name),)*
                    _ => None,
                }
            }
        }
    };
}

sql_states! {
    /// A notice of no class.
    SUCCESSFUL_COMPLETION = "00000";
    /// A warning without a class of its own.
    WARNING = "01000";
    /// A source cannot be reached.
    CONNECT_FAILED = "08001";
    /// A source was lost while it was read.
    CONNECTION_FAILURE = "08006";
    /// A source was lost while it committed: nobody knows whether it did.
    TRANSACTION_RESOLUTION_UNKNOWN = "08007";
    /// A peer broke the protocol.
    PROTOCOL_VIOLATION = "08P01";
    /// A feature Tusk does not have (or refuses to approximate).
    FEATURE_NOT_SUPPORTED = "0A000";
    /// Two escape characters are the same.
    ESCAPE_CHARACTER_CONFLICT = "2200B";
    /// An escape that is no single character.
    INVALID_ESCAPE_CHARACTER = "22019";
    /// An escape that the standard does not know.
    NONSTANDARD_ESCAPE_CHARACTER = "22P06";
    /// NTILE of no rows.
    INVALID_ARGUMENT_FOR_NTILE = "22014";
    /// NTH_VALUE of no row.
    INVALID_ARGUMENT_FOR_NTH_VALUE = "22016";
    /// A bucket of no width.
    INVALID_ARGUMENT_FOR_WIDTH_BUCKET = "2201G";
    /// Text that is no XML comment.
    INVALID_XML_COMMENT = "2200S";
    /// An indicator that overflows.
    INDICATOR_OVERFLOW = "22022";
    /// XML that is no document.
    NOT_AN_XML_DOCUMENT = "2200L";
    /// A key twice in a JSON object.
    DUPLICATE_JSON_OBJECT_KEY = "22030";
    /// No date or time in a JSON path.
    INVALID_ARGUMENT_FOR_JSON_DATETIME = "22031";
    /// No such subscript in JSON.
    INVALID_JSON_SUBSCRIPT = "22033";
    /// More than one JSON item.
    MORE_THAN_ONE_JSON_ITEM = "22034";
    /// No JSON item.
    NO_JSON_ITEM = "22035";
    /// A JSON item that is no number.
    NON_NUMERIC_JSON_ITEM = "22036";
    /// JSON keys that are not unique.
    NON_UNIQUE_JSON_KEYS = "22037";
    /// One JSON item is wanted.
    SINGLETON_JSON_ITEM_REQUIRED = "22038";
    /// No JSON array.
    JSON_ARRAY_NOT_FOUND = "22039";
    /// No such JSON member.
    JSON_MEMBER_NOT_FOUND = "2203A";
    /// No JSON number.
    JSON_NUMBER_NOT_FOUND = "2203B";
    /// No JSON object.
    JSON_OBJECT_NOT_FOUND = "2203C";
    /// A sequence is at its end.
    SEQUENCE_GENERATOR_LIMIT = "2200H";
    /// A parameter of two types.
    AMBIGUOUS_PARAMETER = "42P08";
    /// An alias of two tables.
    AMBIGUOUS_ALIAS = "42P09";
    /// A query that refers to itself where it must not.
    INVALID_RECURSION = "42P19";
    /// Two collations that do not agree.
    COLLATION_MISMATCH = "42P21";
    /// Nobody knows by which collation.
    INDETERMINATE_COLLATION = "42P22";
    /// A name that is reserved.
    RESERVED_NAME = "42939";
    /// A scalar subquery returned more than one row.
    CARDINALITY_VIOLATION = "21000";
    /// Data that is wrong in a way without a code of its own.
    DATA_EXCEPTION = "22000";
    /// Text longer than its declared length.
    STRING_DATA_RIGHT_TRUNCATION = "22001";
    /// A number does not fit its type.
    NUMERIC_VALUE_OUT_OF_RANGE = "22003";
    /// A NULL where none is allowed.
    NULL_VALUE_NOT_ALLOWED = "22004";
    /// Text that is no date or time.
    INVALID_DATETIME_FORMAT = "22007";
    /// A date or time out of range.
    DATETIME_FIELD_OVERFLOW = "22008";
    /// An unknown time zone displacement.
    INVALID_TIME_ZONE_DISPLACEMENT = "22009";
    /// Division by zero.
    DIVISION_BY_ZERO = "22012";
    /// A power or root outside its domain.
    INVALID_ARGUMENT_FOR_POWER = "2201F";
    /// A logarithm outside its domain.
    INVALID_ARGUMENT_FOR_LOG = "2201E";
    /// An interval out of range.
    INTERVAL_FIELD_OVERFLOW = "22015";
    /// A bit string of another length than declared.
    STRING_DATA_LENGTH_MISMATCH = "22026";
    /// An array whose parts do not fit together.
    ARRAY_SUBSCRIPT_ERROR = "2202E";
    /// Text that cannot be held in the encoding.
    UNTRANSLATABLE_CHARACTER = "22P05";
    /// A negative LIMIT.
    INVALID_ROW_COUNT_IN_LIMIT = "2201W";
    /// A negative OFFSET.
    INVALID_ROW_COUNT_IN_OFFSET = "2201X";
    /// A substring of negative length.
    SUBSTRING_ERROR = "22011";
    /// An offset of a window frame that is negative.
    INVALID_PRECEDING_OR_FOLLOWING_SIZE = "22013";
    /// A regular expression that does not compile.
    INVALID_REGULAR_EXPRESSION = "2201B";
    /// Bytes that are not UTF-8.
    CHARACTER_NOT_IN_REPERTOIRE = "22021";
    /// A parameter value out of its range.
    INVALID_PARAMETER_VALUE = "22023";
    /// A LIKE pattern that ends in its escape character.
    INVALID_ESCAPE_SEQUENCE = "22025";
    /// Text that is not a value of the wanted type.
    INVALID_TEXT_REPRESENTATION = "22P02";
    /// Text that is no XML.
    INVALID_XML_CONTENT = "2200N";
    /// A binary value that is malformed.
    INVALID_BINARY_REPRESENTATION = "22P03";
    /// A malformed row of a text file.
    BAD_COPY_FILE_FORMAT = "22P04";
    /// Text that is no JSON.
    INVALID_JSON_TEXT = "22032";
    /// Text that is no XML document.
    INVALID_XML_DOCUMENT = "2200M";
    /// A constraint without a code of its own.
    INTEGRITY_CONSTRAINT_VIOLATION = "23000";
    /// A row that others point at.
    RESTRICT_VIOLATION = "23001";
    /// A NULL in a column that has none.
    NOT_NULL_VIOLATION = "23502";
    /// A row that points at none.
    FOREIGN_KEY_VIOLATION = "23503";
    /// A key that is there already.
    UNIQUE_VIOLATION = "23505";
    /// A row that a check refuses.
    CHECK_VIOLATION = "23514";
    /// A row that conflicts with another.
    EXCLUSION_VIOLATION = "23P01";
    /// A row that the view it is added through would not show.
    WITH_CHECK_OPTION_VIOLATION = "44000";
    /// What a trigger or a function at a source says.
    RAISE_EXCEPTION = "P0001";
    /// A cursor that stands on no row, or on none that may be changed.
    INVALID_CURSOR_STATE = "24000";
    /// A statement that is not allowed in this transaction state.
    ACTIVE_SQL_TRANSACTION = "25001";
    /// A write in a read-only transaction.
    READ_ONLY_SQL_TRANSACTION = "25006";
    /// COMMIT or ROLLBACK outside a transaction block.
    NO_ACTIVE_SQL_TRANSACTION = "25P01";
    /// A statement in a failed transaction block.
    IN_FAILED_SQL_TRANSACTION = "25P02";
    /// A transaction block that was idle for too long.
    IDLE_IN_TRANSACTION_SESSION_TIMEOUT = "25P03";
    /// A transaction that took too long.
    TRANSACTION_TIMEOUT = "25P04";
    /// A prepared statement that does not exist.
    INVALID_SQL_STATEMENT_NAME = "26000";
    /// A login that is refused.
    INVALID_AUTHORIZATION = "28000";
    /// A wrong password (or an unknown user: the same text, the same time).
    INVALID_PASSWORD = "28P01";
    /// A portal or cursor that does not exist.
    INVALID_CURSOR_NAME = "34000";
    /// A database that does not exist.
    INVALID_CATALOG_NAME = "3D000";
    /// A savepoint that does not exist.
    INVALID_SAVEPOINT = "3B001";
    /// A schema that does not exist.
    INVALID_SCHEMA_NAME = "3F000";
    /// A file changed while it was read.
    SERIALIZATION_FAILURE = "40001";
    /// Two transactions wait for each other.
    DEADLOCK_DETECTED = "40P01";
    /// A privilege that is missing (administrative verbs only).
    INSUFFICIENT_PRIVILEGE = "42501";
    /// A statement PostgreSQL's grammar refuses.
    SYNTAX_ERROR = "42601";
    /// A name that is malformed.
    INVALID_NAME = "42602";
    /// A name that stands for another kind of object than is wanted.
    WRONG_OBJECT_TYPE = "42809";
    /// A name that is too long, cut or refused.
    NAME_TOO_LONG = "42622";
    /// A cast that does not exist.
    CANNOT_COERCE = "42846";
    /// A column outside GROUP BY, or a misplaced aggregate.
    GROUPING_ERROR = "42803";
    /// Types that do not fit together.
    DATATYPE_MISMATCH = "42804";
    /// An aggregate or window function where none may be.
    WINDOWING_ERROR = "42P20";
    /// A value for a column that is always generated.
    GENERATED_ALWAYS = "428C9";
    /// A parameter whose type cannot be found out.
    INDETERMINATE_DATATYPE = "42P18";
    /// A column that does not exist.
    UNDEFINED_COLUMN = "42703";
    /// A column name that could mean several.
    AMBIGUOUS_COLUMN = "42702";
    /// A column named twice.
    DUPLICATE_COLUMN = "42701";
    /// A type or setting that does not exist.
    UNDEFINED_OBJECT = "42704";
    /// A function or operator that does not exist for these types.
    UNDEFINED_FUNCTION = "42883";
    /// A function call that could mean several.
    AMBIGUOUS_FUNCTION = "42725";
    /// A table that does not exist.
    UNDEFINED_TABLE = "42P01";
    /// A parameter that does not exist.
    UNDEFINED_PARAMETER = "42P02";
    /// A cursor that exists already.
    DUPLICATE_CURSOR = "42P03";
    /// A prepared statement that exists already.
    DUPLICATE_PREPARED_STATEMENT = "42P05";
    /// A table named twice in one FROM.
    DUPLICATE_ALIAS = "42712";
    /// A misplaced ORDER BY position or column reference.
    INVALID_COLUMN_REFERENCE = "42P10";
    /// A cursor whose options contradict each other.
    INVALID_CURSOR_DEFINITION = "42P11";
    /// A column that cannot be declared so.
    INVALID_TABLE_DEFINITION = "42P16";
    /// A setting that may not be changed now.
    CANT_CHANGE_RUNTIME_PARAM = "55P02";
    /// An object that is not in the state the statement needs.
    OBJECT_NOT_IN_PREREQUISITE_STATE = "55000";
    /// A lock that could not be had in time.
    LOCK_NOT_AVAILABLE = "55P03";
    /// An object that somebody uses.
    OBJECT_IN_USE = "55006";
    /// A resource that ran out.
    INSUFFICIENT_RESOURCES = "53000";
    /// The disk is full.
    DISK_FULL = "53100";
    /// A memory limit was reached.
    OUT_OF_MEMORY = "53200";
    /// Too many connections.
    TOO_MANY_CONNECTIONS = "53300";
    /// A configured limit was reached.
    CONFIGURATION_LIMIT_EXCEEDED = "53400";
    /// A result or value that is larger than a limit.
    PROGRAM_LIMIT_EXCEEDED = "54000";
    /// A statement that is too deep or too long.
    STATEMENT_TOO_COMPLEX = "54001";
    /// More columns than a result may have.
    TOO_MANY_COLUMNS = "54011";
    /// Cancelled by the user or by a timeout.
    QUERY_CANCELED = "57014";
    /// Ended by an administrator.
    ADMIN_SHUTDOWN = "57P01";
    /// Not accepting connections now.
    CANNOT_CONNECT_NOW = "57P03";
    /// A session that was idle for too long.
    IDLE_SESSION_TIMEOUT = "57P05";
    /// An error of the system below.
    SYSTEM_ERROR = "58000";
    /// Reading or writing failed.
    IO_ERROR = "58030";
    /// A file that is missing.
    UNDEFINED_FILE = "58P01";
    /// A configuration that is wrong.
    CONFIG_FILE_ERROR = "F0000";
    /// A bug of Tusk.
    INTERNAL_ERROR = "XX000";
    /// Stored data that is corrupt.
    DATA_CORRUPTED = "XX001";
}

/// Codes without a name here that are known at most: each stays for ever.
const MOST_OTHERS: usize = 4096;

/// Codes that functions of sources made up.
static OTHERS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

impl SqlState {
    /// The SQLSTATE with this code, also where it has no name here; `None`: it is none, or too many have come.
    #[must_use]
    pub fn any(code: &str) -> Option<SqlState> {
        let is_one = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        SqlState::from_code(code).or_else(|| if is_one { SqlState::other(code) } else { None })
    }

    fn other(code: &str) -> Option<SqlState> {
        let mut others = OTHERS.lock();
        if let Some(known) = others.get(code) {
            return Some(SqlState(known));
        }
        if others.len() >= MOST_OTHERS {
            return None;
        }
        let known: &'static str = Box::leak(code.to_owned().into_boxed_str());
        others.insert(known);
        Some(SqlState(known))
    }

    /// The five characters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
