//! DataFusion's errors as Tusk's: our own are taken out again, the others get the SQLSTATE that PostgreSQL would give.
//! Must not know: the wire; what is not recognised is internal and its text goes to the log only.

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::error::{Error, SqlState};

/// The error that a client gets for one of DataFusion's.
#[must_use]
pub fn from_datafusion(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => from_boxed(other),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => from_datafusion(*inner),
        DataFusionError::Shared(shared) => from_shared(&shared),
        DataFusionError::Collection(errors) => match errors.into_iter().next() {
            Some(first) => from_datafusion(first),
            None => Error::internal("DataFusion reported an empty list of errors"),
        },
        DataFusionError::ArrowError(inner, _) => from_arrow(*inner),
        DataFusionError::SchemaError(inner, _) => from_schema(&inner),
        DataFusionError::ResourcesExhausted(text) => {
            Error::out_of_memory().with_cause(DataFusionError::ResourcesExhausted(text))
        }
        DataFusionError::NotImplemented(text) => {
            Error::unsupported("this form of query is not supported").with_cause(DataFusionError::NotImplemented(text))
        }
        DataFusionError::Plan(text) => from_plan(text),
        DataFusionError::Execution(text) => from_execution(text),
        DataFusionError::ExecutionJoin(inner) => {
            Error::internal("a task of the execution failed").with_cause(DataFusionError::ExecutionJoin(inner))
        }
        DataFusionError::ParquetError(inner) => {
            Error::source_fault(SqlState::DATA_CORRUPTED, "a Parquet file cannot be read")
                .with_cause(DataFusionError::ParquetError(inner))
        }
        DataFusionError::IoError(inner) => {
            Error::source_fault(SqlState::IO_ERROR, "reading a source failed").with_cause(inner)
        }
        DataFusionError::SQL(inner, _) => {
            Error::client(SqlState::SYNTAX_ERROR, "syntax error").with_cause(DataFusionError::SQL(inner, None))
        }
        // What waits (pg_sleep) can stand in the columns of a result and in WHERE.
        DataFusionError::Internal(text) if text.contains("async functions should not be called directly") => {
            Error::unsupported("pg_sleep is not supported in this place")
        }
        DataFusionError::Internal(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::Substrait(_)
        | DataFusionError::Ffi(_)
        | DataFusionError::ObjectStore(_) => internal(error),
    }
}

fn internal(error: DataFusionError) -> Error {
    Error::internal("DataFusion failed").with_cause(error)
}

/// An error that something below wrapped again, possibly one of ours.
fn from_boxed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let error = match error.downcast::<DataFusionError>() {
        Ok(inner) => return from_datafusion(*inner),
        Err(other) => other,
    };
    match error.downcast::<ArrowError>() {
        Ok(inner) => from_arrow(*inner),
        Err(other) => match find_ours(other.as_ref()) {
            Some(ours) => ours,
            None => internal(DataFusionError::External(other)),
        },
    }
}

/// An error that several consumers share: it cannot be taken apart, only looked into.
fn from_shared(shared: &DataFusionError) -> Error {
    if let Some(ours) = find_ours(shared) {
        return ours;
    }
    match shared.find_root() {
        DataFusionError::ResourcesExhausted(text) => from_datafusion(DataFusionError::ResourcesExhausted(text.clone())),
        DataFusionError::Execution(text) => from_execution(text.clone()),
        DataFusionError::Plan(text) => from_plan(text.clone()),
        DataFusionError::NotImplemented(text) => from_datafusion(DataFusionError::NotImplemented(text.clone())),
        DataFusionError::ArrowError(inner, _) => {
            known_arrow(inner).unwrap_or_else(|| Error::internal(inner.to_string()))
        }
        other => Error::internal(other.to_string()),
    }
}

/// One of ours somewhere in the chain of causes.
fn find_ours(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(this) = next {
        if let Some(ours) = this.downcast_ref::<Error>() {
            return Some(ours.clone());
        }
        next = match this.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            _ => this.source(),
        };
    }
    None
}

