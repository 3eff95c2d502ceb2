//! `PgType`: a PostgreSQL type by its oid and its modifier, and what the catalog says of it.
//! Must not know: Arrow, values, how anything is stored.

use super::builtin::BUILTIN;
use super::own::OwnKind;

/// What `pg_type` says of a built-in type.
#[derive(Debug, Clone, Copy)]
pub struct TypeRow {
    /// `pg_type.oid`.
    pub oid: u32,
    /// The type of its arrays, or 0.
    pub array_oid: u32,
    /// The type of its elements, or 0.
    pub elem_oid: u32,
    /// `typname`, the internal name.
    pub name: &'static str,
    /// What `format_type(oid, NULL)` says, the SQL name.
    pub sql_name: &'static str,
    /// `typlen`: bytes, -1 for varying, -2 for a C string.
    pub typlen: i16,
    /// `typbyval`.
    pub byval: bool,
    /// `typcategory`, an ASCII letter.
    pub category: u8,
    /// `typtype`: b base, p pseudo, r range, m multirange.
    pub typtype: u8,
    /// `typdelim`.
    pub delimiter: u8,
    /// `typalign`: c, s, i or d.
    pub align: u8,
    /// `typispreferred`.
    pub preferred: bool,
    /// Whether PostgreSQL has a send function for it.
    pub has_send: bool,
}

/// All built-in types (row types aside), in order of oid.
#[must_use]
pub fn builtin_types() -> &'static [TypeRow] {
    BUILTIN
}

/// The first number of users' types.
const FIRST_OF_USERS: u32 = 16_384;

/// A PostgreSQL type: `pg_type.oid` and the type modifier (-1: none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PgType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// The type modifier as `pg_attribute.atttypmod` has it; -1 for none.
    pub typmod: i32,
}

macro_rules! pg_types {
    ($($name:ident = $oid:literal, $array:ident = $array_oid:literal;)*) => {
        impl PgType {
            $(
                #[doc = concat!("The type with oid ", stringify!($oid), ", without modifier.")]
                pub const $name: PgType = PgType::new($oid);
                #[doc = concat!("The array type with oid ", stringify!($array_oid), ", without modifier.")]
                pub const $array: PgType = PgType::new($array_oid);
            )*
        }
    };
}

pg_types! {
    BOOL = 16, BOOL_ARRAY = 1000;
    BYTEA = 17, BYTEA_ARRAY = 1001;
    CHAR = 18, CHAR_ARRAY = 1002;
    NAME = 19, NAME_ARRAY = 1003;
    INT8 = 20, INT8_ARRAY = 1016;
    INT2 = 21, INT2_ARRAY = 1005;
    INT2VECTOR = 22, INT2VECTOR_ARRAY = 1006;
    INT4 = 23, INT4_ARRAY = 1007;
    REGPROC = 24, REGPROC_ARRAY = 1008;
    TEXT = 25, TEXT_ARRAY = 1009;
    OID = 26, OID_ARRAY = 1028;
    TID = 27, TID_ARRAY = 1010;
    XID = 28, XID_ARRAY = 1011;
    CID = 29, CID_ARRAY = 1012;
    OIDVECTOR = 30, OIDVECTOR_ARRAY = 1013;
    JSON = 114, JSON_ARRAY = 199;
    XML = 142, XML_ARRAY = 143;
    POINT = 600, POINT_ARRAY = 1017;
    LSEG = 601, LSEG_ARRAY = 1018;
    PATH = 602, PATH_ARRAY = 1019;
    BOX = 603, BOX_ARRAY = 1020;
    POLYGON = 604, POLYGON_ARRAY = 1027;
    LINE = 628, LINE_ARRAY = 629;
    CIDR = 650, CIDR_ARRAY = 651;
    FLOAT4 = 700, FLOAT4_ARRAY = 1021;
    FLOAT8 = 701, FLOAT8_ARRAY = 1022;
    CIRCLE = 718, CIRCLE_ARRAY = 719;
    MACADDR8 = 774, MACADDR8_ARRAY = 775;
    MONEY = 790, MONEY_ARRAY = 791;
    MACADDR = 829, MACADDR_ARRAY = 1040;
    INET = 869, INET_ARRAY = 1041;
    ACLITEM = 1033, ACLITEM_ARRAY = 1034;
    BPCHAR = 1042, BPCHAR_ARRAY = 1014;
    VARCHAR = 1043, VARCHAR_ARRAY = 1015;
    DATE = 1082, DATE_ARRAY = 1182;
    TIME = 1083, TIME_ARRAY = 1183;
    TIMESTAMP = 1114, TIMESTAMP_ARRAY = 1115;
    TIMESTAMPTZ = 1184, TIMESTAMPTZ_ARRAY = 1185;
    INTERVAL = 1186, INTERVAL_ARRAY = 1187;
    TIMETZ = 1266, TIMETZ_ARRAY = 1270;
    BIT = 1560, BIT_ARRAY = 1561;
    VARBIT = 1562, VARBIT_ARRAY = 1563;
    NUMERIC = 1700, NUMERIC_ARRAY = 1231;
    REFCURSOR = 1790, REFCURSOR_ARRAY = 2201;
    REGPROCEDURE = 2202, REGPROCEDURE_ARRAY = 2207;
    REGOPER = 2203, REGOPER_ARRAY = 2208;
    REGOPERATOR = 2204, REGOPERATOR_ARRAY = 2209;
    REGCLASS = 2205, REGCLASS_ARRAY = 2210;
    REGTYPE = 2206, REGTYPE_ARRAY = 2211;
    RECORD = 2249, RECORD_ARRAY = 2287;
    CSTRING = 2275, CSTRING_ARRAY = 1263;
    UUID = 2950, UUID_ARRAY = 2951;
    PG_LSN = 3220, PG_LSN_ARRAY = 3221;
    REGCONFIG = 3734, REGCONFIG_ARRAY = 3735;
    REGDICTIONARY = 3769, REGDICTIONARY_ARRAY = 3770;
    JSONB = 3802, JSONB_ARRAY = 3807;
    INT4RANGE = 3904, INT4RANGE_ARRAY = 3905;
    NUMRANGE = 3906, NUMRANGE_ARRAY = 3907;
    TSRANGE = 3908, TSRANGE_ARRAY = 3909;
    TSTZRANGE = 3910, TSTZRANGE_ARRAY = 3911;
    DATERANGE = 3912, DATERANGE_ARRAY = 3913;
    INT8RANGE = 3926, INT8RANGE_ARRAY = 3927;
    JSONPATH = 4072, JSONPATH_ARRAY = 4073;
    REGNAMESPACE = 4089, REGNAMESPACE_ARRAY = 4090;
    REGROLE = 4096, REGROLE_ARRAY = 4097;
    REGCOLLATION = 4191, REGCOLLATION_ARRAY = 4192;
    XID8 = 5069, XID8_ARRAY = 271;
}

