//! The protocol by hand: what a real PostgreSQL answers to the same bytes over the same tables is what Tusk answers.
//! Must not know: how messages are handled inside.

mod copy;
mod copy_in;
mod copy_streams;
mod cursors;
mod extended;
mod notify;
mod portals;
mod prepare;
mod session;
mod simple;
mod startup;
mod timeouts;

use crate::harness::federation::Federation;
use crate::harness::raw::{Message, Raw, transcript};

/// The two servers.
struct Pair {
    federation: Federation,
}

impl Pair {
    async fn start() -> Self {
        Pair { federation: Federation::start().await }
    }

    fn tusk(&self) -> Raw {
        Raw::login(self.federation.tusk.port(), "ana", "tusk")
    }

    fn postgres(&self) -> Raw {
        Raw::login(self.federation.postgres.port(), "postgres", "oracle")
    }

    /// Plays a script to both and adds what differs to the findings.
    fn compare(&self, what: &str, script: impl Fn(&mut Raw) -> Vec<Message>, findings: &mut Vec<String>) {
        let ours = transcript(&script(&mut self.tusk()));
        let theirs = transcript(&script(&mut self.postgres()));
        if ours != theirs {
            findings.push(format!("--- {what}\nTusk:\n{ours}PostgreSQL:\n{theirs}"));
        }
    }

    /// Plays scripts to both.
    fn same(&self, scripts: &[(&str, Script)]) {
        let mut findings = Vec::new();
        for (what, script) in scripts {
            self.compare(what, script, &mut findings);
        }
        none(&findings);
    }
}

type Script = fn(&mut Raw) -> Vec<Message>;

fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} differ:\n{}", findings.len(), findings.join("\n"));
}

/// What a script sees, without what its messages hold.
fn kinds(messages: &[Message]) -> String {
    let mut kinds: String = messages.iter().map(|message| message.tag as char).collect();
    while kinds.contains("dd") {
        kinds = kinds.replace("dd", "d");
    }
    kinds
}
