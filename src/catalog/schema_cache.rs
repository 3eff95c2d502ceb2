//! The cache of what sources hold: fresh for a while, asked once however many wait, stale while a source is down.
//! Must not know: roles, statements, engines.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use moka::future::Cache;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::mount::Mounts;
use super::{CatalogSnapshot, Unavailable};
use crate::config::{CacheSettings, SourceSettings};
use crate::error::{Error, Fault, Result, SqlState};
use crate::metrics::Metrics;
use crate::source::{Connector, RemoteSchema};

/// A source as it is mounted.
#[derive(Debug)]
pub struct Mounted {
    /// Its settings' name.
    pub name: Arc<str>,
    /// How it is reached.
    pub connector: Arc<dyn Connector>,
    mounts: Mounts,
    /// Refreshes asked for so far: a read that began before the last of them does not answer it.
    refreshes: AtomicU64,
    /// A statement has needed it since its schema was last read.
    needed: AtomicBool,
    state: Mutex<State>,
}

impl Mounted {
    /// The schema that one of its schemas is seen as; `None`: it is not mounted.
    #[must_use]
    pub fn seen_as(&self, remote: &str) -> Option<String> {
        self.mounts.seen_as(remote)
    }
}

/// What is known of a source's health.
#[derive(Debug, Clone)]
pub struct SourceStatus {
    /// `None`: not asked yet.
    pub up: Option<bool>,
    /// Since when it is so.
    pub since: Option<SystemTime>,
    /// When the schema was last read.
    pub schema_read_at: Option<SystemTime>,
    /// How long that took.
    pub schema_read_took: Option<Duration>,
    /// Tables in that schema.
    pub tables: Option<usize>,
    /// The last failure, where it is down.
    pub error: Option<Error>,
}

#[derive(Debug, Default)]
struct State {
    good: Option<Good>,
    up: Option<bool>,
    since: Option<SystemTime>,
    error: Option<Error>,
}

#[derive(Debug, Clone)]
struct Good {
    schema: Arc<RemoteSchema>,
    read: Instant,
    read_at: SystemTime,
    took: Duration,
}

/// What a source answered, and which refresh it answers.
#[derive(Debug, Clone)]
struct Read<T> {
    refresh: u64,
    answer: T,
}

/// A source's answer to "what do you hold".
enum Answer {
    Fresh(Arc<RemoteSchema>),
    Stale(Arc<RemoteSchema>),
    Down(Error),
}

/// Which sources a statement needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Needed {
    /// All of them: an unqualified name, or a look at the catalogs.
    All,
    /// Those that may mount one of these schemas.
    Schemas(Vec<String>),
}

/// The cache. One for the daemon.
pub struct SchemaCache {
    sources: Vec<Mounted>,
    fresh: Cache<usize, Read<Arc<RemoteSchema>>>,
    failed: Cache<usize, Read<Error>>,
    ttl: Duration,
    stale_for: Duration,
    metrics: Metrics,
    assembled: Mutex<Option<(Vec<Key>, Arc<CatalogSnapshot>)>>,
    /// Snapshots that are good for a while, by what was needed.
    settled: Mutex<HashMap<Needed, Settled>>,
    /// Counts what may change a snapshot.
    changes: AtomicU64,
    /// Where schemas are read: what is made of the answers takes its time.
    runtime: Handle,
    generation: &'static AtomicU64,
}

/// A snapshot all of whose sources are fresh.
#[derive(Debug)]
struct Settled {
    /// What had changed when it was made.
    changes: u64,
    /// Until when the schemas of the needed sources are fresh.
    until: Instant,
    /// Those sources.
    sources: Vec<usize>,
    snapshot: Arc<CatalogSnapshot>,
}

/// Settled snapshots kept at most.
const SETTLED: usize = 256;

/// What a snapshot was made of: the same keys make the same snapshot. A key keeps its schema, so that no other comes to lie where it lay.
#[derive(Debug, Clone)]
enum Key {
    Schema { schema: Arc<RemoteSchema>, stale: bool },
    Down(String),
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Key::Schema { schema: a, stale: x }, Key::Schema { schema: b, stale: y }) => Arc::ptr_eq(a, b) && x == y,
            (Key::Down(a), Key::Down(b)) => a == b,
            _ => false,
        }
    }
}

