//! Sessions over a pipe in memory, with a service that answers by what the text says.
//! Must not know: engines, sources.

mod copy;
mod extended;
mod life;
mod simple;
mod streaming;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::framing::FrameReader;
use super::listener::{Login, Serve};
use super::messages::BackendWriter;
use super::server::{Served, Shared};
use super::startup::Startup;
use super::stream::Stream;
use crate::config::Settings;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::query::fake::Fake;
use crate::session::SessionRegistry;
use crate::shutdown::Shutdown;

const PATIENCE: Duration = Duration::from_secs(10);

/// A server without sockets.
struct House {
    fake: Arc<Fake>,
    registry: Arc<SessionRegistry>,
    shutdown: Shutdown,
    served: Arc<Served>,
}

fn settings(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tusk.toml");
    let file =
        format!("[server]\nauth = \"trust\"\n{text}\n[[user]]\nname = \"ana\"\nset = {{ work_mem = \"8MB\" }}\n");
    std::fs::write(&path, file).unwrap();
    crate::config::load(&path).unwrap()
}

impl House {
    fn new() -> House {
        House::with("")
    }

    /// With more lines in `[server]`.
    fn with(server: &str) -> House {
        let settings = settings(server);
        let fake = Arc::new(Fake::default());
        let registry = Arc::new(SessionRegistry::new());
        let shutdown = Shutdown::new();
        let shared = Shared::new(
            &settings,
            Arc::clone(&fake) as _,
            Arc::new(Policy::new(&settings)),
            Arc::clone(&registry),
            Metrics::new().unwrap(),
            shutdown.clone(),
        );
        House { fake, registry, shutdown, served: Arc::new(Served(Arc::new(shared.unwrap()))) }
    }

    async fn client(&self) -> Client {
        self.client_with(&[], 64 * 1024).await
    }

    /// A client that has read everything up to the first ReadyForQuery. `pipe`: bytes that fit between the two.
    async fn client_with(&self, params: &[(&str, &str)], pipe: usize) -> Client {
        let mut client = self.connect(params, pipe);
        let messages = client.until('Z').await;
        let key = messages.iter().find(|message| message.kind == 'K').unwrap();
        client.pid = (&key.body[..4]).get_i32();
        client.key = key.body[4..].to_vec();
        for message in messages.iter().filter(|message| message.kind == 'S') {
            let mut parts =
                message.body.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
            client.params.push((parts.next().unwrap(), parts.next().unwrap()));
        }
        client
    }

    fn connect(&self, params: &[(&str, &str)], pipe: usize) -> Client {
        let (near, far) = tokio::io::duplex(pipe);
        let (half, stream) = Stream::Memory(far).split();
        let startup = Startup {
            user: "ana".into(),
            database: "tusk".into(),
            params: params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            minor: 0,
        };
        let login = Login {
            reader: FrameReader::new(half, BytesMut::new()),
            writer: BackendWriter::new(),
            stream,
            startup,
            user: "ana".into(),
            peer: None,
            tls: false,
            client_cn: None,
        };
        let served = Arc::clone(&self.served);
        let task = tokio::spawn(async move { served.serve(login).await });
        Client { socket: near, task, buffer: BytesMut::new(), pid: 0, key: Vec::new(), params: Vec::new() }
    }

    /// Waits until no stream lives.
    async fn all_dropped(&self) {
        let wait = async {
            while self.fake.live.load(Ordering::SeqCst) > 0 || !self.fake.running.list().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the work goes on");
    }
}

/// A message of the server.
#[derive(Debug)]
struct Message {
    kind: char,
    body: Vec<u8>,
}

impl Message {
    /// A field of an error or notice.
    fn field(&self, code: u8) -> Option<String> {
        self.body
            .split(|byte| *byte == 0)
            .find(|field: &&[u8]| field.first() == Some(&code))
            .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
    }

    /// The text of a tag.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end_matches('\0').to_owned()
    }

    /// The fields of a row.
    fn row(&self) -> Vec<Option<Vec<u8>>> {
        let mut rest = &self.body[..];
        (0..rest.get_i16())
            .map(|_| usize::try_from(rest.get_i32()).ok().map(|length| rest.copy_to_bytes(length).to_vec()))
            .collect()
    }
}

