//! PostgreSQL's semantics for statements that DataFusion runs: names, types, functions, errors.
//! Must not know: the wire, sessions, policy.
//!
//! A statement is bound by our own analysis, which follows PostgreSQL's (its catalogs of operators, functions and casts, its rules for
//! unknown literals and common types). What comes out is a plan whose expressions are DataFusion's own only where they give
//! PostgreSQL's answer, and functions of ours everywhere else. Nothing is reachable by name that is not certified here.

mod aggregates;
mod arrays;
mod bind;
mod cast;
mod coerce;
mod ctype;
mod datetime;
mod errors;
mod evaluation;
mod facts;
mod fold;
mod gather;
mod held;
mod install;
mod json_rows;
mod json_sets;
mod kernel;
mod keys;
mod lift;
mod limits;
mod membership;
mod number_format;
mod numeric;
mod offered;
mod ops;
mod own;
mod pg;
mod plan;
mod regex;
mod resolve;
mod rows;
mod session_functions;
mod sets;
mod spread;
mod subscripts;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod windows;

pub(super) use self::bind::NAMED_OID;
pub use self::coerce::can_assign;
pub use self::errors::from_datafusion;
pub(super) use self::evaluation::optimizer_rules;
pub use self::facts::{SessionActs, SessionFacts, SettingLookup};
pub use self::gather::gathered;
pub use self::install::install;
pub use self::offered::offered;
pub use self::plan::{Bound, bind_parameters, plan, with_facts};
pub(super) use self::session_functions::no_setting;
pub(super) use self::sets::RECORD;
pub(super) use self::spread::spreads;
pub use self::value::name_of;
