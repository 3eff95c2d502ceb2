//! The catalog that the planner sees: the relations of one statement, resolved already, and nothing else.
//! Must not know: how names are resolved, what a role may see.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::Result;

/// The schema that unqualified names are looked up in. No client can name it: identifiers cannot hold this character.
pub(super) const SEARCH_PATH: &str = "\u{0}search_path";

/// The relations of one statement, as it writes them: schema (or [`SEARCH_PATH`]) and name.
#[derive(Default)]
pub(super) struct StatementTables {
    schemas: HashMap<String, Arc<OneSchema>>,
}

impl StatementTables {
    pub(super) fn new(tables: HashMap<(Option<String>, String), Arc<dyn TableProvider>>) -> Self {
        let mut schemas: HashMap<String, HashMap<String, Arc<dyn TableProvider>>> = HashMap::new();
        for ((schema, name), provider) in tables {
            schemas.entry(schema.unwrap_or_else(|| SEARCH_PATH.to_owned())).or_default().insert(name, provider);
        }
        let schemas = schemas.into_iter().map(|(name, tables)| (name, Arc::new(OneSchema { tables }))).collect();
        StatementTables { schemas }
    }
}

impl fmt::Debug for StatementTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.schemas.keys()).finish()
    }
}

/// Any catalog name leads to the one database: other names were refused when the relations were resolved.
#[derive(Debug)]
pub(super) struct StatementCatalogs(pub(super) Arc<StatementTables>);

impl CatalogProviderList for StatementCatalogs {
    fn register_catalog(&self, _name: String, _catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn catalog(&self, _name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let tables: Arc<dyn CatalogProvider> = Arc::clone(&self.0) as _;
        Some(tables)
    }
}

impl CatalogProvider for StatementTables {
    fn schema_names(&self) -> Vec<String> {
        self.schemas.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.schemas.get(name).map(|schema| Arc::clone(schema) as Arc<dyn SchemaProvider>)
    }
}

#[derive(Debug)]
struct OneSchema {
    tables: HashMap<String, Arc<dyn TableProvider>>,
}

#[async_trait]
impl SchemaProvider for OneSchema {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).cloned())
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}

/// Finds a provider's own type again behind the planner's handle.
pub(super) fn downcast<T: Any>(provider: &Arc<dyn TableProvider>) -> Option<&T> {
    let any: &dyn Any = provider.as_ref();
    any.downcast_ref::<T>()
}
