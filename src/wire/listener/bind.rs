//! The listening sockets: TCP addresses and the Unix socket, and how each accepted socket is set up.
//! Must not know: what is spoken on them.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::config::{Listen, ServerSettings};
use crate::error::{Error, Result, SqlState};
use crate::wire::stream::{Liveness, Stream};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// PostgreSQL's port, for a Unix socket without a TCP address beside it.
const DEFAULT_PORT: u16 = 5432;

/// One listening socket.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Binds every configured address. To be called within the runtime that will accept.
    ///
    /// # Errors
    /// `58000`: an address that cannot be resolved or bound, a socket that another server listens on.
    pub fn bind(settings: &ServerSettings) -> Result<Vec<Listener>> {
        let mut listeners = Vec::new();
        for listen in &settings.listen {
            if let Listen::Tcp(address) = listen {
                listeners.extend(tcp(address, settings.reuse_port)?);
            }
        }
        let port = listeners.iter().find_map(Listener::local_addr).map_or(DEFAULT_PORT, |address| address.port());
        for listen in &settings.listen {
            if let Listen::Unix(directory) = listen {
                listeners.push(unix(directory, port, settings.reuse_port)?);
            }
        }
        Ok(listeners)
    }

    /// The TCP address with its real port; `None`: a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(_, address) => Some(*address),
            Kind::Unix(..) => None,
        }
    }

    /// The next connection, set up. May be dropped while it waits.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.0 {
            Kind::Tcp(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                set_up(&stream);
                Ok((Stream::Tcp(stream), Some(peer)))
            }
            Kind::Unix(listener, _) => Ok((Stream::Unix(listener.accept().await?.0), None)),
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Tcp(_, address) => address.fmt(f),
            Kind::Unix(_, file) => write!(f, "unix:{}", file.path.display()),
        }
    }
}

fn cannot(address: &dyn fmt::Display, error: io::Error) -> Error {
    Error::resource(SqlState::SYSTEM_ERROR, format!("could not listen on \"{address}\": {error}")).with_cause(error)
}

/// Binds every address that a name stands for; one is enough.
fn tcp(address: &str, reuse_port: bool) -> Result<Vec<Listener>> {
    let resolved = address.to_socket_addrs().map_err(|error| cannot(&address, error))?;
    let (mut bound, mut failed) = (Vec::new(), None);
    for resolved in resolved {
        match tcp_socket(resolved, reuse_port) {
            Ok(listener) => bound.push(listener),
            Err(error) => failed = Some(cannot(&resolved, error)),
        }
    }
    match failed {
        Some(error) if bound.is_empty() => Err(error),
        None if bound.is_empty() => {
            Err(cannot(&address, io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
        }
        Some(error) => {
            tracing::warn!("{}", error.message());
            Ok(bound)
        }
        None => Ok(bound),
    }
}

fn tcp_socket(address: SocketAddr, reuse_port: bool) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let local = listener.local_addr()?;
    Ok(Listener(Kind::Tcp(listener, local)))
}

/// A peer that is gone without a word is noticed; small answers are sent at once. What cannot be set is done without.
fn set_up(stream: &TcpStream) {
    let set = stream.set_nodelay(true).and_then(|()| Liveness::DEFAULT.apply(&SockRef::from(stream)));
    if let Err(error) = set {
        tracing::debug!(%error, "could not set up a socket");
    }
}

/// A Unix socket's file; removed with it, unless another server has put its own there since.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds `.s.PGSQL.<port>`: only the daemon's own user may connect.
fn unix(directory: &Path, port: u16, take_over: bool) -> Result<Listener> {
    let path = directory.join(format!(".s.PGSQL.{port}"));
    unix_socket(directory, &path, take_over).map_err(|error| cannot(&path.display(), error))
}

fn unix_socket(directory: &Path, path: &Path, take_over: bool) -> io::Result<Listener> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    clear(path, take_over)?;
    let listener = UnixListener::bind(path)?;
    let file = SocketFile { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() };
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    Ok(Listener(Kind::Unix(listener, file)))
}

/// Removes a socket that nobody listens on any more, and nothing else.
fn clear(path: &Path, take_over: bool) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file exists and is no socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) if !take_over => Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens on it")),
        _ => fs::remove_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn takes_over_a_stale_socket_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".s.PGSQL.5432");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let listener = unix(directory.path(), 5432, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(unix(directory.path(), 5432, false).unwrap_err().message().contains("another server"));
        let second = unix(directory.path(), 5432, true).unwrap();
        drop(listener);
        assert!(path.exists(), "the first must not remove the second's");
        drop(second);
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        assert!(unix(directory.path(), 5432, true).is_err());
        assert!(path.exists());
    }

    #[tokio::test]
    async fn binds_port_zero_and_refuses_a_taken_port() {
        let first = tcp("127.0.0.1:0", false).unwrap();
        let address = first[0].local_addr().unwrap();
        assert_ne!(address.port(), 0);
        assert_eq!(tcp(&address.to_string(), false).unwrap_err().state(), SqlState::SYSTEM_ERROR);
        assert!(tcp("nowhere.invalid:1", false).is_err());
    }
}
