use std::{
    env,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use automarket_core::{Error, ErrorKind, Result};
use tokio_postgres::NoTls;

/// A PostgreSQL server of its own, from the machine's binaries (on `PATH` or in `/usr/lib/postgresql`), on a
/// Unix socket in a temporary directory; or the one that `DATABASE_URL` names. It ends, and its directory
/// with it, when it is dropped or its process ends, however that ends.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    server: Option<Child>,
}

/// Starts the server, and stops and starts it as told by the one who started it; when that one lets go or is
/// gone, ends it and removes its files.
const KEEPER: &str = r#"
start() {
    "$0/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c "fsync=$2" -c max_connections=500 \
        </dev/null >>"$1/log" 2>&1 &
    server=$!
}
start "$1" "$2"
while read -r word; do
    case "$word" in
        stop) kill -QUIT "$server"; wait "$server"; echo stopped ;;
        start) start "$1" "$2" ;;
    esac
done
kill -QUIT "$server"
wait "$server"
rm -rf "$1"
"#;

impl Cluster {
    /// Starts a server that trades safety against a loss of power for speed. `None` when there are no
    /// binaries and no `DATABASE_URL`: it has said `skipped`.
    ///
    /// # Errors
    /// `Config` when the server does not start, or when there is none though `AUTOMARKET_REQUIRE_POSTGRES` is
    /// set to `1`.
    pub async fn start() -> Result<Option<Self>> {
        Self::start_with("off").await
    }

    /// The same, but a server of its own, whatever `DATABASE_URL` says: for who [stops](Self::stop) it, or breaks it
    /// in other ways.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn own() -> Result<Option<Self>> {
        Self::own_with("off").await
    }

    /// As [`start`](Self::start), each commit waiting for the disk: for measurements.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_durable() -> Result<Option<Self>> {
        Self::start_with("on").await
    }

    async fn start_with(fsync: &str) -> Result<Option<Self>> {
        if let Ok(url) = env::var("DATABASE_URL") {
            return Ok(Some(Self { url, server: None }));
        }
        Self::own_with(fsync).await
    }

    async fn own_with(fsync: &str) -> Result<Option<Self>> {
        let Some(binaries) = binaries() else {
            let message = "no PostgreSQL binaries (initdb, postgres)";
            if env::var("AUTOMARKET_REQUIRE_POSTGRES").is_ok_and(|set| set == "1") {
                return Err(failed(message));
            }
            eprintln!("skipped: {message}");
            return Ok(None);
        };
        let (url, server) = launch(&binaries, fsync)
            .map_err(|error| failed("the test server cannot be started").with_source(error))?;
        let mut cluster = Self {
            url,
            server: Some(server),
        };
        cluster.wait().await?;
        Ok(Some(cluster))
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server as a crash would: connections break, and nothing is written that was not. What was
    /// committed is there after [`start_again`](Self::start_again).
    ///
    /// # Errors
    /// `Config` when the server is not this one's own.
    pub fn stop(&mut self) -> Result<()> {
        self.tell("stop")?;
        let keeper = self.server.as_mut().and_then(|s| s.stdout.as_mut());
        let mut said = [0; "stopped\n".len()];
        keeper
            .map_or(Ok(()), |out| out.read_exact(&mut said))
            .map_err(|error| failed("the test server does not stop").with_source(error))
    }

    /// Starts a stopped server, and waits until it answers.
    ///
    /// # Errors
    /// `Config` when it does not.
    pub async fn start_again(&mut self) -> Result<()> {
        self.tell("start")?;
        self.wait().await
    }

    fn tell(&mut self, word: &str) -> Result<()> {
        let stdin = self.server.as_mut().and_then(|s| s.stdin.as_mut());
        let stdin = stdin.ok_or_else(|| failed("the server is not this one's to stop"))?;
        writeln!(stdin, "{word}")
            .map_err(|error| failed("the test server's keeper is gone").with_source(error))
    }

    async fn wait(&mut self) -> Result<()> {
        let give_up = Instant::now() + Duration::from_secs(60);
        while let Err(error) = tokio_postgres::connect(&self.url, NoTls).await {
            let ended = self
                .server
                .as_mut()
                .is_some_and(|s| !matches!(s.try_wait(), Ok(None)));
            if ended || Instant::now() > give_up {
                return Err(failed("the test server does not answer").with_source(error));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.stdin.take());
            // It is on its way out; there is nobody to tell when it is not.
            let _ = server.wait();
        }
    }
}

fn failed(message: &str) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// Where `initdb` and `postgres` are: on `PATH`, else the newest of Debian's.
fn binaries() -> Option<PathBuf> {
    let has_both = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(found) = env::split_paths(&path).find(has_both) {
        return Some(found);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut versions: Vec<PathBuf> = versions
        .map(|v| v.path().join("bin"))
        .filter(has_both)
        .collect();
    versions.sort_by_key(|dir| {
        let version = dir.parent().and_then(Path::file_name);
        version.and_then(|v| v.to_str()?.parse::<u32>().ok())
    });
    versions.pop()
}

fn launch(binaries: &Path, fsync: &str) -> io::Result<(String, Child)> {
    // A socket's path has at most 107 bytes.
    let parent = env::temp_dir();
    let parent = if parent.as_os_str().len() > 60 {
        Path::new("/tmp").to_owned()
    } else {
        parent
    };
    let home = tempfile::Builder::new()
        .prefix("automarket-pg-")
        .tempdir_in(parent)?;
    let owner = unprivileged(home.path())?;
    let run_as = |command: &mut Command| {
        command.current_dir(home.path());
        if let Some((user, group)) = owner {
            command.uid(user).gid(group);
        }
    };
    let mut init = Command::new(binaries.join("initdb"));
    init.args([
        "-U",
        "automarket",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        "-D",
    ])
    .arg(home.path().join("data"))
    .stdin(Stdio::null())
    .stdout(File::create(home.path().join("initdb.log"))?)
    .stderr(Stdio::null());
    run_as(&mut init);
    if !init.status()?.success() {
        return Err(io::Error::other("initdb failed"));
    }
    let mut keeper = Command::new("sh");
    keeper
        .args(["-c", KEEPER])
        .arg(binaries)
        .arg(home.path())
        .arg(fsync);
    // A group of its own, so that Ctrl-C in a terminal does not end it before its turn.
    keeper
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    run_as(&mut keeper);
    let child = keeper.spawn()?;
    let socket = home.keep();
    let socket = socket.to_string_lossy().replace('/', "%2F");
    Ok((format!("postgres://automarket@{socket}/postgres"), child))
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`, or else as `nobody`.
fn unprivileged(home: &Path) -> io::Result<Option<(u32, u32)>> {
    if fs::metadata(home)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    let user = ids("postgres").or_else(|| ids("nobody"));
    let (user, group) = user.ok_or_else(|| io::Error::other("no user to run PostgreSQL as"))?;
    chown(home, Some(user), Some(group))?;
    Ok(Some((user, group)))
}
