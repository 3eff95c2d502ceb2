//! Session variables (PostgreSQL's GUCs): what there is, what a session has set, and what a transaction may still undo.
//! Must not know: SQL, messages.

mod absent;
mod check;
mod names;
mod planning;
mod table;
mod undo;
mod value;
mod variable;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

pub use check::{is_cut, is_encoding};
pub use names::{join_identifiers, quoted_name, split_identifiers};
pub use planning::Planning;
pub use table::VARIABLES;
pub use value::Value;
pub use variable::{Check, Context, Kind, Source, Unit, Variable};

use crate::error::{Error, Result, SqlState};
use crate::types::FormatOptions;

/// Bytes of the texts that one transaction may set once it has savepoints: each may keep what was set before it.
const MAX_KEPT: usize = 64 << 20;

/// For how long a SET holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Until the session ends, unless its transaction is rolled back.
    Session,
    /// Until the transaction ends.
    Local,
}

/// A value and where it came from.
#[derive(Debug, Clone)]
struct Slot {
    value: Value,
    source: Source,
}

/// All values at one moment. Copies share; a change copies one list of small values.
#[derive(Debug, Clone)]
struct Values {
    builtin: Arc<Vec<Slot>>,
    custom: Arc<BTreeMap<String, Slot>>,
    format: Arc<FormatOptions>,
}

/// What a transaction or savepoint goes back to.
#[derive(Debug, Clone)]
struct Saved {
    current: Values,
    session: Values,
}

/// The variables of one session. A clone is a cheap snapshot that later changes do not touch.
#[derive(Debug, Clone)]
pub struct SessionVars {
    /// What is seen now.
    current: Values,
    /// What is seen once the transaction commits: `current` without SET LOCAL.
    session: Values,
    /// What RESET goes back to.
    defaults: Values,
    /// The transaction, then its savepoints.
    saved: Vec<Saved>,
    /// What the client was told last of each reported variable.
    told: Arc<Vec<Option<Arc<str>>>>,
    changed: bool,
    /// Counts changes: all of them, and those of what plans depend on.
    generations: (u64, u64),
    /// Bytes of the texts that the transaction has set, which its savepoints may keep.
    kept: usize,
}

/// What SHOW ALL and `pg_settings` tell of a variable.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its value, with a unit that people read.
    pub setting: String,
    /// Its value in its own unit.
    pub raw: String,
    /// What RESET would make it, in its own unit.
    pub reset: String,
    /// Where it comes from.
    pub source: Source,
    /// The variable; `None` for a name with a dot that a client made up.
    pub variable: Option<&'static Variable>,
}

static BOOT: LazyLock<Values> = LazyLock::new(|| {
    let slot = |variable: &Variable| Slot {
        // A test holds that every default parses.
        value: value::parse(variable, variable.name, variable.default)
            .unwrap_or_else(|_| Value::Text(variable.default.into())),
        source: Source::Default,
    };
    Values { builtin: Arc::new(VARIABLES.iter().map(slot).collect()), custom: Arc::default(), format: Arc::default() }
});

/// Where each variable stands, by its name as it is written.
static INDEX: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| VARIABLES.iter().enumerate().map(|(index, variable)| (variable.name, index)).collect());

/// The place of a variable in [`VARIABLES`], its name in any case.
#[must_use]
pub fn find(name: &str) -> Option<usize> {
    // Our own code knows how names are written, and asks for many in each statement.
    if let Some(index) = INDEX.get(name) {
        return Some(*index);
    }
    let wanted = name.bytes().map(|byte| byte.to_ascii_lowercase());
    VARIABLES
        .binary_search_by(|variable| variable.name.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(wanted.clone()))
        .ok()
}

