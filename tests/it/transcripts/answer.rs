//! What a server says, as lines; what differs by nature is masked by the rules named here.
//! Must not know: sockets, which server it is.

use super::types;
use crate::harness::raw::{Column, Message};

/// Longer values are shown by their beginning, length and hash, in bytes.
const LONG: usize = 600;

/// A line for a message. `of_pid`: the name of the connection with this process id.
///
/// Masked: `key` (process id and key of BackendKeyData; the key's length stays), `pid` (of notifications, which become the
/// name of the sender's connection), `place` (fields F, L and R of errors), `table` (object ids of tables in descriptions of
/// rows; which of them are there stays), `type` (object ids of users' types), `version` (what follows "15." in server_version).
pub(crate) fn line(message: &Message, of_pid: impl Fn(i32) -> Option<String>) -> String {
    let body = message.body.as_slice();
    match message.tag {
        b'1' => bare("ParseComplete", body),
        b'2' => bare("BindComplete", body),
        b'3' => bare("CloseComplete", body),
        b'n' => bare("NoData", body),
        b's' => bare("PortalSuspended", body),
        b'I' => bare("EmptyQuery", body),
        b'c' => bare("CopyDone", body),
        b'C' => format!("Complete {}", text(body)),
        b'Z' => format!("Ready {}", String::from_utf8_lossy(body)),
        b'd' => format!("CopyData {}", value(body)),
        b't' => parameters(body),
        b'T' => format!("Columns {}", message.columns().iter().map(column).collect::<Vec<_>>().join(" | ")),
        b'D' => row(message),
        b'E' => format!("Error {}", fields(message)),
        b'N' => format!("Notice {}", fields(message)),
        b'S' => status(body),
        b'K' => format!("Key of {} bytes", body.len() - 4),
        b'R' => authentication(body),
        b'G' => copy("CopyIn", body),
        b'H' => copy("CopyOut", body),
        b'A' => {
            let sender = of_pid(i32::from_be_bytes(body[..4].try_into().unwrap()));
            let sender =
                sender.map_or("nobody".to_owned(), |name| if name.is_empty() { "the first".into() } else { name });
            format!("Notification of {sender} {}", strings(&body[4..]))
        }
        b'v' => {
            let number = |at: usize| i32::from_be_bytes(body[at..at + 4].try_into().unwrap());
            format!("Negotiate {}.{} {} {}", number(0) >> 16, number(0) & 0xffff, number(4), strings(&body[8..]))
                .trim_end()
                .to_owned()
        }
        other => format!("Unknown {} {}", value(&[other]), value(body)),
    }
}

fn bare(name: &str, body: &[u8]) -> String {
    if body.is_empty() { name.to_owned() } else { format!("{name} with {}", value(body)) }
}

fn row(message: &Message) -> String {
    let values: Vec<String> = message.values().iter().map(|one| one.as_deref().map_or("NULL".into(), value)).collect();
    format!("Row {}", values.join(" ")).trim_end().to_owned()
}

/// Zero-terminated texts.
fn strings(body: &[u8]) -> String {
    let texts = body.strip_suffix(&[0]).unwrap_or(body);
    if body.is_empty() {
        return String::new();
    }
    texts.split(|byte| *byte == 0).map(value).collect::<Vec<_>>().join(" ")
}

fn text(body: &[u8]) -> String {
    match body.strip_suffix(&[0]) {
        Some(text) => value(text),
        None => format!("{} without an end", value(body)),
    }
}

fn parameters(body: &[u8]) -> String {
    let oids = body[2..].chunks(4).map(|oid| types::name(u32::from_be_bytes(oid.try_into().unwrap())));
    format!("Parameters {}", oids.collect::<Vec<_>>().join(" ")).trim_end().to_owned()
}

fn column(column: &Column) -> String {
    let Column { name, table, number, oid, length, typmod, format } = column;
    let place = if *table == 0 && *number == 0 { "-".to_owned() } else { format!("table.{number}") };
    let place = if *table == 0 && *number != 0 { format!("no table.{number}") } else { place };
    let format = match format {
        0 => "text".to_owned(),
        1 => "binary".to_owned(),
        other => other.to_string(),
    };
    format!("{} {}({length},{typmod}) {format} {place}", value(name.as_bytes()), types::name(*oid))
}

fn fields(message: &Message) -> String {
    let fields = message.fields();
    let of = |kind: char| fields.get(&kind).cloned().unwrap_or("-".into());
    let mut said = format!("{} {} {}", of('S'), of('C'), value(of('M').as_bytes()));
    if of('S') != of('V') {
        said += &format!(" severity {}", of('V'));
    }
    const NAMED: [(char, &str); 11] = [
        ('P', "position"),
        ('D', "detail"),
        ('H', "hint"),
        ('W', "where"),
        ('p', "internal-position"),
        ('q', "internal-query"),
        ('s', "schema"),
        ('t', "table"),
        ('c', "column"),
        ('d', "type"),
        ('n', "constraint"),
    ];
    for (kind, name) in NAMED {
        if let Some(field) = fields.get(&kind) {
            said += &format!(" {name} {}", value(field.as_bytes()));
        }
    }
    for (kind, field) in &fields {
        if !"SVCMFLR".contains(*kind) && !NAMED.iter().any(|(known, _)| known == kind) {
            said += &format!(" {kind} {}", value(field.as_bytes()));
        }
    }
    said
}

fn status(body: &[u8]) -> String {
    let mut texts = body.split(|byte| *byte == 0);
    let name = String::from_utf8_lossy(texts.next().unwrap()).into_owned();
    let mut shown = value(texts.next().unwrap());
    if name == "server_version" && shown.starts_with("\"15.") {
        shown = "\"15.\" and more".into();
    }
    format!("Status {name} {shown}")
}

fn authentication(body: &[u8]) -> String {
    match i32::from_be_bytes(body[..4].try_into().unwrap()) {
        0 => "Authentication ok".into(),
        10 => format!("Authentication SASL {}", strings(body[4..].strip_suffix(&[0]).unwrap())),
        other => format!("Authentication {other}"),
    }
}

fn copy(name: &str, body: &[u8]) -> String {
    let formats: Vec<String> =
        body[3..].chunks(2).map(|format| i16::from_be_bytes(format.try_into().unwrap()).to_string()).collect();
    format!("{name} {} of {}", body[0], formats.join(" "))
}

/// Bytes as text in quotes if they are text, in hex otherwise.
pub(crate) fn value(bytes: &[u8]) -> String {
    if bytes.len() > LONG {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        return format!("{}.. of {} bytes, hash {hash:016x}", value(&bytes[..32]), bytes.len());
    }
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.chars().all(|letter| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t')));
    let Some(text) = text else {
        return format!("x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    };
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' => quoted.extend(['\\', letter]),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
