//! Plays a transcript to a server and keeps what it answers, step by step.
//! Must not know: what it should answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answer;
use super::notation::{Script, Wait};
use super::send::Send;
use crate::harness::daemon::wait_for;
use crate::harness::peer::{Came, Peer};
use crate::harness::raw::{Message, Raw, rows};

/// How long a server may be silent, or a statement take to be asleep.
const SILENCE: Duration = Duration::from_secs(10);

/// Where a transcript is played.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) port: u16,
    /// The PostgreSQL that runs what the statement sleeps in.
    pub(crate) source: u16,
    /// The database there.
    pub(crate) source_database: &'static str,
}

/// One connection, and what a cancel request needs of it.
struct Wire {
    peer: Peer,
    key: Option<(i32, Vec<u8>)>,
}

/// The answers of a server to the steps of a script.
pub(crate) fn play(script: &Script, server: &Server) -> Vec<Vec<String>> {
    let mut wires: BTreeMap<String, Wire> = BTreeMap::new();
    let mut answers = Vec::new();
    for step in script.steps() {
        let mut lines = Vec::new();
        if answers.last().is_some_and(|last: &Vec<String>| last.last().is_some_and(|line| line == "silence")) {
            answers.push(vec!["silence".into()]);
            continue;
        }
        for message in &step.messages {
            let name = &step.connection;
            match message {
                Send::Login(parameters) => {
                    let wire = Wire::login(server.port, parameters, &mut lines);
                    wires.insert(name.clone(), wire);
                }
                Send::Bytes(bytes, _) => {
                    let starts = bytes.first() == Some(&0);
                    wire(&mut wires, name, server, starts, &mut lines).peer.send(bytes);
                }
                Send::Ask(bytes) => {
                    let wire = wire(&mut wires, name, server, true, &mut lines);
                    wire.peer.send(bytes);
                    lines.extend(wire.peer.byte().map(|byte| format!("byte {}", answer::value(&[byte]))));
                }
                Send::Cancel(target) => cancel(server, &wires[target], 0),
                Send::CancelWrongly(target) => cancel(server, &wires[target], 1),
                Send::Asleep => asleep(server),
                Send::Open => {
                    wire(&mut wires, name, server, true, &mut lines);
                }
                Send::Leave => wires[name].peer.leave(),
                Send::Nothing => {}
            }
        }
        lines.extend(gather(&mut wires, &step.connection, &step.wait));
        answers.push(lines);
    }
    answers
}

/// The connection of this name; if it is new it logs in, or says nothing where the transcript does that itself.
fn wire<'a>(
    wires: &'a mut BTreeMap<String, Wire>,
    name: &str,
    server: &Server,
    bare: bool,
    lines: &mut Vec<String>,
) -> &'a mut Wire {
    wires
        .entry(name.to_owned())
        .or_insert_with(|| if bare { Wire::open(server.port) } else { Wire::login(server.port, &[], lines) })
}

/// Reads an answer until it is whole, the connection closed or silent.
fn gather(wires: &mut BTreeMap<String, Wire>, name: &str, wait: &Wait) -> Vec<String> {
    let pids: Vec<(i32, String)> =
        wires.iter().filter_map(|(name, wire)| wire.key.as_ref().map(|(pid, _)| (*pid, name.clone()))).collect();
    let of_pid = |pid: i32| pids.iter().find(|(known, _)| *known == pid).map(|(_, name)| name.clone());
    let mut lines = Vec::new();
    let Some(wire) = wires.get_mut(name) else { return lines };
    let mut due = match wait {
        Wait::None => return lines,
        Wait::For(_, times) => *times,
        Wait::Closed => usize::MAX,
    };
    while due > 0 {
        match wire.peer.next() {
            Came::Message(message) => {
                let line = answer::line(&message, of_pid);
                let name = line.split(' ').next().unwrap();
                // Whatever was waited for: after ReadyForQuery it does not come any more.
                let last = name == "Ready" && matches!(wait, Wait::For(wanted, _) if wanted != "Ready");
                due = if last { 0 } else { due - usize::from(matches!(wait, Wait::For(wanted, _) if wanted == name)) };
                wire.learn(&message);
                lines.push(line);
            }
            Came::Closed => {
                lines.push("closed".into());
                break;
            }
            Came::Silence => {
                lines.push("silence".into());
                break;
            }
        }
    }
    lines
}

fn cancel(server: &Server, wire: &Wire, change: u8) {
    let (pid, mut key) = wire.key.clone().expect("a key");
    key[0] ^= change;
    let mut other = Peer::open(server.port, SILENCE);
    let length = (12 + key.len()) as i32;
    other.send(&[&length.to_be_bytes()[..], &80_877_102_i32.to_be_bytes(), &pid.to_be_bytes(), &key].concat());
    assert!(matches!(other.next(), Came::Closed), "a cancel request was answered");
}

/// Waits until a statement sleeps in the PostgreSQL behind.
fn asleep(server: &Server) {
    let mut watch = Raw::login(server.source, "postgres", "postgres");
    let sql = format!(
        "select 1 from pg_stat_activity where datname = '{}' and state = 'active' and wait_event = 'PgSleep'",
        server.source_database
    );
    wait_for(SILENCE, || (!rows(&watch.ask(&sql)).is_empty()).then_some(())).expect("a statement sleeps");
}

impl Wire {
    fn open(port: u16) -> Wire {
        Wire { peer: Peer::open(port, SILENCE), key: None }
    }

    /// Logs in as `ana`; errors and notices are part of the transcript.
    fn login(port: u16, parameters: &[(String, String)], lines: &mut Vec<String>) -> Wire {
        let mut wire = Wire::open(port);
        for message in wire.peer.login(parameters) {
            wire.learn(&message);
            if matches!(message.tag, b'E' | b'N') {
                lines.push(answer::line(&message, |_| None));
            }
        }
        wire
    }

    fn learn(&mut self, message: &Message) {
        if message.tag == b'K' {
            self.key = Some((i32::from_be_bytes(message.body[..4].try_into().unwrap()), message.body[4..].to_vec()));
        }
    }
}
