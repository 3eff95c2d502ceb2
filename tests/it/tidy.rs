//! The house rules that a compiler does not keep: floors, rooms of heavy crates, sizes, first lines (design, section 4).
//! Must not know: what the code does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may import. Changing a line is a design decision.
const FLOORS: &[(&str, &str)] = &[
    ("cli", "config daemon error"),
    (
        "daemon",
        "wire http query engine views pg_catalog session catalog rows policy source config types sql metrics history names error shutdown",
    ),
    ("wire", "query session policy rows types config metrics shutdown error names"),
    ("http", "catalog session config metrics shutdown error"),
    ("query", "engine catalog session policy rows sql types history config metrics error names"),
    ("engine", "catalog source policy rows sql types config metrics error names"),
    ("views", "catalog session policy history types config metrics error names"),
    ("pg_catalog", "catalog session policy types error names"),
    ("session", "rows sql types config error names"),
    ("catalog", "source sql types config metrics error names"),
    ("rows", "types error"),
    ("policy", "config metrics error names"),
    ("source", "types config metrics error names"),
    ("config", "error names"),
    ("types", "error"),
    ("sql", "error names"),
    ("metrics", "names"),
    ("history", "error names"),
    ("names", ""),
    ("error", ""),
    ("shutdown", ""),
];

/// Where a heavy crate may be named: path prefixes under `src/`.
const ROOMS: &[(&str, &[&str])] = &[
    ("pgwire", &["wire/"]),
    ("datafusion", &["engine/datafusion/", "source/", "pg_catalog/", "views/"]),
    ("duckdb", &["engine/duckdb/"]),
    ("tokio_postgres", &["source/postgres/", "engine/passthrough/"]),
    ("rusqlite", &["source/sqlite/"]),
    // The binder of `semantics` walks the tree that `sql` parsed.
    ("sqlparser", &["sql/", "engine/datafusion/semantics/"]),
    ("prometheus", &["metrics.rs"]),
    ("axum", &["http/"]),
    ("clap", &["cli.rs", "cli/"]),
];

/// Lines a file may have; files of pure data end in one of [`DATA`].
const WALL: usize = 500;

/// Tables of data, which may pass the wall.
const DATA: &[&str] = &["types/builtin.rs", "session/vars/table.rs", "sql/keywords.rs"];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// A file of unit tests: it may use what it likes to check against.
fn of_tests(file: &str) -> bool {
    file.ends_with("/tests.rs")
        || file.contains("/tests/")
        || file.ends_with("/golden.rs")
        || file.ends_with("/fuzz.rs")
        || file.ends_with("/fake.rs")
}

/// The room of a file: its folder, or its name on the ground of `src/`.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Code without comments, strings emptied, so that words in texts are not taken for code.
fn code(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let mut inside = false;
        let mut escaped = false;
        for c in line.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' if inside => escaped = true,
                '"' => {
                    inside = !inside;
                    out.push('"');
                }
                _ if inside => {}
                c => out.push(c),
            }
        }
        out.push('\n');
    }
    out
}

/// The rooms that code names through `crate::`, also in braces: `use crate::{a, b::c}`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            let mut skip = false;
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        rooms.insert(std::mem::take(&mut word));
                        skip = false;
                    }
                    ':' if depth == 0 => skip = true,
                    c if depth == 0 && !skip && (c.is_alphanumeric() || c == '_') => word.push(c),
                    _ => {}
                }
            }
            rooms.insert(word);
        } else {
            rooms.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
}

#[test]
fn imports_go_down() {
    let floors: BTreeMap<&str, BTreeSet<&str>> =
        FLOORS.iter().map(|(room, below)| (*room, below.split(' ').collect())).collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let from = room(&file);
        if matches!(from, "lib" | "main") {
            continue;
        }
        let Some(allowed) = floors.get(from) else {
            wrong.push(format!("{file}: the room {from} is not in the table of floors"));
            continue;
        };
        for to in imports(&code(&text)) {
            if to != from && floors.contains_key(to.as_str()) && !allowed.contains(to.as_str()) {
                wrong.push(format!("{file}: {from} may not import {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn heavy_crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (file, text) in sources().into_iter().filter(|(file, _)| !of_tests(file)) {
        // `sql` has the parser from DataFusion's own re-export.
        let code = code(&text).replace("datafusion::sql::sqlparser", "sqlparser");
        for (name, rooms) in ROOMS {
            let named = code.match_indices(&format!("{name}::")).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                // `crate::engine::datafusion::` is ours; `use datafusion::` is the crate.
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            });
            if named && !rooms.iter().any(|room| file.starts_with(room)) {
                wrong.push(format!("{file}: {name} belongs to {}", rooms.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_environment_is_read_in_one_place() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|(file, text)| {
            code(text).contains("env::var")
                && !file.starts_with("config/")
                && !file.starts_with("cli")
                && !of_tests(file)
        })
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "std::env belongs to config/ and cli: {}", wrong.join(", "));
}

#[test]
fn files_are_small_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if !of_tests(&file) && !first.starts_with("//! ") {
            wrong.push(format!("{file}: the first line does not say what the file is for"));
        }
        let header: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        if !header.contains("ust not know") && !matches!(file.as_str(), "lib.rs" | "main.rs") && !of_tests(&file) {
            wrong.push(format!("{file}: the head does not say what the file must not know"));
        }
        let count = text.lines().count();
        if count > WALL && !DATA.contains(&file.as_str()) {
            wrong.push(format!("{file}: {count} lines, the wall is {WALL}"));
        }
    }
    // Tests are code too.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut tests = Vec::new();
    walk(&root, &mut tests);
    for path in tests {
        let count = fs::read_to_string(&path).unwrap().lines().count();
        if count > WALL {
            wrong.push(format!("{}: {count} lines, the wall is {WALL}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_undone() {
    let words = ["todo!", "unimplemented!", "FIXME", "XXX:", "HACK"];
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_stands_in_the_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for (room, _) in FLOORS {
        assert!(map.contains(&format!("[`{room}`]")), "{room} is missing in lib.rs");
    }
}
