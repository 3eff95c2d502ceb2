//! One expression at a time, its children already done.
//! Must not know: the query around it.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Value,
};

use crate::error::{Error, Result, SqlState};

use super::super::position;
use super::super::scope::{is_call, parts};
use super::super::type_name::type_name;

/// Types whose values are oids of something with a name.
pub(super) const REG_TYPES: &[&str] = &[
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
];

/// `f(t.*)` takes the row of a table as one value. That of ROW is all of its columns, which the binder is not to see here.
fn whole_rows(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    if parts(&function.name).last().is_some_and(|name| name == "row") {
        return;
    }
    for arg in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) = arg {
            let row = Expr::QualifiedWildcard(name.clone(), AttachedToken::empty());
            *arg = FunctionArg::Unnamed(FunctionArgExpr::Expr(row));
        }
    }
}

/// Rewrites an expression in place.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Identifier(ident) if is_call(ident) => {
            let mut called = call(&ident.value, *placeholder());
            if let Expr::Function(function) = &mut called {
                function.args = FunctionArguments::None;
                function.name = ObjectName::from(vec![ident.clone()]);
            }
            *expr = called;
            Ok(())
        }
        Expr::TypedString(_) => {
            typed_string(expr);
            cast(expr)
        }
        Expr::Cast { .. } => cast(expr),
        Expr::Function(function) => {
            strip_catalog(&mut function.name);
            whole_rows(function);
            Ok(())
        }
        Expr::BinaryOp { .. } => {
            operator(expr)?;
            like(expr);
            Ok(())
        }
        Expr::AnyOp { compare_op, .. } | Expr::AllOp { compare_op, .. } => plain_operator(compare_op),
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
            like_any(expr);
            Ok(())
        }
        Expr::Value(value) => match value.value {
            Value::SingleQuotedByteStringLiteral(_) | Value::HexStringLiteral(_) => {
                let error = Error::unsupported("bit strings are not supported");
                Err(match position(value.span) {
                    Some(position) => error.with_position(position),
                    None => error,
                })
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Takes `pg_catalog.` off a function's name.
pub(super) fn strip_catalog(name: &mut ObjectName) {
    let qualified = parts(name);
    if qualified.len() == 2 && qualified.first().is_some_and(|schema| schema == "pg_catalog") {
        name.0.remove(0);
    }
}

fn placeholder() -> Box<Expr> {
    Box::new(Expr::Value(Value::Null.into()))
}

fn take(expr: &mut Expr) -> Box<Expr> {
    Box::new(std::mem::replace(expr, *placeholder()))
}

/// `type 'text'` is a cast.
fn typed_string(expr: &mut Expr) {
    let Expr::TypedString(typed) = expr else { return };
    *expr = Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Expr::Value(typed.value.clone())),
        data_type: typed.data_type.clone(),
        array: false,
        format: None,
    };
}

fn cast(expr: &mut Expr) -> Result<()> {
    let Expr::Cast { expr: inner, data_type, .. } = expr else { return Ok(()) };
    *data_type = plain_type(data_type);
    let Some(name) = type_name(data_type) else { return Err(no_such_type(data_type)) };
    if name.schema.is_some() || name.array {
        return Ok(());
    }
    if REG_TYPES.contains(&name.name.as_str()) {
        let inner = take(inner);
        *expr = call(&format!("pg_{}_in", name.name), *inner);
    } else if name.name == "text" && name.modifiers.is_empty() {
        let Some(reg) = reg_type_of(inner) else { return Ok(()) };
        let inner = take(inner);
        *expr = call(&format!("pg_{reg}_out"), *inner);
    }
    Ok(())
}

/// The type of an expression that is one of our own casts to a reg type.
fn reg_type_of(expr: &Expr) -> Option<String> {
    let mut expr = expr;
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    let Expr::Function(function) = expr else { return None };
    let name = parts(&function.name).pop()?;
    let reg = name.strip_prefix("pg_")?.strip_suffix("_in")?;
    REG_TYPES.contains(&reg).then(|| reg.to_owned())
}

fn no_such_type(data_type: &DataType) -> Error {
    let shown = data_type.to_string().to_ascii_lowercase();
    Error::client(SqlState::UNDEFINED_OBJECT, format!("type \"{shown}\" does not exist"))
}

/// A type without `pg_catalog.`, in the binder's own spelling where it has one.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, size)) => {
            DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(plain_type(element)), *size))
        }
        DataType::Custom(name, modifiers) => {
            let mut names = parts(name);
            let last = names.pop().unwrap_or_default();
            if names.pop().is_some_and(|schema| schema != "pg_catalog") {
                return data_type.clone();
            }
            match last.as_str() {
                "bool" => DataType::Boolean,
                "int2" => DataType::SmallInt(None),
                "int4" => DataType::Integer(None),
                "int8" => DataType::BigInt(None),
                "float4" => DataType::Real,
                "float8" => DataType::DoublePrecision,
                "text" => DataType::Text,
                "date" => DataType::Date,
                "bytea" => DataType::Bytea,
                "varchar" if modifiers.is_empty() => DataType::Varchar(None),
                "numeric" if modifiers.is_empty() => {
                    DataType::Numeric(datafusion::sql::sqlparser::ast::ExactNumberInfo::None)
                }
                _ => {
                    // Quotes only where the name needs them; `"char"` is another type than `char`.
                    let plain = last != "char" && crate::names::quote_if_needed(&last) == last;
                    let ident = if plain { Ident::new(last) } else { Ident::with_quote('"', last) };
                    DataType::Custom(ObjectName::from(vec![ident]), modifiers.clone())
                }
            }
        }
        other => other.clone(),
    }
}

