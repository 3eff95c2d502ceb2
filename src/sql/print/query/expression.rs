//! Expressions, node by node.
//! Must not know: queries around them, calls of functions.

use super::super::super::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident,
    NormalizationForm, ObjectName, ObjectNamePart, Spanned, Subscript, UnaryOperator,
};
use super::super::super::position;
use super::super::super::scope::{folded, is_call, parts};
use super::super::super::type_name::type_name;
use super::value::field_name;
use super::{Printer, call, functions, operator, refuse};
use crate::error::Result;

/// Parentheses say nothing to PostgreSQL either, but for what binds to what: the printer makes its own.
pub(super) fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// What needs no parentheses as an operand.
fn is_atom(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::Function(_) | Expr::Subquery(_)
    )
}

pub(super) fn start(expr: &Expr) -> Option<u32> {
    position(expr.span())
}

/// The array of `LIKE ALL (array)`, which sqlparser takes for a call.
fn all_of(pattern: &Expr) -> Option<&Expr> {
    let Expr::Function(function) = pattern else { return None };
    match (call::word(&function.name), call::plain_arguments(function).filter(|_| call::is_plain(function))) {
        (Some("all"), Some([FunctionArg::Unnamed(FunctionArgExpr::Expr(array))])) => Some(array),
        _ => None,
    }
}