fn unrecognized(name: &str) -> Error {
    Error::client(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

impl Default for SessionVars {
    fn default() -> Self {
        SessionVars::new()
    }
}

impl SessionVars {
    /// Every variable at its built-in value.
    #[must_use]
    pub fn new() -> Self {
        SessionVars {
            current: BOOT.clone(),
            session: BOOT.clone(),
            defaults: BOOT.clone(),
            saved: Vec::new(),
            told: Arc::new(vec![None; VARIABLES.len()]),
            changed: true,
            generations: (0, 0),
            kept: 0,
        }
    }

    /// What is seen now, without what savepoints would go back to.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        SessionVars {
            current: self.current.clone(),
            session: self.session.clone(),
            defaults: self.defaults.clone(),
            saved: self.saved.first().cloned().into_iter().collect(),
            told: Arc::clone(&self.told),
            changed: self.changed,
            generations: self.generations,
            kept: self.kept,
        }
    }

    /// Sets a session default: RESET goes back to it. For the configuration, a user's `set` and the start-up packet, in this order.
    ///
    /// # Errors
    /// As [`SessionVars::set`]; a [`Source::ConfigurationFile`] may set everything.
    pub fn set_default(&mut self, name: &str, text: &str, source: Source) -> Result<()> {
        let trusted = source == Source::ConfigurationFile;
        if !trusted && let Some(variable) = find(name).and_then(|index| VARIABLES.get(index)) {
            self.may_become(variable, text)?;
            check::not_of_a_transaction(variable)?;
        }
        let defaults = self.defaults.clone().with(name, text, source, trusted)?;
        self.become_current(defaults.clone());
        self.session = defaults.clone();
        self.defaults = defaults;
        Ok(())
    }

    /// SET: a list comes as one text, as PostgreSQL joins it.
    ///
    /// # Errors
    /// `42704` for an unknown name, `22023` for a value it may not hold, `55P02` where nobody may set it, `42501` where only a
    /// superuser may, `42602` for a malformed name with dots.
    pub fn set(&mut self, name: &str, text: &str, scope: Scope) -> Result<()> {
        self.change(name, Some(text), scope)
    }

    /// RESET and SET TO DEFAULT.
    ///
    /// # Errors
    /// As [`SessionVars::set`].
    pub fn reset(&mut self, name: &str, scope: Scope) -> Result<()> {
        self.change(name, None, scope)
    }

    /// SET ROLE and its like take nobody but the user who logged in.
    fn may_become(&self, variable: &Variable, text: &str) -> Result<()> {
        match self.defaults.slot("session_authorization") {
            Some(own) => check::identity(variable, text, &value::raw(&own.value)),
            None => Ok(()),
        }
    }

    fn change(&mut self, name: &str, text: Option<&str>, scope: Scope) -> Result<()> {
        self.kept += text.map_or(0, str::len);
        if self.kept > MAX_KEPT && self.saved.len() > 1 {
            return Err(Error::resource(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("what a transaction with savepoints sets may take {} MiB", MAX_KEPT >> 20),
            ));
        }
        let variable = find(name).and_then(|index| VARIABLES.get(index));
        if let Some(variable) = variable {
            check::may_set(variable)?;
            if let Some(text) = text {
                self.may_become(variable, text)?;
            }
        }
        let current = match text {
            Some(text) => self.current.clone().with(name, text, Source::Session, false)?,
            None => {
                absent::may_set(name)?;
                self.current.clone().put(name, self.defaults.slot(name))?
            }
        };
        if scope == Scope::Session {
            // DateStyle merges with what is seen now, so the session takes the very value that is seen.
            self.session = self.session.clone().put(name, current.slot(name))?;
        }
        self.become_current(current);
        Ok(())
    }

    /// RESET ALL: all but the transaction's own variables.
    pub fn reset_all(&mut self) {
        let keep: Vec<_> = undo::TRANSACTION.iter().filter_map(|name| find(name)).collect();
        let fresh = |values: &Values| {
            let mut fresh = self.defaults.clone();
            let list = Arc::make_mut(&mut fresh.builtin);
            for &index in &keep {
                if let (Some(to), Some(from)) = (list.get_mut(index), values.builtin.get(index)) {
                    *to = from.clone();
                }
            }
            fresh.keep_names(values);
            fresh
        };
        let (current, session) = (fresh(&self.current), fresh(&self.session));
        self.session = session;
        self.become_current(current);
    }

    /// Goes over to these values.
    fn become_current(&mut self, values: Values) {
        self.changed = true;
        self.generations.0 += 1;
        self.generations.1 += u64::from(self.current.plans_otherwise(&values));
        self.current = values;
    }

    /// Two numbers that are others after each change: of any variable, and of one that plans depend on.
    pub(super) fn generations(&self) -> (u64, u64) {
        self.generations
    }

    /// SHOW: the value as people read it (`33s`, `on`).
    ///
    /// # Errors
    /// `42704` for an unknown name.
    pub fn show(&self, name: &str) -> Result<String> {
        Ok(self.shown(name)?.setting)
    }

    /// Everything about one variable.
    ///
    /// # Errors
    /// `42704` for an unknown name.
    pub fn shown(&self, name: &str) -> Result<Shown> {
        let Some(index) = find(name) else {
            absent::may_show(name)?;
            let lower = name.to_ascii_lowercase();
            let slot = self.current.custom.get(&lower).ok_or_else(|| unrecognized(name))?;
            return Ok(shown_custom(&lower, slot));
        };
        self.shown_at(index).ok_or_else(|| unrecognized(name))
    }

    fn shown_at(&self, index: usize) -> Option<Shown> {
        let variable = VARIABLES.get(index)?;
        // Outside a block the transaction's own variables are those that the next transaction will have.
        let seen = match variable.name.strip_prefix("transaction_") {
            Some(rest) if self.saved.is_empty() => find(&format!("default_transaction_{rest}")).unwrap_or(index),
            _ => index,
        };
        let slot = self.current.builtin.get(seen)?;
        Some(Shown {
            name: variable.name.to_owned(),
            setting: match variable.name {
                // PostgreSQL does not tell the seed.
                "seed" => "unavailable".to_owned(),
                // It asks the socket for these, and tells what that says.
                "tcp_keepalives_idle" | "tcp_keepalives_interval" | "tcp_user_timeout" => value::raw(&slot.value),
                _ => value::show(variable, &slot.value),
            },
            raw: value::raw(&slot.value),
            reset: value::raw(&self.defaults.builtin.get(index)?.value),
            source: slot.source,
            variable: Some(variable),
        })
    }

    /// SHOW ALL and `pg_settings`, ordered by name without regard to case.
    #[must_use]
    pub fn show_all(&self) -> Vec<Shown> {
        let mut all: Vec<Shown> = (0..VARIABLES.len())
            .filter_map(|index| self.shown_at(index))
            .filter(|shown| shown.variable.is_some_and(|variable| !variable.hidden))
            .collect();
        all.extend(self.current.custom.iter().map(|(name, slot)| shown_custom(name, slot)));
        all.sort_by_cached_key(|shown| shown.name.to_ascii_lowercase());
        all
    }

    /// How values look now.
    #[must_use]
    pub fn format(&self) -> &FormatOptions {
        &self.current.format
    }

    /// `statement_timeout`; `None`: for ever.
    #[must_use]
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.timeout("statement_timeout")
    }

    /// `transaction_timeout`; `None`: for ever.
    #[must_use]
    pub fn transaction_timeout(&self) -> Option<Duration> {
        self.timeout("transaction_timeout")
    }

    /// `idle_session_timeout`; `None`: for ever.
    #[must_use]
    pub fn idle_session_timeout(&self) -> Option<Duration> {
        self.timeout("idle_session_timeout")
    }

    /// `idle_in_transaction_session_timeout`; `None`: for ever.
    #[must_use]
    pub fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        self.timeout("idle_in_transaction_session_timeout")
    }

    fn timeout(&self, name: &str) -> Option<Duration> {
        match self.value(name)? {
            Value::Int(millis) if *millis > 0 => Some(Duration::from_millis(u64::from(millis.unsigned_abs()))),
            _ => None,
        }
    }

    /// `search_path`, each schema in its exact case; `"$user"` stays as it is.
    #[must_use]
    pub fn search_path(&self) -> Vec<String> {
        match self.value("search_path") {
            Some(Value::Text(text)) => split_identifiers(text).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The text of a variable; empty for an unknown one.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Some(Value::Text(text)) => text,
            Some(Value::Word(word)) => word,
            Some(Value::Bool(true)) => "on",
            Some(Value::Bool(false)) => "off",
            _ => "",
        }
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.current.builtin.get(find(name)?).map(|slot| &slot.value)
    }

    /// A whole number; zero for any other variable.
    #[must_use]
    pub fn number(&self, name: &str) -> i32 {
        if let Some(Value::Int(number)) = self.value(name) { *number } else { 0 }
    }

    /// Whether a variable may have changed since [`SessionVars::take_changed`] was last asked.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    /// The reported variables whose value the client does not know yet; it is told now.
    pub fn take_changed(&mut self) -> Vec<(&'static str, String)> {
        if !std::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let mut news = Vec::new();
        for (index, variable) in VARIABLES.iter().enumerate().filter(|(_, variable)| variable.reported) {
            let Some(slot) = self.current.builtin.get(index) else { continue };
            let shown = value::show(variable, &slot.value);
            let told = Arc::make_mut(&mut self.told);
            let Some(last) = told.get_mut(index) else { continue };
            if last.as_deref() != Some(shown.as_str()) {
                *last = Some(shown.as_str().into());
                news.push((variable.name, shown));
            }
        }
        news
    }
}

