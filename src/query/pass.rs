//! The choice between a statement's own source and the federated engine, and what the source is told of the session.
//! Must not know: how a statement is printed, how it runs.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use bytes::BytesMut;

use super::{Query, Route, RunningStatement, SHORT, Target};
use crate::catalog::{Relation, Viewer, World};
use crate::engine::datafusion::SessionFacts;
use crate::engine::passthrough::{CannotPass, PassPlan, PassRequest, Passthrough, Upstream, can_pass};
use crate::error::{Error, Result, SqlState};
use crate::names;
use crate::session::Session;
use crate::sql::print::{OwnValues, set_session};
use crate::sql::{Statement, TableRef};
use crate::types::{self, FormatOptions, PgType, text_encoder};

/// Settings of the session that decide what a statement says.
const SETTINGS: [&str; 6] =
    ["TimeZone", "DateStyle", "IntervalStyle", "bytea_output", "extra_float_digits", "lock_timeout"];

/// What `tusk.route` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// There, or not at all.
    Passthrough,
    /// There, if it can be.
    Auto,
    /// Not there.
    Federated,
}

/// What was chosen.
pub(super) enum Passed {
    /// The source has understood it.
    Yes(Arc<PassPlan>, Route),
    /// It is for the other engine; a sentence that says why, where it was tried.
    No(Option<String>),
}

/// What a choice is made from.
pub(super) struct Choice<'a> {
    pub(super) query: &'a Query,
    pub(super) session: &'a Session,
    pub(super) running: &'a RunningStatement,
    pub(super) statement: &'a Statement,
    pub(super) named: &'a [(TableRef, Relation)],
    pub(super) parameters: &'a [Option<PgType>],
    /// It tells nothing of the moment.
    pub(super) steady: bool,
    /// The other engine has refused it.
    pub(super) last_resort: bool,
    /// Its rows are wanted as soon as it is planned.
    pub(super) at_once: bool,
}

