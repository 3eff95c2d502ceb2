//! The enums and domains that a role's columns are declared with, under oids of their own.
//! Must not know: layouts of catalog relations, functions.
//!
//! A value of a domain is sent as what the domain stands on, as PostgreSQL does; one of an enum as text, in the form it has there.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{
    DeclaredKind, DeclaredType, Domain, RemoteColumn, TableSchema, Viewer, World, Written, stable_oid,
};
use crate::names::quote_if_needed;
use crate::pg_catalog::objects::path;
use crate::types::PgType;

/// One of them, and the array over it.
pub(super) struct OwnType {
    pub(super) oid: u32,
    pub(super) array_oid: u32,
    /// The schema as clients see it.
    pub(super) schema: String,
    pub(super) declared: Arc<DeclaredType>,
}

impl OwnType {
    /// The name of the array over it, as PostgreSQL makes it.
    pub(super) fn array_name(&self) -> String {
        format!("_{}", self.declared.name)
    }

    /// The domain that it is.
    pub(super) fn domain(&self) -> Option<&Domain> {
        match &self.declared.kind {
            DeclaredKind::Domain(domain) => Some(domain),
            DeclaredKind::Enum(_) => None,
        }
    }

    /// The oid of a check of a domain.
    pub(super) fn check_oid(&self, check: &str) -> u32 {
        stable_oid("constraint", &format!("{}.{}.{check}", self.schema, self.declared.name), |_| false)
    }

    /// The words that it is one of; none for a domain.
    pub(super) fn labels(&self) -> &[String] {
        match &self.declared.kind {
            DeclaredKind::Enum(labels) => labels,
            DeclaredKind::Domain(_) => &[],
        }
    }
}

/// All of a world's.
#[derive(Default)]
pub(super) struct OwnTypes {
    all: Vec<OwnType>,
    /// Place, and whether it is the array.
    by_oid: HashMap<u32, (usize, bool)>,
    /// By source, schema and name there.
    by_origin: HashMap<(Arc<str>, String, String), usize>,
}

/// The oid of a type in a schema.
fn type_oid(schema: &str, name: &str) -> u32 {
    stable_oid("type", &format!("{schema}.{name}"), |_| false)
}

/// The domains of the standard's schema, as PostgreSQL has them. The columns there are declared with what they stand on.
fn standard() -> [DeclaredType; 5] {
    let written = |plain: &str, pretty: &str| Written { plain: plain.to_owned(), pretty: pretty.to_owned() };
    let domain = |name: &str, base: PgType, default: Option<&str>, check: Option<Written>| DeclaredType {
        schema: "information_schema".to_owned(),
        name: name.to_owned(),
        kind: DeclaredKind::Domain(Domain {
            base,
            not_null: false,
            default: default.map(str::to_owned),
            checks: check.map(|check| (format!("{name}_domain_check"), check)).into_iter().collect(),
        }),
        comment: None,
    };
    const YES_OR_NO: &str =
        "CHECK (((VALUE)::text = ANY ((ARRAY['YES'::character varying, 'NO'::character varying])::text[])))";
    const YES_OR_NO_PRETTY: &str =
        "CHECK (VALUE::text = ANY (ARRAY['YES'::character varying, 'NO'::character varying]::text[]))";
    let mut yes_or_no = domain("yes_or_no", PgType { oid: PgType::VARCHAR.oid, typmod: 7 }, None, None);
    if let DeclaredKind::Domain(domain) = &mut yes_or_no.kind {
        domain.checks.push(("yes_or_no_check".to_owned(), written(YES_OR_NO, YES_OR_NO_PRETTY)));
    }
    let moment = PgType { oid: PgType::TIMESTAMPTZ.oid, typmod: 2 };
    [
        domain("cardinal_number", PgType::INT4, None, Some(written("CHECK ((VALUE >= 0))", "CHECK (VALUE >= 0)"))),
        domain("character_data", PgType::VARCHAR, None, None),
        domain("sql_identifier", PgType::NAME, None, None),
        domain("time_stamp", moment, Some("CURRENT_TIMESTAMP(2)"), None),
        yes_or_no,
    ]
}

