//! PostgreSQL's protocol: sockets, login, messages.
//! Must not know: rooms on higher floors.
//!
//! From the wire inwards: [`listener`] accepts, [`startup`] negotiates, [`auth`] proves, and whoever implements
//! [`listener::Serve`] takes the [`listener::Login`] over. [`framing`] cuts what a peer sends into exact, bounded
//! messages and [`messages`] gives them types; no other place reads a length that came from a socket.

pub mod auth;
mod bind;
mod connection;
mod copy;
mod copy_in;
mod cursors;
mod deliver;
mod encode;
mod extended;
pub mod framing;
mod io;
pub mod listener;
pub mod messages;
mod respond;
mod server;
mod simple;
pub mod startup;
pub mod stream;
mod throttle;
pub mod tls;

pub use server::Server;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
