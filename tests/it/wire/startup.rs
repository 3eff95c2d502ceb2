//! Start-up packets of odd clients, byte for byte to Tusk and to a real PostgreSQL; cancel keys; versions of the protocol.
//! Must not know: logins by password (`auth` does).

use std::io::Write;
use std::time::Duration;

use crate::harness::federation::Federation;
use crate::harness::raw::{Message, Raw, error, printable, rows, transcript};

/// A start-up packet of this version with these bytes behind it.
fn packet(major: u16, minor: u16, body: &[u8]) -> Vec<u8> {
    let mut packet = ((body.len() + 8) as u32).to_be_bytes().to_vec();
    packet.extend_from_slice(&major.to_be_bytes());
    packet.extend_from_slice(&minor.to_be_bytes());
    packet.extend_from_slice(body);
    packet
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut body: Vec<u8> = pairs.iter().flat_map(|(name, value)| format!("{name}\0{value}\0").into_bytes()).collect();
    body.push(0);
    body
}

/// Names and values.
type Given = &'static [(&'static str, &'static str)];

/// Parameters behind user and database, and what is asked then.
const PARAMETERS: &[(Given, &[&str])] = &[
    (&[], &["show timezone"]),
    (&[("nope", "1")], &[]),
    (&[("a.b", "1")], &["show a.b", "set a.b = 2", "reset a.b", "show a.b", "discard all", "show a.b"]),
    (&[("a.b.c", "1")], &["show a.b.c"]),
    (&[("a.b-c", "1")], &[]),
    (
        &[("statement_timeout", "5s"), ("TimeZone", "Europe/Berlin")],
        &["reset all", "show statement_timeout", "show timezone"],
    ),
    (&[("statement_timeout", "soon")], &[]),
    (&[("session_replication_role", "replica")], &[]),
    (&[("server_version", "1")], &[]),
    (&[("max_connections", "1")], &[]),
    (&[("is_superuser", "on")], &[]),
    (&[("transaction_isolation", "serializable")], &[]),
    (&[("default_transaction_read_only", "on")], &["show transaction_read_only"]),
    (&[("DateStyle", "SQL, DMY")], &["show datestyle"]),
    (&[("APPLICATION_NAME", "x")], &["show application_name"]),
    (&[("application_name", "ä\tb")], &["show application_name"]),
    (&[("application_name", "a"), ("application_name", "b")], &["show application_name"]),
    (&[("application_name", "a"), ("options", "-c application_name=b")], &["show application_name"]),
    (&[("options", "-c application_name=a"), ("options", "-c application_name=b")], &["show application_name"]),
    (
        &[("options", "-c a.b=1 --c.d=2 -cstatement_timeout=3s   --work-mem=1MB -e -fs -f h -v 3")],
        &["show a.b", "show c.d", "show statement_timeout", "show work_mem", "show datestyle", "show enable_seqscan"],
    ),
    (&[("options", "-c application_name=a\\ b\\\\c")], &["show application_name"]),
    (&[("options", "-c application_name=")], &["show application_name"]),
    (&[("options", "-S 1024")], &["show work_mem"]),
    (&[("options", "-Q")], &[]),
    (&[("options", "foo")], &[]),
    (&[("options", "-c foo")], &[]),
    (&[("options", "-c")], &[]),
    (&[("options", "-c nope=1")], &[]),
    (&[("options", "--work-mem")], &[]),
    (&[("options", "")], &["show work_mem"]),
    (&[("client_encoding", "'utf-8'")], &["show client_encoding"]),
    (&[("client_encoding", "utf-8")], &["show client_encoding"]),
    (&[("client_encoding", "UNICODE")], &["show client_encoding"]),
    (&[("client_encoding", "Utf_8")], &["show client_encoding"]),
    (&[("client_encoding", "\"utf8\"")], &["show client_encoding"]),
    (&[("client_encoding", "SQL_ASCII")], &["show client_encoding"]),
    (&[("client_encoding", "nope")], &[]),
    (&[("client_encoding", "")], &[]),
    (&[("search_path", "\"$user\", shop, \"x\"\"y\"")], &["show search_path"]),
    (&[("search_path", "a,,b")], &[]),
    (&[("TimeZone", "GMT+02:00")], &["show timezone"]),
    (&[("TimeZone", "+02")], &["show timezone"]),
    (&[("TimeZone", "US/Pacific")], &["show timezone"]),
    (&[("TimeZone", "Nope/Land")], &[]),
    (&[("TimeZone", "")], &[]),
    (&[("replication", "off")], &["select 1"]),
    (&[("replication", "true")], &[]),
    (&[("replication", "database")], &[]),
    (&[("replication", "maybe")], &[]),
    (&[("user", "ana"), ("database", "oracle")], &["select current_user"]),
    (&[("database", "nope")], &[]),
    (&[("seed", "0.5")], &[]),
];

