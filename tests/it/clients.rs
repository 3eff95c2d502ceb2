//! Real clients, each a small program in `tests/clients`, run against Tusk and against a PostgreSQL that holds the same tables: every
//! step succeeds and brings the same, or stands in the matrix of `docs/clients.md` as failing, with exactly that state.
//! Must not know: what the programs ask.

mod matrix;
mod programs;
mod servers;

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Mutex;

use matrix::{Matrix, Outcome, Row};
use programs::{PROGRAMS, Program, Said, Tools};
use servers::Servers;

/// What a difference is shown of.
const SHOWN: usize = 160;

/// A program's part of the result: its row, or why it did not run.
enum Finding {
    Ran(Row),
    Skipped(&'static str, String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_does_what_the_matrix_says() {
    let servers = Servers::start().await;
    let tools = Tools::find();
    // One client for work on it: TUSK_TEST_CLIENT=psql.
    let only = std::env::var("TUSK_TEST_CLIENT").ok();
    let wanted = PROGRAMS.iter().filter(|program| only.as_ref().is_none_or(|only| program.client == *only));
    let queue = Mutex::new(wanted.collect::<VecDeque<_>>());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(program) = queue.lock().unwrap().pop_front() else { break };
                    let finding = examine(program, &tools, &servers);
                    found.lock().unwrap().push(finding);
                }
            });
        }
    });
    let mut rows = Vec::new();
    let mut skipped = Vec::new();
    for finding in found.into_inner().unwrap() {
        match finding {
            Finding::Ran(row) => rows.push(row),
            Finding::Skipped(client, why) => {
                // Past the capture of tests: nobody is to take a skipped client for a good one.
                writeln!(std::io::stderr(), "skipped: {client}: {why}").unwrap();
                skipped.push(client);
            }
        }
    }
    rows.sort_by_key(|row| PROGRAMS.iter().position(|program| program.client == row.client));
    let now = Matrix { rows };
    if std::env::var_os("REWRITE").is_some() {
        assert!(skipped.is_empty() && only.is_none(), "the matrix is written from all clients or not at all");
        return now.write();
    }
    let differences = now.differences(&Matrix::recorded());
    assert!(
        differences.is_empty(),
        "the matrix in docs/clients.md says otherwise (tests/matrix.sh writes it anew):\n{}",
        differences.join("\n")
    );
}

/// Runs a program against both servers and judges each of its steps.
fn examine(program: &'static Program, tools: &Tools, servers: &Servers) -> Finding {
    let command = match program.command(tools) {
        Ok(command) => command,
        Err(why) => return Finding::Skipped(program.client, why),
    };
    let theirs = programs::run(&command, &servers.oracle());
    let ours = programs::run(&command, &servers.tusk());
    assert!(!theirs.is_empty(), "{} said nothing against PostgreSQL", program.client);
    let mut row = Row { client: program.client.to_owned(), version: String::new(), outcomes: Vec::new() };
    for said in &theirs {
        assert!(said.ok, "{}, {} fails against PostgreSQL: {}", program.client, said.step, said.text);
        let failure = judge(said, ours.iter().find(|ours| ours.step == said.step));
        eprintln!(
            "{} {} {} {}",
            said.client,
            said.version,
            said.step,
            match &failure {
                None => "ok".to_owned(),
                Some(reason) => format!("FAIL {reason}"),
            }
        );
        row.version.clone_from(&said.version);
        row.outcomes.push(Outcome { step: said.step.clone(), failure });
    }
    Finding::Ran(row)
}

/// Why a step fails against Tusk, if it does.
fn judge(theirs: &Said, ours: Option<&Said>) -> Option<String> {
    match ours {
        None => Some("not reached".into()),
        // The server's own words, where they are in it.
        Some(ours) if !ours.ok => {
            let said = ours.text.rsplit_once("ERROR: ").map_or(ours.text.as_str(), |(_, said)| said);
            let said = said.split_once(" [SQL: ").map_or(said, |(said, _)| said);
            Some(said.trim().chars().take(SHOWN).collect())
        }
        Some(ours) if ours.text != theirs.text => {
            let (ours, theirs): (Vec<char>, Vec<char>) = (ours.text.chars().collect(), theirs.text.chars().collect());
            let from = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count().saturating_sub(40);
            let part = |text: &[char]| text.iter().skip(from).take(SHOWN).collect::<String>();
            Some(format!("differs: {} where PostgreSQL has {}", part(&ours), part(&theirs)))
        }
        Some(_) => None,
    }
}
