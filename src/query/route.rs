//! Where a statement runs, and why: a pure function of what it reads.
//! Must not know: how anything runs.

use crate::catalog::Relation;

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// It concerns the session alone.
    Utility,
    /// It reads nothing, or virtual tables only: answered from memory.
    Catalog,
    /// It reads one PostgreSQL source, which runs it as a whole.
    Passthrough,
    /// It reads sources: one DataFusion plan whose leaves are reads of them.
    Federated,
}

impl Target {
    /// As EXPLAIN, views and metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Target::Utility => "utility",
            Target::Catalog => "catalog",
            Target::Passthrough => "passthrough",
            Target::Federated => "federated",
        }
    }
}

/// A route and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where.
    pub target: Target,
    /// Why, for people.
    pub reason: String,
    /// The sources that are read, each once, by name.
    pub sources: Vec<String>,
}

impl Route {
    /// The same route, with the reason why it is no shorter one: a sentence.
    #[must_use]
    pub fn because(mut self, why: Option<&str>) -> Route {
        if let Some(why) = why.map(|why| why.trim_end_matches('.')).filter(|_| self.target == Target::Federated) {
            self.reason.push_str("; ");
            let mut letters = why.chars();
            self.reason.extend(letters.next().map(|letter| letter.to_ascii_lowercase()));
            self.reason.push_str(letters.as_str());
        }
        self
    }
}

/// The route of a statement that reads these relations.
#[must_use]
pub fn route<'a>(relations: impl Iterator<Item = &'a Relation>) -> Route {
    let mut sources: Vec<String> = Vec::new();
    let mut virtual_tables = false;
    for relation in relations {
        match relation {
            Relation::Table(table) => sources.push(table.source.to_string()),
            Relation::Virtual(_) => virtual_tables = true,
        }
    }
    sources.sort();
    sources.dedup();
    let (target, reason) = match (sources.as_slice(), virtual_tables) {
        ([], false) => (Target::Catalog, "reads no table".to_owned()),
        ([], true) => (Target::Catalog, "reads catalogs and system views only".to_owned()),
        ([one], false) => (Target::Federated, format!("reads one source: {one}")),
        (several, false) => (Target::Federated, format!("reads {} sources: {}", several.len(), several.join(", "))),
        (several, true) => (Target::Federated, format!("reads system views and {}", several.join(", "))),
    };
    Route { target, reason, sources }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_read_is_answered_from_memory() {
        let route = route(std::iter::empty());
        assert_eq!((route.target, route.reason.as_str()), (Target::Catalog, "reads no table"));
    }
}
