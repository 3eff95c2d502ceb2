//! Prepared statements of a session: by name, bounded in number and size.
//! Must not know: how a statement is planned; `plan` is a box to it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::{Moment, Session};
use crate::error::{Error, Result, SqlState};
use crate::names::cut;
use crate::rows::RowShape;
use crate::sql::Statement;
use crate::types::PgType;

/// Statements that one session may keep.
const MAX_STATEMENTS: usize = 10_000;

/// Bytes that they may take together, by a generous estimate.
const MAX_BYTES: usize = 64 << 20;

/// What a statement takes beside its text, in bytes: its tree and its plan grow with the text.
const FIXED_BYTES: usize = 1_024;
const BYTES_PER_TEXT_BYTE: usize = 8;

/// A statement that has been resolved, authorised and planned.
#[derive(Clone)]
pub struct PreparedStatement {
    /// Its name; empty for the unnamed one.
    pub name: String,
    /// The statement.
    pub statement: Arc<Statement>,
    /// The types of its parameters, given or found out.
    pub parameters: Vec<PgType>,
    /// What its rows look like; `None`: it has none.
    pub shape: Option<Arc<RowShape>>,
    /// When it was prepared.
    pub created_at: SystemTime,
    /// The text of the PREPARE that made it; `None`: a Parse message did.
    pub prepared_by: Option<String>,
    /// Its plan, the latest one; `None`: it is not one to be planned.
    plan: Option<Arc<Mutex<Planned>>>,
}

/// Whatever the query path wants to find again, and when in the session's life it was made.
struct Planned {
    plan: Arc<dyn Any + Send + Sync>,
    moment: Option<Moment>,
}

impl PreparedStatement {
    /// A statement that is not planned.
    #[must_use]
    pub fn utility(statement: Statement, shape: Option<Arc<RowShape>>) -> Self {
        PreparedStatement {
            name: String::new(),
            statement: Arc::new(statement),
            parameters: Vec::new(),
            shape,
            plan: None,
            created_at: SystemTime::now(),
            prepared_by: None,
        }
    }

    /// A statement that is planned.
    #[must_use]
    pub fn planned(
        statement: Statement,
        parameters: Vec<PgType>,
        shape: Arc<RowShape>,
        plan: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        let plan = Some(Arc::new(Mutex::new(Planned { plan, moment: None })));
        PreparedStatement { parameters, plan, ..PreparedStatement::utility(statement, Some(shape)) }
    }

    /// The same statement by another name. Their plan is one.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        PreparedStatement { name: cut(name).to_owned(), created_at: SystemTime::now(), ..self.clone() }
    }

    /// The same statement without a name, for a session that has moved on since its plan was made, or another one.
    #[must_use]
    pub fn for_session(&self, session: &Session) -> Self {
        let plan = self.plan.as_ref().map(|planned| {
            let plan = Arc::clone(&planned.lock().plan);
            Arc::new(Mutex::new(Planned { plan, moment: Some(session.moment()) }))
        });
        PreparedStatement { plan, ..self.named("") }
    }

    /// Whether it is one that is planned.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        self.plan.is_some()
    }

    /// Its latest plan.
    #[must_use]
    pub fn plan<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let plan = Arc::clone(&self.plan.as_ref()?.lock().plan);
        plan.downcast().ok()
    }

    /// Notes that the session has not moved on since the plan was begun.
    pub fn planned_in(&self, session: &Session) {
        if let Some(planned) = &self.plan {
            planned.lock().moment = Some(session.moment());
        }
    }

    /// Keeps a plan that was made anew, at this moment.
    pub fn replanned(&self, session: &Session, plan: Arc<dyn Any + Send + Sync>) {
        if let Some(planned) = &self.plan {
            *planned.lock() = Planned { plan, moment: Some(session.moment()) };
        }
    }

    /// Whether what the plan took from the session is still true: no variable that plans depend on has changed, no other one either where
    /// the plan `shows_variables`, and no other transaction has begun where it `tells_time` (took `now()` or its like).
    #[must_use]
    pub fn is_fresh(&self, session: &Session, shows_variables: bool, tells_time: bool) -> bool {
        let now = session.moment();
        let then = self.plan.as_ref().and_then(|planned| planned.lock().moment);
        then.is_some_and(|then| {
            then.planning == now.planning
                && (!shows_variables || then.variables == now.variables)
                && (!tells_time || then == now)
        })
    }
}

impl fmt::Debug for PreparedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedStatement")
            .field("name", &self.name)
            .field("text", &self.statement.text)
            .finish_non_exhaustive()
    }
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// No statement at all: an empty text is legal. It keeps the types that its parameters were given.
    Empty(Arc<[PgType]>),
    /// A statement.
    Statement(Arc<PreparedStatement>),
}

impl Prepared {
    /// The types of its parameters.
    #[must_use]
    pub fn parameters(&self) -> &[PgType] {
        match self {
            Prepared::Empty(parameters) => parameters,
            Prepared::Statement(prepared) => &prepared.parameters,
        }
    }