/// Whole packets behind the version; `DB` is the database.
const PACKETS: &[&[u8]] = &[
    b"",
    b"\0",
    b"user\0",
    b"user\0\0database\0DB\0\0",
    b"database\0DB\0\0",
    b"user\0ana\0database\0nope\0\0",
    b"user\0ana\0database\0\0\0",
    b"user\0ana\0\0",
    b"user\0ana\0database\0DB\0",
    b"user\0ana\0database\0DB\0\0x",
    b"user\0ana\0database\0DB\0foo\0\0",
    b"user\0ana\0database\0DB\0foo",
    b"user\0ana\0database\0dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\0\0",
];

/// What is answered to a packet, up to ReadyForQuery or the end, and to the questions behind it.
fn play(port: u16, packet: &[u8], questions: &[&str]) -> Vec<Message> {
    let mut raw = Raw::open(port);
    raw.bytes(packet);
    let mut answer = Vec::new();
    while let Some(message) = raw.try_read() {
        let ready = message.tag == b'Z';
        answer.push(message);
        if ready {
            for question in questions {
                answer.extend(raw.ask(question));
            }
            return answer;
        }
    }
    answer
}

/// The answer as text; versions, the parameters' order, and the one database's name are each server's own.
fn shown(messages: &[Message], database: &str) -> String {
    let text = transcript(messages);
    let (mut parameters, mut rest) = (Vec::new(), String::new());
    for line in text.lines() {
        if line.starts_with("S ") {
            parameters.push(line);
        } else {
            rest.push_str(&line.replace(&format!("\"{database}\""), "\"DB\""));
            rest.push('\n');
        }
    }
    parameters.retain(|line| !line.contains("server_version"));
    parameters.sort_unstable();
    format!("{}\n{rest}", parameters.join("\n"))
}

async fn federation() -> Federation {
    let federation = Federation::start().await;
    federation.postgres.exec("create role ana login; alter role ana set timezone = 'UTC'").await;
    federation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_up_packets_answer_as_postgresql() {
    let federation = federation().await;
    let mut findings = Vec::new();
    let mut compare = |what: String, build: &dyn Fn(&str) -> Vec<u8>, questions: &[&str]| {
        let ours = shown(&play(federation.tusk.port(), &build("tusk"), questions), "tusk");
        let theirs = shown(&play(federation.postgres.port(), &build("oracle"), questions), "oracle");
        if ours != theirs {
            findings.push(format!("--- {what}\nTusk:\n{ours}\nPostgreSQL:\n{theirs}"));
        }
    };
    for (parameters, questions) in PARAMETERS {
        let build = |database: &str| {
            let mut all = vec![("user", "ana"), ("database", database)];
            all.extend(
                parameters.iter().map(|(name, value)| (*name, if *value == "oracle" { database } else { *value })),
            );
            packet(3, 0, &pairs(&all))
        };
        compare(format!("{parameters:?}"), &build, questions);
    }
    for body in PACKETS {
        let build = |database: &str| {
            let text = String::from_utf8(body.to_vec()).unwrap().replace("DB", database);
            packet(3, 0, text.as_bytes())
        };
        compare(printable(body), &build, &[]);
    }
    super::none(&findings);
}

/// Packets whose answer is Tusk's own: PostgreSQL 15 speaks 3.0 only, and tells who exists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_up_where_tusk_differs() {
    let federation = federation().await;
    let port = federation.tusk.port();
    let answer = |major, minor, parameters: &[(&str, &str)]| {
        let mut all = vec![("user", "ana"), ("database", "tusk")];
        all.extend(parameters);
        play(port, &packet(major, minor, &pairs(&all)), &[])
    };
    let first = |messages: &[Message]| format!("{} {}", messages[0].tag as char, printable(&messages[0].body));
    // 3.1 was never spoken: it is answered by 3.0. From 3.3 on, and for options that nobody knows, by 3.2.
    for (minor, parameters, told) in [
        (1, &[][..], Some("v \\x00\\x03\\x00\\x00\\x00\\x00\\x00\\x00")),
        (2, &[], None),
        (3, &[], Some("v \\x00\\x03\\x00\\x02\\x00\\x00\\x00\\x00")),
        (9999, &[], Some("v \\x00\\x03\\x00\\x02\\x00\\x00\\x00\\x00")),
        (
            0,
            &[("_pq_.a", "1"), ("_pq_.b", "")],
            Some("v \\x00\\x03\\x00\\x00\\x00\\x00\\x00\\x02_pq_.a\\x00_pq_.b\\x00"),
        ),
    ] {
        let messages = answer(3, minor, parameters);
        assert_eq!(messages.last().unwrap().tag, b'Z', "3.{minor}");
        match told {
            Some(told) => assert_eq!(first(&messages), told, "3.{minor}"),
            None => assert_eq!(messages[0].tag, b'R', "3.{minor}"),
        }
        let key = messages.iter().find(|message| message.tag == b'K').unwrap();
        assert_eq!(key.body.len() - 4, if minor >= 2 { 32 } else { 4 }, "3.{minor}");
    }
    let fields = error(&answer(4, 0, &[]));
    assert_eq!(
        (fields[&'C'].as_str(), fields[&'M'].as_str()),
        ("0A000", "unsupported frontend protocol 4.0: server supports 3.0 to 3.2")
    );
    // A role that exists and one that does not are refused in the same words.
    let refused = |name: &str| error(&answer(3, 0, &[("role", name)]))[&'M'].replace(name, "?");
    assert_eq!(refused("root"), refused("nobody_at_all"));
    let fields = error(&answer(3, 0, &[("session_authorization", "root")]));
    assert_eq!((fields[&'S'].as_str(), fields[&'C'].as_str()), ("FATAL", "22023"));
    let fields = error(&answer(3, 0, &[("client_encoding", "LATIN1")]));
    assert_eq!((fields[&'S'].as_str(), fields[&'C'].as_str()), ("FATAL", "0A000"));
    // What a search path names is looked for in what the user may see, and nowhere else.
    let answer = play(
        port,
        &packet(3, 0, &pairs(&[("user", "bob"), ("database", "tusk"), ("search_path", "shop, crm")])),
        &["select count(*) from nation"],
    );
    assert_eq!(error(&answer)[&'C'], "42P01");
    let answer = play(
        port,
        &packet(3, 0, &pairs(&[("user", "ana"), ("database", "tusk"), ("search_path", "crm")])),
        &["select count(*) > 0 from nation"],
    );
    assert_eq!(rows(&answer), [[Some("t".to_owned())]]);
}