impl OwnTypes {
    /// Those of the columns that are visible in a world.
    pub(super) fn new(world: &World) -> OwnTypes {
        // A schema of the source as clients see it, where they see any of it.
        let mut seen: HashMap<(&str, &str), &str> = HashMap::new();
        for table in world.tables() {
            seen.entry((&table.source, &table.remote.schema)).or_insert(&table.name.schema);
        }
        let mut types = OwnTypes::default();
        for of in standard() {
            types.add((Arc::from(""), of.schema.clone(), of.name.clone()), "information_schema", &Arc::new(of));
        }
        for table in world.tables() {
            let columns = table.columns.iter().filter_map(|at| table.remote.columns.get(*at));
            for declared in columns.filter_map(|column| column.declared.as_ref()) {
                let of = &declared.of;
                let key = (Arc::clone(&table.source), of.schema.clone(), of.name.clone());
                if types.by_origin.contains_key(&key) {
                    continue;
                }
                let schema = seen.get(&(&*table.source, of.schema.as_str())).copied().unwrap_or(&table.name.schema);
                types.add(key, schema, of);
            }
        }
        types
    }

    fn add(&mut self, key: (Arc<str>, String, String), schema: &str, of: &Arc<DeclaredType>) {
        let at = self.all.len();
        let (oid, array_oid) = (type_oid(schema, &of.name), type_oid(schema, &format!("_{}", of.name)));
        self.by_oid.insert(oid, (at, false));
        self.by_oid.insert(array_oid, (at, true));
        self.by_origin.insert(key, at);
        self.all.push(OwnType { oid, array_oid, schema: schema.to_owned(), declared: Arc::clone(of) });
    }

    /// All of them, in the order of the columns that have them.
    pub(super) fn all(&self) -> &[OwnType] {
        &self.all
    }

    /// The type that a column is declared with, and whether it is an array of it.
    pub(super) fn of(&self, table: &TableSchema, column: &RemoteColumn) -> Option<(&OwnType, bool)> {
        let declared = column.declared.as_ref()?;
        let key = (Arc::clone(&table.source), declared.of.schema.clone(), declared.of.name.clone());
        Some((self.all.get(*self.by_origin.get(&key)?)?, declared.array))
    }

    /// A type by its oid, and whether that is the one of its array.
    pub(super) fn by_oid(&self, oid: u32) -> Option<(&OwnType, bool)> {
        let (at, array) = self.by_oid.get(&oid)?;
        Some((self.all.get(*at)?, *array))
    }

    /// The definition of a domain's check by its oid.
    pub(super) fn check(&self, oid: u32) -> Option<&Written> {
        let checks = self.all.iter().flat_map(|one| {
            let checks = one.domain().map_or(&[][..], |domain| &domain.checks);
            checks.iter().map(move |(name, definition)| (one.check_oid(name), definition))
        });
        checks.into_iter().find(|(known, _)| *known == oid).map(|(_, definition)| definition)
    }

    /// The name of a domain's check by its oid.
    pub(super) fn check_name(&self, oid: u32) -> Option<&str> {
        let domains = self.all.iter().filter_map(|one| Some((one, one.domain()?)));
        let checks =
            domains.flat_map(|(one, domain)| domain.checks.iter().map(move |(name, _)| (one.check_oid(name), name)));
        checks.into_iter().find(|(known, _)| *known == oid).map(|(_, name)| name.as_str())
    }

    /// A type by its name, as the viewer would find it; where a schema is named, there.
    pub(super) fn named(&self, viewer: &Viewer, schema: Option<&str>, name: &str) -> Option<u32> {
        let here = |schema: &str| {
            self.all.iter().filter(|one| one.schema == schema).find_map(|one| match name {
                _ if one.declared.name == name => Some(one.oid),
                _ if one.array_name() == name => Some(one.array_oid),
                _ => None,
            })
        };
        match schema {
            Some(schema) => here(schema),
            None => path(viewer).find_map(here),
        }
    }

    /// A type's name: bare where that finds it. Of an array, the element's with brackets.
    pub(super) fn name(&self, viewer: &Viewer, oid: u32) -> Option<String> {
        let (one, array) = self.by_oid(oid)?;
        let bare = quote_if_needed(&one.declared.name);
        // A built-in type of this name is found before it.
        let hidden = PgType::from_name(&crate::names::quote(&one.declared.name)).is_some();
        let found = !hidden && self.named(viewer, None, &one.declared.name) == Some(one.oid);
        let name = if found { bare } else { format!("{}.{bare}", quote_if_needed(&one.schema)) };
        Some(if array { format!("{name}[]") } else { name })
    }
}
