//! Roles and the identities made of them.
//! Must not know: how somebody proved who they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use super::grant::{Part, TableAccess};
use super::{Privilege, Quota, is_system_schema};
use crate::config::{GrantSettings, RoleSettings, Settings, UserSettings, wildcard};
use crate::names::TableName;

/// A role: its own grants and limits, without those of the roles it is a member of.
#[derive(Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Opens the views of all sessions and the administrative functions; grants no table.
    pub admin: bool,
    /// What it may do.
    pub grants: Vec<GrantSettings>,
    /// How much it may take.
    pub limits: Quota,
}

/// All roles and users of the settings.
#[derive(Debug, Default)]
pub struct Policy {
    roles: HashMap<String, Entry>,
    users: HashMap<String, Identity>,
}

#[derive(Debug)]
struct Entry {
    role: Arc<Role>,
    member_of: Vec<String>,
}

impl Policy {
    /// Builds the policy of resolved settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let entry = |role: &RoleSettings| Entry {
            role: Arc::new(Role {
                name: role.name.clone(),
                admin: role.admin,
                grants: role.grants.clone(),
                limits: Quota::of(&role.limits),
            }),
            member_of: role.member_of.clone(),
        };
        let mut policy = Policy {
            roles: settings.roles.iter().map(|role| (role.name.clone(), entry(role))).collect(),
            users: HashMap::new(),
        };
        policy.users = settings.users.iter().map(|user| (user.name.clone(), policy.build(user))).collect();
        policy
    }

    /// The identity of a user who has proved to be one; `None` if there is no such user.
    #[must_use]
    pub fn identity(&self, user: &str) -> Option<Identity> {
        self.users.get(user).cloned()
    }

    /// The identity of somebody who has this one role, for policy tests.
    #[must_use]
    pub fn role_identity(&self, role: &str) -> Option<Identity> {
        let entry = self.roles.get(role)?;
        Some(self.assemble(role, std::slice::from_ref(&entry.role.name), BTreeMap::new(), BTreeMap::new()))
    }

    fn build(&self, user: &UserSettings) -> Identity {
        self.assemble(&user.name, &user.roles, user.attributes.clone(), user.set.clone())
    }

    fn assemble(
        &self,
        user: &str,
        held: &[String],
        attributes: BTreeMap<String, String>,
        set: BTreeMap<String, String>,
    ) -> Identity {
        let roles = self.expand(held);
        // As PostgreSQL's role attributes, admin is not passed on through membership: only a role held itself counts.
        let admin = roles.iter().any(|role| role.admin && held.contains(&role.name));
        let limits = roles.iter().fold(Quota::default(), |quota, role| quota.strictest(role.limits));
        Identity(Arc::new(Inner { user: user.to_owned(), roles, admin, limits, attributes, set }))
    }

    /// The roles held, then those they are members of, each once.
    fn expand(&self, held: &[String]) -> Vec<Arc<Role>> {
        let mut names: Vec<&String> = held.iter().collect();
        let mut roles: Vec<Arc<Role>> = Vec::new();
        let mut next = 0;
        while let Some(name) = names.get(next).copied() {
            next += 1;
            // A name without a role cannot come out of resolved settings; it grants nothing.
            let Some(entry) = self.roles.get(name) else { continue };
            roles.push(Arc::clone(&entry.role));
            for member in &entry.member_of {
                if !names.contains(&member) {
                    names.push(member);
                }
            }
        }
        roles
    }
}

/// Who a session is, with everything its roles give. Cheap to clone; made by [`Policy`] alone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    user: String,
    roles: Vec<Arc<Role>>,
    admin: bool,
    limits: Quota,
    attributes: BTreeMap<String, String>,
    set: BTreeMap<String, String>,
}

impl Identity {
    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// Its roles, and those that they are members of.
    #[must_use]
    pub fn roles(&self) -> &[Arc<Role>] {
        &self.0.roles
    }

    /// Whether it may see all sessions and run the administrative functions. Grants no table.
    #[must_use]
    pub fn admin(&self) -> bool {
        self.0.admin
    }

    /// The strictest limits of all its roles.
    #[must_use]
    pub fn limits(&self) -> &Quota {
        &self.0.limits
    }

