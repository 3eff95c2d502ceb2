//! Names of the types that transcripts speak of.
//! Must not know: anything else.

const NAMES: &[(u32, &str)] = &[
    (16, "bool"),
    (17, "bytea"),
    (18, "char"),
    (19, "name"),
    (20, "int8"),
    (21, "int2"),
    (23, "int4"),
    (24, "regproc"),
    (25, "text"),
    (26, "oid"),
    (114, "json"),
    (142, "xml"),
    (600, "point"),
    (650, "cidr"),
    (700, "float4"),
    (701, "float8"),
    (705, "unknown"),
    (790, "money"),
    (829, "macaddr"),
    (869, "inet"),
    (1000, "bool[]"),
    (1001, "bytea[]"),
    (1003, "name[]"),
    (1005, "int2[]"),
    (1007, "int4[]"),
    (1009, "text[]"),
    (1014, "bpchar[]"),
    (1015, "varchar[]"),
    (1016, "int8[]"),
    (1021, "float4[]"),
    (1022, "float8[]"),
    (1028, "oid[]"),
    (1042, "bpchar"),
    (1043, "varchar"),
    (1082, "date"),
    (1083, "time"),
    (1114, "timestamp"),
    (1115, "timestamp[]"),
    (1182, "date[]"),
    (1184, "timestamptz"),
    (1185, "timestamptz[]"),
    (1186, "interval"),
    (1231, "numeric[]"),
    (1266, "timetz"),
    (1560, "bit"),
    (1562, "varbit"),
    (1700, "numeric"),
    (2205, "regclass"),
    (2206, "regtype"),
    (2249, "record"),
    (2278, "void"),
    (2950, "uuid"),
    (2951, "uuid[]"),
    (3220, "pg_lsn"),
    (3802, "jsonb"),
    (3904, "int4range"),
    (3910, "tstzrange"),
    (3926, "int8range"),
    (4089, "regnamespace"),
];

/// The first object id of a user's own.
const FIRST_OF_USERS: u32 = 16_384;

/// The name of a type, or its number; those of users differ by nature.
pub(crate) fn name(oid: u32) -> String {
    if oid >= FIRST_OF_USERS {
        return "user".into();
    }
    NAMES.iter().find(|(number, _)| *number == oid).map_or(oid.to_string(), |(_, name)| (*name).to_owned())
}

/// The number of a type, from its name or from itself.
pub(crate) fn oid(name: &str) -> Result<u32, String> {
    match NAMES.iter().find(|(_, known)| *known == name) {
        Some((oid, _)) => Ok(*oid),
        None => name.parse().map_err(|_| format!("no type of this name: {name}")),
    }
}
