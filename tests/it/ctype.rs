//! The letters of Tusk's own engine are those of PostgreSQL's C.UTF-8: each character alone, and statements that ask what letters are.
//! Must not know: where the properties of characters come from.

use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;
use crate::harness::raw::{Raw, error, rows, transcript};
use crate::harness::routes::{ROUTES, goes, routed, take};

/// What is asked of each character: all that has to do with its case or its class.
const ASKED: &[&str] = &[
    "upper(c)",
    "lower(c)",
    "initcap(c || 'aÉ1')",
    // The backslash alone is no pattern; ASCII has signs of regular expressions.
    "case when i <> 92 then c ilike upper(c) end",
    "case when i <> 92 then lower(c) ilike c end",
    "c ~* ('***=' || upper(c))",
    "case when i > 127 then upper(c) ~* ('[' || c || 'a]') end",
    "case when i > 127 then lower(c) ~* ('[' || c || '-' || c || ']') end",
    "c ~ '[[:alpha:]]'",
    "c ~ '[[:digit:]]'",
    "c ~ '[[:alnum:]]'",
    "c ~ '[[:upper:]]'",
    "c ~ '[[:lower:]]'",
    "c ~* '[[:upper:]]'",
    "c ~ '[[:space:]]'",
    "c ~ '[[:blank:]]'",
    "c ~ '[[:punct:]]'",
    "c ~ '[[:graph:]]'",
    "c ~ '[[:print:]]'",
    "c ~ '[[:cntrl:]]'",
    "c ~ '[[:xdigit:]]'",
    "c ~ '\\w'",
    "c ~ '\\W'",
    "c ~ '[^[:alpha:]]'",
    "('a' || c || 'a') ~ 'a\\y'",
    "c ~* '[à-ÿ]'",
    "regexp_replace('é' || c, '\\w+', 'x')",
    "upper(c collate \"C\")",
    "c ~* ('***=' || upper(c) collate \"C\")",
    "c collate \"C\" ~ '[[:alpha:]]'",
];

/// Characters that PostgreSQL's library and ours may read otherwise, as theirs is another version of Unicode: glibc 2.36 has 14, ours 16
/// and 17. All of these were added or changed in 15 to 17.
const OTHER_VERSIONS: &str = "19b 264 295 363-36f 88f 897 c04 c5c cdc cf3 ece f82-f83 10fc 1b4e-1b4f 1b7f 1c89-1c8a 1dd3-1de6 2427-2429 2ffc-2fff 31e4-31e5 \
    31ef a7cb-a7cf a7d2-a7d5 a7da-a7dc a7f1-a7f4 ab69 105c0-105f3 10940-10959 10d40-10d65 10d69-10d85 10d8e-10d8f 10ec2-10ec7 \
    10efa-10eff 11080-11081 1123f-11241 11380-11389 1138b 1138e 11390-113b5 113b7-113c0 113c2 113c5 113c7-113ca 113cc-113d5 \
    113d7-113d8 113e1-113e2 116d0-116e3 11b00-11b09 11b60-11b67 11bc0-11be1 11bf0-11bf9 11db0-11ddb 11f00-11f10 11f12-11f3a \
    11f3e-11f5a 16100-16139 16d40-16d79 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6 1d2c0-1d2d3 1df25-1df2a 1e030-1e06d 1e08f 1e4d0-1e4f9 \
    1e5d0-1e5fa 1e5ff 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff 1f6dc 1f774-1f776 1f77b-1f77f 1f7d9 1f8b2-1f8bb 1f8c0-1f8c1 1fa75-1fa77 \
    1fa87-1fa89 1fa8f 1faad-1faaf 1fabb-1fabf 1fac6 1face-1facf 1fada-1fadc 1fadf 1fae8-1fae9 1faf7-1faf8 1fbcb-1fbef";

fn other_versions() -> Vec<(u32, u32)> {
    let code = |text: &str| u32::from_str_radix(text, 16).unwrap();
    OTHER_VERSIONS
        .split(' ')
        .map(|one| one.split_once('-').unwrap_or((one, one)))
        .map(|(a, b)| (code(a), code(b)))
        .collect()
}

