//! A table as one role sees it: its granted columns and nothing else, behind a barrier that only leak-proof predicates cross.
//! Must not know: how grants are written, how sources are reached (`scan` knows).

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::scan::Scanner;
use crate::catalog::TableSchema;

/// The one way in which a statement reaches a table. Nothing else hands a source's table to the planner.
#[derive(Debug)]
pub(super) struct SecuredTable {
    table: Arc<TableSchema>,
    scanner: Arc<Scanner>,
}

impl SecuredTable {
    /// A table that is narrowed to what its role may see.
    pub(super) fn new(table: Arc<TableSchema>, scanner: Arc<Scanner>) -> Self {
        SecuredTable { table, scanner }
    }

    /// The table.
    pub(super) fn table(&self) -> &Arc<TableSchema> {
        &self.table
    }
}

#[async_trait]
impl TableProvider for SecuredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table.arrow)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| {
                if leak_proof(filter) {
                    self.scanner.supports(&self.table, filter)
                } else {
                    TableProviderFilterPushDown::Unsupported
                }
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.table.columns.len()).collect(),
        };
        self.scanner.scan(state, &self.table, &columns, filters, limit).await
    }
}

/// Whether a predicate can neither fail nor tell anything about rows it does not return: comparisons of a plain column with
/// literals of its own type, NULL tests, and AND, OR, NOT of such. No cast, no function, no arithmetic: their errors and timing show
/// values of hidden rows.
pub(super) fn leak_proof(predicate: &Expr) -> bool {
    match predicate {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And | Operator::Or => leak_proof(left) && leak_proof(right),
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                (is_column(left) && is_literal(right)) || (is_literal(left) && is_column(right))
            }
            _ => false,
        },
        Expr::Not(inner) => leak_proof(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_column(inner),
        Expr::IsTrue(inner) | Expr::IsFalse(inner) | Expr::IsNotTrue(inner) | Expr::IsNotFalse(inner) => {
            is_column(inner)
        }
        Expr::InList(InList { expr, list, .. }) => is_column(expr) && list.iter().all(is_literal),
        Expr::Between(between) => is_column(&between.expr) && is_literal(&between.low) && is_literal(&between.high),
        Expr::Like(like) => is_column(&like.expr) && is_text_literal(&like.pattern),
        Expr::Column(_) => true,
        _ => false,
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_))
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(..))
}

fn is_text_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if is_text(value))
}

fn is_text(value: &ScalarValue) -> bool {
    matches!(value.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{cast, col, lit};

    use super::*;

    #[test]
    fn casts_and_arithmetic_stay_outside() {
        assert!(leak_proof(&col("a").gt(lit(3))));
        assert!(leak_proof(&col("a").eq(lit("x")).and(col("b").is_null())));
        assert!(!leak_proof(&cast(col("secret"), DataType::Int32).eq(lit(0))));
        assert!(!leak_proof(&(lit(1) / col("a")).gt(lit(0))));
        assert!(!leak_proof(&col("a").eq(col("b"))));
    }
}
