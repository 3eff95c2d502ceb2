//! The records of JSON files: objects one a line, objects one after the other, or objects in one array.
//! Must not know: types, files.

use super::members::Scanner;
use super::{BadRecord, Block};

pub(crate) use super::members::{Member, Value};

/// Calls `each` with the members of every object of the block, and the line it begins on.
pub(crate) fn read_block<'a>(
    block: &'a Block,
    mut each: impl FnMut(&[Member<'a>], u64) -> Result<bool, BadRecord>,
) -> Result<(), BadRecord> {
    let mut members = Vec::new();
    if block.by_line {
        for (line, text) in (block.line..).zip(block.text.split('\n')) {
            let mut scanner = Scanner::new(text, line);
            if scanner.peek().is_none() {
                continue;
            }
            scanner.object(&mut members)?;
            if scanner.peek().is_some() {
                return Err(scanner.bad("unexpected text behind the object of a line"));
            }
            if !each(&members, line)? {
                break;
            }
        }
        return Ok(());
    }
    let mut scanner = Scanner::new(&block.text, block.line);
    if !block.in_array {
        while scanner.peek().is_some() {
            let line = scanner.line;
            scanner.object(&mut members)?;
            if !each(&members, line)? {
                break;
            }
        }
        return Ok(());
    }
    // A block that is not the first follows a whole object.
    let mut after_value = !block.first;
    if block.first {
        scanner.take(b'[');
    }
    loop {
        match scanner.peek() {
            None if block.last => return Err(scanner.bad("the JSON text ended unexpectedly")),
            None => return Ok(()),
            Some(b']') => {
                scanner.take(b']');
                break;
            }
            Some(_) => {}
        }
        if after_value && !scanner.take(b',') {
            return Err(scanner.bad("expected \",\" or \"]\" between JSON objects"));
        }
        scanner.peek();
        let line = scanner.line;
        scanner.object(&mut members)?;
        if !each(&members, line)? {
            return Ok(());
        }
        after_value = true;
    }
    match scanner.peek() {
        None => Ok(()),
        Some(_) => Err(scanner.bad("unexpected text behind the JSON array")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str, in_array: bool) -> Result<usize, String> {
        let block = Block { text: text.to_owned(), line: 1, first: true, last: true, in_array, by_line: false };
        let mut count = 0;
        read_block(&block, |_, _| {
            count += 1;
            Ok(true)
        })
        .map_err(|bad| bad.message)?;
        Ok(count)
    }

    #[test]
    fn documents() {
        assert_eq!(count("[ {} , {\"a\":1} ]\n", true), Ok(2));
        assert_eq!(count("[]", true), Ok(0));
        assert_eq!(count("{}\n{}\n\n", false), Ok(2));
        for bad in ["[{}", "[{},]", "[{} {}]", "[{}] x", "[1]", "["] {
            assert!(count(bad, true).is_err(), "{bad}");
        }
        assert!(count("{} x", false).is_err());
    }
}
