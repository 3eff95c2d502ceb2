//! Operators: the list of those that are sent.
//! Must not know: operands.

use super::super::super::ast::{BinaryOperator, UnaryOperator};
use super::super::super::rewrite::named_operator;
use super::refuse;
use crate::error::Result;

/// Operators that PostgreSQL has and sqlparser does not, or has under a name of its own.
const OTHERS: &[&str] = &[
    "-|-", "&<", "&>", "<<|", "|>>", "&<|", "|&>", "<^", ">^", "?#", "?-", "?-|", "?||", "##", "<->", "~=", "<<=",
    ">>=", "@@@", "*=", "~<~", "~>~", "~<=~", "~>=~", "!~~", "!~~*", "|", "@-@", "!!", "&&&",
];

/// What a binary operator is called, as it is printed; AND and OR are words.
pub(super) fn binary(op: &BinaryOperator) -> Result<&'static str> {
    use BinaryOperator as Op;
    Ok(match op {
        Op::Plus => "+",
        Op::Minus => "-",
        Op::Multiply => "*",
        Op::Divide => "/",
        Op::Modulo => "%",
        Op::StringConcat => "||",
        Op::Gt => ">",
        Op::Lt => "<",
        Op::GtEq => ">=",
        Op::LtEq => "<=",
        Op::Eq => "=",
        Op::NotEq => "<>",
        Op::And => "AND",
        Op::Or => "OR",
        Op::BitwiseOr => "|",
        Op::BitwiseAnd => "&",
        Op::PGExp => "^",
        Op::PGBitwiseXor => "#",
        Op::PGBitwiseShiftLeft => "<<",
        Op::PGBitwiseShiftRight => ">>",
        Op::PGOverlap => "&&",
        Op::PGRegexMatch => "~",
        Op::PGRegexIMatch => "~*",
        Op::PGRegexNotMatch => "!~",
        Op::PGRegexNotIMatch => "!~*",
        Op::PGLikeMatch => "~~",
        Op::PGILikeMatch => "~~*",
        Op::PGNotLikeMatch => "!~~",
        Op::PGNotILikeMatch => "!~~*",
        Op::PGStartsWith => "^@",
        Op::Arrow => "->",
        Op::LongArrow => "->>",
        Op::HashArrow => "#>",
        Op::HashLongArrow => "#>>",
        Op::AtAt => "@@",
        Op::AtArrow => "@>",
        Op::ArrowAt => "<@",
        Op::HashMinus => "#-",
        Op::AtQuestion => "@?",
        Op::Question => "?",
        Op::QuestionAnd => "?&",
        Op::QuestionPipe => "?|",
        Op::Overlaps => "OVERLAPS",
        Op::DoubleHash => "##",
        Op::LtDashGt => "<->",
        Op::AndLt => "&<",
        Op::AndGt => "&>",
        Op::LtLtPipe => "<<|",
        Op::PipeGtGt => "|>>",
        Op::AndLtPipe => "&<|",
        Op::PipeAndGt => "|&>",
        Op::LtCaret => "<^",
        Op::GtCaret => ">^",
        Op::QuestionHash => "?#",
        Op::QuestionDash => "?-",
        Op::QuestionDashPipe => "?-|",
        Op::QuestionDoublePipe => "?||",
        Op::TildeEq => "~=",
        Op::Custom(symbol) => other(symbol)?,
        Op::PGCustomBinaryOperator(names) => qualified(names)?,
        _ => return Err(refuse("this operator")),
    })
}

fn other(symbol: &str) -> Result<&'static str> {
    OTHERS.iter().find(|known| **known == symbol).copied().ok_or_else(|| refuse("this operator"))
}

/// `OPERATOR(pg_catalog.+)`.
fn qualified(names: &[String]) -> Result<&'static str> {
    let symbol = match names {
        [symbol] => symbol,
        [schema, symbol] if matches!(schema.as_str(), "pg_catalog" | "\"pg_catalog\"") => symbol,
        _ => return Err(refuse("an operator of a schema")),
    };
    match named_operator(symbol) {
        Some(op) => binary(&op),
        None => other(symbol),
    }
}

/// What an operator in front is called.
pub(super) fn unary(op: UnaryOperator) -> Result<&'static str> {
    use UnaryOperator as Op;
    Ok(match op {
        Op::Plus => "+",
        Op::Minus => "-",
        Op::Not => "NOT",
        Op::BitwiseNot => "~",
        Op::PGAbs => "@",
        Op::PGSquareRoot => "|/",
        Op::PGCubeRoot => "||/",
        Op::AtDashAt => "@-@",
        Op::DoubleAt => "@@",
        Op::Hash => "#",
        Op::QuestionDash => "?-",
        Op::QuestionPipe => "?|",
        Op::PGPrefixFactorial => "!!",
        Op::BangNot | Op::PGPostfixFactorial => return Err(refuse("this operator")),
    })
}
