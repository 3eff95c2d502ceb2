//! PostgreSQL's keywords: which words a name may be, and where.
//! Must not know: grammar.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What a keyword may be used for without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    /// Any name.
    Unreserved,
    /// Any name but a function's or type's.
    ColumnName,
    /// A function or type, no column or table.
    FunctionOrType,
    /// No name.
    Reserved,
}

/// Unreserved keywords of PostgreSQL 15.
const UNRESERVED: &str = "\
    abort absolute access action add admin after aggregate also alter always asensitive assertion assignment at \
    atomic attach attribute backward before begin breadth by cache call called cascade cascaded catalog chain \
    characteristics checkpoint class close cluster columns comment comments commit committed compression \
    configuration conflict connection constraints content continue conversion copy cost csv cube current cursor \
    cycle data database day deallocate declare defaults deferred definer delete delimiter delimiters depends depth \
    detach dictionary disable discard document domain double drop each enable encoding encrypted enum escape event \
    exclude excluding exclusive execute explain expression extension external family filter finalize first following \
    force forward function functions generated global granted groups handler header hold hour identity if immediate \
    immutable implicit import include including increment index indexes inherit inherits inline input insensitive \
    insert instead invoker isolation key label language large last leakproof level listen load local location lock \
    locked logged mapping match matched materialized maxvalue merge method minute minvalue mode month move name \
    names new next nfc nfd nfkc nfkd no normalized nothing notify nowait nulls object of off oids old operator \
    option options ordinality others over overriding owned owner parallel parameter parser partial partition passing \
    password plans policy preceding prepare prepared preserve prior privileges procedural procedure procedures \
    program publication quote range read reassign recheck recursive ref referencing refresh reindex relative release \
    rename repeatable replace replica reset restart restrict return returns revoke role rollback rollup routine \
    routines rows rule savepoint schema schemas scroll search second security sequence sequences serializable server \
    session set sets share show simple skip snapshot sql stable standalone start statement statistics stdin stdout \
    storage stored strict strip subscription support sysid system tables tablespace temp template temporary text \
    ties transaction transform trigger truncate trusted type types uescape unbounded uncommitted unencrypted unknown \
    unlisten unlogged until update vacuum valid validate validator value varying version view views volatile \
    whitespace within without work wrapper write xml year yes zone";

/// Keywords that no function or type may be called.
const COLUMN_NAMES: &str = "\
    between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping inout int \
    integer interval least national nchar none normalize nullif numeric out overlay position precision real row \
    setof smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists \
    xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable";

/// Keywords that only functions and types may be called.
const FUNCTIONS_OR_TYPES: &str = "\
    authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left \
    like natural notnull outer overlaps right similar tablesample verbose";

/// Keywords that nothing may be called.
const RESERVED: &str = "\
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create \
    current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc \
    distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral \
    leading limit localtime localtimestamp not null offset on only or order placing primary references returning \
    select session_user some symmetric table then to trailing true union unique user using variadic when where \
    window with";

/// Keywords that name a select item only behind AS.
const NEEDS_AS: &str = "\
    array as char character create day except fetch filter for from grant group having hour intersect into isnull \
    limit minute month notnull offset on order over overlaps precision returning second to union varying where \
    window with within without year";

struct Keyword {
    category: Category,
    needs_as: bool,
}

fn keywords() -> &'static HashMap<&'static str, Keyword> {
    static KEYWORDS: OnceLock<HashMap<&'static str, Keyword>> = OnceLock::new();
    KEYWORDS.get_or_init(|| {
        let lists = [
            (UNRESERVED, Category::Unreserved),
            (COLUMN_NAMES, Category::ColumnName),
            (FUNCTIONS_OR_TYPES, Category::FunctionOrType),
            (RESERVED, Category::Reserved),
        ];
        let all = lists.into_iter().flat_map(|(words, category)| words.split(' ').map(move |word| (word, category)));
        let needs_as = |word: &str| NEEDS_AS.split(' ').any(|other| other == word);
        all.map(|(word, category)| (word, Keyword { category, needs_as: needs_as(word) })).collect()
    })
}

/// Is this (folded) word a keyword of any kind?
pub(super) fn is_keyword(word: &str) -> bool {
    keywords().contains_key(word)
}

/// Is this (folded) word reserved?
pub(super) fn is_reserved(word: &str) -> bool {
    keywords().get(word).is_some_and(|keyword| keyword.category == Category::Reserved)
}

/// May this (folded) word name a table or column without quotes?
pub(super) fn is_name(word: &str) -> bool {
    keywords().get(word).is_none_or(|keyword| matches!(keyword.category, Category::Unreserved | Category::ColumnName))
}

/// May this (folded) word name a select item without AS and quotes?
pub(super) fn is_bare_label(word: &str) -> bool {
    keywords().get(word).is_none_or(|keyword| !keyword.needs_as)
}

/// An identifier as PostgreSQL's `quote_ident` writes it: in quotes where it could be read as something else.
#[must_use]
pub fn quote_ident(identifier: &str) -> String {
    let plain =
        |(at, byte): (usize, u8)| byte.is_ascii_lowercase() || byte == b'_' || (at > 0 && byte.is_ascii_digit());
    let unreserved = keywords().get(identifier).is_none_or(|keyword| keyword.category == Category::Unreserved);
    if !identifier.is_empty() && identifier.bytes().enumerate().all(plain) && unreserved {
        return identifier.to_owned();
    }
    crate::names::quote(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_category() {
        assert!(is_reserved("select") && !is_reserved("date") && !is_reserved("left"));
        assert!(!is_name("left") && !is_name("from") && is_name("format") && is_name("values"));
        assert!(!is_bare_label("year") && is_bare_label("cluster") && !is_bare_label("where"));
        assert!(is_keyword("zone") && !is_keyword("qualify"));
        assert_eq!(keywords().len(), 460);
    }
}
