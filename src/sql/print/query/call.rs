//! Calls: functions, aggregates, windows, and what looks like a call to the grammar only.
//! Must not know: which functions are allowed.

use super::super::super::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, ObjectName, ObjectNamePart, Value, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec,
    WindowType,
};
use super::super::super::marks;
use super::super::super::position;
use super::super::super::scope::{folded, parts};
use super::functions::{self, Callee};
use super::{Printer, refuse};
use crate::error::Result;

/// Words of the grammar that look like functions.
const FORMS: &[(&str, &str)] = &[
    ("coalesce", "COALESCE"),
    ("greatest", "GREATEST"),
    ("grouping", "GROUPING"),
    ("least", "LEAST"),
    ("nullif", "NULLIF"),
    ("row", "ROW"),
];

/// Tusk's own answers.
const OWN: &[&str] = &[
    "current_catalog",
    "current_database",
    "current_role",
    "current_schema",
    "current_user",
    "pg_backend_pid",
    "session_user",
    "user",
    "version",
];

/// The moments that a transaction began at: the word, and the type that it makes of `now()`.
const MOMENTS: &[(&str, &str)] = &[
    ("current_date", "date"),
    ("current_time", "timetz"),
    ("current_timestamp", "timestamptz"),
    ("localtime", "time"),
    ("localtimestamp", "timestamp"),
    ("now", "timestamptz"),
    ("transaction_timestamp", "timestamptz"),
];

/// The name of a function that is no function to PostgreSQL's grammar: one word without quotes.
pub(super) fn word(name: &ObjectName) -> Option<&str> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] if ident.quote_style.is_none() => Some(&ident.value),
        _ => None,
    }
}

pub(super) fn is_plain(function: &Function) -> bool {
    function.filter.is_none()
        && function.over.is_none()
        && function.within_group.is_empty()
        && function.null_treatment.is_none()
        && !function.uses_odbc_syntax
        && matches!(function.parameters, FunctionArguments::None)
}

/// The arguments of a call that has nothing but arguments.
pub(super) fn plain_arguments(function: &Function) -> Option<&[FunctionArg]> {
    match &function.args {
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => {
            Some(&list.args)
        }
        FunctionArguments::None => Some(&[]),
        _ => None,
    }
}