impl SchemaCache {
    /// A cache over these sources, in config order. Asks none of them yet.
    ///
    /// `numbers`: where its snapshots' numbers come from. Transactions take theirs from there too, so that what changes after one
    /// has a higher number. `runtime`: where schemas are read.
    #[must_use]
    pub fn new(
        settings: &CacheSettings,
        sources: Vec<(SourceSettings, Arc<dyn Connector>)>,
        metrics: Metrics,
        (numbers, runtime): (&'static AtomicU64, Handle),
    ) -> Self {
        let sources = sources
            .into_iter()
            .map(|(settings, connector)| Mounted {
                name: Arc::from(settings.name.as_str()),
                mounts: Mounts::new(&settings),
                connector,
                refreshes: AtomicU64::new(0),
                needed: AtomicBool::new(false),
                state: Mutex::default(),
            })
            .collect();
        let at_least = |ttl: Duration| ttl.max(Duration::from_millis(1));
        SchemaCache {
            sources,
            fresh: Cache::builder().time_to_live(at_least(settings.schema_ttl)).build(),
            failed: Cache::builder().time_to_live(at_least(settings.schema_negative_ttl)).build(),
            ttl: settings.schema_ttl,
            stale_for: settings.schema_stale_while_down,
            metrics,
            assembled: Mutex::new(None),
            settled: Mutex::default(),
            changes: AtomicU64::new(0),
            runtime,
            generation: numbers,
        }
    }

    /// The sources, in config order.
    #[must_use]
    pub fn sources(&self) -> &[Mounted] {
        &self.sources
    }

    /// A source by its name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Mounted> {
        self.sources.iter().find(|source| &*source.name == name)
    }

