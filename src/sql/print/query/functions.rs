//! Functions that are sent: built-ins of PostgreSQL 15 to 18 that look at their arguments and nothing else.
//! Must not know: how they are printed.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::super::super::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArgOperator, ObjectName, ObjectNamePart, Value,
};
use super::super::super::scope::folded;
use super::{SourceFunction, refuse};
use crate::error::Result;

/// All overloads of these read no table, catalog, file, setting that is not set here, or other session, and change nothing. Not here, for
/// one: what runs the SQL it is given (`query_to_xml`, `ts_stat`, `ts_rewrite`), what looks names up (`to_regclass`, `format_type`,
/// `obj_description`), what tells of the server or of a session (`current_setting`, `pg_stat_get_*`, `inet_server_addr`).
const ALLOWED: &str = "\
    abbrev abs acos acosd acosh age any_value area array_agg array_append array_cat array_dims array_fill \
    array_length array_lower array_ndims array_position array_positions array_prepend array_remove array_replace \
    array_reverse array_sample array_shuffle array_sort array_to_json array_to_string array_to_tsvector array_upper \
    ascii asin asind asinh atan atan2 atan2d atand atanh avg bit bit_and bit_count bit_length bit_or bit_xor bool \
    bool_and bool_or bound_box box bpchar broadcast btrim cardinality casefold cbrt ceil ceiling center char \
    char_length character_length chr cidr circle clock_timestamp concat concat_ws convert convert_from convert_to \
    corr cos cosd cosh cot cotd count covar_pop covar_samp crc32 crc32c cume_dist date date_add date_bin date_part \
    date_subtract date_trunc datemultirange daterange decode degrees dense_rank diagonal diameter div encode \
    enum_first enum_last enum_range erf erfc every exp extract factorial family first_value float4 float8 floor \
    format gamma gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte height host hostmask \
    inet_merge inet_same_family initcap int2 int4 int4multirange int4range int8 int8multirange int8range interval \
    is_normalized isclosed isempty isfinite ishorizontal isopen isparallel isperp isvertical json_agg \
    json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each \
    json_each_text json_extract_path json_extract_path_text json_object json_object_agg json_object_keys \
    json_populate_record json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof \
    jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object \
    jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg \
    jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query \
    jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz \
    jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax \
    jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lag \
    last_value lcm lead left length lgamma line ln log log10 lower lower_inc lower_inf lpad lseg ltrim macaddr \
    macaddr8 macaddr8_set7bit make_date make_interval make_time make_timestamp make_timestamptz masklen max md5 min \
    min_scale mod mode multirange name netmask network normalize now npoints nth_value ntile num_nonnulls num_nulls \
    numeric nummultirange numnode numrange octet_length overlaps overlay parse_ident path pclose percent_rank \
    percentile_cont percentile_disc pg_size_bytes pg_size_pretty pg_sleep pg_sleep_for pg_sleep_until \
    phraseto_tsquery pi plainto_tsquery point polygon popen position pow power querytree quote_ident quote_literal \
    quote_nullable radians radius random random_normal range_agg range_intersect_agg range_merge rank regexp_count \
    regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table \
    regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat \
    replace reverse right round row_number row_to_json rpad rtrim scale set_bit set_byte set_masklen setweight sha224 \
    sha256 sha384 sha512 sign sin sind sinh slope split_part sqrt starts_with statement_timestamp stddev stddev_pop \
    stddev_samp string_agg string_to_array string_to_table strip strpos substr substring sum tan tand tanh text time \
    timeofday timestamp timestamptz timetz timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number \
    to_oct to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim_array trim_scale trunc ts_delete \
    ts_filter ts_headline ts_rank ts_rank_cd tsmultirange tsquery_phrase tsrange tstzmultirange tstzrange \
    tsvector_to_array unistr unnest upper upper_inc upper_inf uuid_extract_timestamp uuid_extract_version uuidv4 \
    uuidv7 var_pop var_samp varbit varchar variance websearch_to_tsquery width width_bucket xml xml_is_well_formed \
    xml_is_well_formed_content xml_is_well_formed_document xmlagg xmlcomment xpath xpath_exists";