impl Printer<'_> {
    pub(super) fn expressions(&mut self, exprs: &[Expr]) -> Result<()> {
        self.separated(exprs, ", ", Self::expr)
    }

    /// An expression as an operand of something.
    pub(super) fn operand(&mut self, expr: &Expr) -> Result<()> {
        let expr = bare(expr);
        if is_atom(expr) {
            return self.expr(expr);
        }
        self.put("(");
        self.expr(expr)?;
        self.put(")");
        Ok(())
    }

    /// Operands with words between them.
    fn phrase(&mut self, first: &Expr, rest: &[(&str, &Expr)]) -> Result<()> {
        self.operand(first)?;
        for (word, expr) in rest {
            self.put(word);
            self.operand(expr)?;
        }
        Ok(())
    }

    /// An expression where nothing can bind to it from outside.
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<()> {
        match bare(expr) {
            Expr::Identifier(ident) if is_call(ident) => self.own_value(&ident.value, position(ident.span)),
            Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value == "default" => {
                Err(refuse("DEFAULT"))
            }
            Expr::Identifier(ident) => {
                self.reads_name(ident)?;
                self.rows |= self.survey.is_narrowed(&folded(ident));
                self.ident(ident)
            }
            Expr::CompoundIdentifier(idents) => self.column(idents),
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Expr::Value(value) => self.value(value),
            Expr::Function(function) => self.call(function),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                array: false,
                format: None,
            } => self.cast(expr, data_type),
            Expr::TypedString(typed) if !typed.uses_odbc_syntax => {
                self.value(&typed.value)?;
                self.put("::");
                self.type_name(&typed.data_type)
            }
            Expr::Interval(interval) => self.interval(interval),
            Expr::Case { operand, conditions, else_result, case_token, .. } => {
                self.mark_span(case_token.0.span);
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Tuple(fields) => {
                self.mark(start(expr));
                self.put("ROW(");
                self.expressions(fields)?;
                self.put(")");
                Ok(())
            }
            Expr::Array(array) => self.array(array),
            Expr::Subquery(query) => {
                let place = position(query.span()).and_then(|inside| self.places.last_before(inside, &["("], 0));
                self.mark(place);
                self.sub_query(query)
            }
            Expr::Exists { subquery, negated } => {
                self.put(if *negated { "NOT EXISTS " } else { "EXISTS " });
                self.sub_query(subquery)
            }
            other => self.predicate(other),
        }
    }

    fn predicate(&mut self, expr: &Expr) -> Result<()> {
        let is = |printer: &mut Self, expr: &Expr, word: &str| {
            printer.operand(expr)?;
            printer.put(word);
            Ok(())
        };
        match expr {
            Expr::IsNull(expr) => is(self, expr, " IS NULL"),
            Expr::IsNotNull(expr) => is(self, expr, " IS NOT NULL"),
            Expr::IsTrue(expr) => is(self, expr, " IS TRUE"),
            Expr::IsNotTrue(expr) => is(self, expr, " IS NOT TRUE"),
            Expr::IsFalse(expr) => is(self, expr, " IS FALSE"),
            Expr::IsNotFalse(expr) => is(self, expr, " IS NOT FALSE"),
            Expr::IsUnknown(expr) => is(self, expr, " IS UNKNOWN"),
            Expr::IsNotUnknown(expr) => is(self, expr, " IS NOT UNKNOWN"),
            Expr::IsDistinctFrom(left, right) => self.distinct(left, "IS DISTINCT FROM ", right),
            Expr::IsNotDistinctFrom(left, right) => self.distinct(left, "IS NOT DISTINCT FROM ", right),
            Expr::IsNormalized { expr, form, negated } => {
                self.operand(expr)?;
                self.put(if *negated { " IS NOT " } else { " IS " });
                self.put(match form {
                    None => "NORMALIZED",
                    Some(NormalizationForm::NFC) => "NFC NORMALIZED",
                    Some(NormalizationForm::NFD) => "NFD NORMALIZED",
                    Some(NormalizationForm::NFKC) => "NFKC NORMALIZED",
                    Some(NormalizationForm::NFKD) => "NFKD NORMALIZED",
                });
                Ok(())
            }
            Expr::InList { expr, list, negated } => {
                self.operand(expr)?;
                self.word("in", list.first().and_then(start));
                self.put(if *negated { "NOT IN (" } else { "IN (" });
                self.expressions(list)?;
                self.put(")");
                Ok(())
            }
            Expr::InSubquery { expr, subquery, negated } => {
                self.operand(expr)?;
                self.word("in", position(subquery.span()));
                self.put(if *negated { "NOT IN " } else { "IN " });
                self.sub_query(subquery)
            }
            Expr::Between { expr, negated, low, high } => {
                self.operand(expr)?;
                self.word("between", start(low));
                self.put(if *negated { "NOT BETWEEN " } else { "BETWEEN " });
                self.phrase(low, &[(" AND ", high)])
            }
            other => self.pattern(other),
        }
    }

    fn distinct(&mut self, left: &Expr, words: &str, right: &Expr) -> Result<()> {
        self.operand(left)?;
        self.word("is", start(right));
        self.put(words);
        self.operand(right)
    }

    /// What follows stands where the last such word does before a place, or the NOT in front of it.
    fn word(&mut self, word: &str, behind: Option<u32>) {
        let at = behind.and_then(|behind| self.places.last_before(behind, &[word], 0));
        self.put(" ");
        self.mark(at.map(|at| self.places.before_is(at, "not").unwrap_or(at)));
    }

    fn pattern(&mut self, expr: &Expr) -> Result<()> {
        let (word, text, pattern, escape) = match expr {
            Expr::Like { negated, any, expr, pattern, escape_char } => {
                let word = if *negated { " NOT LIKE " } else { " LIKE " };
                (word, expr, (pattern, *any), escape_char)
            }
            Expr::ILike { negated, any, expr, pattern, escape_char } => {
                let word = if *negated { " NOT ILIKE " } else { " ILIKE " };
                (word, expr, (pattern, *any), escape_char)
            }
            Expr::SimilarTo { negated, expr, pattern, escape_char } => {
                let word = if *negated { " NOT SIMILAR TO " } else { " SIMILAR TO " };
                (word, expr, (pattern, false), escape_char)
            }
            other => return self.special(other),
        };
        self.operand(text)?;
        let place =
            start(pattern.0).and_then(|before| self.places.last_before(before, &["like", "ilike", "similar"], 0));
        self.put(" ");
        self.mark(place.map(|place| self.places.before_is(place, "not").unwrap_or(place)));
        self.put(word.trim_start());
        if pattern.1 {
            self.put("ANY (");
            self.expr(pattern.0)?;
            self.put(")");
        } else if let Some(all) = all_of(pattern.0) {
            self.put("ALL (");
            self.expr(all)?;
            self.put(")");
        } else {
            self.operand(pattern.0)?;
        }
        if let Some(escape) = escape {
            self.put(" ESCAPE ");
            self.value(escape)?;
        }
        Ok(())
    }

    fn special(&mut self, expr: &Expr) -> Result<()> {
        match expr {
            Expr::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, " ANY (", right),
            Expr::AllOp { left, compare_op, right } => self.quantified(left, compare_op, " ALL (", right),
            Expr::Collate { expr, collation } => {
                self.operand(expr)?;
                self.put(" COLLATE ");
                self.collation(collation)
            }
            Expr::AtTimeZone { timestamp, time_zone } => self.phrase(timestamp, &[(" AT TIME ZONE ", time_zone)]),
            Expr::Extract { field, expr: from, .. } => {
                self.mark(start(expr));
                self.put("EXTRACT(");
                self.text(&field_name(field)?)?;
                self.put(" FROM ");
                self.expr(from)?;
                self.put(")");
                Ok(())
            }
            Expr::Position { expr, r#in } => {
                self.put("POSITION(");
                self.phrase(expr, &[(" IN ", r#in)])?;
                self.put(")");
                Ok(())
            }
            Expr::Ceil { expr, .. } => self.plain_call("ceil", &[expr]),
            Expr::Floor { expr, .. } => self.plain_call("floor", &[expr]),
            Expr::Substring { expr, substring_from, substring_for, special, shorthand } => {
                let (from, length) = (substring_from.as_deref(), substring_for.as_deref());
                if *special || *shorthand {
                    let args: Vec<&Expr> = std::iter::once(&**expr).chain(from).chain(length).collect();
                    return self.plain_call(if *shorthand { "substr" } else { "substring" }, &args);
                }
                self.put("SUBSTRING(");
                self.operand(expr)?;
                let words = [(" FROM ", from), (" FOR ", length)];
                for (word, expr) in words.into_iter().filter_map(|(word, expr)| Some((word, expr?))) {
                    self.put(word);
                    self.operand(expr)?;
                }
                self.put(")");
                Ok(())
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.put("OVERLAY(");
                let mut rest: Vec<(&str, &Expr)> = vec![(" PLACING ", overlay_what), (" FROM ", overlay_from)];
                rest.extend(overlay_for.as_deref().map(|length| (" FOR ", length)));
                self.phrase(expr, &rest)?;
                self.put(")");
                Ok(())
            }
            _ => Err(refuse("this form of expression")),
        }
    }

    fn plain_call(&mut self, name: &str, args: &[&Expr]) -> Result<()> {
        self.put("pg_catalog.");
        self.name(name)?;
        self.put("(");
        self.separated(args, ", ", |printer, arg| printer.expr(arg))?;
        self.put(")");
        Ok(())
    }

    /// A column behind its table's name.
    fn column(&mut self, idents: &[Ident]) -> Result<()> {
        let Some((column, table)) = idents.split_last() else { return Err(refuse("this name")) };
        if !functions::is_column(&folded(column)) {
            return Err(refuse("a function of a row"));
        }
        let table = self.unqualified(table)?;
        table.iter().try_for_each(|table| self.reads_column(table, column))?;
        // All of it stands where the client's begins, the schema in front of it included.
        self.mark(idents.first().and_then(|first| position(first.span)));
        self.separated(table, ".", |printer, table| printer.name(&folded(table)))?;
        self.put(".");
        self.name(&folded(column))
    }

    /// Fields and subscripts: `(x).f`, `x[1]`, `x[1:2]`.
    fn access(&mut self, root: &Expr, chain: &[AccessExpr]) -> Result<()> {
        let mut names: Vec<Ident> = match root {
            Expr::Identifier(ident) if !is_call(ident) => vec![ident.clone()],
            Expr::CompoundIdentifier(idents) => idents.clone(),
            _ => Vec::new(),
        };
        let mut rest = chain;
        // Names up to the first subscript are one column's; parentheses would have made `root` another thing.
        while let ([AccessExpr::Dot(Expr::Identifier(ident)), tail @ ..], false) = (rest, names.is_empty()) {
            names.push(ident.clone());
            rest = tail;
        }
        self.put("(");
        match names.as_slice() {
            [] => self.expr(root)?,
            [ident] => {
                self.reads_name(ident)?;
                self.ident(ident)?;
            }
            idents => self.column(idents)?,
        }
        self.put(")");
        rest.iter().try_for_each(|access| match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => {
                let name = folded(ident);
                if !functions::is_field(&name, self.survey.has_column(&name)) {
                    return Err(refuse("this field"));
                }
                self.put(".");
                self.ident(ident)
            }
            AccessExpr::Dot(_) => Err(refuse("this field")),
            AccessExpr::Subscript(subscript) => self.subscript(subscript),
        })
    }

    fn subscript(&mut self, subscript: &Subscript) -> Result<()> {
        self.put("[");
        match subscript {
            Subscript::Index { index } => self.expr(index)?,
            Subscript::Slice { lower_bound, upper_bound, stride: None } => {
                lower_bound.iter().try_for_each(|bound| self.operand(bound))?;
                self.put(" : ");
                upper_bound.iter().try_for_each(|bound| self.operand(bound))?;
            }
            Subscript::Slice { .. } => return Err(refuse("a stride")),
        }
        self.put("]");
        Ok(())
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<()> {
        let symbol = operator::binary(op)?;
        // What overlaps is a row to the grammar already, which takes no parentheses around it.
        let row = |expr: &Expr| matches!(op, BinaryOperator::Overlaps) && matches!(bare(expr), Expr::Tuple(_));
        if row(left) {
            self.expr(left)?
        } else {
            self.operand(left)?
        }
        self.put(" ");
        self.mark_operator(symbol, right);
        self.put(symbol);
        self.put(" ");
        if row(right) { self.expr(right) } else { self.operand(right) }
    }

    fn mark_operator(&mut self, symbol: &str, right: &Expr) {
        let written = [symbol.to_ascii_lowercase(), if symbol == "<>" { "!=".to_owned() } else { String::new() }];
        let written: Vec<&str> = written.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let place = start(right).and_then(|before| self.places.last_before(before, &written, 0));
        self.mark(place);
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Expr) -> Result<()> {
        let symbol = operator::unary(op)?;
        self.mark_operator(symbol, expr);
        self.put(symbol);
        self.put(" ");
        self.operand(expr)
    }

    fn quantified(&mut self, left: &Expr, op: &BinaryOperator, word: &str, right: &Expr) -> Result<()> {
        let symbol = operator::binary(op)?;
        if matches!(op, BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Overlaps) {
            return Err(refuse("this operator"));
        }
        self.operand(left)?;
        self.put(" ");
        self.mark_operator(symbol, right);
        self.put(symbol);
        self.put(word);
        match bare(right) {
            Expr::Subquery(query) => self.query(query)?,
            right => self.expr(right)?,
        }
        self.put(")");
        Ok(())
    }

    fn cast(&mut self, expr: &Expr, data_type: &DataType) -> Result<()> {
        match bare(expr) {
            // The name of a type, which it is only as a text.
            Expr::Function(function) if parts(&function.name).last().is_some_and(|name| name == "pg_typeof") => {
                let text = type_name(data_type).is_some_and(|ty| ty.schema.is_none() && ty.name == "text" && !ty.array);
                if !text {
                    return Err(refuse("function pg_typeof"));
                }
                self.type_of(function)?;
            }
            inner => self.operand(inner)?,
        }
        let place = start(expr).and_then(|from| self.places.first_from(from, &["::"], 0));
        self.mark(place);
        self.put("::");
        self.type_name(data_type)
    }

    fn case(&mut self, operand: Option<&Expr>, whens: &[CaseWhen], otherwise: Option<&Expr>) -> Result<()> {
        self.put("CASE");
        if let Some(expr) = operand {
            self.put(" ");
            self.operand(expr)?;
        }
        for CaseWhen { condition, result } in whens {
            self.put(" WHEN ");
            self.expr(condition)?;
            self.put(" THEN ");
            self.expr(result)?;
        }
        if let Some(expr) = otherwise {
            self.put(" ELSE ");
            self.expr(expr)?;
        }
        self.put(" END");
        Ok(())
    }

    fn array(&mut self, array: &Array) -> Result<()> {
        // Below another array, a list in brackets is one too.
        self.put(if array.named { "ARRAY[" } else { "[" });
        self.expressions(&array.elem)?;
        self.put("]");
        Ok(())
    }

    pub(super) fn collation(&mut self, name: &ObjectName) -> Result<()> {
        let idents: Vec<&Ident> = name.0.iter().filter_map(ObjectNamePart::as_ident).collect();
        let collation = match idents.as_slice() {
            [collation] => collation,
            [schema, collation] if folded(schema) == "pg_catalog" => collation,
            _ => return Err(refuse("a collation of a schema")),
        };
        self.put("pg_catalog.");
        self.name(&folded(collation))
    }
}
