//! Conditions over the columns of one table.
//! Must not know: which of them a source evaluates as PostgreSQL does; the caller certifies that.

use crate::error::Result;

use super::literal::{Literal, quote_identifier};
use super::{Dialect, MAX_CHAIN, MAX_DEPTH, Print, refuse};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// Equal, NULLs too.
    NotDistinct,
    /// Not equal, NULLs too.
    Distinct,
}

/// The type of a cast: one of a closed list, or a type of the source by its quoted name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CastType {
    /// Truth value.
    Bool,
    /// 16 bits.
    Int2,
    /// 32 bits.
    Int4,
    /// 64 bits.
    Int8,
    /// Single precision.
    Float4,
    /// Double precision.
    Float8,
    /// Exact, as precise as given.
    Numeric,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Date.
    Date,
    /// Time of day.
    Time,
    /// Timestamp without zone.
    Timestamp,
    /// Timestamp with zone.
    TimestampTz,
    /// UUID.
    Uuid,
    /// A type of a PostgreSQL source, such as an enum.
    Remote {
        /// Its schema there.
        schema: String,
        /// Its name there.
        name: String,
    },
}

/// A condition or value.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A column, by its exact name in the source. Printed as a column of the table alias `t`.
    Column(String),
    /// A constant.
    Literal(Literal),
    /// A comparison.
    Compare {
        /// Which.
        op: CompareOp,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// All hold; none: true.
    And(Vec<Expr>),
    /// One holds; none: false.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// It is NULL, or with `negated` it is not.
    IsNull {
        /// What.
        expr: Box<Expr>,
        /// IS NOT NULL.
        negated: bool,
    },
    /// It is one of the list. An empty list: false (true if negated), also for NULL.
    InList {
        /// What.
        expr: Box<Expr>,
        /// Of these.
        list: Vec<Expr>,
        /// NOT IN.
        negated: bool,
    },
    /// It lies between, bounds included.
    Between {
        /// What.
        expr: Box<Expr>,
        /// From here.
        low: Box<Expr>,
        /// To here.
        high: Box<Expr>,
        /// NOT BETWEEN.
        negated: bool,
    },
    /// LIKE with `%` and `_`, case mattering, and PostgreSQL's backslash as the escape.
    Like {
        /// What.
        expr: Box<Expr>,
        /// The pattern, constant.
        pattern: String,
        /// NOT LIKE.
        negated: bool,
    },
    /// A cast.
    Cast {
        /// What.
        expr: Box<Expr>,
        /// Into what.
        to: CastType,
    },
    /// `COLLATE "C"`: text compares by bytes, as here.
    CollateC(Box<Expr>),
}

impl Expr {
    /// A column.
    pub fn column(name: impl Into<String>) -> Expr {
        Expr::Column(name.into())
    }

    /// A comparison.
    #[must_use]
    pub fn compare(left: Expr, op: CompareOp, right: Expr) -> Expr {
        Expr::Compare { op, left: Box::new(left), right: Box::new(right) }
    }

    /// The SQL of this expression alone.
    ///
    /// # Errors
    /// `0A000` for what the dialect has no safe form for.
    pub fn to_sql(&self, dialect: Dialect) -> Result<String> {
        let mut out = String::new();
        self.print(dialect, &mut out)?;
        Ok(out)
    }

    fn write(&self, dialect: Dialect, depth: usize, out: &mut String) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(refuse("an expression that deep"));
        }
        let below = |expr: &Expr, out: &mut String| expr.write(dialect, depth + 1, out);
        match self {
            Expr::Column(name) => {
                // With the table before it a name is never an output's, nor (SQLite) a string when it does not exist.
                out.push_str("t.");
                out.push_str(&quote_identifier(name)?);
            }
            Expr::Literal(literal) => literal.print(dialect, out)?,
            Expr::Compare { op, left, right } => {
                out.push('(');
                below(left, out)?;
                out.push_str(comparison(dialect, *op));
                below(right, out)?;
                out.push(')');
            }
            Expr::And(list) => joined(list, " AND ", truth(dialect, true), dialect, depth, out)?,
            Expr::Or(list) => joined(list, " OR ", truth(dialect, false), dialect, depth, out)?,
            Expr::Not(expr) => {
                out.push_str("(NOT ");
                below(expr, out)?;
                out.push(')');
            }
            Expr::IsNull { expr, negated } => {
                out.push('(');
                below(expr, out)?;
                out.push_str(if *negated { " IS NOT NULL)" } else { " IS NULL)" });
            }
            Expr::InList { list, negated, .. } if list.is_empty() => out.push_str(truth(dialect, *negated)),
            Expr::InList { expr, list, negated } => {
                out.push('(');
                below(expr, out)?;
                out.push_str(if *negated { " NOT IN (" } else { " IN (" });
                for (i, item) in list.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    below(item, out)?;
                }
                out.push_str("))");
            }
            Expr::Between { expr, low, high, negated } => {
                out.push('(');
                below(expr, out)?;
                out.push_str(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                below(low, out)?;
                out.push_str(" AND ");
                below(high, out)?;
                out.push(')');
            }
            Expr::Like { expr, pattern, negated } => like(expr, pattern, *negated, dialect, depth, out)?,
            Expr::Cast { expr, to } => {
                out.push_str("CAST(");
                below(expr, out)?;
                out.push_str(" AS ");
                cast_type(to, dialect, out)?;
                out.push(')');
            }
            Expr::CollateC(expr) => {
                out.push('(');
                below(expr, out)?;
                // SQLite's BINARY and DuckDB's default compare bytes, whatever the column's own collation.
                out.push_str(match dialect {
                    Dialect::Postgres => " COLLATE \"C\")",
                    Dialect::Sqlite => " COLLATE BINARY)",
                    Dialect::DuckDb => " COLLATE \"binary\")",
                });
            }
        }
        Ok(())
    }
}