impl PgType {
    /// `unknown`: a literal whose type is not settled yet.
    pub const UNKNOWN: PgType = PgType::new(705);
    /// `void`: the result of a function that returns nothing.
    pub const VOID: PgType = PgType::new(2278);
    /// `any`.
    pub const ANY: PgType = PgType::new(2276);
    /// `anyarray`.
    pub const ANYARRAY: PgType = PgType::new(2277);

    /// The type with this oid, without modifier.
    #[must_use]
    pub const fn new(oid: u32) -> PgType {
        PgType { oid, typmod: -1 }
    }

    /// The type with this oid and modifier.
    #[must_use]
    pub const fn with_typmod(oid: u32, typmod: i32) -> PgType {
        PgType { oid, typmod }
    }

    /// `numeric(precision, scale)`.
    #[must_use]
    pub const fn numeric(precision: u16, scale: i16) -> PgType {
        PgType { oid: 1700, typmod: (((precision as i32) << 16) | ((scale as i32) & 0x7ff)) + 4 }
    }

    /// `character varying(length)`.
    #[must_use]
    pub const fn varchar(length: i32) -> PgType {
        PgType { oid: 1043, typmod: length + 4 }
    }

    /// `character(length)`.
    #[must_use]
    pub const fn bpchar(length: i32) -> PgType {
        PgType { oid: 1042, typmod: length + 4 }
    }

