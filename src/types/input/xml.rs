//! Checks the text of an xml value: well-formed content, as PostgreSQL takes it where `xmloption` is `content`.
//! Must not know: what is in it.

use crate::error::{Error, Result, SqlState};

/// Elements within each other, as libxml has it.
const MAX_DEPTH: usize = 256;

fn malformed(detail: &str) -> Error {
    Error::client(SqlState::INVALID_XML_CONTENT, "invalid XML content").with_detail(detail)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// Checks that a text is the content of an XML document, or a document.
///
/// # Errors
/// `2200N` where it is not; `0A000` for a declaration or a document type, which PostgreSQL keeps in a form of its own.
pub(crate) fn check_content(text: &str) -> Result<()> {
    if text.starts_with("<?xml") && text.as_bytes().get(5).is_some_and(u8::is_ascii_whitespace) {
        return Err(Error::unsupported("XML declarations are not supported"));
    }
    if text.chars().any(|c| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(malformed("A character is not allowed in XML."));
    }
    let mut reader = Reader { text, at: 0 };
    let mut open: Vec<&str> = Vec::new();
    while reader.at < text.len() {
        if reader.takes("<!--") {
            reader.comment()?;
        } else if reader.takes("<![CDATA[") {
            reader.behind("]]>")?;
        } else if reader.rest().starts_with("<!DOCTYPE") {
            return Err(Error::unsupported("XML document types are not supported"));
        } else if reader.takes("<?") {
            reader.instruction()?;
        } else if reader.takes("</") {
            let name = reader.name()?;
            reader.blanks();
            if !reader.takes(">") || open.pop() != Some(name) {
                return Err(malformed("An end tag does not match its start tag."));
            }
        } else if reader.takes("<") {
            if let Some(name) = reader.start_tag()? {
                open.push(name);
            }
            if open.len() > MAX_DEPTH {
                return Err(malformed("Elements are nested too deeply."));
            }
        } else {
            reader.characters()?;
        }
    }
    if open.is_empty() { Ok(()) } else { Err(malformed("An element has no end.")) }
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// Skips blanks; whether there were any.
    fn blanks(&mut self) -> bool {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += length;
        length > 0
    }

    /// What stands before a mark; the reader goes on behind it.
    fn behind(&mut self, mark: &str) -> Result<&'a str> {
        let rest = self.rest();
        let end = rest.find(mark).ok_or_else(|| malformed("A part has no end."))?;
        self.at += end + mark.len();
        Ok(rest.get(..end).unwrap_or_default())
    }

    fn name(&mut self) -> Result<&'a str> {
        let rest = self.rest();
        let starts = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':') || !c.is_ascii();
        let continues = |c: char| starts(c) || c.is_ascii_digit() || matches!(c, '-' | '.');
        if !rest.starts_with(starts) {
            return Err(malformed("A name is missing."));
        }
        let length = rest.find(|c: char| !continues(c)).unwrap_or(rest.len());
        self.at += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    fn comment(&mut self) -> Result<()> {
        self.behind("--")?;
        if self.takes(">") { Ok(()) } else { Err(malformed("A comment has two hyphens in it.")) }
    }

    fn instruction(&mut self) -> Result<()> {
        let name = self.name()?;
        if name.eq_ignore_ascii_case("xml") {
            return Err(malformed("An XML declaration stands behind the start."));
        }
        let body = self.behind("?>")?;
        if body.is_empty() || body.starts_with([' ', '\t', '\n', '\r']) {
            return Ok(());
        }
        Err(malformed("A processing instruction has no blank behind its name."))
    }

    /// Behind `<`: the name of the element, if it was not closed at once.
    fn start_tag(&mut self) -> Result<Option<&'a str>> {
        let name = self.name()?;
        let mut attributes = std::collections::HashSet::new();
        loop {
            let spaced = self.blanks();
            if self.takes("/>") {
                return Ok(None);
            }
            if self.takes(">") {
                return Ok(Some(name));
            }
            let attribute = self.name()?;
            if !spaced || !attributes.insert(attribute) {
                return Err(malformed("An attribute is written twice, or without a blank before it."));
            }
            self.blanks();
            if !self.takes("=") {
                return Err(malformed("An attribute has no value."));
            }
            self.blanks();
            let value = match (self.takes("\""), self.takes("'")) {
                (true, false) => self.behind("\"")?,
                (false, true) => self.behind("'")?,
                _ => return Err(malformed("An attribute's value has no quotes.")),
            };
            if value.contains('<') {
                return Err(malformed("An attribute's value has \"<\" in it."));
            }
            references(value)?;
        }
    }

    fn characters(&mut self) -> Result<()> {
        let rest = self.rest();
        let length = rest.find('<').unwrap_or(rest.len());
        let text = rest.get(..length).unwrap_or_default();
        self.at += length;
        if text.contains("]]>") {
            return Err(malformed("\"]]>\" is not allowed in content."));
        }
        references(text)
    }
}

/// Every `&` begins a reference to a character.
fn references(text: &str) -> Result<()> {
    for part in text.split('&').skip(1) {
        let name = part.split_once(';').map(|(name, _)| name).unwrap_or_default();
        let number = match name.strip_prefix('#').map(|digits| (digits, digits.strip_prefix('x'))) {
            Some((_, Some(hex))) => u32::from_str_radix(hex, 16).ok(),
            Some((decimal, None)) => decimal.parse().ok(),
            None if matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") => continue,
            None => None,
        };
        let allowed = |c: char| c >= ' ' || matches!(c, '\t' | '\n' | '\r');
        if !number.and_then(char::from_u32).is_some_and(allowed) {
            return Err(malformed("A reference is not defined."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content() {
        for good in [
            "",
            "text",
            "<a/>",
            "<a b='1' c=\"&lt;&#65;&#x41;\"> x <b>y</b><!-- c --><?p i?><![CDATA[<&]]></a>",
            "<ä:b/>&amp;<c></c >",
            "<?p?>",
        ] {
            assert!(check_content(good).is_ok(), "{good}");
        }
        for bad in [
            "<a>",
            "</a>",
            "<a></b>",
            "<a b/>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='1'c='2'/>",
            "<",
            "&",
            "&x;",
            "&#0;",
            "<!-- -- -->",
            "<!-- ",
            "<a b='<'/>",
            "]]>",
            "<1/>",
            "\u{1}",
            " <?xml version='1.0'?>",
            "<?pi",
        ] {
            assert_eq!(check_content(bad).unwrap_err().state(), SqlState::INVALID_XML_CONTENT, "{bad}");
        }
        assert!(check_content(&"<a>".repeat(300)).is_err());
        assert_eq!(check_content("<?xml version='1.0'?><a/>").unwrap_err().state(), SqlState::FEATURE_NOT_SUPPORTED);
    }
}