impl Print for Expr {
    fn print(&self, dialect: Dialect, out: &mut String) -> Result<()> {
        self.write(dialect, 0, out)
    }
}

fn truth(dialect: Dialect, value: bool) -> &'static str {
    match (dialect, value) {
        (Dialect::Sqlite, true) => "1",
        (Dialect::Sqlite, false) => "0",
        (_, true) => "TRUE",
        (_, false) => "FALSE",
    }
}

fn comparison(dialect: Dialect, op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => " = ",
        CompareOp::NotEq => " <> ",
        CompareOp::Lt => " < ",
        CompareOp::LtEq => " <= ",
        CompareOp::Gt => " > ",
        CompareOp::GtEq => " >= ",
        CompareOp::NotDistinct if dialect == Dialect::Sqlite => " IS ",
        CompareOp::Distinct if dialect == Dialect::Sqlite => " IS NOT ",
        CompareOp::NotDistinct => " IS NOT DISTINCT FROM ",
        CompareOp::Distinct => " IS DISTINCT FROM ",
    }
}

fn joined(list: &[Expr], between: &str, empty: &str, dialect: Dialect, depth: usize, out: &mut String) -> Result<()> {
    match list {
        [] => out.push_str(empty),
        [only] => only.write(dialect, depth + 1, out)?,
        list if list.len() > MAX_CHAIN => return Err(refuse("a condition that long")),
        list => {
            out.push('(');
            for (i, expr) in list.iter().enumerate() {
                out.push_str(if i > 0 { between } else { "" });
                expr.write(dialect, depth + 1, out)?;
            }
            out.push(')');
        }
    }
    Ok(())
}

/// A pattern that ends within an escape is an error in PostgreSQL and something else elsewhere.
fn like(expr: &Expr, pattern: &str, negated: bool, dialect: Dialect, depth: usize, out: &mut String) -> Result<()> {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next().is_none() {
            return Err(refuse("a LIKE pattern that ends with the escape character"));
        }
    }
    if dialect == Dialect::Sqlite {
        // Its LIKE takes ASCII letters of either case for one.
        return Err(refuse("LIKE"));
    }
    out.push('(');
    expr.write(dialect, depth + 1, out)?;
    out.push_str(if negated { " NOT LIKE " } else { " LIKE " });
    Literal::Text(pattern.to_owned()).print(dialect, out)?;
    if dialect == Dialect::DuckDb {
        out.push_str(" ESCAPE '\\'");
    }
    out.push(')');
    Ok(())
}

fn cast_type(to: &CastType, dialect: Dialect, out: &mut String) -> Result<()> {
    let sqlite = dialect == Dialect::Sqlite;
    let duckdb = dialect == Dialect::DuckDb;
    let name = match to {
        CastType::Remote { schema, name } => {
            if dialect != Dialect::Postgres {
                return Err(refuse("a cast to a type of another source"));
            }
            out.push_str(&quote_identifier(schema)?);
            out.push('.');
            out.push_str(&quote_identifier(name)?);
            return Ok(());
        }
        CastType::Int2 | CastType::Int4 | CastType::Int8 | CastType::Bool if sqlite => "INTEGER",
        CastType::Float4 | CastType::Float8 if sqlite => "REAL",
        CastType::Text => "text",
        CastType::Bytes if sqlite || duckdb => "BLOB",
        _ if sqlite => return Err(refuse("a cast to a type that SQLite does not have")),
        // In DuckDB a numeric without precision is numeric(18,3).
        CastType::Numeric if duckdb => return Err(refuse("a cast to numeric without precision")),
        CastType::Numeric => "numeric",
        CastType::Bool => "bool",
        CastType::Int2 => "int2",
        CastType::Int4 => "int4",
        CastType::Int8 => "int8",
        CastType::Float4 => "float4",
        CastType::Float8 => "float8",
        CastType::Bytes => "bytea",
        CastType::Date => "date",
        CastType::Time => "time",
        CastType::Timestamp => "timestamp",
        CastType::TimestampTz => "timestamptz",
        CastType::Uuid => "uuid",
    };
    out.push_str(name);
    Ok(())
}
