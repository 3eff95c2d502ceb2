//! What EXPLAIN says as one value: an object of named parts, printed as PostgreSQL prints its own in JSON, XML and YAML.
//! Must not know: plans.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A part of the document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// Text.
    Text(String),
    /// A number, as it is to be written.
    Number(String),
    /// An object: names and parts, in order.
    Object(Vec<(Cow<'static, str>, Part)>),
    /// Several parts, each called by the name when a form wants one.
    List(&'static str, Vec<Part>),
}

/// From JSON, in the order in which it stands there: what another server says of a plan.
impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyPart)
    }
}

struct AnyPart;

/// What a list's parts are called, as PostgreSQL calls them.
fn item(list: &str) -> &'static str {
    match list {
        "Plans" => "Plan",
        "Triggers" => "Trigger",
        "Workers" => "Worker",
        _ => "Item",
    }
}

impl<'de> Visitor<'de> for AnyPart {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Part, E> {
        Ok(Part::Number("null".to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Part, E> {
        Ok(Part::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Part, E> {
        Ok(Part::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Part, E> {
        Ok(Part::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Part, E> {
        // Costs have two decimals, times three.
        let text = value.to_string();
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        Ok(Part::Number(if decimals < 2 { format!("{value:.2}") } else { text }))
    }

    fn visit_str<E>(self, value: &str) -> Result<Part, E> {
        Ok(Part::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Part, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            parts.push(part);
        }
        Ok(Part::List(item(""), parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Part, A::Error> {
        let mut parts = Vec::new();
        while let Some((name, part)) = object.next_entry::<String, Part>()? {
            let part = match part {
                Part::List(_, parts) => Part::List(item(&name), parts),
                part => part,
            };
            parts.push((Cow::Owned(name), part));
        }
        Ok(Part::Object(parts))
    }
}

/// Spaces of one level.
const STEP: usize = 2;

fn indent(out: &mut String, level: usize) {
    out.extend(std::iter::repeat_n(' ', level * STEP));
}

/// JSON: a list of objects.
pub(super) fn json(queries: &[Part]) -> String {
    let mut out = "[\n  ".to_owned();
    for (index, query) in queries.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ",\n  " });
        write_json(&mut out, query, 1);
    }
    out.push_str("\n]");
    out
}

fn write_json(out: &mut String, part: &Part, level: usize) {
    let mut between = |open: char, close: char, count: usize, item: &mut dyn FnMut(&mut String, usize)| {
        out.push(open);
        for index in 0..count {
            out.push_str(if index == 0 { "\n" } else { ",\n" });
            indent(out, level + 1);
            item(out, index);
        }
        if count > 0 {
            out.push('\n');
            indent(out, level);
        }
        out.push(close);
    };
    match part {
        Part::Text(text) => json_text(out, text),
        Part::Number(number) => out.push_str(number),
        Part::Object(parts) => between('{', '}', parts.len(), &mut |out, index| {
            if let Some((name, part)) = parts.get(index) {
                json_text(out, name);
                out.push_str(": ");
                write_json(out, part, level + 1);
            }
        }),
        Part::List(_, parts) => between('[', ']', parts.len(), &mut |out, index| {
            if let Some(part) = parts.get(index) {
                write_json(out, part, level + 1);
            }
        }),
    }
}

fn json_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if (control as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// XML, in the name space of PostgreSQL's plans.
pub(super) fn xml(queries: &[Part]) -> String {
    let mut out = "<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n".to_owned();
    queries.iter().for_each(|query| write_xml(&mut out, "Query", query, 1));
    out.push_str("</explain>");
    out
}

fn write_xml(out: &mut String, name: &str, part: &Part, level: usize) {
    let tag = name.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    indent(out, level);
    match part {
        Part::Text(text) | Part::Number(text) => {
            let _ = write!(out, "<{tag}>");
            xml_text(out, text);
            let _ = writeln!(out, "</{tag}>");
            return;
        }
        Part::Object(parts) => {
            let _ = writeln!(out, "<{tag}>");
            parts.iter().for_each(|(name, part)| write_xml(out, name, part, level + 1));
        }
        Part::List(one, parts) => {
            let _ = writeln!(out, "<{tag}>");
            parts.iter().for_each(|part| write_xml(out, one, part, level + 1));
        }
    }
    indent(out, level);
    let _ = writeln!(out, "</{tag}>");
}

fn xml_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#x0d;"),
            // No other control character may stand in XML at all.
            control if (control as u32) < 0x20 && !matches!(control, '\n' | '\t') => out.push('?'),
            other => out.push(other),
        }
    }
}

/// YAML: a list of mappings.
pub(super) fn yaml(queries: &[Part]) -> String {
    let mut out = String::new();
    queries.iter().for_each(|query| yaml_item(&mut out, query, 0));
    out.truncate(out.trim_end().len());
    out
}

/// An item of a list; the dash takes the place of the first step.
fn yaml_item(out: &mut String, part: &Part, level: usize) {
    match part {
        Part::Object(parts) => {
            for (index, (name, part)) in parts.iter().enumerate() {
                indent(out, level);
                out.push_str(if index == 0 { "- " } else { "  " });
                yaml_entry(out, name, part, level + 1);
            }
        }
        part => {
            indent(out, level);
            out.push_str("- ");
            yaml_scalar(out, part);
            out.push('\n');
        }
    }
}

fn yaml_entry(out: &mut String, name: &str, part: &Part, level: usize) {
    out.push_str(name);
    out.push_str(": ");
    match part {
        Part::Object(parts) => {
            out.push('\n');
            for (name, part) in parts {
                indent(out, level + 1);
                yaml_entry(out, name, part, level + 1);
            }
        }
        Part::List(_, parts) => {
            out.push('\n');
            parts.iter().for_each(|part| yaml_item(out, part, level + 1));
        }
        scalar => {
            yaml_scalar(out, scalar);
            out.push('\n');
        }
    }
}

fn yaml_scalar(out: &mut String, part: &Part) {
    match part {
        Part::Number(number) => out.push_str(number),
        Part::Text(text) => json_text(out, text),
        Part::List(_, parts) => {
            out.push('[');
            for (index, part) in parts.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                yaml_scalar(out, part);
            }
            out.push(']');
        }
        Part::Object(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Part {
        let node = |name: &str, below: Vec<Part>| {
            let mut parts = vec![("Node Type".into(), Part::Text(name.to_owned()))];
            if !below.is_empty() {
                parts.push(("Plans".into(), Part::List("Plan", below)));
            }
            Part::Object(parts)
        };
        let plan = node("Join", vec![node("a < \"b\"\n", Vec::new()), node("c", Vec::new())]);
        Part::Object(vec![("Plan".into(), plan), ("Execution Time".into(), Part::Number("0.5".to_owned()))])
    }

    #[test]
    fn json_is_as_postgresql_writes_it() {
        let text = json(&[sample()]);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value[0]["Plan"]["Plans"][0]["Node Type"], "a < \"b\"\n");
        assert!(
            text.starts_with(
                "[\n  {\n    \"Plan\": {\n      \"Node Type\": \"Join\",\n      \"Plans\": [\n        {\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("    },\n    \"Execution Time\": 0.5\n  }\n]"), "{text}");
    }

    #[test]
    fn what_was_read_is_written_again() {
        let text = r#"[{"Plan": {"Node Type": "Seq Scan", "Rows": 5, "Cost": 0.25, "Parallel": false, "Output": ["b", "a"], "Plans": []}}]"#;
        let Part::List(_, parts) = serde_json::from_str::<Part>(text).unwrap() else { panic!("no list") };
        let written: serde_json::Value = serde_json::from_str(&json(&parts[..1])).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert!(json(&parts[..1]).find("Node Type") < json(&parts[..1]).find("Cost"), "in its order");
        assert!(xml(&parts[..1]).contains("<Item>b</Item>"));
    }

    #[test]
    fn xml_and_yaml() {
        let text = xml(&[sample()]);
        assert!(
            text.contains("      <Plans>\n        <Plan>\n          <Node-Type>a &lt; \"b\"\n</Node-Type>\n"),
            "{text}"
        );
        assert!(text.ends_with("    <Execution-Time>0.5</Execution-Time>\n  </Query>\n</explain>"), "{text}");
        let text = yaml(&[sample()]);
        assert_eq!(
            text,
            "- Plan: \n    Node Type: \"Join\"\n    Plans: \n      - Node Type: \"a < \\\"b\\\"\\n\"\n      - Node Type: \"c\"\n  Execution Time: 0.5"
        );
    }
}