/// A wrong key, a short one, another session's: nothing is cancelled, nothing is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_cancel_keys_are_silent() {
    let federation = federation().await;
    let port = federation.tusk.port();
    let mut raw = Raw::login(port, "ana", "tusk");
    let other = Raw::login(port, "ana", "tusk");
    raw.query("select pg_sleep(1)");
    let (pid, key) = raw.key.clone().unwrap();
    let mut wrong = key.clone();
    wrong[3] ^= 1;
    let long = [&key[..], &[0; 28]].concat();
    for key in [&wrong[..], &key[..3], &[], &long[..], &other.key.as_ref().unwrap().1[..]] {
        let mut request = Raw::open(port);
        let length = (12 + key.len()) as u32;
        request.bytes(&[&length.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &pid.to_be_bytes(), key].concat());
        assert!(request.until_closed().is_empty());
    }
    assert_eq!(rows(&raw.until(b'Z')).len(), 1);
}

/// Encryption may be asked for once of each kind, and nothing may stand behind the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_for_encryption_are_bounded() {
    let federation = federation().await;
    let port = federation.tusk.port();
    let request = |code: u32| [8_u32.to_be_bytes(), code.to_be_bytes()].concat();
    let (ssl, gss) = (request(80_877_103), request(80_877_104));
    let login = packet(3, 0, &pairs(&[("user", "ana"), ("database", "tusk")]));
    let one = |raw: &mut Raw| {
        let mut byte = [0];
        std::io::Read::read_exact(&mut raw.stream(), &mut byte).unwrap();
        byte[0]
    };
    let mut raw = Raw::open(port);
    for request in [&gss, &ssl] {
        raw.bytes(request);
        assert_eq!(one(&mut raw), b'N');
    }
    raw.bytes(&login);
    assert_eq!(raw.until(b'Z').last().unwrap().tag, b'Z');
    for again in [&ssl, &gss] {
        let mut raw = Raw::open(port);
        raw.bytes(again);
        assert_eq!(one(&mut raw), b'N');
        raw.bytes(again);
        assert_eq!(error(&raw.until_closed())[&'C'], "0A000");
    }
    let mut raw = Raw::open(port);
    raw.stream().write_all(&[&ssl[..], &login].concat()).unwrap();
    let answer = raw.everything(Duration::from_secs(5));
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.starts_with('N') && text.contains("received unencrypted data after SSL request"), "{text}");
}
