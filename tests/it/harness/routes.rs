//! The two ways of a statement that reads one PostgreSQL alone: to that source as a whole, or through the engine that joins sources.
//! Must not know: what is asked.

use super::daemon::Daemon;
use super::raw::{Raw, rows, transcript};

/// Values of `tusk.route` that lead each of the two ways, the default first.
pub(crate) const ROUTES: [&str; 2] = ["auto", "federated"];

/// A session of this user whose statements take this route.
pub(crate) fn routed(tusk: &Daemon, user: &str, route: &str) -> Raw {
    let mut raw = Raw::login(tusk.port(), user, "tusk");
    take(&mut raw, route);
    raw
}

/// Statements of a session take this route from here on.
pub(crate) fn take(raw: &mut Raw, route: &str) {
    let answer = raw.ask(&format!("set tusk.route = {route}"));
    assert!(answer.iter().all(|message| message.tag != b'E'), "{route}: {}", transcript(&answer));
}

/// Fails unless a statement that reads one PostgreSQL alone goes the way that the session's route means. A test of both that does not look
/// may compare one of them with itself.
pub(crate) fn goes(raw: &mut Raw, route: &str, sql: &str) {
    let plan = rows(&raw.ask(&format!("explain {sql}")));
    let first = plan[0][0].clone().unwrap_or_default();
    let expected = if route == "federated" { "Route: federated (" } else { "Route: passthrough (" };
    assert!(first.starts_with(expected), "{sql} does not go the way of {route}: {first}");
}
