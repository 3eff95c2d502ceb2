//! Errors and notices on their way to a client: logged once, told as far as the client may know.
//! Must not know: what went wrong.

use super::messages::{BackendWriter, Severity};
use crate::error::{Error, Fault, Notices};
use crate::query::RunningStatement;
use crate::session::SessionVars;

/// Writes an ErrorResponse. A bug of ours shows its query id and nothing else; the log has the chain.
pub(super) fn error(out: &mut BackendWriter, error: &Error, severity: Severity, running: Option<&RunningStatement>) {
    match running {
        // The statement's end logs it, with its id.
        Some(running) => {
            running.failed(error);
            out.error_response(error, severity, Some(running.query_id()));
        }
        None if error.fault() == Fault::Internal => {
            let id = uuid::Uuid::now_v7().simple().to_string();
            tracing::error!(query_id = %id, error = %error.chain(), "message failed");
            out.error_response(error, severity, Some(&id));
        }
        None => out.error_response(error, severity, None),
    }
}

/// Writes the notices that were not told yet, as far as `client_min_messages` lets them pass.
pub(super) fn notices(out: &mut BackendWriter, notices: &Notices, vars: &SessionVars) {
    let notices = notices.take();
    if notices.is_empty() {
        return;
    }
    let least = rank(vars.text("client_min_messages"));
    for notice in notices {
        let severity = severity(notice.severity);
        if severity == Severity::Info || rank(&notice.severity.to_ascii_lowercase()) >= least {
            // Whose fault a notice is decides nothing; it must not be taken for a bug of ours.
            let mut told = Error::client(notice.state, notice.message);
            if let Some(detail) = notice.detail {
                told = told.with_detail(detail);
            }
            if let Some(hint) = notice.hint {
                told = told.with_hint(hint);
            }
            out.notice_response(&told, severity);
        }
    }
}

fn severity(name: &str) -> Severity {
    match name {
        "WARNING" => Severity::Warning,
        "INFO" => Severity::Info,
        "LOG" => Severity::Log,
        "DEBUG" => Severity::Debug,
        _ => Severity::Notice,
    }
}

fn rank(level: &str) -> u8 {
    match level {
        "error" => 4,
        "warning" => 3,
        "notice" => 2,
        "log" | "info" => 1,
        _ => 0,
    }
}