/// A client that speaks raw messages.
struct Client {
    socket: DuplexStream,
    task: JoinHandle<()>,
    buffer: BytesMut,
    pid: i32,
    key: Vec<u8>,
    params: Vec<(String, String)>,
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.put_i32(body.len() as i32 + 4);
    bytes.put_slice(body);
    bytes
}

fn query(text: &str) -> Vec<u8> {
    frame(b'Q', format!("{text}\0").as_bytes())
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

fn bind(portal: &str, name: &str, values: &[Option<&str>], formats: &[i16]) -> Vec<u8> {
    let mut body = format!("{portal}\0{name}\0").into_bytes();
    body.put_i16(0);
    body.put_i16(values.len() as i16);
    for value in values {
        match value {
            Some(text) => {
                body.put_i32(text.len() as i32);
                body.put_slice(text.as_bytes());
            }
            None => body.put_i32(-1),
        }
    }
    body.put_i16(formats.len() as i16);
    for format in formats {
        body.put_i16(*format);
    }
    frame(b'B', &body)
}

fn execute(portal: &str, rows: i32) -> Vec<u8> {
    let mut body = format!("{portal}\0").into_bytes();
    body.put_i32(rows);
    frame(b'E', &body)
}

fn describe(kind: char, name: &str) -> Vec<u8> {
    frame(b'D', format!("{kind}{name}\0").as_bytes())
}

fn close(kind: char, name: &str) -> Vec<u8> {
    frame(b'C', format!("{kind}{name}\0").as_bytes())
}

fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

impl Client {
    async fn send(&mut self, messages: &[Vec<u8>]) {
        self.socket.write_all(&messages.concat()).await.unwrap();
    }

    /// The next message; `None`: the server has closed.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if self.buffer.len() >= 5 {
                let length = (&self.buffer[1..5]).get_u32() as usize;
                if self.buffer.len() > length {
                    let kind = char::from(self.buffer[0]);
                    self.buffer.advance(5);
                    return Some(Message { kind, body: self.buffer.split_to(length - 4).to_vec() });
                }
            }
            let read = self.socket.read_buf(&mut self.buffer);
            match tokio::time::timeout(PATIENCE, read).await.expect("no answer") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Everything up to a message of this kind.
    async fn until(&mut self, kind: char) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await.expect("the server has closed");
            let last = message.kind == kind;
            messages.push(message);
            if last {
                return messages;
            }
        }
    }

    /// Sends, and reads up to ReadyForQuery: the kinds in order, and the messages.
    async fn ask(&mut self, messages: &[Vec<u8>]) -> (String, Vec<Message>) {
        self.send(messages).await;
        let answer = self.until('Z').await;
        (answer.iter().map(|message| message.kind).collect(), answer)
    }

    /// A statement by the simple protocol: tags and errors in short, and the transaction status.
    async fn run(&mut self, text: &str) -> String {
        let (_, answer) = self.ask(&[query(text)]).await;
        let mut words = Vec::new();
        for message in &answer {
            match message.kind {
                'C' => words.push(message.text()),
                'E' => words.push(message.field(b'C').unwrap()),
                'N' => words.push(format!("[{}]", message.field(b'C').unwrap())),
                'I' => words.push("EMPTY".to_owned()),
                'D' => words.push(format!("<{}>", text_of(message))),
                'Z' => words.push(message.text()),
                _ => {}
            }
        }
        words.join(" ")
    }

    /// Everything until the server closes.
    async fn rest(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        messages
    }
}

fn text_of(message: &Message) -> String {
    let fields = message.row().into_iter();
    fields
        .map(|field| field.map_or("NULL".into(), |bytes| String::from_utf8(bytes).unwrap()))
        .collect::<Vec<_>>()
        .join("|")
}

fn errors(answer: &[Message]) -> Vec<(String, String)> {
    let errors = answer.iter().filter(|message| message.kind == 'E');
    errors.map(|message| (message.field(b'C').unwrap(), message.field(b'M').unwrap())).collect()
}