/// The same of what stands behind operators, compares, hashes and lays out values, and of their kin.
const PLAIN: &str = "\
    anytextcat array_eq array_ge array_gt array_larger array_le array_lt array_ne array_smaller arraycontained \
    arraycontains arrayoverlap bit_send bitand bitcat bitcmp bitnot bitor bitshiftleft bitshiftright bitxor booleq \
    boolne boolsend box_contain box_intersect box_overlap box_send bpchar_larger bpchar_smaller bpcharcmp \
    bpcharsend btarraycmp btboolcmp btbpchar_pattern_cmp btcharcmp btfloat48cmp btfloat4cmp btfloat84cmp \
    btfloat8cmp btint24cmp btint28cmp btint2cmp btint42cmp btint48cmp btint4cmp btint82cmp btint84cmp btint8cmp \
    btnamecmp btnametextcmp btoidcmp btrecordcmp bttext_pattern_cmp bttextcmp bttextnamecmp bttidcmp byteacat \
    byteacmp byteasend cash_cmp cash_words cashlarger cashsmaller charsend cidr_send circle_distance circle_send \
    date_cmp date_cmp_timestamp date_cmp_timestamptz date_larger date_mi date_mi_interval date_mii \
    date_pl_interval date_pli date_send date_smaller daterange_subdiff datetime_pl dcbrt dexp dlog1 dlog10 dpow \
    dround dsqrt dtrunc elem_contained_by_multirange elem_contained_by_range enum_cmp enum_larger enum_smaller \
    float4div float4larger float4mi float4mul float4pl float4send float4smaller float8abs float8div float8larger \
    float8mi float8mul float8pl float8send float8smaller float8um hash_array hash_array_extended hash_multirange \
    hash_multirange_extended hash_numeric hash_numeric_extended hash_range hash_range_extended hash_record \
    hash_record_extended hashbpchar hashbpcharextended hashchar hashcharextended hashenum hashenumextended \
    hashfloat4 hashfloat4extended hashfloat8 hashfloat8extended hashinet hashinetextended hashint2 \
    hashint2extended hashint4 hashint4extended hashint8 hashint8extended hashmacaddr hashmacaddr8 \
    hashmacaddr8extended hashmacaddrextended hashname hashnameextended hashoid hashoidextended hashtext \
    hashtextextended hashtid hashtidextended in_range inet_send inetand inetmi inetmi_int8 inetnot inetor inetpl \
    int2abs int2div int2larger int2mi int2mod int2mul int2pl int2send int2smaller int4abs int4and int4div int4eq \
    int4ge int4gt int4larger int4le int4lt int4mi int4mod int4mul int4ne int4not int4or int4pl int4range_subdiff \
    int4send int4shl int4shr int4smaller int4um int4xor int8abs int8and int8div int8eq int8ge int8gt int8larger \
    int8le int8lt int8mi int8mod int8mul int8ne int8not int8or int8pl int8range_subdiff int8send int8smaller \
    int8um int8xor integer_pl_date interval_cmp interval_div interval_hash interval_hash_extended interval_larger \
    interval_mi interval_mul interval_pl interval_pl_date interval_pl_time interval_pl_timestamp \
    interval_pl_timestamptz interval_send interval_smaller interval_um json_array_element json_array_element_text \
    json_object_field json_object_field_text json_send json_to_tsvector jsonb_array_element \
    jsonb_array_element_text jsonb_cmp jsonb_concat jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path \
    jsonb_eq jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_ge jsonb_gt jsonb_hash jsonb_hash_extended \
    jsonb_le jsonb_lt jsonb_ne jsonb_object_field jsonb_object_field_text jsonb_path_exists_opr \
    jsonb_path_match_opr jsonb_send jsonb_to_tsvector like like_escape line_send lseg_length lseg_send \
    macaddr8_cmp macaddr8_send macaddr_cmp macaddr_send money mul_d_interval multirange_adjacent_multirange \
    multirange_after_multirange multirange_before_multirange multirange_cmp multirange_contains_elem \
    multirange_contains_multirange multirange_contains_range multirange_intersect multirange_minus \
    multirange_overlaps_multirange multirange_union nameeq namene namesend network_cmp network_larger \
    network_overlap network_smaller network_sub network_subeq network_sup network_supeq notlike numeric_abs \
    numeric_add numeric_cmp numeric_div numeric_div_trunc numeric_eq numeric_exp numeric_ge numeric_gt numeric_inc \
    numeric_larger numeric_le numeric_ln numeric_log numeric_lt numeric_mod numeric_mul numeric_ne numeric_power \
    numeric_send numeric_smaller numeric_sqrt numeric_sub numeric_uminus numrange_subdiff oid oidlarger oidsend \
    oidsmaller path_length path_send pg_collation_for pg_column_compression pg_column_size pg_snapshot_xip \
    pg_snapshot_xmax pg_snapshot_xmin pg_visible_in_snapshot pg_wal_lsn_diff point_add point_distance point_div \
    point_mul point_send point_sub poly_distance poly_send range_adjacent range_after range_before range_cmp \
    range_contained_by range_contains range_contains_elem range_eq range_intersect range_minus range_ne \
    range_overlaps range_overleft range_overright range_union record_eq record_gt record_lt record_ne \
    similar_escape similar_to_escape text_ge text_gt text_larger text_le text_lt text_smaller textanycat textcat \
    texteq texticlike texticnlike texticregexeq texticregexne textlen textlike textne textnlike textregexeq \
    textregexne textsend tidlarger tidsend tidsmaller time_cmp time_hash time_hash_extended time_larger \
    time_mi_interval time_mi_time time_pl_interval time_send time_smaller timedate_pl timestamp_cmp \
    timestamp_cmp_date timestamp_cmp_timestamptz timestamp_hash timestamp_hash_extended timestamp_larger \
    timestamp_mi timestamp_mi_interval timestamp_pl_interval timestamp_send timestamp_smaller timestamptz_cmp \
    timestamptz_cmp_date timestamptz_cmp_timestamp timestamptz_larger timestamptz_mi timestamptz_mi_interval \
    timestamptz_pl_interval timestamptz_send timestamptz_smaller timetz_cmp timetz_hash timetz_hash_extended \
    timetz_larger timetz_mi_interval timetz_pl_interval timetz_send timetz_smaller ts_match_qv ts_match_vq \
    tsq_mcontained tsq_mcontains tsquery_and tsquery_cmp tsquery_not tsquery_or tsquerysend tsrange_subdiff \
    tstzrange_subdiff tsvector_cmp tsvector_concat tsvectorsend txid_snapshot_xip txid_snapshot_xmax \
    txid_snapshot_xmin txid_visible_in_snapshot uuid_cmp uuid_eq uuid_hash uuid_hash_extended uuid_ne uuid_send \
    varbit_send varbitcmp varcharsend xid8_larger xid8_smaller xml_send xmlconcat2 xmlexists";

