//! Hostile peers: before the login, in a session, in crowds. What they send ends in an error or in the end of their connection, and nobody else notices.
//! Must not know: how messages are handled inside.

mod cancels;
mod crowds;
mod fuzz;
mod login;
mod messages;
mod secrecy;

use std::time::Duration;

use crate::harness::daemon::{Daemon, Setup};
use crate::harness::raw::{Raw, rows};

/// How long anything may take that ought to come at once, on a machine however busy.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A daemon without sources, trusting `ana`, and `root`, an administrator.
fn bare(server: &str) -> Daemon {
    let config = "[[role]]\nname = \"reader\"\n[[role]]\nname = \"administrator\"\nadmin = true\n\
                  [[user]]\nname = \"ana\"\nroles = [\"reader\"]\n[[user]]\nname = \"root\"\nroles = [\"administrator\"]\n";
    Daemon::start(&Setup { config: config.into(), server: format!("auth = \"trust\"\n{server}"), ..Setup::default() })
}

/// A session begins, and answers.
fn lives(tusk: &Daemon) {
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    assert_eq!(rows(&raw.ask("select 1")), [[Some("1".to_owned())]]);
}

/// Nothing panicked, and the process is the one that was started.
fn unharmed(tusk: &Daemon, pid: u32) {
    assert_eq!(tusk.pid(), pid);
    assert!(std::path::Path::new(&format!("/proc/{pid}/statm")).exists(), "the daemon is gone");
    let log = tusk.log();
    let line = log.lines().find(|line| line.contains("panick"));
    assert!(line.is_none(), "{line:?}");
}
