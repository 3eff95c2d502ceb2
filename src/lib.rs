//! Tusk: one PostgreSQL port over live PostgreSQL, Parquet, CSV, JSON and SQLite.
//!
//! The map of the house, top floor first. A room imports rooms on lower floors only (`tests/it/tidy.rs` holds the table):
//!
//! | floor | rooms |
//! |---|---|
//! | F8 | [`cli`]: the command line |
//! | F7 | [`daemon`]: puts the app together |
//! | F6 | [`wire`]: the PostgreSQL protocol; [`http`]: metrics and health |
//! | F5 | [`query`]: the path of a query, from text to rows |
//! | F4 | [`engine`]: runs plans; [`views`]: `tusk.*`; [`pg_catalog`]: PostgreSQL's catalogs |
//! | F3 | [`session`]: one client's state; [`catalog`]: what can be named |
//! | F2 | [`rows`]: rows on their way; [`policy`]: who may; [`source`]: where rows come from |
//! | F1 | [`config`], [`types`], [`sql`], [`metrics`], [`history`] |
//! | F0 | [`names`], [`error`], [`shutdown`] |

pub mod catalog;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod error;
pub mod history;
pub mod http;
pub mod metrics;
pub mod names;
pub mod pg_catalog;
pub mod policy;
pub mod query;
pub mod rows;
pub mod session;
pub mod shutdown;
pub mod source;
pub mod sql;
pub mod types;
pub mod views;
pub mod wire;
