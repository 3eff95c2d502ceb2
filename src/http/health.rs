//! Whether the daemon should get traffic, and why not.
//! Must not know: HTTP.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::SourceHealth;
use crate::config::Ready;

/// The state behind `/readyz`.
pub(super) struct Health {
    required: Ready,
    draining: bool,
    sources: Vec<SourceHealth>,
}

impl Health {
    pub(super) fn new(required: Ready, draining: bool, sources: Vec<SourceHealth>) -> Self {
        Health { required, draining, sources }
    }

    /// Whether new connections should come here.
    pub(super) fn ready(&self) -> bool {
        let enough = match self.required {
            Ready::All => self.sources.iter().all(|source| source.up),
            // Without sources there is nothing to wait for.
            Ready::Any => self.sources.is_empty() || self.sources.iter().any(|source| source.up),
            Ready::None => true,
        };
        enough && !self.draining
    }

    /// The page.
    pub(super) fn to_json(&self) -> String {
        let status = match (self.draining, self.ready()) {
            (true, _) => "draining",
            (false, true) => "ready",
            (false, false) => "not ready",
        };
        let required = match self.required {
            Ready::All => "all",
            Ready::Any => "any",
            Ready::None => "none",
        };
        let sources: Vec<serde_json::Value> = self
            .sources
            .iter()
            .map(|source| {
                json!({
                    "name": source.name,
                    "kind": source.kind.name(),
                    "up": source.up,
                    "since": DateTime::<Utc>::from(source.since).to_rfc3339_opts(SecondsFormat::Secs, true),
                    "error_class": source.error_class,
                })
            })
            .collect();
        let page = json!({ "status": status, "required": required, "sources": sources });
        format!("{page}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceKind;

    fn source(up: bool) -> SourceHealth {
        SourceHealth {
            name: "s".to_owned(),
            kind: SourceKind::Sqlite,
            up,
            since: std::time::SystemTime::UNIX_EPOCH,
            error_class: None,
        }
    }

    #[test]
    fn what_is_required_is_required() {
        let ready =
            |required, ups: &[bool]| Health::new(required, false, ups.iter().map(|up| source(*up)).collect()).ready();
        assert!(ready(Ready::All, &[]) && ready(Ready::All, &[true, true]) && !ready(Ready::All, &[true, false]));
        assert!(ready(Ready::Any, &[]) && ready(Ready::Any, &[true, false]) && !ready(Ready::Any, &[false]));
        assert!(ready(Ready::None, &[false]));
        assert!(!Health::new(Ready::None, true, Vec::new()).ready());
    }
}
