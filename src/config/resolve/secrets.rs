//! Passwords: where the file says they are, fetched now, never repeated in a message.
//! Must not know: what they open.

use toml::Value;

use super::super::Secret;
use super::super::file::At;
use super::super::verifier::ScramVerifier;
use super::Context;

/// Looks up a variable of the environment.
pub(in super::super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The password of a source: `{ env = "NAME" }` or `{ file = "path" }`.
pub(super) fn source_password(raw: &At<Value>, cx: &mut Context<'_, '_>) -> Option<Secret> {
    let at = raw.span();
    const FORM: &str = "write { env = \"NAME\" } or { file = \"path\" }";
    let Value::Table(table) = raw.get_ref() else {
        cx.mistake(&at, format!("a password in the file is refused: {FORM}"));
        return None;
    };
    for key in table.keys().filter(|key| !matches!(key.as_str(), "env" | "file")) {
        cx.mistake(&at, format!("unknown key \"{key}\" in password: {FORM}"));
    }
    match (table.get("env"), table.get("file")) {
        (Some(Value::String(name)), None) => match (cx.environment)(name) {
            Some(text) if !text.is_empty() => Some(Secret::new(text)),
            Some(_) => {
                cx.mistake(&at, format!("environment variable \"{name}\" is empty"));
                None
            }
            None => {
                cx.mistake(&at, format!("environment variable \"{name}\" is not set"));
                None
            }
        },
        (None, Some(Value::String(path))) => from_file(path, raw, cx),
        _ => {
            cx.mistake(&at, format!("password is malformed: {FORM}"));
            None
        }
    }
}

fn from_file(path: &str, raw: &At<Value>, cx: &mut Context<'_, '_>) -> Option<Secret> {
    let path = cx.absolute(path);
    // A password of this size is somebody's wrong file.
    const LIMIT: u64 = 64 * 1024;
    let read = std::fs::metadata(&path).and_then(|metadata| {
        if metadata.is_file() && metadata.len() <= LIMIT {
            std::fs::read_to_string(&path)
        } else {
            Err(std::io::Error::other("it is not a small regular file"))
        }
    });
    match read {
        // Editors end the last line; PostgreSQL's password files are read the same way.
        Ok(text) if !text.trim_end_matches(['\r', '\n']).is_empty() => {
            Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        Ok(_) => {
            cx.mistake(&raw.span(), format!("password file \"{}\" is empty", path.display()));
            None
        }
        Err(error) => {
            cx.mistake(&raw.span(), format!("cannot read password file \"{}\": {error}", path.display()));
            None
        }
    }
}

/// The password of a user: a SCRAM-SHA-256 verifier and nothing else.
pub(super) fn user_verifier(raw: &At<Value>, cx: &mut Context<'_, '_>) -> Option<Secret> {
    let text = raw.get_ref().as_str().unwrap_or_default();
    match ScramVerifier::parse(text) {
        Ok(_) => Some(Secret::new(text.to_owned())),
        Err(problem) => {
            let message = if text.starts_with("SCRAM-SHA-256$") {
                format!("password is not a valid SCRAM-SHA-256 verifier: {problem}")
            } else {
                "a plain-text password is refused: use the verifier that \"tusk hash-password\" prints".to_owned()
            };
            cx.mistake(&raw.span(), message);
            None
        }
    }
}
