//! PostgreSQL's catalogs as tools ask for them: the same schema in a PostgreSQL and behind Tusk, for somebody who may read all of it
//! and for somebody who may read one table.
//! Must not know: how the catalogs are filled.

mod calls;
mod constructs;
mod differential;
mod json_rows;
mod lineage;
mod oids;
mod probes;
mod psql;
mod rights;
mod roles;
mod sets;
mod sizes;
mod tools;
mod views;

use crate::harness::daemon::Daemon;
use crate::harness::federation::over;
use crate::harness::postgres::TestPostgres;

/// A schema with everything that catalogs tell of: keys of every kind, indexes of every form, comments, defaults, views.
const SCHEMA: &str = include_str!("schema.sql");

/// A PostgreSQL with [`SCHEMA`], and a Tusk that shows its `public` as `public`: to `ana` whole, to `bob` the table `orders` and a part of
/// `made`.
pub(crate) struct Both {
    pub(crate) postgres: TestPostgres,
    pub(crate) tusk: Daemon,
}

impl Both {
    pub(crate) async fn start() -> Self {
        let postgres = TestPostgres::start();
        postgres.exec(SCHEMA).await;
        let tusk = Self::daemon(&postgres);
        Both { postgres, tusk }
    }

    /// A Tusk over such a PostgreSQL, one of as many as are wanted.
    pub(crate) fn daemon(postgres: &TestPostgres) -> Daemon {
        over(
            postgres,
            "schemas = { public = \"public\" }",
            "[[role]]\nname = \"narrow\"\n[[role.grant]]\ntables = [\"public.orders\"]\nprivileges = [\"select\"]\n\
             [[role.grant]]\ntables = [\"public.made\"]\ncolumns = [\"m_open\", \"m_twice\", \"m_default\"]\nprivileges = [\"select\"]\n\
             [[user]]\nname = \"bob\"\nroles = [\"narrow\"]\n",
        )
    }

    /// What psql prints of a query to Tusk: rows, or the error.
    pub(crate) fn tusk(&self, user: &str, sql: &str) -> String {
        let (out, said) = self.tusk.psql(user, &["-X", "-At", "-c", sql]);
        format!("{out}{said}")
    }

    /// The same of the PostgreSQL.
    pub(crate) fn oracle(&self, sql: &str) -> String {
        let output = std::process::Command::new("psql")
            .args([
                "-X",
                "-h",
                "127.0.0.1",
                "-p",
                &self.postgres.port().to_string(),
                "-U",
                "postgres",
                "-At",
                "-c",
                sql,
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// Every query says to `ana` what it says in PostgreSQL, and succeeds there.
    pub(crate) fn say_the_same(&self, queries: &[&str]) {
        let mut wrong = Vec::new();
        for sql in queries {
            let (theirs, ours) = (self.oracle(sql), self.tusk("ana", sql));
            assert!(!theirs.contains("ERROR"), "{sql}\n{theirs}");
            if theirs != ours {
                wrong.push(format!("{sql}\n--- PostgreSQL\n{theirs}--- Tusk\n{ours}"));
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), queries.len(), wrong.join("\n"));
    }
}