    /// What its rows look like.
    #[must_use]
    pub fn shape(&self) -> Option<&Arc<RowShape>> {
        match self {
            Prepared::Empty(_) => None,
            Prepared::Statement(prepared) => prepared.shape.as_ref(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Prepared::Empty(parameters) => FIXED_BYTES + size_of_val(&**parameters),
            Prepared::Statement(prepared) => {
                let text = prepared.statement.text.len();
                FIXED_BYTES + BYTES_PER_TEXT_BYTE * text + prepared.prepared_by.as_ref().map_or(0, String::len)
            }
        }
    }
}

/// What is kept of them, also for other threads to see.
#[derive(Debug, Default)]
pub(super) struct Named {
    by_name: BTreeMap<String, Prepared>,
    bytes: usize,
}

impl Named {
    /// The named ones, in the order of their names.
    pub(super) fn list(&self) -> Vec<Arc<PreparedStatement>> {
        let named = self.by_name.iter().filter(|(name, _)| !name.is_empty());
        named
            .filter_map(|(_, prepared)| match prepared {
                Prepared::Statement(prepared) => Some(Arc::clone(prepared)),
                Prepared::Empty(_) => None,
            })
            .collect()
    }

    fn remove(&mut self, name: &str) -> bool {
        let name = cut(name);
        match self.by_name.remove(name) {
            Some(prepared) => {
                self.bytes -= prepared.bytes() + name.len();
                true
            }
            None => false,
        }
    }
}

/// The prepared statements of one session.
#[derive(Debug, Default)]
pub struct PreparedStatements {
    named: Arc<Mutex<Named>>,
}

fn limit(what: &str) -> Error {
    Error::resource(SqlState::CONFIGURATION_LIMIT_EXCEEDED, format!("too many prepared statements: {what}"))
        .with_hint("Close or deallocate prepared statements that are no longer needed.")
}

impl PreparedStatements {
    /// None; what there is goes where others may see it.
    pub(super) fn new(named: Arc<Mutex<Named>>) -> Self {
        PreparedStatements { named }
    }

    /// Whether a new statement may have this name. The unnamed one is always replaced.
    ///
    /// # Errors
    /// `42P05`.
    pub fn check_new(&self, name: &str) -> Result<()> {
        if !name.is_empty() && self.named.lock().by_name.contains_key(cut(name)) {
            return Err(Error::client(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        Ok(())
    }

    /// Keeps a statement.
    ///
    /// # Errors
    /// `42P05` for a name that is taken; `53400` beyond 10,000 statements or 64 MiB.
    pub fn insert(&mut self, name: &str, prepared: Prepared) -> Result<()> {
        self.check_new(name)?;
        let name = cut(name);
        let mut named = self.named.lock();
        named.remove(name);
        if named.by_name.len() >= MAX_STATEMENTS {
            return Err(limit(&format!("a session may have {MAX_STATEMENTS}")));
        }
        let bytes = named.bytes + prepared.bytes() + name.len();
        if bytes > MAX_BYTES {
            return Err(limit(&format!("a session's may take {} MiB", MAX_BYTES >> 20)));
        }
        named.bytes = bytes;
        named.by_name.insert(name.to_owned(), prepared);
        Ok(())
    }

    /// The statement of this name.
    ///
    /// # Errors
    /// `26000`.
    pub fn get(&self, name: &str) -> Result<Prepared> {
        self.named.lock().by_name.get(cut(name)).cloned().ok_or_else(|| {
            let message = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            Error::client(SqlState::INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    /// Forgets a statement; false: there was none.
    pub fn remove(&mut self, name: &str) -> bool {
        self.named.lock().remove(name)
    }

    /// Forgets all that have a name, as DEALLOCATE ALL does.
    pub fn clear(&mut self) {
        let mut named = self.named.lock();
        let unnamed = named.by_name.remove("");
        *named = Named::default();
        if let Some(unnamed) = unnamed {
            named.bytes = unnamed.bytes();
            named.by_name.insert(String::new(), unnamed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_once_and_bounded() {
        let mut all = PreparedStatements::default();
        assert_eq!(all.get("").unwrap_err().message(), "unnamed prepared statement does not exist");
        all.insert("", Prepared::Empty(Arc::default())).unwrap();
        all.insert("", Prepared::Empty(Arc::default())).unwrap();
        all.insert("a", Prepared::Empty(Arc::default())).unwrap();
        assert_eq!(
            all.insert("a", Prepared::Empty(Arc::default())).unwrap_err().state(),
            SqlState::DUPLICATE_PREPARED_STATEMENT
        );
        assert!(all.remove("a") && !all.remove("a"));
        assert_eq!(all.get("a").unwrap_err().state(), SqlState::INVALID_SQL_STATEMENT_NAME);
        all.clear();
        assert!(all.get("").is_ok(), "the unnamed statement is gone");
        all.remove("");
        for i in 0..MAX_STATEMENTS {
            all.insert(&i.to_string(), Prepared::Empty(Arc::default())).unwrap();
        }
        assert_eq!(
            all.insert("x", Prepared::Empty(Arc::default())).unwrap_err().state(),
            SqlState::CONFIGURATION_LIMIT_EXCEEDED
        );
        for i in 0..MAX_STATEMENTS {
            all.remove(&i.to_string());
        }
        assert_eq!(all.named.lock().bytes, 0);
    }
}
