//! The URL of a PostgreSQL source, as libpq reads it.
//! Must not know: the other keys of the source.

use percent_encoding::percent_decode_str;

use super::super::SslMode;
use super::super::errors::did_you_mean;

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Host names, addresses or socket directories, with ports.
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) sslmode: SslMode,
}

const DEFAULT_PORT: u16 = 5432;

const PARAMETERS: [&str; 5] = ["sslmode", "host", "port", "user", "dbname"];

const KNOWN: &str = "sslmode, host, port, user and dbname";

/// Parses a URL. No message repeats the URL: a password may be in it.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn parse(url: &str) -> Result<Target, Vec<String>> {
    let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
        return Err(vec!["url must begin with \"postgres://\"".to_owned()]);
    };
    let mut problems = Vec::new();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (userinfo, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    if userinfo.contains(':') {
        problems.push(PASSWORD.to_owned());
    }
    let mut parts = Parts {
        user: decode(userinfo.split(':').next().unwrap_or_default(), "user", &mut problems),
        database: decode(path, "database", &mut problems),
        hosts: host_list(hosts, &mut problems),
        sslmode: SslMode::Prefer,
        host_parameter: None,
        port_parameter: None,
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        parameter(pair, &mut parts, &mut problems);
    }
    let hosts = parts.final_hosts(&mut problems);
    if parts.user.is_empty() && !problems.iter().any(|problem| problem == PASSWORD) {
        problems.push("url must name the user: postgres://user@host/database".to_owned());
    }
    if hosts.is_empty() && problems.is_empty() {
        problems.push("url must name a host".to_owned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    // As libpq: the database has the user's name where none is given.
    let database = if parts.database.is_empty() { parts.user.clone() } else { parts.database };
    Ok(Target { hosts, user: parts.user, database, sslmode: parts.sslmode })
}

const PASSWORD: &str = "a password in the url is refused: use password = { env = \"NAME\" } or { file = \"path\" }";

struct Parts {
    user: String,
    database: String,
    hosts: Vec<(String, Option<u16>)>,
    sslmode: SslMode,
    host_parameter: Option<String>,
    port_parameter: Option<String>,
}

impl Parts {
    /// Puts `host=` and `port=` over the hosts of the authority.
    fn final_hosts(&mut self, problems: &mut Vec<String>) -> Vec<(String, u16)> {
        let mut hosts = std::mem::take(&mut self.hosts);
        if let Some(list) = &self.host_parameter {
            let ports: Vec<Option<u16>> = hosts.iter().map(|(_, port)| *port).collect();
            let port = |i: usize| ports.get(i).or(ports.first()).copied().flatten();
            hosts = list.split(',').enumerate().map(|(i, host)| (host.to_owned(), port(i))).collect();
        }
        if let Some(list) = &self.port_parameter {
            let ports: Vec<Option<u16>> = list.split(',').map(|port| port.parse().ok()).collect();
            if ports.contains(&None) || (ports.len() != 1 && ports.len() != hosts.len()) {
                problems.push("port in the url must be one number, or one for each host".to_owned());
            }
            for (i, host) in hosts.iter_mut().enumerate() {
                host.1 = ports.get(i).or(ports.first()).copied().flatten();
            }
        }
        if hosts.iter().any(|(host, _)| host.is_empty()) && !hosts.is_empty() {
            problems.push("url must name a host".to_owned());
        }
        hosts.into_iter().map(|(host, port)| (host, port.unwrap_or(DEFAULT_PORT))).collect()
    }
}

/// `host`, `host:port`, `[v6]:port`, `%2Fsocket%2Fdirectory`, separated by commas.
fn host_list(text: &str, problems: &mut Vec<String>) -> Vec<(String, Option<u16>)> {
    text.split(',')
        .map(|item| {
            let (host, port) = match item.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((inner, port)) => (inner, port),
                None => item.find(':').map_or((item, ""), |colon| item.split_at(colon)),
            };
            let port = match port.strip_prefix(':') {
                None if port.is_empty() => None,
                Some("") => None,
                Some(digits) if digits.parse::<u16>().is_ok_and(|port| port > 0) => digits.parse().ok(),
                _ => {
                    problems.push("port in the url must be a number from 1 to 65535".to_owned());
                    None
                }
            };
            (decode(host, "host", problems), port)
        })
        .collect()
}

fn parameter(pair: &str, parts: &mut Parts, problems: &mut Vec<String>) {
    let (key, raw) = pair.split_once('=').unwrap_or((pair, ""));
    let value = decode(raw, "a parameter", problems);
    match key {
        "sslmode" => match sslmode(&value) {
            Some(mode) => parts.sslmode = mode,
            None => problems.push(format!(
                "sslmode \"{}\" in the url is unknown: expected disable, prefer, require, verify-ca or verify-full",
                value.escape_debug()
            )),
        },
        "host" => parts.host_parameter = Some(value),
        "port" => parts.port_parameter = Some(value),
        "user" => parts.user = value,
        "dbname" => parts.database = value,
        "password" => problems.push(PASSWORD.to_owned()),
        // Not repeated: it may be the end of a password with a bare "?" in it.
        _ => problems.push(format!(
            "unknown parameter in the url{}: only {} are known",
            did_you_mean(key, PARAMETERS),
            KNOWN
        )),
    }
}

fn sslmode(text: &str) -> Option<SslMode> {
    Some(match text {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => return None,
    })
}

/// Percent-decodes; a NUL would end the text early at the source.
fn decode(text: &str, what: &str, problems: &mut Vec<String>) -> String {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if !decoded.chars().any(char::is_control) => decoded.into_owned(),
        _ => {
            problems.push(format!("{what} in the url is not valid text"));
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<(String, u16)> {
        parse(url).unwrap().hosts
    }

    fn problem(url: &str) -> String {
        parse(url).unwrap_err().join("; ")
    }

    #[test]
    fn the_usual_form() {
        let target = parse("postgres://tusk@127.0.0.1:5432/shop?sslmode=verify-full").unwrap();
        assert_eq!(target.hosts, [("127.0.0.1".to_owned(), 5432)]);
        assert_eq!((target.user.as_str(), target.database.as_str()), ("tusk", "shop"));
        assert_eq!(target.sslmode, SslMode::VerifyFull);
    }

    #[test]
    fn parts_left_out() {
        let target = parse("postgresql://a%40b@db").unwrap();
        assert_eq!((target.user.as_str(), target.database.as_str()), ("a@b", "a@b"));
        assert_eq!(target.hosts, [("db".to_owned(), 5432)]);
        assert_eq!(target.sslmode, SslMode::Prefer);
    }

    #[test]
    fn several_hosts_and_sockets() {
        assert_eq!(hosts("postgres://u@a,b:6000,[::1]:7000/d").len(), 3);
        assert_eq!(hosts("postgres://u@a,b:6000,[::1]:7000/d")[2], ("::1".to_owned(), 7000));
        assert_eq!(hosts("postgres://u@/d?host=/run/pg&port=5555"), [("/run/pg".to_owned(), 5555)]);
        assert_eq!(hosts("postgres://u@%2Frun%2Fpg:5555/d"), [("/run/pg".to_owned(), 5555)]);
        assert_eq!(hosts("postgres:///d?user=u&host=a,b&port=1,2"), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    }

    #[test]
    fn refusals_never_repeat_the_password() {
        for url in [
            "postgres://u:hush@h/d",
            "postgres://u@h/d?password=hush",
            "postgres://u:hush@h:x/d?sslmod=1",
            "postgres://u:x?hush@h/d&password=hush",
        ] {
            assert!(problem(url).contains("password in the url"), "{url}");
            assert!(!problem(url).contains("hush"), "{url}");
        }
        assert!(problem("mysql://h").contains("postgres://"));
        assert!(problem("postgres://u@h:0/d").contains("port"));
        assert!(problem("postgres://u@h/d?sslmod=require").contains("did you mean \"sslmode\""));
        assert!(problem("postgres://u@h/d?sslmode=allow").contains("sslmode"));
        assert!(problem("postgres://h/d").contains("user"));
        assert!(problem("postgres://u@/d").contains("host"));
        assert!(problem("postgres://u@h/d%00").contains("not valid"));
    }
}
