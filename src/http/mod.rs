//! Metrics and health over HTTP: `/metrics`, `/livez`, `/readyz`. For the operator's machines, without login.
//! Must not know: what is behind the health of a source; SQL, users, rows.

mod health;
mod limits;

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::config::{Ready, SourceKind};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// How a source is, as of its last use or ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceHealth {
    /// Its name in the config.
    pub name: String,
    /// What it is.
    pub kind: SourceKind,
    /// Whether it answered last.
    pub up: bool,
    /// Since when it is up or down.
    pub since: SystemTime,
    /// While it is down: the SQLSTATE or another short class of the error. Never a message: this page is open.
    pub error_class: Option<String>,
}

/// What the pages show. Cheap to clone.
#[derive(Clone)]
pub struct HttpState {
    /// For `/metrics`.
    pub metrics: Metrics,
    /// Which sources must be up for `/readyz`.
    pub ready: Ready,
    /// Brings up to date what is measured only when it is looked at; must not block.
    pub measure: Arc<dyn Fn() + Send + Sync>,
    /// How each source is now; must not block.
    pub sources: Arc<dyn Fn() -> Vec<SourceHealth> + Send + Sync>,
}

impl std::fmt::Debug for HttpState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpState").field("ready", &self.ready).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Pages {
    state: HttpState,
    shutdown: Shutdown,
}

/// Serves until the drain has ended ([`Shutdown::stopped`]): while it lasts `/readyz` must be there to say 503. So this
/// future must not be one of the tasks that the drain waits for.
///
/// # Errors
/// The listener is unusable.
pub async fn serve(listener: tokio::net::TcpListener, state: HttpState, shutdown: Shutdown) -> Result<()> {
    let router = router(Pages { state, shutdown: shutdown.clone() });
    let serving = axum::serve(limits::Bounded::new(listener), router).into_future();
    tokio::select! {
        ended = serving => ended.map_err(|error| Error::internal("the HTTP listener ended").with_cause(error)),
        () = shutdown.stopped() => Ok(()),
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .fallback(|| async { answer(StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned()) })
        .method_not_allowed_fallback(|| async { answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned()) })
        .with_state(pages)
}

async fn metrics(State(pages): State<Pages>) -> Response {
    (pages.state.measure)();
    match pages.state.metrics.render() {
        Ok(text) => answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be rendered");
            answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "metrics cannot be rendered\n".to_owned())
        }
    }
}

/// The process answers: nothing more is asked here, or a source's trouble would have the daemon restarted.
async fn livez() -> Response {
    answer(StatusCode::OK, TEXT, "ok\n".to_owned())
}

async fn readyz(State(pages): State<Pages>) -> Response {
    let health = health::Health::new(pages.state.ready, pages.shutdown.draining(), (pages.state.sources)());
    let status = if health.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, "application/json", health.to_json())
}

const TEXT: &str = "text/plain; charset=utf-8";

/// One answer a connection: see `limits`.
fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn get(address: std::net::SocketAddr, path: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        // Ends because the server closes after each answer.
        tokio::time::timeout(Duration::from_secs(10), socket.read_to_string(&mut text)).await.unwrap().unwrap();
        text
    }

    #[tokio::test]
    async fn the_three_pages() {
        let up = Arc::new(AtomicBool::new(true));
        let state = HttpState {
            metrics: Metrics::new().unwrap(),
            ready: Ready::All,
            measure: Arc::new(|| ()),
            sources: Arc::new({
                let up = Arc::clone(&up);
                move || {
                    let up = up.load(Ordering::SeqCst);
                    vec![SourceHealth {
                        name: "shop".to_owned(),
                        kind: SourceKind::Postgres,
                        up,
                        since: SystemTime::UNIX_EPOCH,
                        error_class: (!up).then(|| "08001".to_owned()),
                    }]
                }
            }),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(serve(listener, state, shutdown.clone()));
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/metrics").await.contains("tusk_build_info{"));
        assert!(get(address, "/other").await.starts_with("HTTP/1.1 404"));
        let ready = get(address, "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("\"since\":\"1970-01-01T00:00:00Z\""), "{ready}");
        up.store(false, Ordering::SeqCst);
        let down = get(address, "/readyz").await;
        assert!(down.starts_with("HTTP/1.1 503") && down.contains("\"error_class\":\"08001\""), "{down}");
        up.store(true, Ordering::SeqCst);
        shutdown.begin_drain();
        let draining = get(address, "/readyz").await;
        assert!(draining.starts_with("HTTP/1.1 503") && draining.contains("\"draining\""), "{draining}");
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        shutdown.stop_now();
        serving.await.unwrap().unwrap();
    }
}
