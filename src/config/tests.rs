//! Tests of whole files.
//! Must not know: anything outside `config`.

use super::*;

const ALL_KEYS: &str = include_str!("../../tests/golden/all_keys.toml");
const SHIPPED: &str = include_str!("../../config/tusk.toml");

/// A verifier of no password in particular.
const VERIFIER: &str = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy";

fn environment(name: &str) -> Option<String> {
    (name == "SHOP_PASSWORD").then(|| "hush".to_owned())
}

fn load_text(text: &str) -> Result<Settings, ConfigErrors> {
    parse(Path::new("/etc/tusk/tusk.toml"), text, &environment)
}

/// The mistakes as `line: message`.
fn mistakes(text: &str) -> Vec<String> {
    let errors = load_text(text).expect_err("the file has mistakes").0;
    errors.iter().map(|error| format!("{}: {}", error.line, error.message)).collect()
}

/// Asserts that there is one mistake, on this line, with these words.
fn one_mistake(text: &str, line: u32, words: &str) {
    let found = mistakes(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&format!("{line}: ")) && found[0].contains(words), "{found:?}");
}

#[test]
fn the_contract_loads() {
    let settings = load_text(ALL_KEYS).unwrap();
    assert_eq!(settings.sources.len(), 3);
    let SourceSpec::Postgres(shop) = &settings.sources[0].spec else { panic!("shop is a postgres source") };
    assert_eq!(shop.hosts, [("127.0.0.1".to_owned(), 5432)]);
    assert_eq!(shop.password.as_ref().map(Secret::expose), Some("hush"));
    let SourceSpec::Files(lake) = &settings.sources[1].spec else { panic!("lake is a files source") };
    assert_eq!(lake.path.as_deref(), Some("/etc/tusk/data/lake"));
    let role = &settings.roles[0];
    assert_eq!(role.grants[1].privileges, [Privilege::Select]);
    assert_eq!(role.limits.max_bytes, Some(1 << 30));
    assert_eq!(role.limits.max_rows_read, None);
    assert_eq!(settings.users[0].set["statement_timeout"], "20s");
    assert!(settings.expects[0].deny);
    assert!(!format!("{settings:?}").contains("hush"));
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let settings = load_text(SHIPPED).unwrap();
    assert_eq!(settings, Settings::defaults(Path::new("/etc/tusk")));
    assert_eq!(load_text("").unwrap(), settings);
    let mut relative = Settings::default();
    relative.history.path = Path::new("/etc/tusk").join(&relative.history.path);
    assert_eq!(settings, relative);
}

/// Each `key =` of the contract stands in the shipped file too, commented out or not.
#[test]
fn the_shipped_file_has_every_key() {
    let keys = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.trim_start_matches(['#', ' ']))
            .filter_map(|line| line.split_once(" = ").map(|(key, _)| key.to_owned()))
            .filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            .collect()
    };
    assert!(keys(ALL_KEYS).len() > 80);
    assert_eq!(keys(SHIPPED), keys(ALL_KEYS));
}

#[test]
fn the_commented_keys_load() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["server.crt", "server.key", "clients.crt"] {
        std::fs::create_dir_all(folder.path().join("tls")).unwrap();
        std::fs::write(folder.path().join("tls").join(name), "pem").unwrap();
    }
    let text: String = ALL_KEYS
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
            {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(text.contains("\n[server.tls]") && text.contains("\n[[source.table]]"), "{text}");
    let settings = parse(&folder.path().join("tusk.toml"), &text, &environment).unwrap();
    assert_eq!(settings.server.tls.as_ref().unwrap().certificate, folder.path().join("tls/server.crt"));
    let SourceSpec::Files(lake) = &settings.sources[1].spec else { panic!("lake is a files source") };
    let rates = &lake.tables[0];
    assert_eq!(rates.csv.delimiter, Some(b';'));
    assert_eq!(rates.schema.as_ref().unwrap()[2], ("rate".to_owned(), "numeric(18,6)".to_owned()));
}

