//! Random sequences of messages, right ones and slightly wrong ones, played to Tusk and to PostgreSQL: both answer alike, message by message.
//! Must not know: what the right answer is.
//!
//! `TUSK_SEQUENCES=5000` for more than the few of every run, `TUSK_SEQUENCES_SEED=n` for others, or to begin with that one.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::harness::raw::{Message, Raw, bind, close, describe, execute, frame, parse};
use crate::transcripts::{answer, tables};

/// Sequences of an ordinary run.
const SEQUENCES: u64 = 400;

/// Statements, a line each behind what they are: `read`, `write`, `session`, `several`.
const STATEMENTS: &str = include_str!("sequences.txt");

/// Values of parameters in text and in binary.
const VALUES: &[&[u8]] = &[
    b"1",
    b"2",
    b"3",
    b"0",
    b"-5",
    b"abc",
    b"",
    b"1.5",
    b"t",
    b"2024-02-29",
    b"{1,2}",
    b"{}",
    b"NaN",
    b"99999999999",
    b"{\"a\": 1}",
    b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    b"\\x00ff",
    b"1 day",
    b"2024-01-01 00:00:00+00",
    b"anvil",
    b"\xff",
    b"\0\0\0\x01",
    b"\0\0\0\x02",
    b"\0\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\x05",
    b"\x01",
    b"\0\x01",
];

/// Types that a client may say its parameters have.
const TYPES: &[u32] =
    &[0, 0, 0, 0, 16, 20, 21, 23, 25, 700, 701, 1043, 1082, 1114, 1184, 1700, 17, 2950, 114, 3802, 1007, 1009, 705];

/// What is copied in.
const COPIED: &[&[u8]] = &[
    b"1\tx\t1.5\t2024-01-01\n",
    b"2\t\\N\t\\N\t\\N\n",
    b"3,abc\n",
    b"x,4\n",
    b"id,name\n",
    b"id\n",
    b"5\n",
    b"\\.\n",
    b"6\tq",
    b"\n",
    b"7\ta\tb\tc\td\n",
    b"bad\tx\t1\t2024-01-01\n",
    b"8\tx\t99999999\t2024-01-01\n",
    b"9,\"a\nb\"\n",
    b"10,\"q",
    b"\xff\xfe\n",
    b"1\tdup\t\\N\t\\N\n",
];

const COPIES: &[&str] = &[
    "copy sink from stdin",
    "copy sink (id, name) from stdin csv",
    "copy sink from stdin (format binary)",
    "copy sink (id, name) from stdin (format csv, header)",
    "copy sink (name, id) from stdin (delimiter ',', null 'N')",
    "copy sink (id) from stdin (format csv, header match)",
];

/// Names of statements and portals; one is never made.
const NAMES: &[&str] = &["", "", "", "s", "p", "nope"];

/// Makes sequences.
struct Maker {
    random: StdRng,
    statements: Vec<(&'static str, &'static str)>,
}

