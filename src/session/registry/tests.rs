//! Tests of the registry.

use super::*;

fn who(user: &str) -> NewSession {
    NewSession { user: user.to_owned(), database: "tusk".to_owned(), client: None, server: None, key_bytes: 4 }
}

#[test]
fn only_the_right_key_cancels_only_the_running_statement() {
    let registry = SessionRegistry::new();
    let session = registry.register(who("ana")).unwrap();
    let key = session.key().bytes().to_vec();
    assert!(registry.cancel(session.pid(), &key), "nothing runs, and the key is right");
    let first = session.begin_statement();
    let mut wrong = key.clone();
    wrong[0] ^= 1;
    assert!(!registry.cancel(session.pid(), &wrong) && !registry.cancel(session.pid(), &key[..3]));
    assert!(!registry.cancel(session.pid() + 1, &key));
    assert!(!first.is_cancelled());
    session.end_statement();
    assert!(registry.cancel(session.pid(), &key));
    let second = session.begin_statement();
    assert!(!second.is_cancelled() && !first.is_cancelled());
    assert!(registry.cancel(session.pid(), &key) && second.is_cancelled() && !first.is_cancelled());
    session.idle(TransactionStatus::Idle);
    assert!(registry.cancel(session.pid(), &key));
    session.active(&"ä".repeat(SHOWN_BYTES));
    assert_eq!(registry.get(session.pid()).unwrap().query.len(), SHOWN_BYTES);
}

#[test]
fn sessions_come_and_go() {
    let registry = SessionRegistry::new();
    let a = registry.register(who("ana")).unwrap();
    let b = registry.register(who("bob")).unwrap();
    assert!(a.pid() > 0 && a.pid() != b.pid() && a.key() != b.key());
    a.set_application_name("psql");
    a.active("select 1");
    let row = registry.get(a.pid()).unwrap();
    assert_eq!((row.application_name.as_str(), row.activity.name(), &*row.query), ("psql", "active", "select 1"));
    assert!(
        !registry.terminate(b.pid(), Some("ana"))
            && registry.terminate(b.pid(), Some("bob"))
            && b.is_terminated()
            && !a.is_terminated()
    );
    assert_eq!((registry.len(), registry.count_of("ana")), (2, 1));
    let pid = a.pid();
    drop(a);
    assert!(!registry.cancel_pid(pid, None) && registry.list().len() == 1);
}