#[test]
fn three_mistakes_three_lines() {
    let text = "[server]\nlisten = [\"127.0.0.1:5433\"]\nmax_conections = 5\nidle_timeout = \"5 minutes\"\n\n\
                [[user]]\nname = \"ana\"\nroles = [\"analist\"]\npassword = \"SCRAM-SHA-256$1:YQ==$YQ==:YQ==\"\n";
    let found = mistakes(text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], "3: unknown key \"max_conections\" (did you mean \"max_connections\"?)");
    assert!(found[1].starts_with("4: key \"idle_timeout\": invalid duration \"5 minutes\""), "{found:?}");
    assert!(found[2].starts_with("8: role \"analist\" is not defined"), "{found:?}");
}

#[test]
fn syntax_errors_have_lines() {
    let found = mistakes("[server]\nlisten = [\n[http\n");
    assert!(!found.is_empty() && found.iter().all(|error| error.contains("syntax error")), "{found:?}");
    assert!(mistakes("a = 1\na = 2\n")[0].starts_with("2: "));
}

#[test]
fn wrong_types_and_words() {
    one_mistake("[server]\nreuse_port = \"yes\"\n", 2, "reuse_port");
    one_mistake("[server]\nauth = \"scram\"\n", 2, "did you mean \"scram-sha-256\"");
    one_mistake("[engine]\nmemory_limit = \"6O%\"\n", 2, "6O%");
    one_mistake("[engine]\nthreads = -1\n", 2, "threads");
    one_mistake("http = 5\n", 1, "http");
    one_mistake("[source]\nname = \"x\"\n", 1, "source");
    one_mistake("[log]\nlevel = \"inof\"\n", 2, "did you mean \"info\"");
    one_mistake("[server]\ntimezone = \"Mars/Base\"\n", 2, "time zone");
    one_mistake("[sever]\n", 1, "did you mean \"server\"");
    one_mistake("[telemetry]\notlp = \"grpc\"\n", 2, "otlp");
}

#[test]
fn a_key_of_the_wrong_type_is_not_also_missing() {
    one_mistake("[[role]]\nname = 5\n", 2, "name");
    one_mistake("[[source]]\nname = \"a\"\ntype = \"file\"\npath = \"x\"\n", 3, "did you mean \"files\"");
}

#[test]
fn missing_keys_are_reported_together() {
    let found =
        mistakes("[[source]]\n\n[[source]]\nname = \"a\"\ntype = \"sqlite\"\n\n[[role]]\n[[role.grant]]\n[[user]]\n");
    assert_eq!(found.len(), 7, "{found:?}");
    assert!(found[0].starts_with("1: [[source]] needs the key \"name\""), "{found:?}");
    assert!(found[2].starts_with("3: source \"a\" needs the key \"path\""), "{found:?}");
}