fn answer(raw: &mut Raw, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = raw.ask(sql);
    assert!(messages.iter().all(|message| message.tag != b'E'), "{sql}: {}", transcript(&messages));
    rows(&messages)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_character_is_what_it_is_to_postgresql() {
    let postgres = TestPostgres::start();
    // The Basic Multilingual Plane, and the parts of the next that have letters of two cases, digits and signs.
    let made = "create table letters as select i, chr(i) as c from generate_series(1, x'1ffff'::int) i where i not between x'd800'::int and \
                x'dfff'::int and (i < x'12000'::int or i between x'16000'::int and x'17000'::int or i between x'1d000'::int and x'1fbff'::int)";
    postgres.exec(made).await;
    let tusk = over(&postgres, "", "");
    let sql = format!("select i, c, {} from shop.letters order by i", ASKED.join(", "));
    let both = ROUTES.map(|route| {
        let mut raw = routed(&tusk, "ana", route);
        goes(&mut raw, route, &sql);
        answer(&mut raw, &sql)
    });
    let [theirs, ours] = both;
    assert!(theirs.len() > 70_000 && theirs.len() == ours.len());
    let may_differ = other_versions();
    let mut wrong = Vec::new();
    for (theirs, ours) in theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs != ours) {
        let code: u32 = theirs[0].as_deref().unwrap().parse().unwrap();
        let differs = |at: &usize| theirs.get(at + 2) != ours.get(at + 2);
        let asked: Vec<&str> = (0..ASKED.len()).filter(differs).map(|at| ASKED[at]).collect();
        if !may_differ.iter().any(|(from, to)| (*from..=*to).contains(&code)) {
            wrong.push(format!("{code:04X}: {}", asked.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    // What may differ is little of what there is.
    assert!(may_differ.iter().map(|(from, to)| to - from + 1).sum::<u32>() < 1100);
}

/// Conditions over `c`, which has words in several scripts.
const CONDITIONS: &[&str] = &[
    "upper(c) = 'ÉTÉ'",
    "lower(c) = 'été'",
    "initcap(c) = 'Été'",
    "c ilike 'É%'",
    "c not ilike '%é%'",
    "c ~~* 'ÉTÉ'",
    "c !~~* '_t_'",
    "c ~* '^É'",
    "c !~* 'é'",
    "c ~ '(?i)É'",
    "c ~ '^[[:alpha:]]+$'",
    "c ~ '^[[:upper:]]'",
    "c ~ '^\\w+$'",
    "c ~ '\\W'",
    "c ~ '\\mé'",
    "c ~ 'é\\M'",
    "c ~ '\\Yt'",
    "c ~ '[[:space:]]'",
    "c ~ '[[:punct:]]'",
    "c similar to '[[:alpha:]]+'",
    "regexp_like(c, 'ß', 'i')",
    "c ~* 'k'",
    "c ~* 's'",
    "c ~* '[k-s]'",
    "c ilike 'k%'",
    "c > 'Z' and c < 'é'",
    "c collate \"C\" ilike 'É%'",
    "upper(c collate \"POSIX\") = 'ÉTÉ'",
    "upper(c collate \"C.utf8\") = 'ÉTÉ'",
    "upper(c collate \"default\") = 'ÉTÉ'",
    "lower(left(c collate \"C\", 3)) = 'été'",
    "upper(c::name collate \"default\") = 'ÉTÉ'",
    "c is nfc normalized",
    "c is not nfd normalized",
    "normalize(c, nfd) <> c",
    "normalize(c) = 'été'",
    "normalize(c, NFKC) = 'fin'",
];

const WORDS: &str = "create table words (i int, c text); insert into words values (1, 'été'), (2, 'ÉTÉ'), (3, 'Été'), (4, 'ete'), (5, 'ETE'), \
     (6, 'straße'), (7, 'STRASSE'), (8, 'İstanbul'), (9, 'ΟΔΟΣ'), (10, 'οδος'), (11, 'слово'), (12, 'Слово'), (13, 'a b'), (14, E'a\\u2003b'), \
     (15, E'a\\u00a0b'), (16, 'aéb'), (17, 'é a'), (18, '日本'), (19, '٣٤'), (20, E'\\u212a'), (21, E'\\u017f'), (22, 'k'), (23, 'ǅ'), (24, ''), \
     (25, '€'), (26, E'e\\u0301te\\u0301'), (27, 'ﬁn'), (28, 'x_y'), (29, null)";

/// A source whose own letters are ASCII's alone, joined with one whose are Unicode's: neither is asked for what its letters are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_on_letters_hold_wherever_they_run() {
    let postgres = TestPostgres::start();
    postgres.exec(WORDS).await;
    postgres.exec("create database plain template template0 lc_ctype 'C' lc_collate 'C'").await;
    postgres.connect_to("plain").await.batch_execute(WORDS).await.unwrap();
    let plain = format!(
        "[[source]]\nname = \"plain\"\ntype = \"postgres\"\nurl = \"postgres://postgres@127.0.0.1:{}/plain?sslmode=disable\"\n",
        postgres.port()
    );
    let tusk = over(&postgres, "", &plain);
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    for condition in CONDITIONS {
        let over = |table: &str| format!("select i, c from {table} where {condition} order by c, i");
        take(&mut raw, "auto");
        goes(&mut raw, "auto", &over("shop.words"));
        let expected = answer(&mut raw, &over("shop.words"));
        take(&mut raw, "federated");
        for table in ["shop.words", "plain.words"] {
            assert_eq!(answer(&mut raw, &over(table)), expected, "{condition} over {table}");
        }
        let joined = format!(
            "select w.i, w.c from (select * from plain.words where {condition}) w join (select * from shop.words where {condition}) v \
             on w.i = v.i order by w.c, w.i"
        );
        assert_eq!(answer(&mut raw, &joined), expected, "{condition}, joined");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_the_locale_agrees() {
    let postgres = TestPostgres::start();
    let tusk = over(&postgres, "", "");
    let mut raw = Raw::login(tusk.port(), "ana", "tusk");
    let told = [
        "select datcollate from pg_database where datname = current_database()",
        "select datctype from pg_database where datname = current_database()",
        "show lc_collate",
        "show lc_ctype",
        "select current_setting('lc_ctype')",
        "select default_collate_name from information_schema.character_sets",
        "select collname from pg_collation where collname = 'C.UTF-8' and collcollate = collctype",
        "select collation_name from information_schema.collations where collation_name = 'C.UTF-8'",
    ];
    for sql in told {
        assert_eq!(answer(&mut raw, sql), [[Some("C.UTF-8".to_owned())]], "{sql}");
    }
    // By bytes, which is the order of code points.
    let sql = "select string_agg(c, '' order by c) from (values ('é'), ('Z'), ('a'), ('z'), ('€'), ('😀'), ('É')) v(c)";
    assert_eq!(answer(&mut raw, sql), [[Some("ZazÉé€😀".to_owned())]]);
    assert_eq!(
        answer(&mut raw, "select normalize('é', NFD) = E'e\\u0301', 'é' is normalized, upper('héllo')").concat()[2]
            .as_deref(),
        Some("HÉLLO")
    );
    assert_eq!(error(&raw.ask("select pg_catalog.normalize('é', 'nfx')"))[&'C'], "22023");
}
