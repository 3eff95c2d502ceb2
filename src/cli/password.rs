//! `tusk hash-password`: from a password to its verifier.
//! Must not know: where the verifier is used.

use std::io::{self, BufRead, IsTerminal, Read};
use std::process::{Command, Stdio};

use super::{FAILED, OK, Streams};
use crate::config::ScramVerifier;

/// Longer is somebody's file piped in by mistake.
const MAX_BYTES: u64 = 1024;

/// Reads one line with the terminal's echo off. The shell restores the terminal however it ends, on Ctrl-C too, when
/// this process is gone already; and it needs no foreign code here.
const READ_QUIETLY: &str = r#"
saved=$(stty -g) || exit 3
trap 'stty "$saved"; echo >&2' EXIT
trap 'exit 130' INT HUP TERM
stty -echo || exit 3
IFS= read -r line || exit 4
printf '%s' "$line"
"#;

/// Reads a password from the terminal (twice, unseen) or one line from standard input, and prints its verifier.
pub(super) fn hash_password(io: &mut Streams<'_>) -> io::Result<u8> {
    let stdin = io::stdin();
    let password = if stdin.is_terminal() { from_terminal(io) } else { first_line(&mut stdin.lock()) };
    match password {
        Ok(password) => {
            writeln!(io.out, "{}", ScramVerifier::of_password(&password))?;
            Ok(OK)
        }
        Err(problem) => {
            writeln!(io.err, "tusk: {problem}")?;
            Ok(FAILED)
        }
    }
}

fn from_terminal(io: &mut Streams<'_>) -> Result<String, String> {
    let first = ask("Password: ", io)?;
    let second = ask("Again: ", io)?;
    if first == second { Ok(first) } else { Err("the passwords differ".to_owned()) }
}

fn ask(prompt: &str, io: &mut Streams<'_>) -> Result<String, String> {
    let broken = |error: io::Error| format!("the terminal cannot be read: {error}");
    write!(io.err, "{prompt}").and_then(|()| io.err.flush()).map_err(broken)?;
    let read = Command::new("sh")
        .args(["-c", READ_QUIETLY])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(broken)?;
    match read.status.code() {
        Some(0) => first_line(&mut read.stdout.as_slice()),
        Some(4) => Err("no password was given".to_owned()),
        _ => Err("the terminal's echo cannot be turned off; give the password on standard input".to_owned()),
    }
}

/// The first line without its end.
fn first_line(input: &mut dyn BufRead) -> Result<String, String> {
    let mut bytes = Vec::new();
    input
        .take(MAX_BYTES + 2)
        .read_until(b'\n', &mut bytes)
        .map_err(|error| format!("the password cannot be read: {error}"))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("the password is longer than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "the password is not UTF-8 text".to_owned())?;
    if text.is_empty() {
        return Err("the password is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("the password has a NUL character".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_its_end() {
        let line = |text: &[u8]| first_line(&mut &*text);
        assert_eq!(line(b" a b \r\nnext\n").as_deref(), Ok(" a b "));
        assert_eq!(line("pässword".as_bytes()).as_deref(), Ok("pässword"));
        assert!(line(b"").is_err() && line(b"\n").is_err() && line(b"\xff\n").is_err() && line(b"a\0b").is_err());
        assert!(line(&[b'a'; 1024]).is_ok() && line(&[b'a'; 1025]).is_err());
        assert!(line(&[[b'a'; 1024].as_slice(), b"\r\n"].concat()).is_ok());
    }
}
