//! Conversations kept as text in `tests/transcripts`: PostgreSQL's answers stand beside what is sent, and Tusk's are the same, or as declared.
//! Must not know: what is talked about.
//!
//! `REWRITE=1` writes PostgreSQL's answers anew, and Tusk's where a difference is declared; `TRANSCRIPT=part` plays only files with that in
//! their path. The notation is described in `tests/transcripts/README.md`.

pub(crate) mod answer;
pub(crate) mod notation;
mod play;
pub(crate) mod send;
pub(crate) mod tables;
mod types;

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::daemon::{Daemon, repository};
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Raw, rows};
use notation::{Declared, Script};
use play::{Server, play};

/// A transcript and its place below `tests/transcripts`.
struct File {
    name: String,
    path: PathBuf,
    script: Script,
}

/// Both servers.
struct World {
    postgres: TestPostgres,
    tusk: Daemon,
}

impl World {
    fn oracle(&self) -> Server {
        Server { port: self.postgres.port(), source: self.postgres.port(), source_database: "tusk" }
    }

    /// What a transcript wrote is not there for the next: Tusk deletes nothing.
    fn empty_sink(&self) {
        for (database, table) in [("postgres", "sink"), ("tusk", "shop.sink")] {
            let answer = Raw::login(self.postgres.port(), "postgres", database).ask(&format!("truncate {table}"));
            assert!(rows(&answer).is_empty());
        }
    }

    fn tusk(&self) -> Server {
        Server { port: self.tusk.port(), source: self.postgres.port(), source_database: "postgres" }
    }
}

/// Every transcript below a folder.
pub(crate) fn paths() -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folders = vec![repository("tests/transcripts")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "wire") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths
}

fn files() -> Vec<File> {
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let root = repository("tests/transcripts");
    let name = |path: &Path| path.strip_prefix(&root).unwrap().with_extension("").to_string_lossy().into_owned();
    let files = paths().into_iter().map(|path| {
        let name = name(&path);
        let script = Script::read(&name, &fs::read_to_string(&path).unwrap());
        File { name, path, script }
    });
    files.filter(|file| file.name.contains(&wanted)).collect()
}

/// Files that Tusk does not satisfy yet, each with what its first wrong line says. An entry must fail just so: what is mended leaves the list.
fn pending() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository("tests/transcripts/PENDING")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").expect("`name: what is wrong`")).map(|(a, b)| (a.into(), b.into())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tusk_talks_as_postgresql_does() {
    let rewrite = std::env::var_os("REWRITE").is_some();
    let (postgres, tusk) = tables::start().await;
    let world = World { postgres, tusk };
    let (pid, pending) = (world.tusk.pid(), pending());
    let (mut wrong, mut waits) = (Vec::new(), Vec::new());
    let mut satisfied = 0;
    for mut file in files() {
        world.empty_sink();
        let theirs = play(&file.script, &world.oracle());
        if rewrite {
            file.script.steps_mut().zip(&theirs).for_each(|(step, answer)| step.golden.clone_from(answer));
        }
        let found = differences(&file, &theirs, |step| &step.golden, "PostgreSQL");
        let ours = play(&file.script, &world.tusk());
        if rewrite {
            redeclare(&mut file.script, &ours);
            fs::write(&file.path, file.script.write()).unwrap();
        }
        let expected = |step: &'_ notation::Step| -> Vec<String> {
            step.declared.as_ref().map_or(step.golden.clone(), |declared| declared.answer.clone())
        };
        let mut of_tusk = Vec::new();
        for (step, answer) in file.script.steps().zip(&ours) {
            let expected = expected(step);
            if expected != *answer {
                of_tusk.push(Difference::new(&file.name, step.line, "Tusk", &expected, answer));
            }
            if step.declared.is_some() && *answer == step.golden {
                of_tusk.push(Difference {
                    text: format!("{}:{}: the declared difference is gone", file.name, step.line),
                    first: "gone".into(),
                });
            }
        }
        wrong.extend(found.into_iter().map(|difference| difference.text));
        match pending.iter().find(|(name, _)| *name == file.name) {
            Some((_, stated)) => waits.extend(still_pending(&file.name, stated, &of_tusk)),
            None => {
                satisfied += usize::from(of_tusk.is_empty());
                wrong.extend(of_tusk.into_iter().map(|difference| difference.text));
            }
        }
    }
    assert_eq!(world.tusk.pid(), pid);
    let log = world.tusk.log();
    assert!(!log.contains("panick"), "{log}");
    eprintln!("{satisfied} transcripts as PostgreSQL, or as declared; {} pending", pending.len());
    wrong.append(&mut waits);
    assert!(wrong.is_empty(), "{} steps differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is to be changed in the list: a file on it fails as stated, or leaves it.
fn still_pending(name: &str, stated: &str, found: &[Difference]) -> Option<String> {
    match found.first() {
        Some(difference) if difference.first.contains(stated) => None,
        Some(difference) => Some(format!("PENDING says {stated} of this:\n{}", difference.text)),
        None => Some(format!("{name} is satisfied: take it out of PENDING")),
    }
}

/// An answer that is not as written.
struct Difference {
    text: String,
    /// The first line of the answer that is not.
    first: String,
}

impl Difference {
    fn new(name: &str, line: usize, whose: &str, expected: &[String], answer: &[String]) -> Difference {
        let first = answer.iter().zip(expected).find(|(ours, theirs)| ours != theirs).map(|(ours, _)| ours.clone());
        let first = first.unwrap_or_else(|| answer.get(expected.len()).cloned().unwrap_or("nothing more".into()));
        let list = |lines: &[String]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
        let text = format!("--- {name}:{line}\n  expected:\n{}  {whose}:\n{}", list(expected), list(answer));
        Difference { text, first }
    }
}

fn differences(
    file: &File,
    answers: &[Vec<String>],
    expected: impl Fn(&notation::Step) -> &Vec<String>,
    whose: &str,
) -> Vec<Difference> {
    let steps = file.script.steps().zip(answers).filter(|(step, answer)| expected(step) != *answer);
    steps.map(|(step, answer)| Difference::new(&file.name, step.line, whose, expected(step), answer)).collect()
}

/// Writes Tusk's answers where it is declared that they differ.
fn redeclare(script: &mut Script, answers: &[Vec<String>]) {
    for (step, answer) in script.steps_mut().zip(answers) {
        if let Some(Declared { answer: declared, .. }) = &mut step.declared {
            declared.clone_from(answer);
        }
    }
}
