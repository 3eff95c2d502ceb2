//! The first of the two commands: the demo answers through its own port and says how to connect.
//! Must not know: what the demo's data are.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::daemon::{binary, repository, wait_for};

#[test]
fn demo_once_proves_itself_and_ends() {
    for directory in [repository("."), std::env::temp_dir()] {
        let output = Command::new(binary()).args(["demo", "--once"]).current_dir(directory).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
        assert!(out.contains("psql -h 127.0.0.1 -p "), "{out}");
        assert!(out.contains("--+--") && out.contains(" rows)"), "{out}");
    }
}

/// Without `--once` it keeps serving, until it is told to stop.
#[test]
fn the_demo_keeps_serving() {
    let mut child = Command::new(binary())
        .arg("demo")
        .current_dir(repository("."))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let psql = lines.by_ref().find(|line| line.trim_start().starts_with("psql ")).expect("a psql line");
    assert!(lines.any(|line| line.contains("until Ctrl-C")));
    let output = Command::new("sh")
        .args(["-c", &format!("{psql} -X -At -c 'select source_name from tusk.sources order by 1'")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.stdout.iter().filter(|byte| **byte == b'\n').count() >= 2, "{output:?}");
    let killed = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let status = wait_for(Duration::from_secs(10), || child.try_wait().unwrap());
    if status.is_none() {
        child.kill().unwrap();
    }
    assert_eq!(status.expect("the demo ends when it is told to").code(), Some(0));
}
