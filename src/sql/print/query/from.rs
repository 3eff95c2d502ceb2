//! What stands in FROM: relations, sub-queries, functions, joins.
//! Must not know: expressions.

use super::super::super::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart,
    TableAlias, TableAliasColumnDef, TableFactor, TableSampleKind, TableWithJoins,
};
use super::super::super::marks;
use super::super::super::sample::sampled;
use super::super::super::scope::{folded, parts};
use super::call::{is_plain, plain_arguments};
use super::{Printer, RemoteTable, functions, refuse};
use crate::error::Result;

use super::super::super::position;

impl Printer<'_> {
    pub(super) fn table_with_joins(&mut self, table: &TableWithJoins) -> Result<()> {
        // In parentheses, a join can be no part of another.
        for _ in &table.joins {
            self.put("(");
        }
        self.factor(&table.relation)?;
        for join in &table.joins {
            self.join(join)?;
            self.put(")");
        }
        Ok(())
    }

    fn join(&mut self, join: &Join) -> Result<()> {
        use JoinOperator as Op;
        if join.global {
            return Err(refuse("this form of join"));
        }
        let (word, constraint) = match &join.join_operator {
            Op::Join(constraint) | Op::Inner(constraint) => ("JOIN ", constraint),
            Op::Left(constraint) | Op::LeftOuter(constraint) => ("LEFT JOIN ", constraint),
            Op::Right(constraint) | Op::RightOuter(constraint) => ("RIGHT JOIN ", constraint),
            Op::FullOuter(constraint) => ("FULL JOIN ", constraint),
            Op::CrossJoin(constraint @ JoinConstraint::None) => ("CROSS JOIN ", constraint),
            _ => return Err(refuse("this form of join")),
        };
        self.put(if matches!(constraint, JoinConstraint::Natural) { " NATURAL " } else { " " });
        self.put(word);
        self.factor(&join.relation)?;
        match constraint {
            JoinConstraint::On(condition) => {
                self.put(" ON ");
                self.operand(condition)
            }
            JoinConstraint::Using(columns) => {
                self.put(" USING (");
                self.separated(columns, ", ", |printer, column| match column.0.as_slice() {
                    [ObjectNamePart::Identifier(ident)] => printer.ident(ident),
                    _ => Err(refuse("this form of USING")),
                })?;
                self.put(")");
                Ok(())
            }
            JoinConstraint::Natural => Ok(()),
            JoinConstraint::None if word == "CROSS JOIN " => Ok(()),
            JoinConstraint::None => Err(refuse("a join without a condition")),
        }
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<()> {
        match factor {
            TableFactor::Derived { sample: Some(_), .. } => Err(refuse("TABLESAMPLE")),
            TableFactor::Table { name, alias, args: None, with_ordinality: false, version: None, sample, .. } => {
                self.relation(name, alias.as_ref(), sample.is_some())?;
                sample.as_ref().map_or(Ok(()), |sample| self.sample(sample))
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } if args.settings.is_none() => {
                self.function_in_from(name, &args.args, *with_ordinality, alias.as_ref())
            }
            TableFactor::Function { lateral, name, args, with_ordinality, alias } => {
                self.put(if *lateral { "LATERAL " } else { "" });
                self.function_in_from(name, args, *with_ordinality, alias.as_ref())
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality, .. } => {
                self.unnest(array_exprs, *with_ordinality, alias.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias: Some(alias), .. } => {
                self.put(if *lateral { "LATERAL " } else { "" });
                self.sub_query(subquery)?;
                self.alias(alias)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => match alias {
                // One table in parentheses is none in PostgreSQL's grammar but through a join.
                _ if table_with_joins.joins.is_empty() => Err(refuse("this form of join")),
                None => self.table_with_joins(table_with_joins),
                Some(alias) => {
                    self.table_with_joins(table_with_joins)?;
                    self.alias(alias)
                }
            },
            _ => Err(refuse("this form of table")),
        }
    }

    /// A table of the source, or a common table expression.
    fn relation(&mut self, name: &ObjectName, alias: Option<&TableAlias>, sampled: bool) -> Result<()> {
        let Some(ident) = name.0.last().and_then(ObjectNamePart::as_ident) else {
            return Err(refuse("this form of table"));
        };
        let first = name.0.first().and_then(ObjectNamePart::as_ident).and_then(|ident| position(ident.span));
        let found = first.and_then(|place| self.relations.get(&place)).copied();
        self.mark(first);
        match found {
            Some((_, RemoteTable { columns: Some(_), .. })) if sampled => {
                return Err(refuse("TABLESAMPLE of a table with hidden columns"));
            }
            Some((table, remote)) if table.table == folded(ident) => self.remote(remote, marks::only(name))?,
            None if name.0.len() == 1 => {
                let cte = self.cte(&folded(ident));
                self.name(&cte)?;
            }
            _ => return Err(refuse("this table")),
        }
        match alias {
            Some(alias) => self.alias(alias),
            None => {
                self.put(" AS ");
                self.name(&folded(ident))
            }
        }
    }

    fn sample(&mut self, sample: &TableSampleKind) -> Result<()> {
        let Some(sample) = sampled(sample) else { return Err(refuse("this form of TABLESAMPLE")) };
        self.put(&format!(" TABLESAMPLE {} (", sample.method));
        self.expr(sample.share)?;
        self.put(")");
        if let Some(seed) = sample.seed {
            self.put(" REPEATABLE (");
            self.value(seed)?;
            self.put(")");
        }
        Ok(())
    }

    fn remote(&mut self, table: &RemoteTable, only: bool) -> Result<()> {
        if let Some(columns) = &table.columns {
            self.put("(SELECT ");
            self.separated(columns, ", ", |printer, column| printer.name(column))?;
            self.put(" FROM ");
        }
        self.put(if only { "ONLY " } else { "" });
        self.name(&table.schema)?;
        self.put(".");
        self.name(&table.name)?;
        if table.columns.is_some() {
            self.put(")");
        }
        Ok(())
    }

    fn function_in_from(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        ordinality: bool,
        alias: Option<&TableAlias>,
    ) -> Result<()> {
        if marks::rows_from(name) {
            self.put("ROWS FROM (");
            self.separated(args, ", ", |printer, arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function))) => {
                    let args = plain_arguments(function).filter(|_| is_plain(function));
                    let args = args.ok_or_else(|| refuse("this form of ROWS FROM"))?;
                    printer.call_in_from(&function.name, args)
                }
                _ => Err(refuse("this form of ROWS FROM")),
            })?;
            self.put(")");
        } else {
            self.call_in_from(name, args)?;
        }
        self.function_alias(ordinality, alias)
    }

    fn call_in_from(&mut self, name: &ObjectName, args: &[FunctionArg]) -> Result<()> {
        let callee = functions::allowed(name, &self.own.functions)?;
        let function = &callee.name;
        self.mark(name.0.last().and_then(ObjectNamePart::as_ident).and_then(|ident| position(ident.span)));
        if function == "unnest" && args.len() > 1 && name.0.len() == 1 {
            // Several arrays side by side are the business of the grammar, which knows the name without a schema only.
            self.put("unnest(");
        } else {
            self.callee(&callee)?;
            self.put("(");
        }
        self.arguments(function, args)?;
        self.put(")");
        Ok(())
    }

    fn unnest(&mut self, arrays: &[Expr], ordinality: bool, alias: Option<&TableAlias>) -> Result<()> {
        self.put(if arrays.len() > 1 { "unnest(" } else { "pg_catalog.unnest(" });
        self.expressions(arrays)?;
        self.put(")");
        self.function_alias(ordinality, alias)
    }

    fn function_alias(&mut self, ordinality: bool, alias: Option<&TableAlias>) -> Result<()> {
        if ordinality {
            self.put(" WITH ORDINALITY");
        }
        alias.map_or(Ok(()), |alias| self.alias(alias))
    }

    fn alias(&mut self, alias: &TableAlias) -> Result<()> {
        if alias.at.is_some() {
            return Err(refuse("this form of alias"));
        }
        self.put(" AS ");
        self.ident(&alias.name)?;
        if alias.columns.is_empty() {
            return Ok(());
        }
        self.put(" (");
        self.separated(&alias.columns, ", ", Self::alias_column)?;
        self.put(")");
        Ok(())
    }

    fn alias_column(&mut self, column: &TableAliasColumnDef) -> Result<()> {
        self.ident(&column.name)?;
        match &column.data_type {
            None => Ok(()),
            Some(data_type) => {
                self.put(" ");
                self.type_name(data_type)
            }
        }
    }

    /// `t.*`.
    pub(super) fn all_of(&mut self, name: &ObjectName) -> Result<()> {
        let idents: Vec<Ident> = name.0.iter().filter_map(ObjectNamePart::as_ident).cloned().collect();
        if idents.len() != name.0.len() {
            return Err(refuse("this form of *"));
        }
        let idents = self.unqualified(&idents)?;
        idents.iter().try_for_each(|table| self.reads_row(table))?;
        self.idents(idents)?;
        self.put(".*");
        Ok(())
    }

    /// A table's name without its schema, which is another at the source. Its alias there is the name alone.
    pub(super) fn unqualified<'i>(&self, table: &'i [Ident]) -> Result<&'i [Ident]> {
        let bare = |schema: &Ident, name: &Ident| self.survey.is_bare(&folded(schema), &folded(name));
        match table {
            [_] => Ok(table),
            [schema, name] if bare(schema, name) => Ok(std::slice::from_ref(name)),
            [database, schema, name] if folded(database) == self.own.database && bare(schema, name) => {
                Ok(std::slice::from_ref(name))
            }
            _ => Err(refuse("this qualified name")),
        }
    }

    /// Arguments of a call.
    pub(super) fn arguments(&mut self, function: &str, args: &[FunctionArg]) -> Result<()> {
        functions::check_arguments(function, args)?;
        self.separated(args, ", ", |printer, arg| match arg {
            FunctionArg::Unnamed(arg) => printer.argument(arg),
            FunctionArg::Named { name, arg, .. } if marks::is_variadic(name) => {
                printer.put("VARIADIC ");
                printer.argument(arg)
            }
            FunctionArg::Named { name, arg, operator } if functions::names_argument(operator) => {
                printer.ident(name)?;
                printer.put(" => ");
                printer.argument(arg)
            }
            _ => Err(refuse("this form of argument")),
        })
    }

    fn argument(&mut self, arg: &FunctionArgExpr) -> Result<()> {
        match arg {
            FunctionArgExpr::Expr(expr) => self.expr(expr),
            FunctionArgExpr::Wildcard => {
                let call = self.marks.last().map(|(_, call)| *call);
                self.mark(call.and_then(|call| self.places.first_from(call, &["*"], 0)));
                self.put("*");
                Ok(())
            }
            FunctionArgExpr::QualifiedWildcard(name) if !parts(name).is_empty() => self.all_of(name),
            _ => Err(refuse("this form of argument")),
        }
    }
}