#[test]
fn listeners_off_loopback() {
    one_mistake("[server]\nlisten = [\"0.0.0.0:5433\"]\n", 2, "needs [server.tls]");
    one_mistake("[server]\nlisten = [\n \"localhost:1\",\n \"[::]:5433\"]\n", 4, "off loopback");
    assert_eq!(mistakes("[server]\nlisten = [\"db:5433\"]\nauth = \"trust\"\n").len(), 2);
    one_mistake("[server]\nauth = \"cert\"\n", 2, "client_ca");
    one_mistake("[server]\nlisten = []\n", 2, "at least one");
    one_mistake("[server]\nlisten = [\"::1:5\"]\n", 2, "host:port");
    load_text("[server]\nlisten = [\"[::1]:0\", \"localhost:5433\", \"unix:run\"]\nauth = \"trust\"\n").unwrap();
    let here = format!("certificate = {0:?}\nprivate_key = {0:?}\n", file!());
    let tls = |listen: &str| {
        let text = format!("[server]\nlisten = [\"{listen}\"]\n[server.tls]\nrequired = false\n{here}");
        parse(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tusk.toml"), &text, &environment)
    };
    assert!(tls("127.0.0.1:1").is_ok());
    assert!(tls("10.0.0.1:1").unwrap_err().to_string().contains("required = true"));
    assert_eq!(mistakes("[server.tls]\ncertificate = \"no/such\"\n").len(), 2);
}

#[test]
fn names_and_mounts() {
    let sqlite = |name: &str| format!("[[source]]\nname = \"{name}\"\ntype = \"sqlite\"\npath = \"x\"\n");
    for name in ["tusk", "pg_catalog", "pg_x", "information_schema", "Shop", "a b", "a\\\"b", "", "1a", "a-b", "a.b"] {
        assert_eq!(mistakes(&sqlite(name)).len(), 1, "{name}");
    }
    let twice = mistakes(&format!("{}{}", sqlite("a"), sqlite("a")));
    assert_eq!(twice, ["6: source \"a\" is defined twice"]);
    let mounted = format!(
        "{}[[source]]\nname = \"b\"\ntype = \"postgres\"\nurl = \"postgres://u@h/d\"\n\
         schemas = {{ public = \"a\", x = \"c\", y = \"c\", z = \"tusk\" }}\n",
        sqlite("a")
    );
    let found = mistakes(&mounted);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("by source \"a\" and by source \"b\""), "{found:?}");
}

#[test]
fn postgres_sources() {
    let source = |rest: &str| format!("[[source]]\nname = \"a\"\ntype = \"postgres\"\n{rest}\n");
    one_mistake(&source("url = \"postgres://u:hush@h/d\""), 4, "password in the url is refused");
    let url = "url = \"postgres://u@h/d\"\n";
    for (line, words) in [
        ("password = \"hush\"", "refused"),
        ("password = { env = \"NO_SUCH\" }", "NO_SUCH"),
        ("password = { file = \"no/such\" }", "cannot read password file"),
        ("password = { env = \"A\", file = \"b\" }", "malformed"),
        ("path = \"x\"", "does not go with"),
        ("pool_size = 0", "pool_size"),
        ("tables = [\"\"]", "empty"),
        ("tables = [\"!x\"]", "only exclude"),
        ("tls_ca = \"x\"", "verify-ca"),
        ("connect_timeout = \"0s\"", "deadline"),
    ] {
        let found = mistakes(&source(&format!("{url}{line}")));
        assert!(found.iter().any(|error| error.starts_with("5: ") && error.contains(words)), "{line}: {found:?}");
        assert!(!found.concat().contains("hush"), "{found:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p"), "a b\n").unwrap();
    let text = source(&format!("{url}password = {{ file = \"p\" }}"));
    let settings = parse(&folder.path().join("t.toml"), &text, &environment).unwrap();
    let SourceSpec::Postgres(postgres) = &settings.sources[0].spec else { panic!("a postgres source") };
    assert_eq!(postgres.password.as_ref().map(Secret::expose), Some("a b"));
}

#[test]
fn file_tables() {
    let table = |rest: &str| {
        format!("[[source]]\nname = \"a\"\ntype = \"files\"\n[[source.table]]\nname = \"t\"\npath = \"p\"\n{rest}\n")
    };
    for (line, words) in [
        ("csv = { delimiter = \";;\" }", "one-byte"),
        ("csv = { delimiter = \"\\n\" }", "line end"),
        ("csv = { bad_rows = \"ignore\" }", "bad_rows"),
        ("csv = { quote = \"x\" }", "unknown key \"quote\""),
        ("schema = \"a\"", "name and its type"),
        ("schema = \"a int, a text\"", "twice"),
        ("schema = \"a numeric(1\"", "not closed"),
        ("format = \"xml\"", "format"),
    ] {
        one_mistake(&table(line), 7, words);
    }
    one_mistake(&table("format = \"parquet\"\ncsv = {}"), 8, "csv goes with");
    one_mistake("[[source]]\nname = \"a\"\ntype = \"files\"\npath = \"a[\"\n", 4, "bad pattern");
    load_text(&table("format = \"tsv\"\ncsv = { delimiter = \"\\t\", header = false }")).unwrap();
}