    /// No schema that was read so far is fresh, nor one that is being read; the next statement that needs it asks again.
    /// Answers false where there is no such source.
    #[must_use]
    pub fn refresh(&self, name: &str) -> bool {
        let Some(source) = self.source(name) else { return false };
        source.refreshes.fetch_add(1, Ordering::AcqRel);
        self.changes.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// What is mounted now. Asks the needed sources whose schema is not fresh, all at once, each within its own time limit; sources
    /// that are not needed are taken as they were last seen.
    pub async fn snapshot(&self, needed: &Needed) -> Arc<CatalogSnapshot> {
        if let Some(snapshot) = self.settled(needed) {
            return snapshot;
        }
        let changes = self.changes.load(Ordering::Acquire);
        let is_needed = |source: &Mounted| match needed {
            Needed::All => true,
            Needed::Schemas(names) => names.iter().any(|name| source.mounts.may_mount(name)),
        };
        let answers = join_all(self.sources.iter().enumerate().map(|(index, source)| async move {
            if is_needed(source) { self.ask(index).await } else { self.last_seen(index).await }
        }))
        .await;
        let snapshot = self.assemble(&answers);
        if answers.iter().all(|answer| matches!(answer, Answer::Fresh(_))) {
            let sources = (0..self.sources.len()).filter(|index| is_needed(&self.sources[*index])).collect();
            self.settle(needed, (changes, sources, Arc::clone(&snapshot)));
        }
        snapshot
    }

    /// A snapshot that was made before and is still good.
    fn settled(&self, needed: &Needed) -> Option<Arc<CatalogSnapshot>> {
        let settled = self.settled.lock();
        let found = settled.get(needed)?;
        if found.changes != self.changes.load(Ordering::Acquire) || Instant::now() >= found.until {
            return None;
        }
        found.sources.iter().for_each(|index| self.sources[*index].needed.store(true, Ordering::Relaxed));
        self.metrics.cache_requests("hit").inc_by(found.sources.len() as u64);
        Some(Arc::clone(&found.snapshot))
    }

    /// Keeps a snapshot until the first schema in it that is needed is not fresh any more.
    fn settle(&self, needed: &Needed, (changes, sources, snapshot): (u64, Vec<usize>, Arc<CatalogSnapshot>)) {
        let read = |index: &usize| self.sources[*index].state.lock().good.as_ref().map(|good| good.read);
        let first = sources.iter().filter_map(read).min();
        let Some(until) = first.unwrap_or_else(Instant::now).checked_add(self.ttl) else { return };
        let mut settled = self.settled.lock();
        if settled.len() >= SETTLED {
            settled.clear();
        }
        settled.insert(needed.clone(), Settled { changes, until, sources, snapshot });
    }

    /// Reads the schemas anew that statements have needed and that will not be fresh `soon`: no statement waits for them then.
    pub async fn renew(&self, soon: Duration) {
        let due = |index: &usize| {
            let source = &self.sources[*index];
            let read = source.state.lock().good.as_ref().map(|good| good.read.elapsed());
            read.is_some_and(|age| age < self.ttl && age + soon >= self.ttl)
                && source.needed.swap(false, Ordering::Relaxed)
        };
        let renewing = (0..self.sources.len()).filter(due).map(|index| async move {
            let Some(before) = self.sources[index].state.lock().good.as_ref().map(|good| good.read) else { return };
            let (answer, earlier) = self.read(index).await;
            // Whoever has read it meanwhile began later.
            if let Ok(read) = answer
                && earlier == Some(before)
            {
                self.fresh.insert(index, read).await;
                // A statement that came before that has settled on what was there, for as long as what is there now is fresh.
                self.changes.fetch_add(1, Ordering::AcqRel);
            }
        });
        join_all(renewing).await;
    }

    async fn last_seen(&self, index: usize) -> Answer {
        if let Some(read) = self.fresh.get(&index).await {
            return Answer::Fresh(read.answer);
        }
        // Not needed by this statement: as it was last seen. A statement that needs it finds the same, and so the same snapshot.
        let (good, error) = {
            let state = self.sources[index].state.lock();
            (state.good.clone(), state.error.clone())
        };
        match (good, error) {
            (Some(good), None) => Answer::Fresh(good.schema),
            (Some(good), Some(_)) if good.read.elapsed() <= self.stale_for => Answer::Stale(good.schema),
            (_, Some(error)) => Answer::Down(error),
            (None, None) => Answer::Down(unreachable_source(&self.sources[index].name)),
        }
    }

    async fn ask(&self, index: usize) -> Answer {
        let wanted = self.sources[index].refreshes.load(Ordering::Acquire);
        if let Some(read) = self.fresh.get(&index).await.filter(|read| read.refresh >= wanted) {
            self.metrics.cache_requests("hit").inc();
            return Answer::Fresh(read.answer);
        }
        if let Some(read) = self.failed.get(&index).await.filter(|read| read.refresh >= wanted) {
            self.metrics.cache_requests("negative").inc();
            return self.stale_or(index, read.answer);
        }
        loop {
            // What is cached, or on its way since before the refresh, is no answer to it. A read that begins from here on is one.
            if self.fresh.get(&index).await.is_some_and(|read| read.refresh < wanted) {
                self.fresh.invalidate(&index).await;
            }
            match self.fresh.try_get_with(index, self.introspect(index)).await {
                Ok(read) if read.refresh < wanted => {}
                Ok(read) => {
                    self.metrics.cache_requests("miss").inc();
                    return Answer::Fresh(read.answer);
                }
                Err(failed) if failed.refresh < wanted => {}
                Err(failed) => {
                    self.failed.insert(index, Read::clone(&failed)).await;
                    self.metrics.cache_requests("error").inc();
                    return self.stale_or(index, failed.answer.clone());
                }
            }
        }
    }

    fn stale_or(&self, index: usize, error: Error) -> Answer {
        let good = self.sources[index].state.lock().good.clone();
        match good {
            Some(good) if good.read.elapsed() <= self.stale_for => {
                self.metrics.cache_requests("stale").inc();
                Answer::Stale(good.schema)
            }
            _ => Answer::Down(error),
        }
    }

    async fn introspect(&self, index: usize) -> std::result::Result<Read<Arc<RemoteSchema>>, Read<Error>> {
        self.sources[index].needed.store(true, Ordering::Relaxed);
        self.read(index).await.0
    }

    /// Reads a schema; with that, when it had been read before.
    async fn read(&self, index: usize) -> (std::result::Result<Read<Arc<RemoteSchema>>, Read<Error>>, Option<Instant>) {
        let source = &self.sources[index];
        let refresh = source.refreshes.load(Ordering::Acquire);
        let begun = Instant::now();
        let connector = Arc::clone(&source.connector);
        let reading = AbortOnDropHandle::new(self.runtime.spawn(async move { connector.introspect().await }));
        let found = reading
            .await
            .unwrap_or_else(|error| Err(Error::internal("the reading of a schema ended early").with_cause(error)));
        let earlier = source.state.lock().good.as_ref().map(|good| good.read);
        (self.found(index, found, (refresh, begun)), earlier)
    }

    fn found(
        &self,
        index: usize,
        found: Result<RemoteSchema>,
        (refresh, begun): (u64, Instant),
    ) -> std::result::Result<Read<Arc<RemoteSchema>>, Read<Error>> {
        let source = &self.sources[index];
        let found = match found {
            Ok(schema) => {
                let before = source.state.lock().good.as_ref().map(|good| Arc::clone(&good.schema));
                let schema = match before {
                    Some(before) => schema.renews(&before),
                    None => Arc::new(schema),
                };
                for problem in &schema.problems {
                    tracing::warn!(source = &*source.name, problem, "part of a source is not mounted");
                }
                source.state.lock().good = Some(Good {
                    schema: Arc::clone(&schema),
                    read: Instant::now(),
                    read_at: SystemTime::now(),
                    took: begun.elapsed(),
                });
                self.note(index, Ok(()));
                Ok(Read { refresh, answer: schema })
            }
            Err(error) => {
                let known = source.state.lock().good.as_ref().map(|good| Arc::clone(&good.schema));
                if let Some(schema) = known.filter(|_| error.state() == SqlState::LOCK_NOT_AVAILABLE) {
                    // The source is there; somebody changes one of its tables just now.
                    tracing::warn!(source = &*source.name, "its schema could not be read again: a table is locked");
                    self.note(index, Ok(()));
                    self.changes.fetch_add(1, Ordering::AcqRel);
                    return Ok(Read { refresh, answer: schema });
                }
                self.note(index, Err(error.clone()));
                Err(Read { refresh, answer: error })
            }
        };
        self.changes.fetch_add(1, Ordering::AcqRel);
        found
    }

    /// Notes that a source answered, or did not.
    pub fn note(&self, index: usize, answer: Result<()>) {
        let Some(source) = self.sources.get(index) else { return };
        let up = answer.is_ok();
        self.metrics.source_up(&source.name).set(i64::from(up));
        let mut state = source.state.lock();
        if state.up != Some(up) {
            state.up = Some(up);
            state.since = Some(SystemTime::now());
            match &answer {
                Ok(()) => tracing::info!(source = &*source.name, "source is up"),
                Err(error) => tracing::warn!(source = &*source.name, error = %error.chain(), "source is down"),
            }
        }
        if state.error.is_some() || answer.is_err() {
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        state.error = answer.err();
    }

    fn assemble(&self, answers: &[Answer]) -> Arc<CatalogSnapshot> {
        let keys: Vec<Key> = answers
            .iter()
            .map(|answer| match answer {
                Answer::Fresh(schema) => Key::Schema { schema: Arc::clone(schema), stale: false },
                Answer::Stale(schema) => Key::Schema { schema: Arc::clone(schema), stale: true },
                Answer::Down(error) => Key::Down(error.message().to_owned()),
            })
            .collect();
        let mut assembled = self.assembled.lock();
        if let Some((made_of, snapshot)) = &*assembled
            && *made_of == keys
        {
            return Arc::clone(snapshot);
        }
        let snapshot = Arc::new(self.build(answers));
        *assembled = Some((keys, Arc::clone(&snapshot)));
        snapshot
    }

    fn build(&self, answers: &[Answer]) -> CatalogSnapshot {
        let mut snapshot = CatalogSnapshot {
            generation: self.generation.fetch_add(1, Ordering::Relaxed) + 1,
            ..CatalogSnapshot::default()
        };
        let mut oids = HashMap::new();
        for (source, answer) in self.sources.iter().zip(answers) {
            match answer {
                Answer::Fresh(schema) => {
                    source.mounts.mount(&source.name, source.connector.kind(), schema, &mut snapshot, &mut oids)
                }
                Answer::Stale(schema) => {
                    source.mounts.mount(&source.name, source.connector.kind(), schema, &mut snapshot, &mut oids);
                    snapshot.stale.push(Arc::clone(&source.name));
                }
                Answer::Down(error) => snapshot.unavailable.push(Unavailable {
                    source: Arc::clone(&source.name),
                    mounts: source.mounts.clone(),
                    error: error.clone(),
                }),
            }
        }
        snapshot
    }
}

impl Mounted {
    /// What is known of its health.
    #[must_use]
    pub fn status(&self) -> SourceStatus {
        let state = self.state.lock();
        let good = state.good.as_ref();
        SourceStatus {
            up: state.up,
            since: state.since,
            schema_read_at: good.map(|good| good.read_at),
            schema_read_took: good.map(|good| good.took),
            tables: good.map(|good| good.schema.tables.len()),
            error: state.error.clone(),
        }
    }
}

fn unreachable_source(name: &str) -> Error {
    Error::new(SqlState::CONNECT_FAILED, Fault::Source, format!("could not connect to source \"{name}\""))
}