fn call(name: &str, argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn operator(expr: &mut Expr) -> Result<()> {
    if let Expr::BinaryOp { op, .. } = expr { plain_operator(op) } else { Ok(()) }
}

/// `OPERATOR(pg_catalog.+)` is `+`.
fn plain_operator(op: &mut BinaryOperator) -> Result<()> {
    let BinaryOperator::PGCustomBinaryOperator(names) = op else { return Ok(()) };
    let unknown = |names: &[String]| {
        Error::client(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {}", names.join(".")))
    };
    let (Some(symbol), schema) = (names.last(), names.len().checked_sub(2).and_then(|i| names.get(i))) else {
        return Err(unknown(names));
    };
    if schema.is_some_and(|schema| schema != "pg_catalog" && schema != "\"pg_catalog\"") {
        return Err(unknown(names));
    }
    *op = named_operator(symbol).unwrap_or_else(|| BinaryOperator::Custom(symbol.clone()));
    Ok(())
}

/// The operator of this symbol, where sqlparser knows it.
pub(in crate::sql) fn named_operator(symbol: &str) -> Option<BinaryOperator> {
    use BinaryOperator as Op;
    Some(match symbol {
        "+" => Op::Plus,
        "-" => Op::Minus,
        "*" => Op::Multiply,
        "/" => Op::Divide,
        "%" => Op::Modulo,
        "^" => Op::PGExp,
        "=" => Op::Eq,
        "<>" | "!=" => Op::NotEq,
        "<" => Op::Lt,
        ">" => Op::Gt,
        "<=" => Op::LtEq,
        ">=" => Op::GtEq,
        "||" => Op::StringConcat,
        "&" => Op::BitwiseAnd,
        "|" => Op::BitwiseOr,
        "#" => Op::PGBitwiseXor,
        "<<" => Op::PGBitwiseShiftLeft,
        ">>" => Op::PGBitwiseShiftRight,
        "&&" => Op::PGOverlap,
        "~" => Op::PGRegexMatch,
        "~*" => Op::PGRegexIMatch,
        "!~" => Op::PGRegexNotMatch,
        "!~*" => Op::PGRegexNotIMatch,
        "~~" => Op::PGLikeMatch,
        "~~*" => Op::PGILikeMatch,
        "!~~" => Op::PGNotLikeMatch,
        "!~~*" => Op::PGNotILikeMatch,
        "^@" => Op::PGStartsWith,
        "->" => Op::Arrow,
        "->>" => Op::LongArrow,
        "#>" => Op::HashArrow,
        "#>>" => Op::HashLongArrow,
        "#-" => Op::HashMinus,
        "@>" => Op::AtArrow,
        "<@" => Op::ArrowAt,
        "@?" => Op::AtQuestion,
        "@@" => Op::AtAt,
        "?" => Op::Question,
        "?&" => Op::QuestionAnd,
        "?|" => Op::QuestionPipe,
        _ => return None,
    })
}

/// `~~` and its kin are LIKE and its kin.
fn like(expr: &mut Expr) {
    let Expr::BinaryOp { left, op, right } = expr else { return };
    let (negated, insensitive) = match op {
        BinaryOperator::PGLikeMatch => (false, false),
        BinaryOperator::PGNotLikeMatch => (true, false),
        BinaryOperator::PGILikeMatch => (false, true),
        BinaryOperator::PGNotILikeMatch => (true, true),
        _ => return,
    };
    let (text, pattern) = (take(left), take(right));
    *expr = if insensitive {
        Expr::ILike { negated, any: false, expr: text, pattern, escape_char: None }
    } else {
        Expr::Like { negated, any: false, expr: text, pattern, escape_char: None }
    };
}

/// `a LIKE ANY (b)` is `a ~~ ANY (b)`; `a NOT LIKE ANY (b)` is `a !~~ ANY (b)`.
fn like_any(expr: &mut Expr) {
    let (insensitive, negated, text, pattern) = match expr {
        Expr::Like { negated, expr, pattern, .. } => (false, *negated, take(expr), take(pattern)),
        Expr::ILike { negated, expr, pattern, .. } => (true, *negated, take(expr), take(pattern)),
        _ => return,
    };
    let compare_op = match (insensitive, negated) {
        (false, false) => BinaryOperator::PGLikeMatch,
        (false, true) => BinaryOperator::PGNotLikeMatch,
        (true, false) => BinaryOperator::PGILikeMatch,
        (true, true) => BinaryOperator::PGNotILikeMatch,
    };
    let right = match *pattern {
        Expr::Nested(inner) => inner,
        other => Box::new(other),
    };
    *expr = Expr::AnyOp { left: text, compare_op, right, is_some: false };
}
