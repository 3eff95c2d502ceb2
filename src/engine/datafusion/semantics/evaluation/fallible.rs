//! Which expressions can raise an error for some row, and which give another value each time.
//! Must not know: plans, how an expression is evaluated.

use std::collections::HashSet;

use arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Like, ScalarFunction};
use datafusion::logical_expr::{Expr, Operator};
use datafusion::scalar::ScalarValue;

/// Functions that answer for every row. What is not here is taken for one that can fail.
const NEVER: &[&str] = &[
    "ascii",
    "bit_length",
    "bpchar_key",
    "bpcharlen",
    "bpcharoctetlen",
    "btrim",
    "btrim1",
    "byteaoctetlen",
    "concat",
    "concat_ws",
    "float4_key",
    "float4abs",
    "float4um",
    "float8_key",
    "float8_ordered",
    "float8_unordered",
    "float8abs",
    "float8um",
    "gen_random_uuid",
    "greatest",
    "initcap",
    "initcap of C",
    "int4_bool",
    "interval_key",
    "json_typeof",
    "jsonb_array_element",
    "jsonb_array_element_text",
    "jsonb_extract_path",
    "jsonb_extract_path[]",
    "jsonb_extract_path_text",
    "jsonb_extract_path_text[]",
    "jsonb_object_field",
    "jsonb_object_field_text",
    "jsonb_typeof",
    "least",
    "lower",
    "lower of C",
    "ltrim",
    "ltrim1",
    "make_array",
    "md5",
    "numeric_abs",
    "numeric_key",
    "numeric_shown",
    "numeric_sign",
    "numeric_text",
    "numeric_uminus",
    "own_record_is_not_null",
    "own_record_is_null",
    "own_text",
    "quote_literal",
    "random",
    "rtrim",
    "rtrim1",
    "text_left",
    "text_name",
    "text_reverse",
    "text_right",
    "text_starts_with",
    "textcat",
    "textlen",
    "textoctetlen",
    "textpos",
    "to_hex32",
    "to_hex64",
    "translate",
    "upper",
    "upper of C",
];

/// Whether an expression can raise an error for some row. What a subquery in it raises does not count.
pub(super) fn can_fail(expr: &Expr) -> bool {
    holds(expr, |node| match node {
        Expr::ScalarFunction(function) => fails(function),
        Expr::BinaryExpr(binary) => !comparison_or_logic(binary.op),
        Expr::Negative(_) => true,
        Expr::Like(like) | Expr::SimilarTo(like) => !plain_pattern(like),
        _ => false,
    })
}

/// Whether an expression has a value of its own each time it is evaluated, or reads a subquery: it must not stand twice.
pub(super) fn stands_alone(expr: &Expr) -> bool {
    expr.is_volatile()
        || holds(expr, |node| {
            matches!(node, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_))
        })
}

/// Whether a node of an expression fits.
pub(super) fn holds(expr: &Expr, fits: impl Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    let _ = expr.apply(|node| {
        found = found || fits(node);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

/// The relations whose columns an expression reads.
pub(super) fn relations(expr: &Expr) -> HashSet<Option<TableReference>> {
    expr.column_refs().into_iter().map(|column| column.relation.clone()).collect()
}

fn fails(function: &ScalarFunction) -> bool {
    let name = function.func.name();
    match name {
        // Decimals of a form that holds every result.
        "numeric_add" | "numeric_sub" | "numeric_mul" => {
            !matches!(function.func.return_type(&[]), Ok(DataType::Decimal128(..) | DataType::Decimal256(..)))
        }
        "like" | "ilike" => !function.args.get(1).is_some_and(plain_text),
        _ => NEVER.binary_search(&name).is_err(),
    }
}

fn comparison_or_logic(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::And
            | Operator::Or
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn plain_pattern(like: &Like) -> bool {
    plain_text(&like.pattern)
}

/// A constant without an escape, which could stand at its end.
fn plain_text(pattern: &Expr) -> bool {
    let Expr::Literal(value, _) = pattern else { return false };
    match value {
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => {
            text.as_ref().is_none_or(|text| !text.contains('\\'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(NEVER.is_sorted());
    }

    #[test]
    fn arithmetic_can_fail_and_comparisons_cannot() {
        assert!(can_fail(&(col("a") / col("b")).gt(lit(2))));
        assert!(!can_fail(&col("a").gt(lit(2)).and(col("b").is_null())));
        assert!(!can_fail(&col("a").like(lit("x%"))));
        assert!(can_fail(&col("a").like(lit("x\\"))));
        assert!(can_fail(&col("a").like(col("b"))));
    }
}