impl Maker {
    fn new(seed: u64) -> Maker {
        let lines = STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let statements = lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
        Maker { random: StdRng::seed_from_u64(seed), statements }
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.random_range(0..of.len())]
    }

    fn chance(&mut self, of: f64) -> bool {
        self.random.random_bool(of)
    }

    fn statement(&mut self, kinds: &[&str]) -> &'static str {
        let kind = self.one(kinds);
        let fitting: Vec<&str> =
            self.statements.iter().filter(|(known, _)| *known == kind).map(|(_, sql)| *sql).collect();
        self.one(&fitting)
    }

    fn value(&mut self) -> Option<&'static [u8]> {
        if self.chance(0.1) { None } else { Some(self.one(VALUES)) }
    }

    fn parse(&mut self, name: &str, kinds: &[&str]) -> (Vec<u8>, usize) {
        let sql = self.statement(kinds);
        let types: Vec<u32> = (0..self.one(&[0, 0, 0, 1, 2])).map(|_| self.one(TYPES)).collect();
        let parameters = (1..=9).filter(|number| sql.contains(&format!("${number}"))).count();
        (parse(name, sql, &types), parameters)
    }

    fn bind(&mut self, portal: &str, statement: &str, parameters: usize) -> Vec<u8> {
        let format = self.one(&[0, 0, 0, 1]);
        let values: Vec<_> = (0..parameters).map(|_| self.value()).collect();
        let results: &[i16] = self.one(&[&[], &[], &[0], &[1], &[0, 1]]);
        bind(portal, statement, format, &values, results)
    }

    /// A statement from Parse to Execute.
    fn round(&mut self) -> Vec<Vec<u8>> {
        let (name, portal) = (self.one(&["", "", "s"]), self.one(&["", "", "p"]));
        let (message, parameters) = self.parse(name, &["read", "read", "read", "write", "session"]);
        let mut messages = vec![message];
        if self.chance(0.5) {
            messages.push(describe(b'S', name));
        }
        messages.push(self.bind(portal, name, parameters));
        if self.chance(0.4) {
            messages.push(describe(b'P', portal));
        }
        for _ in 0..self.one(&[1, 1, 1, 2, 3]) {
            messages.push(execute(portal, self.one(&[0, 0, 1, 2, 5])));
            if self.chance(0.2) {
                messages.push(frame(b'S', b""));
            }
        }
        messages
    }

    /// A message of any type, with names that may stand for something.
    fn loose(&mut self) -> Vec<u8> {
        let (name, other) = (self.one(NAMES), self.one(NAMES));
        match self.random.random_range(0..100) {
            0..22 => self.parse(name, &["read", "read", "write", "session", "several"]).0,
            22..42 => {
                let parameters = self.one(&[0, 0, 1, 1, 2, 3]);
                self.bind(name, other, parameters)
            }
            42..56 => describe(self.one(b"SP"), name),
            56..76 => execute(name, self.one(&[0, 0, 1, 2, 3, -1, i32::MAX])),
            76..82 => close(self.one(b"SP"), name),
            82..85 => frame(b'H', b""),
            85..93 => frame(b'S', b""),
            _ => self.query(),
        }
    }

    /// The same, at times with a body that is none, or of no use where it comes.
    fn odd(&mut self) -> Vec<u8> {
        match self.random.random_range(0..160) {
            0 => frame(b'd', b"1\tx\n"),
            1 => frame(b'c', b""),
            2 => frame(b'f', b"why\0"),
            3 => {
                let whole = self.loose();
                // What is too short of a Bind is told otherwise, as declared in the transcripts.
                if whole[0] == b'B' { whole } else { frame(whole[0], &whole[5..whole.len() - 1]) }
            }
            4 => {
                let whole = self.loose();
                frame(whole[0], &[&whole[5..], b"more"].concat())
            }
            5 => frame(self.one(b"DC"), b"Xs\0"),
            _ => self.loose(),
        }
    }

    fn query(&mut self) -> Vec<u8> {
        let sql = self.statement(&["read", "write", "session", "session", "several", "several"]);
        frame(b'Q', format!("{sql}\0").as_bytes())
    }

    fn copy_in(&mut self) -> Vec<Vec<u8>> {
        let mut messages = vec![frame(b'Q', format!("{}\0", self.one(COPIES)).as_bytes())];
        for _ in 0..self.random.random_range(0..4) {
            messages.push(frame(b'd', self.one(COPIED)));
        }
        messages.push(if self.chance(0.8) { frame(b'c', b"") } else { frame(b'f', b"why\0") });
        messages
    }

    /// Steps, each of which ends in ReadyForQuery.
    fn sequence(&mut self) -> Vec<Vec<Vec<u8>>> {
        let steps = self.random.random_range(3..12);
        (0..steps).map(|_| self.step()).collect()
    }

    fn step(&mut self) -> Vec<Vec<u8>> {
        let mut messages = match self.random.random_range(0..100) {
            0..45 => self.round(),
            45..60 => return vec![self.query()],
            60..68 => return self.copy_in(),
            _ => (0..self.random.random_range(1..8)).map(|_| self.odd()).collect(),
        };
        messages.push(frame(b'S', b""));
        messages
    }
}

/// Behind each step come empty queries, which change nothing wherever they come: what is skipped after an error nobody can count.
const END: usize = 3;

/// What a server answers, step by step.
fn play(port: u16, sequence: &[Vec<Vec<u8>>]) -> Vec<Vec<String>> {
    let mut raw = Raw::login(port, "ana", "tusk");
    raw.ask("delete from sink");
    let end = frame(b'Q', b"\0").repeat(END);
    let mut answers = Vec::new();
    for step in sequence {
        raw.bytes(&[step.concat(), end.clone()].concat());
        let mut answer: Vec<Message> = Vec::new();
        while !answer.iter().map(|message| message.tag).collect::<Vec<_>>().ends_with(&b"IZ".repeat(END)) {
            answer.push(raw.read());
        }
        answers.push(answer.iter().map(|message| answer::line(message, |_| None)).collect());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "by hand: it finds what is to be mended next"]
async fn random_sequences_are_answered_as_postgresql_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (count, first) = (number("TUSK_SEQUENCES").unwrap_or(SEQUENCES), number("TUSK_SEQUENCES_SEED").unwrap_or(1));
    let (postgres, tusk) = tables::start().await;
    let mut findings = Vec::new();
    for seed in first..first + count {
        let sequence = Maker::new(seed).sequence();
        let (theirs, ours) = (play(postgres.port(), &sequence), play(tusk.port(), &sequence));
        let different = theirs.iter().zip(&ours).position(|(theirs, ours)| theirs != ours);
        if let Some(at) = different {
            let sent: Vec<String> = sequence[at].iter().map(|message| message.escape_ascii().to_string()).collect();
            let (theirs, ours) = (theirs[at].join("\n    "), ours[at].join("\n    "));
            findings.push(format!(
                "--- seed {seed}, step {at}\n  {}\n  PostgreSQL:\n    {theirs}\n  Tusk:\n    {ours}",
                sent.join("\n  ")
            ));
        }
    }
    super::none(&findings);
}