impl Values {
    fn slot(&self, name: &str) -> Option<Slot> {
        match find(name) {
            Some(index) => self.builtin.get(index).cloned(),
            None => self.custom.get(&name.to_ascii_lowercase()).cloned(),
        }
    }

    /// With this text for a variable, checked. `trusted`: may set what clients may not.
    fn with(self, name: &str, text: &str, source: Source, trusted: bool) -> Result<Values> {
        check::length(name, text)?;
        let Some(variable) = find(name).and_then(|index| VARIABLES.get(index)) else {
            absent::may_set(name)?;
            check::custom_name(name)?;
            return self.put(name, Some(Slot { value: Value::Text(text.into()), source }));
        };
        if !trusted {
            check::may_set(variable)?;
        }
        let value = match variable.kind {
            Kind::Text(rule) => Value::Text(check::text(variable, rule, text, &self.format)?.into()),
            _ => value::parse(variable, name, text)?,
        };
        check::legal(variable, &value)?;
        self.put(name, Some(Slot { value, source }))
    }

    /// With this slot as it is; `None`: empty text for a made-up name.
    fn put(mut self, name: &str, slot: Option<Slot>) -> Result<Values> {
        let Some(index) = find(name) else {
            let lower = name.to_ascii_lowercase();
            check::custom_name(&lower)?;
            match slot {
                Some(slot) => {
                    check::room(&self.custom, &lower, &slot)?;
                    Arc::make_mut(&mut self.custom).insert(lower, slot);
                }
                // RESET makes a name up, too.
                None => {
                    let slot = Slot::placeholder();
                    check::room(&self.custom, &lower, &slot)?;
                    Arc::make_mut(&mut self.custom).insert(lower, slot);
                }
            }
            return Ok(self);
        };
        if let (Some(variable), Some(slot)) = (VARIABLES.get(index), slot) {
            check::apply(variable, &slot.value, &mut self.format)?;
            if let Some(place) = Arc::make_mut(&mut self.builtin).get_mut(index) {
                *place = slot;
            }
        }
        Ok(self)
    }
}

fn shown_custom(name: &str, slot: &Slot) -> Shown {
    let text = value::raw(&slot.value);
    Shown {
        name: name.to_owned(),
        setting: text.clone(),
        raw: text,
        reset: String::new(),
        source: slot.source,
        variable: None,
    }
}

#[cfg(test)]
mod tests;
