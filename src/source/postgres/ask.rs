//! One question to a PostgreSQL server (or to Tusk itself), answered in text: for the proof of `tusk demo`.
//! Must not know: pools, sources.

use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::error::{Error, Fault, Result, SqlState};

/// Column names and rows, in text.
pub type Answer = (Vec<String>, Vec<Vec<Option<String>>>);

/// Connects without TLS or password, asks, and leaves.
///
/// # Errors
/// `08001` where there is no connection, the server's own SQLSTATE otherwise.
pub async fn ask(host: &str, port: u16, user: &str, database: &str, sql: &str) -> Result<Answer> {
    let refused = |error: tokio_postgres::Error| {
        Error::new(SqlState::CONNECT_FAILED, Fault::Internal, "could not connect to the daemon's own port")
            .with_cause(error)
    };
    let mut config = tokio_postgres::Config::new();
    config.host(host).port(port).user(user).dbname(database).application_name("tusk demo");
    let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.map_err(|error| {
        let state = error.code().and_then(|code| SqlState::from_code(code.code())).unwrap_or(SqlState::INTERNAL_ERROR);
        let message = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        Error::new(state, Fault::Internal, message)
    })?;
    drop(client);
    // The connection ends with its client; how does not matter any more.
    let _ = connection.await;
    let mut names = Vec::new();
    let mut rows = Vec::new();
    for message in &messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                names = columns.iter().map(|column| column.name().to_owned()).collect()
            }
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
            }
            _ => {}
        }
    }
    Ok((names, rows))
}