static NAMES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| ALLOWED.split_whitespace().chain(PLAIN.split_whitespace()).collect());

/// Functions whose first of several arguments names a text search configuration.
const CONFIGURED: &[&str] = &[
    "json_to_tsvector",
    "jsonb_to_tsvector",
    "phraseto_tsquery",
    "plainto_tsquery",
    "to_tsquery",
    "to_tsvector",
    "ts_headline",
    "websearch_to_tsquery",
];

/// What a name behind a dot must not begin with: `(x).f` calls `pg_catalog.f(x)` where `x` has no field of that name.
const CALLS: &[&str] = &["binary_upgrade", "current", "has_", "inet_", "lo_", "pg_", "reg", "to_reg", "ts_", "txid_"];

/// The others of that kind which do more than convert a value.
const CALLED: &[&str] = &[
    "aclexplode",
    "amvalidate",
    "brin_desummarize_range",
    "brin_summarize_new_values",
    "currval",
    "gin_clean_pending_list",
    "mxid_age",
    "nextval",
    "obj_description",
    "row_security_active",
    "satisfies_hash_partition",
    "setseed",
    "setval",
];

/// Functions of a whole row, which `t.f` calls where `t` has no column of that name.
const OF_ROWS: &[&str] = &["pg_collation_for", "pg_column_compression", "pg_column_size", "pg_typeof"];