fn from_arrow(error: ArrowError) -> Error {
    if let Some(known) = known_arrow(&error) {
        return known;
    }
    match error {
        ArrowError::ExternalError(inner) => from_boxed(inner),
        ArrowError::IoError(_, inner) => {
            Error::source_fault(SqlState::IO_ERROR, "reading a source failed").with_cause(inner)
        }
        other => internal(DataFusionError::ArrowError(Box::new(other), None)),
    }
}

fn known_arrow(error: &ArrowError) -> Option<Error> {
    match error {
        ArrowError::DivideByZero => Some(Error::client(SqlState::DIVISION_BY_ZERO, "division by zero")),
        ArrowError::ArithmeticOverflow(_) => {
            Some(Error::client(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range"))
        }
        ArrowError::MemoryError(_) => Some(Error::resource(SqlState::OUT_OF_MEMORY, "out of memory")),
        ArrowError::CsvError(_) | ArrowError::ParseError(_) | ArrowError::JsonError(_) => Some(
            Error::source_fault(SqlState::BAD_COPY_FILE_FORMAT, "a file of a source is malformed")
                .with_cause(DataFusionError::Execution(error.to_string())),
        ),
        ArrowError::ParquetError(_) => Some(
            Error::source_fault(SqlState::DATA_CORRUPTED, "a Parquet file cannot be read")
                .with_cause(DataFusionError::Execution(error.to_string())),
        ),
        _ => None,
    }
}

fn from_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::AmbiguousReference { field } => {
            Error::client(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{}\" is ambiguous", field.name))
        }
        SchemaError::FieldNotFound { field, .. } => Error::client(
            SqlState::UNDEFINED_COLUMN,
            match &field.relation {
                Some(relation) => format!("column {}.{} does not exist", relation.table(), field.name),
                None => format!("column \"{}\" does not exist", field.name),
            },
        ),
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::unsupported(format!("this query would need two columns named \"{name}\" in one place"))
        }
    }
}

/// Planning errors of DataFusion that a client can cause once our own analysis has passed.
fn from_plan(text: String) -> Error {
    let correlated = ["correlated", "Correlated", "outer reference", "OuterReferenceColumn", "subquer", "Subquer"];
    if correlated.iter().any(|word| text.contains(word)) {
        return Error::unsupported("this form of correlated subquery is not supported")
            .with_cause(DataFusionError::Plan(text));
    }
    if text.contains("LIMIT must be >= 0") {
        return Error::client(SqlState::INVALID_ROW_COUNT_IN_LIMIT, "LIMIT must not be negative");
    }
    if text.contains("OFFSET must be >= 0") {
        return Error::client(SqlState::INVALID_ROW_COUNT_IN_OFFSET, "OFFSET must not be negative");
    }
    internal(DataFusionError::Plan(text))
}

fn from_execution(text: String) -> Error {
    if text.contains("scalar subquery") || text.contains("Scalar subquery") || text.contains("more than one row") {
        return Error::client(
            SqlState::CARDINALITY_VIOLATION,
            "more than one row returned by a subquery used as an expression",
        );
    }
    if text.to_ascii_lowercase().contains("divide by zero") {
        return Error::client(SqlState::DIVISION_BY_ZERO, "division by zero");
    }
    internal(DataFusionError::Execution(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn ours() -> DataFusionError {
        DataFusionError::External(Box::new(Error::client(SqlState::DIVISION_BY_ZERO, "division by zero")))
    }

    #[test]
    fn our_errors_come_back_however_they_were_wrapped() {
        let wrapped = [
            ours(),
            ours().context("while running"),
            DataFusionError::Shared(Arc::new(ours())),
            DataFusionError::External(Box::new(ours())),
            DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(ours()))), None),
            DataFusionError::Shared(Arc::new(ours().context("x"))),
        ];
        for error in wrapped {
            let found = from_datafusion(error);
            assert_eq!(found.state(), SqlState::DIVISION_BY_ZERO);
            assert_eq!(found.message(), "division by zero");
        }
    }

    #[test]
    fn what_is_not_known_is_internal() {
        let found = from_datafusion(DataFusionError::Internal("/etc/passwd".to_owned()));
        assert_eq!(found.state(), SqlState::INTERNAL_ERROR);
        assert!(!found.message().contains("passwd"));
    }
}
