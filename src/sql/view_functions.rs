//! Functions in FROM that PostgreSQL defines catalog views on: here it is the other way round, the function stands for the view.
//! Must not know: what the views hold.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, TableAlias, TableFactor, VisitMut, VisitorMut,
};

/// Functions without arguments, and the view of `pg_catalog` that shows their rows.
const VIEWS: &[(&str, &str)] = &[("pg_show_all_settings", "pg_settings")];

/// Whether a view of `pg_catalog` may stand for a function, whose columns are of no table.
#[must_use]
pub fn stands_for_function(view: &str) -> bool {
    VIEWS.iter().any(|(_, known)| *known == view)
}

/// Puts the views in place of the functions.
pub(super) fn resolve<T: VisitMut>(tree: &mut T) {
    let _ = tree.visit(&mut Resolver);
}

struct Resolver;

impl VisitorMut for Resolver {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, args, alias, with_ordinality: false, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let idents: Vec<&Ident> = name.0.iter().filter_map(ObjectNamePart::as_ident).collect();
        let function = match idents.as_slice() {
            [function] => *function,
            [schema, function] if schema.value == "pg_catalog" => *function,
            _ => return ControlFlow::Continue(()),
        };
        let empty = args.as_ref().is_some_and(|args| args.args.is_empty());
        if let Some((_, view)) = VIEWS.iter().find(|(known, _)| empty && *known == function.value) {
            alias.get_or_insert_with(|| TableAlias {
                explicit: true,
                name: function.clone(),
                columns: Vec::new(),
                at: None,
            });
            let part = |text: &str| Ident { value: text.to_owned(), ..function.clone() };
            *name = ObjectName::from(vec![part("pg_catalog"), part(view)]);
            *args = None;
        }
        ControlFlow::Continue(())
    }
}
