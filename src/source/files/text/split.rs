//! Where records end: a scan over raw bytes that keeps its state from block to block.
//! Must not know: fields, values.

/// Finds ends of records.
#[derive(Debug, Clone)]
pub(crate) enum Splitter {
    /// A line break ends a record, always (NDJSON: strings hold no raw line breaks).
    Lines,
    /// A line break ends a record outside quoted fields.
    Csv { delimiter: u8, quoted: bool, field_start: bool },
    /// The end of an object, outside the array around all of them.
    Json { depth: u32, base: Option<u32>, in_string: bool, escaped: bool },
}

impl Splitter {
    pub(crate) fn csv(delimiter: u8) -> Self {
        Splitter::Csv { delimiter, quoted: false, field_start: true }
    }

    pub(crate) fn json() -> Self {
        Splitter::Json { depth: 0, base: None, in_string: false, escaped: false }
    }

    /// Whether the records are elements of one JSON array.
    pub(crate) fn in_array(&self) -> bool {
        matches!(self, Splitter::Json { base: Some(1), .. })
    }

    /// Scans bytes that follow those of the last call; returns the offset behind the last record that ends in them.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Splitter::Lines => bytes.iter().rposition(|b| *b == b'\n').map(|at| at + 1),
            Splitter::Csv { delimiter, quoted, field_start } => scan_csv(bytes, *delimiter, quoted, field_start),
            Splitter::Json { depth, base, in_string, escaped } => scan_json(bytes, depth, base, in_string, escaped),
        }
    }
}

/// A quote opens a quoted field at the start of a field only. Inside, a doubled quote closes and opens again, which comes to the
/// same: so each quote inside ends the quoted part, and one right behind it begins it anew.
fn scan_csv(bytes: &[u8], delimiter: u8, quoted: &mut bool, field_start: &mut bool) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    // Only right behind a closing quote may a quote re-open; elsewhere in a field it is an error of the record.
    let mut may_open = *field_start;
    while at < bytes.len() {
        if *quoted {
            match bytes[at..].iter().position(|b| *b == b'"') {
                Some(by) => {
                    at += by + 1;
                    *quoted = false;
                    may_open = true;
                    continue;
                }
                None => {
                    may_open = false;
                    break;
                }
            }
        }
        let byte = bytes[at];
        if byte == b'"' {
            if may_open {
                *quoted = true;
            }
        } else if byte == b'\n' {
            end = Some(at + 1);
            may_open = true;
        } else {
            may_open = byte == delimiter;
        }
        at += 1;
    }
    *field_start = may_open;
    end
}

fn scan_json(
    bytes: &[u8],
    depth: &mut u32,
    base: &mut Option<u32>,
    in_string: &mut bool,
    escaped: &mut bool,
) -> Option<usize> {
    let mut end = None;
    for (at, byte) in bytes.iter().enumerate() {
        if *in_string {
            match byte {
                _ if *escaped => *escaped = false,
                b'\\' => *escaped = true,
                b'"' => *in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => *in_string = true,
            b'{' | b'[' => {
                // The first bracket decides whether records stand in an array.
                base.get_or_insert(u32::from(*byte == b'['));
                *depth = depth.saturating_add(1);
            }
            b'}' | b']' => {
                *depth = depth.saturating_sub(1);
                if *depth <= base.unwrap_or(0) {
                    end = Some(at + 1);
                }
            }
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(splitter: &Splitter, text: &str) -> Option<usize> {
        let whole = splitter.clone().scan(text.as_bytes());
        // Whatever the cuts, the last end is the same.
        for cut in 0..=text.len() {
            let mut splitter = splitter.clone();
            let first = splitter.scan(&text.as_bytes()[..cut]);
            let second = splitter.scan(&text.as_bytes()[cut..]).map(|end| end + cut);
            assert_eq!(second.or(first), whole, "{text:?} cut at {cut}");
        }
        whole
    }

    #[test]
    fn csv_records() {
        let csv = Splitter::csv(b',');
        assert_eq!(ends(&csv, "a,b\nc"), Some(4));
        assert_eq!(ends(&csv, "a,\"b\nc"), None);
        assert_eq!(ends(&csv, "\"a\"\"b\n\"\nx"), Some(8));
        assert_eq!(ends(&csv, "a\"b,c\nd,e\"f\ng"), Some(12));
        assert_eq!(ends(&csv, "\"\"\n\"\"\n"), Some(6));
    }

    #[test]
    fn json_records() {
        let json = Splitter::json();
        assert_eq!(ends(&json, r#"[{"a":"}"},{"b":[1,{}]"#), Some(10));
        assert_eq!(ends(&json, r#"[{"a":"\"}"} , "#), Some(12));
        assert_eq!(ends(&json, "{\"a\":{\n}}\n{\"b\""), Some(9));
    }
}