    /// Its row of the catalog, if it is built in.
    #[must_use]
    pub fn row(self) -> Option<&'static TypeRow> {
        BUILTIN.binary_search_by_key(&self.oid, |row| row.oid).ok().and_then(|at| BUILTIN.get(at))
    }

    /// `typlen`: bytes, -1 for varying (also for types that are not built in), -2 for a C string.
    #[must_use]
    pub fn typlen(self) -> i16 {
        self.row().map_or(-1, |row| row.typlen)
    }

    /// `typname`, the internal name (`int4`, `_text`); `???` for a type that is not built in, as format_type says.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("???", |row| row.name)
    }

    /// `typcategory`, an ASCII letter; `U` for a type of which nothing is known.
    #[must_use]
    pub fn category(self) -> char {
        if self.is_own_array() {
            return 'A';
        }
        if matches!(self.own_kind(), Some(OwnKind::Enum | OwnKind::EnumDomain)) {
            return 'E';
        }
        if self.is_of_rows() {
            return if self.is_row() { 'C' } else { 'A' };
        }
        self.row().map_or('U', |row| row.category as char)
    }

    /// The type of the rows of a table of this number; that of its arrays has the next one.
    #[must_use]
    pub const fn of_rows(number: u32) -> PgType {
        PgType::new(number & !1)
    }

    /// Whether it has a number of users' types: it is of the rows of a table, or of arrays of them.
    const fn is_of_rows(self) -> bool {
        self.oid >= FIRST_OF_USERS && self.own_kind().is_none()
    }

    /// Whether it is the type of the rows of a table.
    #[must_use]
    pub const fn is_row(self) -> bool {
        self.is_of_rows() && self.oid & 1 == 0
    }

    /// Whether its values are records: rows of a table, or what ROW makes.
    #[must_use]
    pub const fn is_record(self) -> bool {
        self.oid == 2249 || self.is_row()
    }

    /// The type of its elements (with the modifier, which an array hands down), if it is an array type.
    ///
    /// `int2vector` and `oidvector` have elements in the catalog, `name` and `point` too: those are not arrays here,
    /// save the two vectors.
    #[must_use]
    pub fn element(self) -> Option<PgType> {
        if self.own_kind().is_some() {
            return self.is_own_array().then(|| self.own_sibling(false));
        }
        if self.is_of_rows() {
            return (!self.is_row()).then(|| PgType::of_rows(self.oid));
        }
        let row = self.row()?;
        (row.category == b'A' || row.name == "_record")
            .then_some(PgType { oid: row.elem_oid, typmod: self.typmod })
            .filter(|element| element.oid != 0)
    }

    /// The array type over it (with its modifier), if there is one.
    #[must_use]
    pub fn array_of(self) -> Option<PgType> {
        if self.own_kind().is_some() {
            return (!self.is_own_array()).then(|| self.own_sibling(true));
        }
        if self.is_of_rows() {
            return self.is_row().then(|| PgType::new(self.oid | 1));
        }
        let row = self.row()?;
        (row.array_oid != 0).then_some(PgType { oid: row.array_oid, typmod: self.typmod })
    }

    /// Whether it is an array type (the vectors included).
    #[must_use]
    pub fn is_array(self) -> bool {
        self.element().is_some()
    }

    /// The same type without its modifier.
    #[must_use]
    pub const fn bare(self) -> PgType {
        PgType::new(self.oid)
    }

    /// Precision and scale of a `numeric(p,s)`; none for other types and for numeric without precision.
    ///
    /// The scale is a signed number of 11 bits since PostgreSQL 15.
    #[must_use]
    pub const fn precision_scale(self) -> Option<(u16, i16)> {
        if self.oid != 1700 || self.typmod < 4 {
            return None;
        }
        let raw = self.typmod - 4;
        let scale = ((raw & 0x7ff) ^ 1024) - 1024;
        Some((((raw >> 16) & 0xffff) as u16, scale as i16))
    }

    /// The declared length in characters (varchar, bpchar) or bits (bit, varbit), if there is one.
    #[must_use]
    pub const fn declared_length(self) -> Option<i32> {
        match self.oid {
            1042 | 1043 if self.typmod >= 4 => Some(self.typmod - 4),
            1560 | 1562 if self.typmod >= 0 => Some(self.typmod),
            _ => None,
        }
    }

    /// Whether its values are oids of something with a name: `regclass` and its kin.
    #[must_use]
    pub const fn is_registered(self) -> bool {
        matches!(self.oid, 24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191)
    }

    /// Whether it belongs to the text family: text, varchar, bpchar, name, "char", unknown, cstring.
    #[must_use]
    pub const fn is_textual(self) -> bool {
        matches!(self.oid, 18 | 19 | 25 | 705 | 1042 | 1043 | 2275)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_arrays_point_both_ways() {
        for pair in BUILTIN.windows(2) {
            assert!(pair[0].oid < pair[1].oid);
        }
        for row in BUILTIN.iter().filter(|row| row.array_oid != 0) {
            let array = PgType::new(row.oid).array_of().unwrap();
            assert_eq!(array.element().unwrap().oid, row.oid, "{}", row.name);
        }
    }

    #[test]
    fn rows_of_tables() {
        let row = PgType::of_rows(20_001);
        let array = row.array_of().unwrap();
        assert_eq!(
            (row.oid, array.oid, array.element(), row.element(), array.array_of()),
            (20_000, 20_001, Some(row), None, None)
        );
        assert!(row.is_row() && row.is_record() && !array.is_row() && !array.is_record());
        assert_eq!((row.category(), array.category(), row.told(), row.typlen()), ('C', 'A', row, -1));
        assert!(PgType::RECORD.is_record() && !PgType::RECORD.is_row() && !PgType::TEXT.is_record());
    }

    #[test]
    fn modifiers() {
        assert_eq!(PgType::numeric(15, 2).typmod, 983_046);
        assert_eq!(PgType::with_typmod(1700, 329_730).precision_scale(), Some((5, -2)));
        assert_eq!(PgType::with_typmod(1700, 196_617).precision_scale(), Some((3, 5)));
        assert_eq!(PgType::NAME.element(), None);
        assert_eq!(PgType::INT2VECTOR.element(), Some(PgType::INT2));
        assert_eq!(PgType::TEXT.category(), 'S');
        assert_eq!(PgType::INT4.typlen(), 4);
    }
}
