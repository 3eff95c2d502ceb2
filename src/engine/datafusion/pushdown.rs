//! Which predicates a source may apply itself with exactly our meaning, and their form in `sql/print`'s tree.
//! Must not know: roles; how a statement is sent.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Like, Operator};

use crate::catalog::TableSchema;
use crate::config::SourceKind;
use crate::source::RemoteColumn;
use crate::sql::print::{CompareOp, Expr as Sql, Literal};
use crate::types::{self, Own, OwnForm, PgType};

/// The last day that a date literal may name: 9999-12-31, in days since 1970.
const LAST_DAY: i32 = 2_932_896;

/// The first day that it may name: 0001-01-01.
const FIRST_DAY: i32 = -719_162;

/// The predicate as the source of this table may apply it; `None`: its meaning there is not certain to be ours.
pub(super) fn predicate(table: &TableSchema, expr: &Expr) -> Option<Sql> {
    let context = Context { table };
    context.predicate(expr)
}

struct Context<'a> {
    table: &'a TableSchema,
}

/// How a column's values compare at the source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Bool,
    Int,
    Float,
    Decimal,
    Text,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    /// By label: equality alone.
    Enum,
}

impl Context<'_> {
    fn predicate(&self, expr: &Expr) -> Option<Sql> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                Some(Sql::And(vec![self.predicate(left)?, self.predicate(right)?]))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                Some(Sql::Or(vec![self.predicate(left)?, self.predicate(right)?]))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => self.comparison(left, *op, right),
            Expr::Not(inner) => Some(Sql::Not(Box::new(self.predicate(inner)?))),
            // What became of a test of a column that is never NULL; a NULL lets no row through.
            Expr::Literal(ScalarValue::Boolean(Some(true)), _) => Some(Sql::And(Vec::new())),
            Expr::Literal(ScalarValue::Boolean(_), _) => Some(Sql::Or(Vec::new())),
            Expr::IsNull(inner) => self.null_test(inner, false),
            Expr::IsNotNull(inner) => self.null_test(inner, true),
            Expr::InList(list) => self.in_list(list),
            Expr::Between(between) => self.between(between),
            Expr::Like(like) => self.like(like),
            Expr::Column(_) => {
                let (column, class) = self.column(expr)?;
                (class == Class::Bool).then(|| Sql::column(&column.name))
            }
            _ => None,
        }
    }

    fn remote(&self, expr: &Expr) -> Option<&RemoteColumn> {
        let Expr::Column(column) = expr else { return None };
        let mut visible = self.table.columns.iter().filter_map(|at| self.table.remote.columns.get(*at));
        visible.find(|remote| remote.name == column.name)
    }

    fn column(&self, expr: &Expr) -> Option<(&RemoteColumn, Class)> {
        let column = self.remote(expr)?;
        Some((column, self.class(column)?))
    }

    fn class(&self, column: &RemoteColumn) -> Option<Class> {
        let class = match column.ty.oid {
            // The source reads a label as one of the enum's. It has no operators for a domain over one.
            _ if column.own.as_ref().is_some_and(|own| !own.array && matches!(own.of.form, OwnForm::Enum(_))) => {
                Class::Enum
            }
            _ if column.own.is_some() => return None,
            oid if oid == PgType::BOOL.oid => Class::Bool,
            oid if [PgType::INT2.oid, PgType::INT4.oid, PgType::INT8.oid].contains(&oid) => Class::Int,
            oid if oid == PgType::FLOAT8.oid => Class::Float,
            // Without precision it is in its text form here: compared by functions of ours, which do not come this way.
            oid if oid == PgType::NUMERIC.oid && !types::is_text_form(column.ty) => Class::Decimal,
            // What is text to clients need not be text at its source.
            oid if (oid == PgType::TEXT.oid || oid == PgType::VARCHAR.oid) && column.remote_type.is_empty() => {
                Class::Text
            }
            oid if oid == PgType::DATE.oid => Class::Date,
            oid if oid == PgType::TIMESTAMP.oid => Class::Timestamp,
            oid if oid == PgType::TIMESTAMPTZ.oid => Class::TimestampTz,
            oid if oid == PgType::UUID.oid => Class::Uuid,
            _ => return None,
        };
        // SQLite keeps what it is given: only whole numbers and text are sure to compare as here.
        let certain = match self.table.kind {
            SourceKind::Postgres => true,
            SourceKind::Sqlite => matches!(class, Class::Int | Class::Text),
            SourceKind::Files => false,
        };
        certain.then_some(class)
    }

    fn null_test(&self, inner: &Expr, negated: bool) -> Option<Sql> {
        // Of a record the source asks whether its fields are NULL.
        let record = |own: &Own| !own.array && own.of.form == OwnForm::Composite;
        let column = self.remote(inner).filter(|column| !column.own.as_ref().is_some_and(record))?;
        Some(Sql::IsNull { expr: Box::new(Sql::column(&column.name)), negated })
    }

    fn comparison(&self, left: &Expr, op: Operator, right: &Expr) -> Option<Sql> {
        let op = match op {
            Operator::Eq => CompareOp::Eq,
            Operator::NotEq => CompareOp::NotEq,
            Operator::Lt => CompareOp::Lt,
            Operator::LtEq => CompareOp::LtEq,
            Operator::Gt => CompareOp::Gt,
            Operator::GtEq => CompareOp::GtEq,
            _ => return None,
        };
        let (column, literal, op) = match (left, right) {
            (Expr::Column(_), Expr::Literal(value, _)) => (left, value, op),
            (Expr::Literal(value, _), Expr::Column(_)) => (right, value, turned(op)),
            _ => return None,
        };
        let (column, class) = self.column(column)?;
        let literal = literal_of(class, literal)?;
        let ordered = !matches!(op, CompareOp::Eq | CompareOp::NotEq);
        if ordered && class == Class::Enum {
            return None;
        }
        Some(Sql::compare(self.operand(column, class, ordered)?, op, Sql::Literal(literal)))
    }

    /// The column as it stands in a comparison. Text is ordered by bytes here, whatever the source's collation.
    fn operand(&self, column: &RemoteColumn, class: Class, ordered: bool) -> Option<Sql> {
        let plain = Sql::column(&column.name);
        if class != Class::Text || column.bytewise {
            return Some(plain);
        }
        match self.table.kind {
            SourceKind::Postgres => Some(Sql::CollateC(Box::new(plain))),
            // A column of SQLite that is not bytewise may even call different texts equal.
            _ => (!ordered && column.bytewise).then_some(plain),
        }
    }

    fn in_list(&self, list: &InList) -> Option<Sql> {
        let (column, class) = self.column(&list.expr)?;
        let values = list.list.iter().map(|value| match value {
            Expr::Literal(value, _) => literal_of(class, value).map(Sql::Literal),
            _ => None,
        });
        let values = values.collect::<Option<Vec<_>>>()?;
        let operand = self.operand(column, class, false)?;
        Some(Sql::InList { expr: Box::new(operand), list: values, negated: list.negated })
    }

    fn between(&self, between: &Between) -> Option<Sql> {
        let (column, class) = self.column(&between.expr).filter(|(_, class)| *class != Class::Enum)?;
        let bound = |expr: &Expr| match expr {
            Expr::Literal(value, _) => literal_of(class, value).map(|literal| Box::new(Sql::Literal(literal))),
            _ => None,
        };
        let (low, high) = (bound(&between.low)?, bound(&between.high)?);
        let operand = self.operand(column, class, true)?;
        Some(Sql::Between { expr: Box::new(operand), low, high, negated: between.negated })
    }

    fn like(&self, like: &Like) -> Option<Sql> {
        // SQLite's LIKE ignores case.
        if like.case_insensitive
            || like.escape_char.is_some_and(|escape| escape != '\\')
            || self.table.kind != SourceKind::Postgres
        {
            return None;
        }
        let (column, class) = self.column(&like.expr)?;
        let Expr::Literal(pattern, _) = like.pattern.as_ref() else { return None };
        // A pattern that ends in its escape is an error, which is ours to raise.
        let pattern = text_of(pattern)?;
        let dangling = pattern.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        if class != Class::Text || dangling {
            return None;
        }
        let operand = self.operand(column, class, true)?;
        Some(Sql::Like { expr: Box::new(operand), pattern, negated: like.negated })
    }
}