impl Printer<'_> {
    pub(super) fn call(&mut self, function: &Function) -> Result<()> {
        let place = function.name.0.first().and_then(ObjectNamePart::as_ident).and_then(|ident| position(ident.span));
        let name = parts(&function.name).pop().unwrap_or_default();
        let names = parts(&function.name);
        let built_in = names.len() == 1 || matches!(names.as_slice(), [schema, _] if schema == "pg_catalog");
        if built_in && OWN.contains(&name.as_str()) {
            return match plain_arguments(function) {
                Some([]) if is_plain(function) => self.own_value(&name, place),
                _ => Err(refuse("this form of function call")),
            };
        }
        if let Some((_, ty)) = MOMENTS.iter().find(|(moment, _)| built_in && *moment == name) {
            return self.moment(function, &name, ty, place);
        }
        if let Some((_, form)) = FORMS.iter().find(|(form, _)| word(&function.name) == Some(form)) {
            return self.form(function, form, place);
        }
        if word(&function.name) == Some("array") && is_plain(function) {
            let FunctionArguments::Subquery(query) = &function.args else { return Err(refuse("this array")) };
            self.mark(place);
            self.put("ARRAY");
            return self.sub_query(query);
        }
        if name == "normalize" && word(&function.name).is_some() {
            return self.normalize(function, place);
        }
        let callee = functions::allowed(&function.name, &self.own.functions)?;
        self.function(function, &callee, place)
    }

    fn function(&mut self, function: &Function, callee: &Callee, place: Option<u32>) -> Result<()> {
        let FunctionArguments::List(list) = &function.args else { return Err(refuse("this form of function call")) };
        if function.uses_odbc_syntax
            || function.null_treatment.is_some()
            || !matches!(function.parameters, FunctionArguments::None)
        {
            return Err(refuse("this form of function call"));
        }
        self.mark(place);
        self.callee(callee)?;
        self.put("(");
        self.argument_list(&callee.name, list)?;
        self.put(")");
        if !function.within_group.is_empty() {
            self.put(" WITHIN GROUP (ORDER BY ");
            self.order_keys(&function.within_group)?;
            self.put(")");
        }
        if let Some(filter) = &function.filter {
            self.put(" FILTER (WHERE ");
            self.expr(filter)?;
            self.put(")");
        }
        match &function.over {
            None => Ok(()),
            Some(WindowType::NamedWindow(ident)) => {
                self.put(" OVER ");
                self.ident(ident)
            }
            Some(WindowType::WindowSpec(spec)) => {
                self.put(" OVER ");
                self.window(spec)
            }
        }
    }

    /// The name of a function, with its schema.
    pub(super) fn callee(&mut self, callee: &Callee) -> Result<()> {
        self.calls |= callee.of_source;
        match callee.schema.as_str() {
            "pg_catalog" => self.put("pg_catalog."),
            schema => {
                self.name(schema)?;
                self.put(".");
            }
        }
        self.name(&callee.name)
    }

    fn argument_list(&mut self, name: &str, list: &FunctionArgumentList) -> Result<()> {
        self.put(match list.duplicate_treatment {
            Some(DuplicateTreatment::Distinct) => "DISTINCT ",
            Some(DuplicateTreatment::All) => "ALL ",
            None => "",
        });
        self.arguments(name, &list.args)?;
        list.clauses.iter().try_for_each(|clause| match clause {
            FunctionArgumentClause::OrderBy(keys) => {
                self.put(" ORDER BY ");
                self.order_keys(keys)
            }
            _ => Err(refuse("this form of function call")),
        })
    }

    /// `COALESCE` and its kin.
    fn form(&mut self, function: &Function, form: &str, place: Option<u32>) -> Result<()> {
        let args = plain_arguments(function).filter(|_| is_plain(function));
        let Some(args) = args else { return Err(refuse("this form of function call")) };
        self.mark(place);
        self.put(form);
        self.put("(");
        self.arguments("", args)?;
        self.put(")");
        Ok(())
    }

    /// `normalize(text, NFC)`: the form is a word of the grammar, a string to the function.
    fn normalize(&mut self, function: &Function, place: Option<u32>) -> Result<()> {
        let (text, form) = match plain_arguments(function).filter(|_| is_plain(function)) {
            Some([text]) => (text, "NFC"),
            Some([text, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(form)))]) => {
                let forms = ["NFC", "NFD", "NFKC", "NFKD"];
                let known = forms.into_iter().find(|known| known.eq_ignore_ascii_case(&form.value));
                (text, known.ok_or_else(|| refuse("this form of normalization"))?)
            }
            _ => return Err(refuse("this form of function call")),
        };
        self.mark(place);
        self.put("pg_catalog.\"normalize\"(");
        self.arguments("normalize", std::slice::from_ref(text))?;
        self.put(", ");
        self.text(form)?;
        self.put(")");
        Ok(())
    }

    /// `now()` and its kin.
    fn moment(&mut self, function: &Function, name: &str, ty: &str, place: Option<u32>) -> Result<()> {
        let called = matches!(name, "now" | "transaction_timestamp");
        if !called && word(&function.name).is_none() {
            return Err(refuse("this function"));
        }
        let precision = match plain_arguments(function).filter(|_| is_plain(function)) {
            Some([]) => None,
            Some([FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))]) if !called && ty != "date" => {
                match &value.value {
                    Value::Number(digits, false) => digits.parse::<u8>().ok(),
                    _ => return Err(refuse("this precision")),
                }
            }
            _ => return Err(refuse("this form of function call")),
        };
        self.mark(place);
        if let Some(now) = self.own.now.clone() {
            self.own_used += 1;
            self.put("((");
            self.text(&now)?;
            self.put("::pg_catalog.timestamptz)::pg_catalog.");
            self.put(ty);
            self.put(&precision.map_or(String::new(), |precision| format!("({precision})")));
            self.put(")");
            return Ok(());
        }
        if called {
            self.put("pg_catalog.now()");
            self.own_used += usize::from(name != "now");
            return Ok(());
        }
        self.put(&name.to_ascii_uppercase());
        if let Some(precision) = precision {
            self.put(&format!("({precision})"));
        }
        Ok(())
    }

    /// What Tusk answers itself.
    pub(super) fn own_value(&mut self, name: &str, place: Option<u32>) -> Result<()> {
        self.mark(place);
        self.own_used += 1;
        let (value, ty) = match name {
            "current_user" | "session_user" | "user" | "current_role" => (Some(self.own.user.clone()), "name"),
            "current_catalog" | "current_database" => (Some(self.own.database.clone()), "name"),
            "current_schema" => (self.own.schema.clone(), "name"),
            "version" => (Some(self.own.version.clone()), "text"),
            "pg_backend_pid" => (Some(self.own.pid.to_string()), "int4"),
            _ => return Err(refuse("this function")),
        };
        self.put("(");
        match value {
            Some(value) => self.text(&value)?,
            None => self.put("NULL"),
        }
        self.put("::pg_catalog.\"");
        self.put(ty);
        self.put("\")");
        Ok(())
    }

    /// `pg_typeof(x)`, for its text.
    pub(super) fn type_of(&mut self, function: &Function) -> Result<()> {
        let names = parts(&function.name);
        let known = matches!(names.as_slice(), [_]) || names.first().is_some_and(|schema| schema == "pg_catalog");
        match plain_arguments(function).filter(|_| is_plain(function) && known) {
            Some(args @ [_]) => {
                self.put("pg_catalog.\"pg_typeof\"(");
                self.arguments("pg_typeof", args)?;
                self.put(")");
                Ok(())
            }
            _ => Err(refuse("this form of function call")),
        }
    }

    pub(super) fn window(&mut self, spec: &WindowSpec) -> Result<()> {
        self.put("(");
        let mut between = "";
        if let Some(name) = &spec.window_name {
            self.mark(position(name.span));
            self.name(&folded(name))?;
            between = " ";
        }
        if !spec.partition_by.is_empty() {
            self.put(between);
            self.put("PARTITION BY ");
            self.expressions(&spec.partition_by)?;
            between = " ";
        }
        let (keys, left_out) = match spec.order_by.split_last() {
            Some((last, keys)) if marks::exclusion(&last.expr).is_some() => (keys, marks::exclusion(&last.expr)),
            _ => (spec.order_by.as_slice(), None),
        };
        if !keys.is_empty() {
            self.put(between);
            self.put("ORDER BY ");
            self.order_keys(keys)?;
            between = " ";
        }
        if let Some(frame) = &spec.window_frame {
            self.put(between);
            self.frame(frame)?;
        }
        if let Some(left_out) = left_out {
            let words =
                ["CURRENT ROW", "GROUP", "TIES", "NO OTHERS"].into_iter().find(|words| *words == left_out.value);
            self.put(" EXCLUDE ");
            self.put(words.ok_or_else(|| refuse("this frame"))?);
        }
        self.put(")");
        Ok(())
    }

    fn frame(&mut self, frame: &WindowFrame) -> Result<()> {
        self.put(match frame.units {
            WindowFrameUnits::Rows => "ROWS ",
            WindowFrameUnits::Range => "RANGE ",
            WindowFrameUnits::Groups => "GROUPS ",
        });
        match &frame.end_bound {
            None => self.bound(&frame.start_bound),
            Some(end) => {
                self.put("BETWEEN ");
                self.bound(&frame.start_bound)?;
                self.put(" AND ");
                self.bound(end)
            }
        }
    }

    fn bound(&mut self, bound: &WindowFrameBound) -> Result<()> {
        let (rows, word) = match bound {
            WindowFrameBound::CurrentRow => {
                self.put("CURRENT ROW");
                return Ok(());
            }
            WindowFrameBound::Preceding(rows) => (rows, " PRECEDING"),
            WindowFrameBound::Following(rows) => (rows, " FOLLOWING"),
        };
        match rows {
            None => self.put("UNBOUNDED"),
            Some(rows) => self.operand(rows)?,
        }
        self.put(word);
        Ok(())
    }
}