    /// For row filters.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, String> {
        &self.0.attributes
    }

    /// Session defaults: variable to value.
    #[must_use]
    pub fn set(&self) -> &BTreeMap<String, String> {
        &self.0.set
    }

    /// What it may read of a table; `None`: the table does not exist for it.
    #[must_use]
    pub fn access(&self, table: &TableName) -> Option<TableAccess> {
        self.access_for(table, Privilege::Select)
    }

    /// What it may do to a table with one privilege; `None`: nothing.
    ///
    /// Fails closed: row filters and masks are not enforced yet, so a table that would need one is not granted at all.
    #[must_use]
    pub fn access_for(&self, table: &TableName, privilege: Privilege) -> Option<TableAccess> {
        self.effective(table, privilege).filter(|access| !access.needs_enforcement())
    }

    /// What the grants say, whether it can be enforced yet or not. For display; never for a decision.
    #[must_use]
    pub fn effective(&self, table: &TableName, privilege: Privilege) -> Option<TableAccess> {
        if is_system_schema(&table.schema) {
            return (privilege == Privilege::Select).then(TableAccess::read_all);
        }
        let matching: Vec<&GrantSettings> =
            self.grants().filter(|grant| grant.tables.matches_table(&table.schema, &table.table)).collect();
        let privileges: BTreeSet<Privilege> =
            matching.iter().flat_map(|grant| grant.privileges.iter().copied()).collect();
        let parts: Vec<Part> = matching
            .iter()
            .filter(|grant| grant.privileges.contains(&privilege))
            .map(|grant| Part::of(grant))
            .collect();
        TableAccess::union(parts, privileges)
    }

    /// Whether some grant may name a table of a source, whatever tables it has: by a schema that it mounts, or by a pattern that its
    /// name fits.
    #[must_use]
    pub fn may_name_source(&self, name: &str, mounts: impl Fn(&str) -> bool) -> bool {
        self.grants().flat_map(|grant| grant.tables.texts()).any(|pattern| {
            let schema = pattern.split_once('.').map_or("", |(schema, _)| schema);
            !schema.starts_with('!') && (mounts(schema) || wildcard(schema.as_bytes(), name.as_bytes()))
        })
    }

    fn grants(&self) -> impl Iterator<Item = &GrantSettings> {
        self.0.roles.iter().flat_map(|role| &role.grants)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles: Vec<&str> = self.0.roles.iter().map(|role| role.name.as_str()).collect();
        f.debug_struct("Identity").field("user", &self.0.user).field("roles", &roles).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::{Columns, RowFilter};

    /// Settings of a policy written as a file.
    pub(crate) fn settings(text: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tusk.toml");
        std::fs::write(&path, format!("[server]\nauth = \"trust\"\n{text}")).unwrap();
        crate::config::load(Path::new(&path)).unwrap()
    }

    pub(crate) fn identity(text: &str) -> Identity {
        Policy::new(&settings(text)).identity("u").unwrap()
    }

    fn table(name: &str) -> TableName {
        let (schema, table) = name.split_once('.').unwrap();
        TableName::new(schema, table)
    }

    const USER: &str = "[[user]]\nname = \"u\"\n";

    #[test]
    fn nothing_is_granted_by_default() {
        assert!(Policy::new(&settings("")).identity("u").is_none());
        assert!(identity(USER).access(&table("shop.orders")).is_none());
        let admin = identity(&format!("{USER}roles = [\"a\"]\n[[role]]\nname = \"a\"\nadmin = true\n"));
        assert!(admin.admin() && admin.access(&table("shop.orders")).is_none());
        assert!(admin.access(&table("tusk.queries")).is_some());
        assert!(admin.access_for(&table("tusk.queries"), Privilege::Update).is_none());
    }

    #[test]
    fn membership_gives_grants_and_limits_but_not_admin() {
        let who = identity(&format!(
            "{USER}roles = [\"a\"]\n[[role]]\nname = \"a\"\nmember_of = [\"b\"]\n[role.limits]\nmax_rows = 10\n\
             [[role]]\nname = \"b\"\nadmin = true\nmember_of = [\"c\"]\n[role.limits]\nmax_rows = 5\n\
             [[role]]\nname = \"c\"\n[[role.grant]]\ntables = [\"shop.*\", \"!shop.hidden\"]\n"
        ));
        let names: Vec<&str> = who.roles().iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(!who.admin());
        assert_eq!(who.limits().max_rows, Some(5));
        assert!(who.access(&table("shop.orders")).is_some());
        assert!(who.access(&table("shop.hidden")).is_none() && who.access(&table("shop2.orders")).is_none());
    }

    fn with_grants(grants: &[&str]) -> Identity {
        let grants: String =
            grants.iter().map(|grant| format!("[[role.grant]]\ntables = [\"s.t\"]\n{grant}\n")).collect();
        identity(&format!("{USER}roles = [\"a\"]\n[[role]]\nname = \"a\"\n{grants}"))
    }

    #[test]
    fn columns_are_the_union() {
        let access = with_grants(&["columns = [\"a\", \"b\"]", "columns = [\"c\"]"]).access(&table("s.t")).unwrap();
        assert_eq!(access.columns, Columns::Only(["a", "b", "c"].map(str::to_owned).into()));
        assert!(access.allows("c") && !access.allows("d"));
        let access = with_grants(&["columns = [\"a\"]", ""]).access(&table("s.t")).unwrap();
        assert_eq!(access.columns, Columns::All);
    }

    #[test]
    fn columns_of_other_privileges_are_not_read() {
        let who = with_grants(&["columns = [\"a\"]", "privileges = [\"insert\"]"]);
        let access = who.access(&table("s.t")).unwrap();
        assert_eq!(access.columns, Columns::Only(["a".to_owned()].into()));
        assert!(access.privileges.contains(&Privilege::Insert));
        assert_eq!(who.access_for(&table("s.t"), Privilege::Insert).unwrap().columns, Columns::All);
        assert!(who.access_for(&table("s.t"), Privilege::Delete).is_none());
        assert!(with_grants(&["privileges = [\"insert\"]"]).access(&table("s.t")).is_none());
    }

    #[test]
    fn filters_are_joined_or_lifted_and_refused_until_enforced() {
        let who = with_grants(&["row_filter = \"x = 1\"", "row_filter = \"x = 2\""]);
        let access = who.effective(&table("s.t"), Privilege::Select).unwrap();
        assert_eq!(access.row_filter, RowFilter::AnyOf(vec!["x = 1".into(), "x = 2".into()]));
        assert!(who.access(&table("s.t")).is_none());
        let lifted = with_grants(&["row_filter = \"x = 1\"", ""]);
        assert_eq!(lifted.access(&table("s.t")).unwrap().row_filter, RowFilter::None);
    }

    #[test]
    fn a_lifted_filter_does_not_open_columns_that_only_the_filtered_grant_has() {
        let who = with_grants(&["columns = [\"a\", \"b\"]\nrow_filter = \"x = 1\"", "columns = [\"a\"]"]);
        let access = who.effective(&table("s.t"), Privilege::Select).unwrap();
        assert_eq!(access.row_filter, RowFilter::None);
        assert_eq!(access.visible_where("a"), RowFilter::None);
        assert_eq!(access.visible_where("b"), RowFilter::AnyOf(vec!["x = 1".into()]));
        assert!(who.access(&table("s.t")).is_none());
    }

    #[test]
    fn a_column_is_masked_if_every_grant_that_gives_it_masks_it() {
        let who = with_grants(&["mask = { a = \"'*'\" }", "columns = [\"b\"]"]);
        let access = who.effective(&table("s.t"), Privilege::Select).unwrap();
        assert_eq!(access.masks["a"], "'*'");
        assert!(who.access(&table("s.t")).is_none());
        let lifted = with_grants(&["mask = { a = \"'*'\" }", "columns = [\"a\"]"]);
        assert!(lifted.access(&table("s.t")).unwrap().masks.is_empty());
    }

    #[test]
    fn policy_tests_have_an_identity_of_one_role() {
        let policy = Policy::new(&settings("[[role]]\nname = \"a\"\nadmin = true\n"));
        assert!(policy.role_identity("a").unwrap().admin());
        assert!(policy.role_identity("b").is_none());
    }
}
