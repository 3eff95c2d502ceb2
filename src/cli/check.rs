//! `tusk check`: the configuration's mistakes, or what it comes to.
//! Must not know: how permissions are worked out.

use std::io;
use std::path::Path;

use super::{CONFIG, OK, Streams, load};
use crate::{config, daemon};

/// Validates, prints the effective permissions, and what a reload from `against` would change.
pub(super) fn check(path: &Path, against: Option<&Path>, io: &mut Streams<'_>) -> io::Result<u8> {
    let settings = load(path, io)?;
    let old = match against {
        Some(path) => load(path, io)?.map(Some),
        None => Some(None),
    };
    let (Some(settings), Some(old)) = (settings, old) else { return Ok(CONFIG) };
    writeln!(io.out, "{}: no mistakes\n", path.display())?;
    write!(io.out, "{}", daemon::permissions(&settings))?;
    if !settings.expects.is_empty() {
        writeln!(io.out, "note: [[expect]] tests are not run in this version ({} defined)", settings.expects.len())?;
    }
    if let (Some(old), Some(old_path)) = (old, against) {
        let changes = config::changes(&old, &settings);
        writeln!(io.out, "\na reload from {} would change:", old_path.display())?;
        for change in &changes {
            writeln!(io.out, "  {change}")?;
        }
        if changes.is_empty() {
            writeln!(io.out, "  nothing")?;
        }
    }
    Ok(OK)
}

#[cfg(test)]
mod tests {
    use super::super::tests::tusk;
    use super::*;

    #[test]
    fn permissions_and_changes_are_printed() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let user = "[server]\nauth = \"trust\"\n[[user]]\nname = \"ana\"\nroles = [\"r\"]\n[[role]]\nname = \"r\"\n";
        let old = write("old.toml", user);
        let new = write("new.toml", &format!("{user}[[role.grant]]\ntables = [\"a.*\"]\n[[role]]\nname = \"s\"\n"));
        let (code, out, err) = tusk(&["check", "-c", &new, "--against", &old]);
        assert_eq!((code, err.as_str()), (OK, ""));
        for words in ["no mistakes", "user ana", "a.*     select", "role \"s\": added", "role \"r\": changed (grants)"]
        {
            assert!(out.contains(words), "{words} is missing in\n{out}");
        }
        assert!(tusk(&["check", "-c", &old, "--against", &old]).1.ends_with("would change:\n  nothing\n"));
        let bad = write("bad.toml", "x = 1\n");
        assert_eq!(tusk(&["check", "-c", &new, "--against", &bad]).0, CONFIG);
    }
}