fn turned(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::LtEq => CompareOp::GtEq,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::GtEq => CompareOp::LtEq,
        same => same,
    }
}

fn text_of(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => text.clone(),
        _ => None,
    }
}

/// A constant of the column's own class; `None` for NULL and for any other.
fn literal_of(class: Class, value: &ScalarValue) -> Option<Literal> {
    match (class, value) {
        (Class::Bool, ScalarValue::Boolean(Some(value))) => Some(Literal::Bool(*value)),
        (Class::Int, ScalarValue::Int16(Some(value))) => Some(Literal::Int(i64::from(*value))),
        (Class::Int, ScalarValue::Int32(Some(value))) => Some(Literal::Int(i64::from(*value))),
        (Class::Int, ScalarValue::Int64(Some(value))) => Some(Literal::Int(*value)),
        (Class::Float, ScalarValue::Float64(Some(value))) if value.is_finite() => Some(Literal::Float(*value)),
        (Class::Decimal, ScalarValue::Decimal128(Some(value), _, scale)) => {
            Some(Literal::Decimal(decimal(*value, *scale)?))
        }
        (Class::Text | Class::Enum, value) => text_of(value).filter(|text| !text.contains('\0')).map(Literal::Text),
        (Class::Uuid, value) => text_of(value).map(Literal::Uuid),
        (Class::Date, ScalarValue::Date32(Some(days))) if (FIRST_DAY..=LAST_DAY).contains(days) => {
            Some(Literal::Date(printed(value)?))
        }
        (Class::Timestamp, ScalarValue::TimestampMicrosecond(Some(micros), None)) if in_range(*micros) => {
            Some(Literal::Timestamp(printed(value)?))
        }
        (Class::TimestampTz, ScalarValue::TimestampMicrosecond(Some(micros), Some(_))) if in_range(*micros) => {
            // The value is UTC whatever its zone says; print it as such.
            Some(Literal::TimestampTz(printed(&ScalarValue::TimestampMicrosecond(Some(*micros), None))?))
        }
        _ => None,
    }
}

fn in_range(micros: i64) -> bool {
    const DAY: i64 = 86_400_000_000;
    (i64::from(FIRST_DAY) * DAY..(i64::from(LAST_DAY) + 1) * DAY).contains(&micros)
}

fn decimal(value: i128, scale: i8) -> Option<String> {
    let scale = usize::try_from(scale).ok()?;
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// A date or time in PostgreSQL's ISO form.
fn printed(value: &ScalarValue) -> Option<String> {
    let array = value.to_array().ok()?;
    debug_assert!(matches!(array.data_type(), DataType::Date32 | DataType::Timestamp(_, None)));
    let field = arrow::datatypes::Field::new("c", array.data_type().clone(), true);
    types::row_text(&field, &array, 0, &types::FormatOptions::default()).ok()?
}