impl Choice<'_> {
    fn wish(&self) -> Wish {
        match self.session.setting("tusk.route").as_str() {
            // No other engine writes or locks.
            _ if self.statement.writes() => Wish::Passthrough,
            _ if self.statement.locks().is_some() && !self.named.is_empty() => Wish::Passthrough,
            "federated" => Wish::Federated,
            "passthrough" => Wish::Passthrough,
            _ if self.last_resort => Wish::Passthrough,
            _ => Wish::Auto,
        }
    }

    /// The source that a statement may be passed to. `Ok(None)`: it is not wished, or not even asked.
    fn source(&self, world: &World) -> Result<Option<Arc<str>>, CannotPass> {
        let reads = self.named.iter().any(|(_, relation)| matches!(relation, Relation::Table(_)));
        let views = self.named.iter().any(|(_, relation)| matches!(relation, Relation::Virtual(_)));
        let asked = match self.wish() {
            Wish::Federated => false,
            Wish::Auto => reads,
            // What reads no source is answered from memory; what reads nothing at all may be asked of a source for comparison.
            Wish::Passthrough => reads || !views,
        };
        if !asked {
            return Ok(None);
        }
        can_pass(self.named.iter().map(|(_, relation)| relation), world, &self.session.search_path()).map(Some)
    }

    /// Whether a statement that reads nothing, and failed here with this error, may be a source's.
    pub(super) fn is_for_sources(&self, error: &Error) -> bool {
        let unknown = [SqlState::FEATURE_NOT_SUPPORTED, SqlState::UNDEFINED_FUNCTION];
        self.named.is_empty() && self.wish() == Wish::Auto && unknown.contains(&error.state())
    }

    /// The plan of a statement that its source runs, with its route; or that the other engine has it. `route` is what it is without.
    pub(super) async fn passed(&self, viewer: &Viewer, facts: &SessionFacts, route: &Route) -> Result<Passed> {
        let source = match self.source(&viewer.world) {
            Ok(Some(source)) => source,
            Ok(None) => return Ok(Passed::No(None)),
            // Of several sources nobody asks why they are no single one.
            Err(CannotPass(_)) if self.wish() == Wish::Auto => return Ok(Passed::No(None)),
            Err(CannotPass(why)) => return self.refused(&format!("It {why}.")),
        };
        let printed = match self.print(&source, viewer, facts).await {
            Ok(printed) => printed,
            Err(error) if error.state() == SqlState::FEATURE_NOT_SUPPORTED => {
                return self.refused(&sentence(error.message()));
            }
            Err(error) => return Err(error),
        };
        let upstream = self.session.transaction.remote::<Upstream>();
        let engine = &self.query.parts.passthrough;
        let planned = self.running.bounds().guard(engine.plan(printed, upstream.as_deref())).await;
        match planned {
            Ok(plan) => {
                let reason = match self.named {
                    [] => format!("reads no table; {source} was asked"),
                    _ => format!("every relation is in {source}"),
                };
                let sources = if route.sources.is_empty() { vec![source.to_string()] } else { route.sources.clone() };
                Ok(Passed::Yes(Arc::new(plan), Route { target: Target::Passthrough, reason, sources }))
            }
            // A transaction that the source was asked in has failed with it.
            Err(error)
                if error.state() == SqlState::FEATURE_NOT_SUPPORTED
                    && self.wish() != Wish::Passthrough
                    && upstream.is_none_or(|upstream| *upstream.source() != *source) =>
            {
                self.refused(&sentence(error.message()))
            }
            Err(error) => {
                if error.is_unrun() {
                    let _ = self.query.parts.catalog.refresh(&source);
                }
                Err(error)
            }
        }
    }

    /// What is not passed through takes the other route, or none where that was forbidden.
    fn refused(&self, why: &str) -> Result<Passed> {
        if self.wish() == Wish::Passthrough && !self.named.is_empty() {
            return Err(Error::unsupported("the statement cannot be passed through").with_detail(why));
        }
        Ok(Passed::No(Some(why.to_owned())))
    }

    async fn print(
        &self,
        source: &Arc<str>,
        viewer: &Viewer,
        facts: &SessionFacts,
    ) -> Result<crate::engine::passthrough::Printed> {
        let own = self.own_values(source, viewer, facts)?;
        let session: Arc<str> = settings(self.session)?.into();
        let (statement, named) = (self.statement.clone(), self.named.to_vec());
        let (parameters, source) = (self.parameters.to_vec(), Arc::clone(source));
        let query_id = self.running.remote_name();
        let sees = sees(&viewer.world, &source);
        let everything = sees_everything(self.query, &viewer.world, &source);
        // What there is may have changed at the source since it was read: an administrator may know of that.
        let mounted = self.query.parts.catalog.source(&source);
        let explains = viewer.admin && mounted.is_some_and(|source| source.connector.mounts_everything());
        let short = statement.text.len() <= SHORT;
        let at_once = self.at_once;
        let printing = async move {
            Passthrough::print(&PassRequest {
                statement: &statement,
                relations: &named,
                source,
                own,
                session,
                parameters: &parameters,
                query_id: &query_id,
                sees,
                everything,
                explains,
                at_once,
            })
        };
        if short { printing.await } else { self.query.deep(self.running, printing).await }
    }

    fn own_values(&self, source: &str, viewer: &Viewer, facts: &SessionFacts) -> Result<OwnValues> {
        let now = self.session.transaction.is_block().then(|| timestamp(facts.now_micros)).transpose()?;
        Ok(OwnValues {
            user: viewer.user.clone(),
            database: viewer.database.clone(),
            schema: viewer.search_path.first().cloned(),
            pid: viewer.pid,
            version: names::version(),
            now,
            functions: self.query.parts.passthrough.functions(source),
        })
    }
}

/// Whether a role sees the table of this name at a source. (The source's messages tell no schema.)
pub(super) fn sees(world: &Arc<World>, source: &Arc<str>) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
    let (world, source) = (Arc::clone(world), Arc::clone(source));
    Arc::new(move |name| world.tables().any(|table| table.source == source && table.remote.name == name))
}

/// Whether a role sees every table that a source has, and every column of them.
pub(super) fn sees_everything(query: &Query, world: &World, source: &str) -> bool {
    let all = query.parts.catalog.source(source).and_then(|source| source.status().tables);
    all == Some(world.complete_tables(source))
}

/// A message as a sentence.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Statements that set what of the session decides what a statement says.
pub(super) fn settings(session: &Session) -> Result<String> {
    set_session(&SETTINGS.map(|name| (name, session.setting(name))))
}

/// A moment in PostgreSQL's text form, in UTC.
fn timestamp(micros: i64) -> Result<String> {
    let field = types::field("now", PgType::TIMESTAMPTZ, false);
    let array: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("+00:00"));
    let mut encoder = text_encoder(&field, &FormatOptions::default())?;
    encoder.bind(&array)?;
    let mut text = BytesMut::new();
    encoder.write(0, &mut text)?;
    String::from_utf8(text.to_vec()).map_err(|error| Error::internal("a time that is no text").with_cause(error))
}
