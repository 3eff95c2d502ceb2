//! Types: the list of those whose values need no catalog to be read, each by its name in `pg_catalog`.
//! Must not know: values.

use super::super::super::ast::{DataType, IntervalFields};
use super::super::super::type_name::type_name;
use super::{Printer, refuse};
use crate::error::Result;

/// Types whose input looks at nothing but the text. Not here: `regclass` and its kin and `aclitem`, which look names up, and `money`,
/// whose text depends on the server's settings.
const PLAIN: &[&str] = &[
    "bit",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cid",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "float4",
    "float8",
    "inet",
    "int2",
    "int2vector",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "oidvector",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "text",
    "tid",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "uuid",
    "varbit",
    "varchar",
    "xid",
    "xid8",
    "xml",
];

/// Types with something in parentheses.
const MODIFIED: &[&str] =
    &["bit", "bpchar", "interval", "numeric", "time", "timestamp", "timestamptz", "timetz", "varbit", "varchar"];

impl Printer<'_> {
    pub(super) fn type_name(&mut self, data_type: &DataType) -> Result<()> {
        if let DataType::Interval { fields: Some(fields), precision } = data_type {
            self.put("INTERVAL ");
            self.put(interval_fields(fields));
            if let Some(precision) = precision {
                self.put(&format!("({precision})"));
            }
            return Ok(());
        }
        let Some(found) = type_name(data_type) else { return Err(refuse("this type")) };
        if found.schema.is_some() {
            return Err(refuse("a type of a schema"));
        }
        let Some(name) = PLAIN.iter().find(|plain| **plain == found.name) else { return Err(refuse("this type")) };
        self.put(&format!("pg_catalog.\"{name}\""));
        if !found.modifiers.is_empty() {
            if !MODIFIED.contains(name) {
                return Err(refuse("a modifier of this type"));
            }
            // Behind its name in quotes an interval has its fields first: all of them.
            self.put(if *name == "interval" { "(32767, " } else { "(" });
            let modifiers: Vec<String> = found.modifiers.iter().map(|modifier| format!("{modifier}")).collect();
            self.put(&format!("{})", modifiers.join(", ")));
        }
        self.put(if found.array { "[]" } else { "" });
        Ok(())
    }
}

fn interval_fields(fields: &IntervalFields) -> &'static str {
    match fields {
        IntervalFields::Year => "YEAR",
        IntervalFields::Month => "MONTH",
        IntervalFields::Day => "DAY",
        IntervalFields::Hour => "HOUR",
        IntervalFields::Minute => "MINUTE",
        IntervalFields::Second => "SECOND",
        IntervalFields::YearToMonth => "YEAR TO MONTH",
        IntervalFields::DayToHour => "DAY TO HOUR",
        IntervalFields::DayToMinute => "DAY TO MINUTE",
        IntervalFields::DayToSecond => "DAY TO SECOND",
        IntervalFields::HourToMinute => "HOUR TO MINUTE",
        IntervalFields::HourToSecond => "HOUR TO SECOND",
        IntervalFields::MinuteToSecond => "MINUTE TO SECOND",
    }
}