/// A function that may be called, as the source knows it.
pub(super) struct Callee {
    pub(super) schema: String,
    pub(super) name: String,
    /// The configuration of the source allows it.
    pub(super) of_source: bool,
}

/// A function that may be called: a built-in, or one `of the source` that its configuration allows.
///
/// # Errors
/// `0A000` for any other.
pub(super) fn allowed(name: &ObjectName, of_source: &[SourceFunction]) -> Result<Callee> {
    let idents: Vec<String> = name.0.iter().filter_map(ObjectNamePart::as_ident).map(folded).collect();
    let (schema, function) = match idents.as_slice() {
        _ if idents.len() != name.0.len() => return Err(refuse("this function")),
        [function] => (None, function),
        [schema, function] => (Some(schema), function),
        _ => return Err(refuse("a function of a schema")),
    };
    if schema.is_none_or(|schema| schema == "pg_catalog") && NAMES.contains(function.as_str()) {
        return Ok(Callee { schema: "pg_catalog".to_owned(), name: function.clone(), of_source: false });
    }
    let is_meant = |known: &&SourceFunction| {
        known.name == *function
            && schema.is_none_or(|schema| known.schema == *schema || known.seen.as_ref() == Some(schema))
    };
    match (of_source.iter().find(is_meant), schema) {
        (Some(known), _) => Ok(Callee { schema: known.schema.clone(), name: known.name.clone(), of_source: true }),
        (None, Some(schema)) if schema != "pg_catalog" => Err(refuse("a function of a schema")),
        (None, _) => Err(refuse(&format!("function {function}"))),
    }
}

/// Whether the name of a field may stand behind an expression.
pub(super) fn is_field(name: &str, known: bool) -> bool {
    let numbered = name.strip_prefix('f').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let calls = CALLS.iter().any(|start| name.starts_with(start)) || CALLED.contains(&name);
    !calls && (known || numbered || matches!(name, "key" | "value" | "n" | "x" | "lexeme" | "positions" | "weights"))
}

/// Whether a name may stand behind a table's.
pub(super) fn is_column(name: &str) -> bool {
    !OF_ROWS.contains(&name)
}

/// Whether this is one of the signs between the name of an argument and its value.
pub(super) fn names_argument(operator: &FunctionArgOperator) -> bool {
    matches!(operator, FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment)
}

/// Refuses arguments that would look a name up.
///
/// # Errors
/// `0A000` for the configuration of a text search that is not written out, or in a schema.
pub(super) fn check_arguments(function: &str, args: &[FunctionArg]) -> Result<()> {
    if !CONFIGURED.contains(&function) || args.len() < 2 {
        return Ok(());
    }
    match args.first() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))) => match &value.value {
            Value::SingleQuotedString(text) if plain_word(text.strip_prefix("pg_catalog.").unwrap_or(text)) => Ok(()),
            _ => Err(refuse("this text search configuration")),
        },
        // Without a configuration the first argument is the document; only a literal could be read as the name of one.
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) if !may_be_unknown(expr) => Ok(()),
        _ => Err(refuse("this text search configuration")),
    }
}

fn plain_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Whether an expression may be a literal or a parameter without a type.
fn may_be_unknown(expr: &Expr) -> bool {
    !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Cast { .. } | Expr::Function(_))
}