#[test]
fn roles_and_users() {
    let found = mistakes("[[role]]\nname = \"a\"\nmember_of = [\"b\"]\n[[role]]\nname = \"b\"\nmember_of = [\"a\"]\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("3: role \"a\" is a member of itself"), "{found:?}");
    one_mistake("[[role]]\nname = \"a\"\n[[role]]\nname = \"a\"\n", 4, "defined twice");
    let grant = |rest: &str| format!("[[role]]\nname = \"a\"\n[[role.grant]]\ntables = [\"a.*\"]\n{rest}\n");
    one_mistake(&grant("columns = [\"x\"]\nmask = { y = \"1\" }"), 6, "not in columns");
    one_mistake(&grant("columns = []"), 5, "no column");
    one_mistake(&grant("columns = [\"x\", \"x\"]"), 5, "twice");
    one_mistake(&grant("privileges = [\"select\", \"truncate\"]"), 5, "truncate");
    one_mistake(&grant("row_filter = \" \""), 5, "row_filter");
    one_mistake("[[role]]\nname = \"a\"\n[[role.grant]]\ntables = [\"orders\"]\n", 4, "schema.table");
    one_mistake("[[user]]\nname = \"u\"\npassword = \"hush\"\n", 3, "plain-text");
    one_mistake("[[user]]\nname = \"u\"\npassword = 12345\n", 3, "plain-text");
    one_mistake("[[user]]\nname = \"u\"\npassword = \"SCRAM-SHA-256$x\"\n", 3, "not a valid");
    one_mistake("[[user]]\nname = \"u\"\n", 1, "password");
    load_text("[server]\nauth = \"trust\"\n[[user]]\nname = \"u\"\n").unwrap();
    let user = format!("[[user]]\nname = \"u\"\npassword = \"{VERIFIER}\"\n");
    one_mistake(&format!("{user}{user}"), 5, "defined twice");
    one_mistake(&format!("{user}set = {{ work_mem = [1] }}\n"), 4, "work_mem");
    one_mistake("[[expect]]\nrole = \"x\"\nquery = \"select 1\"\n", 2, "not defined");
    one_mistake("[[role]]\nname = \"\"\n", 2, "empty");
}

#[test]
fn numbers_and_secrets_do_not_leak_from_a_password() {
    for value in ["987654", "[\"987654\"]", "{ plain = \"987654\" }", "true"] {
        let text = format!(
            "[[user]]\nname = \"u\"\npassword = {value}\n[[source]]\nname = \"a\"\ntype = \"postgres\"\n\
                            url = \"postgres://u@h\"\npassword = {value}\n"
        );
        assert!(!mistakes(&text).concat().contains("987654"));
    }
}

#[test]
fn a_missing_file_is_one_mistake() {
    let errors = load(Path::new("/no/such/tusk.toml")).unwrap_err();
    assert_eq!((errors.0.len(), errors.0[0].line), (1, 0));
    assert!(load(Path::new("/")).is_err());
}

#[test]
fn endless_mistakes_end() {
    let text: String = (0..1000).map(|i| format!("key{i} = 1\n")).collect();
    assert!(mistakes(&text).len() <= 101);
}

#[test]
fn reloads_are_compared() {
    let old = load_text(ALL_KEYS).unwrap();
    assert!(changes(&old, &old.clone()).is_empty());
    let text = ALL_KEYS
        .replace("max_connections = 1000", "max_connections = 5")
        .replace("name = \"crm\"", "name = \"crm2\"")
        .replace("pool_size = 16", "pool_size = 8");
    let mut new = load_text(&text).unwrap();
    new.users[0].password = Some(Secret::new("other".to_owned()));
    let lines = changes(&old, &new);
    let expected = [
        "[server]: changed (max_connections)",
        "source \"crm\": removed",
        "source \"shop\": changed (pool_size)",
        "source \"crm2\": added",
        "user \"ana\": changed (secret)",
    ];
    assert_eq!(lines, expected);
}
