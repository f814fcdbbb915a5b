//! A PostgreSQL of the test program's own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;
use store::{Engine, PostgresUrl};

/// Names a running server, to be used instead of an own one.
const GIVEN: &str = "CENTRALITA_TEST_POSTGRES";

/// A server that ends with this program, however that ends.
pub struct Cluster {
    url: String,
    script: Option<Script>,
}

struct Script {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// The one that all tests of this program share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var(GIVEN) {
            Ok(url) => Self { url, script: None },
            Err(_) => Self::start(),
        })
    }

    /// One that may be crashed.
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres-for-tests");
        let mut child = Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/postgres-for-tests runs");
        let mut script = Script {
            orders: child.stdin.take().expect("a pipe"),
            answers: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
        };
        let url = script.answer();
        assert!(
            url.starts_with("postgres://"),
            "no PostgreSQL for the tests: see above what scripts/postgres-for-tests says"
        );
        Self {
            url,
            script: Some(script),
        }
    }

    /// Kills every process of the server.
    pub fn crash(&mut self) {
        self.order("crash", "gone");
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.order("start", "ready");
    }

    fn order(&mut self, order: &str, expected: &str) {
        let script = self.script.as_mut().expect("a server of our own");
        writeln!(script.orders, "{order}").expect("the script listens");
        assert_eq!(script.answer(), expected);
    }

    /// The address of a new, empty database.
    pub async fn new_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("centralita_{}_{number}", std::process::id());
        let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
        for sql in [
            format!("DROP DATABASE IF EXISTS {name}"),
            format!("CREATE DATABASE {name}"),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .unwrap();
        }
        connection.close().await.unwrap();
        let (server, _) = self.url.rsplit_once('/').expect("postgres://…/database");
        format!("{server}/{name}")
    }
}

impl Script {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a pipe");
        line.trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(Script {
            mut child, orders, ..
        }) = self.script.take()
        {
            // The end of its input is the script's order to clean up.
            drop(orders);
            let _ = child.wait();
        }
    }
}

pub fn engine(url: &str) -> Engine {
    Engine::Postgres {
        url: PostgresUrl::parse(url).expect("an address"),
    }
}
