//! The notation of transcripts: text to steps, and steps with their answers to text again.
//! Must not know: sockets, servers.

use super::send::{Send, parse};

/// A conversation of a file.
pub(crate) struct Script {
    items: Vec<Item>,
}

enum Item {
    /// A comment or an empty line, kept where it stands.
    Text(String),
    Step(Step),
}

/// What is sent on one connection, and what comes back before anything else is sent.
pub(crate) struct Step {
    /// Where it begins in its file.
    pub(crate) line: usize,
    /// The connection's name; the first one has none.
    pub(crate) connection: String,
    sent: Vec<String>,
    pub(crate) messages: Vec<Send>,
    explicit: Option<String>,
    pub(crate) wait: Wait,
    /// PostgreSQL's answer.
    pub(crate) golden: Vec<String>,
    /// Tusk's answer, where it is another, and why.
    pub(crate) declared: Option<Declared>,
}

/// A difference that is meant.
pub(crate) struct Declared {
    pub(crate) reason: String,
    pub(crate) answer: Vec<String>,
}

/// When an answer is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// After so many messages of this name.
    For(String, usize),
    /// With the end of the connection.
    Closed,
    /// At once: the next step reads it.
    None,
}

impl Script {
    /// Reads a file.
    pub(crate) fn read(name: &str, text: &str) -> Script {
        let mut items: Vec<Item> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let place = format!("{name}:{}", number + 1);
            if line.trim().is_empty() || line.starts_with('#') {
                items.push(Item::Text(line.to_owned()));
                continue;
            }
            if let Some((connection, joined, text)) = split_sent(line) {
                let message = parse(text).unwrap_or_else(|why| panic!("{place}: {why}"));
                match items.last_mut() {
                    Some(Item::Step(step)) if step.takes_more(connection, joined) => step.add(line, message),
                    _ if joined => panic!("{place}: nothing to join"),
                    _ => items.push(Item::Step(Step::new(number + 1, connection, line, message))),
                }
                continue;
            }
            let Some(Item::Step(step)) = items.last_mut() else { panic!("{place}: an answer to nothing") };
            step.line_of_answer(line).unwrap_or_else(|why| panic!("{place}: {why}"));
        }
        for item in &mut items {
            if let Item::Step(step) = item {
                step.settle(name);
            }
        }
        Script { items }
    }

    /// The steps, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.items.iter().filter_map(|item| match item {
            Item::Step(step) => Some(step),
            Item::Text(_) => None,
        })
    }

    /// The steps, to be given other answers.
    pub(crate) fn steps_mut(&mut self) -> impl Iterator<Item = &mut Step> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Step(step) => Some(step),
            Item::Text(_) => None,
        })
    }

    /// The file again.
    pub(crate) fn write(&self) -> String {
        let mut lines = Vec::new();
        for item in &self.items {
            match item {
                Item::Text(text) => lines.push(text.clone()),
                Item::Step(step) => step.write(&mut lines),
            }
        }
        lines.join("\n") + "\n"
    }
}

impl Step {
    fn new(line: usize, connection: &str, line_sent: &str, message: Send) -> Step {
        Step {
            line,
            connection: connection.to_owned(),
            sent: vec![line_sent.to_owned()],
            messages: vec![message],
            explicit: None,
            wait: Wait::None,
            golden: Vec::new(),
            declared: None,
        }
    }

    fn add(&mut self, line: &str, message: Send) {
        self.sent.push(line.to_owned());
        self.messages.push(message);
    }

    /// A step ends with Query or Sync, unless the next line is joined to it.
    fn takes_more(&self, connection: &str, joined: bool) -> bool {
        let open = self.explicit.is_none() && self.golden.is_empty() && self.declared.is_none();
        let ended = self.messages.last().is_some_and(Send::asks_for_ready);
        self.connection == connection && open && (joined || !ended)
    }

    fn line_of_answer(&mut self, line: &str) -> Result<(), String> {
        if let Some(wait) = line.strip_prefix("wait ") {
            self.explicit = Some(wait.to_owned());
        } else if let Some(golden) = line.strip_prefix("< ") {
            self.golden.push(golden.to_owned());
        } else if let Some(answer) = line.strip_prefix("!< ") {
            let declared = self.declared.as_mut().ok_or("a difference without a reason")?;
            declared.answer.push(answer.to_owned());
        } else if let Some(reason) = line.strip_prefix("! ") {
            self.declared = Some(Declared { reason: reason.to_owned(), answer: Vec::new() });
        } else {
            return Err(format!("not understood: {line}"));
        }
        Ok(())
    }

    /// Without a `wait` an answer ends with as many ReadyForQuery as were asked for.
    fn settle(&mut self, name: &str) {
        self.wait = match self.explicit.as_deref() {
            Some("closed") => Wait::Closed,
            Some("none") => Wait::None,
            Some(other) => match other.rsplit_once(' ') {
                Some((what, times)) => Wait::For(what.to_owned(), times.parse().expect("how often")),
                None => Wait::For(other.to_owned(), 1),
            },
            None => {
                let due = self.messages.iter().filter(|message| message.asks_for_ready()).count();
                assert!(
                    due > 0,
                    "{name}:{}: nothing here ends an answer; say `wait NAME`, `closed` or `none`",
                    self.line
                );
                Wait::For("Ready".into(), due)
            }
        };
    }

    fn write(&self, lines: &mut Vec<String>) {
        lines.extend(self.sent.iter().cloned());
        lines.extend(self.explicit.iter().map(|wait| format!("wait {wait}")));
        lines.extend(self.golden.iter().map(|line| format!("< {line}")));
        if let Some(declared) = &self.declared {
            lines.push(format!("! {}", declared.reason));
            lines.extend(declared.answer.iter().map(|line| format!("!< {line}")));
        }
    }
}

/// `name> message`, or `name>> message` for one that is sent together with what stands above it.
fn split_sent(line: &str) -> Option<(&str, bool, &str)> {
    let (head, message) = line.split_once("> ")?;
    let connection = head.strip_suffix('>').unwrap_or(head);
    let named = connection.bytes().all(|byte| byte.is_ascii_lowercase());
    named.then_some((connection, connection.len() < head.len(), message))
}
