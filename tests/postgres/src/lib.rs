//! A PostgreSQL of the test program's own, from Debian's package, by `scripts/postgres-for-tests`.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;

/// Names a running server, to be used instead of an own one.
const GIVEN: &str = "CENTRALITA_TEST_POSTGRES";

/// `postgres`, where tests are to be run beside that which otherwise use SQLite.
const ENGINE: &str = "CENTRALITA_TEST_ENGINE";

/// The address of a new, empty database, where the tests are run beside PostgreSQL.
///
/// # Panics
/// Where an unknown engine is asked for.
pub async fn database_if_asked() -> Option<String> {
    match std::env::var(ENGINE).ok().as_deref() {
        None => None,
        Some("postgres") => Some(Cluster::shared().new_database().await),
        Some(other) => panic!("{ENGINE} is \"{other}\": leave it out, or say postgres"),
    }
}

/// Whether the bytes are in a file of the database's tables; the server's own log is not read.
pub fn is_on_disk(url: &str, needle: &[u8]) -> bool {
    let url = url.to_owned();
    // The caller may be within a runtime, which does not take a second one.
    let asked = std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(folder_of(&url))
    });
    let files = std::fs::read_dir(asked.join().unwrap()).unwrap();
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

/// Where the tables of a database are, once all that was committed is there.
async fn folder_of(url: &str) -> PathBuf {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("CHECKPOINT")
        .execute(&mut connection)
        .await
        .unwrap();
    let sql = "SELECT current_setting('data_directory') || '/base/' || oid \
               FROM pg_database WHERE datname = current_database()";
    let folder: String = sqlx::query_scalar(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    PathBuf::from(folder)
}

/// A server that ends with this program, however that ends.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    script: Option<Script>,
}

#[derive(Debug)]
struct Script {
    child: Child,
    orders: Option<ChildStdin>,
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
        Self::run(&[])
    }

    /// One whose data lie on a disk of their own, of so many mebibytes.
    pub fn start_on_disk(mebibytes: u32) -> Self {
        Self::run(&["--disk", &mebibytes.to_string()])
    }

    fn run(arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres-for-tests");
        let mut child = Command::new(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/postgres-for-tests runs");
        let mut script = Script {
            orders: child.stdin.take(),
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

    /// The address of the database that it begins with.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills every process of the server.
    pub fn crash(&mut self) {
        self.order("crash", "gone");
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.order("start", "ready");
    }

    /// Takes the last byte that its disk has left.
    pub fn fill_disk(&mut self) {
        self.order("fill", "full");
    }

    /// Gives back what was taken; a server that has given up meanwhile is started again, as
    /// Debian's service would be by its operator.
    pub fn free_disk(&mut self) {
        self.order("free", "ready");
    }

    /// Runs a statement in the database that it begins with.
    pub async fn execute(&self, sql: &'static str) {
        let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    fn order(&mut self, order: &str, expected: &str) {
        let script = self.script.as_mut().expect("a server of our own");
        let orders = script.orders.as_mut().expect("open until the end");
        writeln!(orders, "{order}").expect("the script listens");
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

impl Drop for Script {
    fn drop(&mut self) {
        // The end of its input is the script's order to clean up.
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}
