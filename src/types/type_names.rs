//! Names of types: what `format_type` prints, and the names and aliases that SQL accepts.
//! Must not know: Arrow, values.

use super::builtin::BUILTIN;
use super::pg_type::PgType;

/// The fields of an interval's modifier: its mask, and the words SQL has for it.
const INTERVAL_FIELDS: &[(i32, &str)] = &[
    (0x4, "year"),
    (0x2, "month"),
    (0x8, "day"),
    (0x400, "hour"),
    (0x800, "minute"),
    (0x1000, "second"),
    (0x6, "year to month"),
    (0x408, "day to hour"),
    (0xc08, "day to minute"),
    (0x1c08, "day to second"),
    (0xc00, "hour to minute"),
    (0x1c00, "hour to second"),
    (0x1800, "minute to second"),
];

/// The mask of an interval without restriction, and the precision of one without precision.
const INTERVAL_FULL_RANGE: i32 = 0x7fff;
const INTERVAL_FULL_PRECISION: i32 = 0xffff;

impl PgType {
    /// What `format_type(oid, typmod)` says: `integer`, `numeric(15,2)`, `timestamp(3) with time zone`, `integer[]`.
    #[must_use]
    pub fn display_name(self) -> String {
        if self.oid == 0 {
            return "-".to_owned();
        }
        // The vectors and anything that is an array by category but not by name print their own name.
        if let Some(element) = self.element()
            && self.name().starts_with('_')
        {
            return format!("{}[]", element.display_name());
        }
        let Some(row) = self.row() else { return "???".to_owned() };
        let name = row.sql_name;
        match self.oid {
            1042 if self.typmod < 4 => "bpchar".to_owned(),
            1560 if self.typmod < 0 => "\"bit\"".to_owned(),
            1042 | 1043 | 1560 | 1562 => {
                self.declared_length().map_or_else(|| name.to_owned(), |n| format!("{name}({n})"))
            }
            1700 => self.precision_scale().map_or_else(|| name.to_owned(), |(p, s)| format!("{name}({p},{s})")),
            1083 | 1114 | 1184 | 1266 if self.typmod >= 0 => match name.split_once(' ') {
                Some((head, tail)) => format!("{head}({}) {tail}", self.typmod),
                None => format!("{name}({})", self.typmod),
            },
            1186 if self.typmod >= 0 => interval_name(self.typmod),
            _ => name.to_owned(),
        }
    }

    /// The type that SQL means by a name: `int`, `bigint`, `character varying(10)`, `numeric(15,2)`, `timestamp(3)
    /// with time zone`,
    /// `text[]`, `"char"`, `pg_catalog.int4`. Case does not matter outside quotes. None for a name that is not known.
    ///
    /// As in SQL, `char` is `character(1)` and `bit` is `bit(1)`; the one-byte type is `"char"` in quotes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<PgType> {
        let trimmed = name.trim();
        let folded = if trimmed.starts_with('"') { trimmed.to_owned() } else { fold(trimmed) };
        let folded = folded.strip_prefix("pg_catalog.").unwrap_or(&folded);
        if let Some(element) = array_element(folded) {
            return PgType::from_name(element)?.array_of();
        }
        if let Some(quoted) = folded.strip_prefix('"') {
            return by_typname(quoted.strip_suffix('"')?);
        }
        let (base, modifiers) = split_modifiers(folded)?;
        if base.starts_with("interval") {
            return interval_from(&base, &modifiers);
        }
        let found = by_alias(&base).or_else(|| by_typname(&base))?;
        apply_modifiers(found, &base, &modifiers)
    }
}

fn interval_name(typmod: i32) -> String {
    let range = (typmod >> 16) & INTERVAL_FULL_RANGE;
    let precision = typmod & INTERVAL_FULL_PRECISION;
    let mut name = "interval".to_owned();
    if let Some((_, words)) = INTERVAL_FIELDS.iter().find(|(mask, _)| *mask == range) {
        name.push(' ');
        name.push_str(words);
    }
    if precision != INTERVAL_FULL_PRECISION {
        name.push_str(&format!("({precision})"));
    }
    name
}

/// Lower case, and one blank between words.
fn fold(name: &str) -> String {
    name.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

fn array_element(name: &str) -> Option<&str> {
    if let Some(element) = name.strip_suffix(" array") {
        return Some(element);
    }
    let open = name.ends_with(']').then(|| name.rfind('[')).flatten()?;
    let bounds = name.get(open + 1..name.len() - 1)?;
    let element = name.get(..open)?.trim_end();
    // Further brackets are more dimensions of the same array type.
    bounds.bytes().all(|b| b.is_ascii_digit()).then(|| array_element(element).unwrap_or(element))
}

/// Cuts `(…)` out: the name without it, and the numbers in it.
fn split_modifiers(name: &str) -> Option<(String, Vec<i32>)> {
    let Some(open) = name.find('(') else { return Some((name.to_owned(), Vec::new())) };
    let close = name.find(')').filter(|close| *close > open)?;
    let numbers = name.get(open + 1..close)?.split(',').map(|n| n.trim().parse().ok()).collect::<Option<Vec<i32>>>()?;
    let base = format!("{} {}", name.get(..open)?.trim_end(), name.get(close + 1..)?.trim_start());
    Some((base.trim_end().to_owned(), numbers))
}

fn by_typname(name: &str) -> Option<PgType> {
    BUILTIN.iter().find(|row| row.name == name).map(|row| PgType::new(row.oid))
}

fn by_alias(name: &str) -> Option<PgType> {
    Some(match name {
        "boolean" => PgType::BOOL,
        "int" | "integer" | "serial" | "serial4" => PgType::INT4,
        "smallint" | "smallserial" | "serial2" => PgType::INT2,
        "bigint" | "bigserial" | "serial8" => PgType::INT8,
        "real" => PgType::FLOAT4,
        "float" | "double precision" => PgType::FLOAT8,
        "decimal" | "dec" => PgType::NUMERIC,
        "char" | "character" | "nchar" | "national char" | "national character" => PgType::BPCHAR,
        "character varying" | "char varying" | "nchar varying" | "national character varying" => PgType::VARCHAR,
        "time without time zone" => PgType::TIME,
        "time with time zone" => PgType::TIMETZ,
        "timestamp without time zone" => PgType::TIMESTAMP,
        "timestamp with time zone" => PgType::TIMESTAMPTZ,
        "bit varying" => PgType::VARBIT,
        _ => return None,
    })
}

fn interval_from(base: &str, modifiers: &[i32]) -> Option<PgType> {
    let words = base.strip_prefix("interval")?.trim();
    let range =
        if words.is_empty() { INTERVAL_FULL_RANGE } else { INTERVAL_FIELDS.iter().find(|(_, name)| *name == words)?.0 };
    match modifiers {
        [] if words.is_empty() => Some(PgType::INTERVAL),
        [] => Some(PgType::with_typmod(1186, (range << 16) | INTERVAL_FULL_PRECISION)),
        [p] if (0..=6).contains(p) => Some(PgType::with_typmod(1186, (range << 16) | p)),
        _ => None,
    }
}

fn apply_modifiers(found: PgType, base: &str, modifiers: &[i32]) -> Option<PgType> {
    let typmod = match (found.oid, modifiers) {
        // `bpchar` without a length has no limit, `character` has length 1.
        (1042, []) if base != "bpchar" => 5,
        (1560, []) => 1,
        (_, []) => -1,
        (1042 | 1043, [n]) if (1..=10_485_760).contains(n) => n + 4,
        (1560 | 1562, [n]) if *n > 0 => *n,
        (1083 | 1114 | 1184 | 1266, [p]) if *p >= 0 => (*p).min(6),
        (1700, [p]) if (1..=1000).contains(p) => PgType::numeric(*p as u16, 0).typmod,
        (1700, [p, s]) if (1..=1000).contains(p) && (-1000..=1000).contains(s) => {
            PgType::numeric(*p as u16, *s as i16).typmod
        }
        (701, [p]) if base == "float" && (1..=24).contains(p) => return Some(PgType::FLOAT4),
        (701, [p]) if base == "float" && (25..=53).contains(p) => -1,
        _ => return None,
    };
    Some(PgType { oid: found.oid, typmod })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_type_says_the_same() {
        let cases = [
            (1700, 983_046, "numeric(15,2)"),
            (1700, -1, "numeric"),
            (1043, 14, "character varying(10)"),
            (1042, 14, "character(10)"),
            (1042, -1, "bpchar"),
            (1114, 3, "timestamp(3) without time zone"),
            (1184, 0, "timestamp(0) with time zone"),
            (1083, 2, "time(2) without time zone"),
            (1266, 1, "time(1) with time zone"),
            (1186, -1, "interval"),
            (1186, 2_147_418_115, "interval(3)"),
            (1186, 327_679, "interval year"),
            (1186, 470_286_338, "interval day to second(2)"),
            (1186, 201_392_127, "interval hour to minute"),
            (1560, 3, "bit(3)"),
            (1560, -1, "\"bit\""),
            (1562, 5, "bit varying(5)"),
            (18, -1, "\"char\""),
            (1231, 983_046, "numeric(15,2)[]"),
            (1015, 14, "character varying(10)[]"),
            (22, -1, "int2vector"),
            (1007, -1, "integer[]"),
            (0, -1, "-"),
            (99_999, -1, "???"),
        ];
        for (oid, typmod, name) in cases {
            assert_eq!(PgType::with_typmod(oid, typmod).display_name(), name);
        }
    }

    #[test]
    fn names_are_found() {
        let cases = [
            ("int", PgType::INT4),
            (" INT4 ", PgType::INT4),
            ("character  Varying", PgType::VARCHAR),
            ("varchar(10)", PgType::varchar(10)),
            ("decimal(15, 2)", PgType::numeric(15, 2)),
            ("numeric(5)", PgType::numeric(5, 0)),
            ("char", PgType::bpchar(1)),
            ("\"char\"", PgType::CHAR),
            ("bpchar", PgType::BPCHAR),
            ("float", PgType::FLOAT8),
            ("float(10)", PgType::FLOAT4),
            ("timestamp(3) with time zone", PgType::with_typmod(1184, 3)),
            ("timestamptz", PgType::TIMESTAMPTZ),
            ("int[]", PgType::INT4_ARRAY),
            ("int[3][]", PgType::INT4_ARRAY),
            ("_int4", PgType::INT4_ARRAY),
            ("interval day to second(2)", PgType::with_typmod(1186, 470_286_338)),
            ("interval(3)", PgType::with_typmod(1186, 2_147_418_115)),
            ("pg_catalog.regclass", PgType::REGCLASS),
        ];
        for (name, expected) in cases {
            assert_eq!(PgType::from_name(name), Some(expected), "{name}");
        }
        for name in ["foo", "string", "varchar(0)", "int(3)", "numeric(2000)", "", "()", "[]", "\""] {
            assert_eq!(PgType::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn every_display_name_is_found_again() {
        for row in BUILTIN.iter().filter(|row| row.typtype == b'b') {
            let found = PgType::from_name(&PgType::new(row.oid).display_name());
            assert_eq!(found.map(|t| t.oid), Some(row.oid), "{}", row.name);
        }
    }
}
