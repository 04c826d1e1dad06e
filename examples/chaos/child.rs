//! The processes of a world: this program again, in a role.

use std::{
    fs::OpenOptions,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use automarket::testing::FAULT_POINT;
use serde::Serialize;

use crate::{Result, wait::Stuck};

/// A process, killed when it is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    out: Receiver<String>,
}

impl Child {
    /// Starts this program in a role. What it says on stderr goes to `log`.
    pub(crate) fn start(
        role: &str,
        config: &impl Serialize,
        log: &Path,
        fault_point: Option<&str>,
    ) -> Result<Self> {
        let mut command = Command::new("sh");
        command
            // A write beyond the limit of `limit_files` is to fail, not to end the process.
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(std::env::current_exe()?)
            .arg(format!("role:{role}"))
            .arg(serde_json::to_string(config)?)
            .env_remove(FAULT_POINT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(OpenOptions::new().create(true).append(true).open(log)?);
        if let Some(point) = fault_point {
            command.env(FAULT_POINT, point);
        }
        let mut process = command.spawn()?;
        let out = process.stdout.take().ok_or("a child without stdout")?;
        let (line, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let said = BufReader::new(out).lines().map_while(Result::ok);
            said.map(|said| line.send(said)).all(|sent| sent.is_ok())
        });
        Ok(Self {
            process,
            out: lines,
        })
    }

    /// The next line that it says, which is waited for. Empty when it has ended.
    pub(crate) fn line(&mut self) -> Result<String> {
        match self.out.recv_timeout(Duration::from_secs(120)) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Disconnected) => Ok(String::new()),
            Err(RecvTimeoutError::Timeout) => Err(Stuck("a process says nothing".into()).into()),
        }
    }

    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// SIGKILL; whether it was alive.
    pub(crate) fn kill(&mut self) -> bool {
        let alive = self.alive();
        let _ = self.process.kill();
        let _ = self.process.wait();
        alive
    }

    /// Sends a signal by its name (`STOP`, `CONT`, `TERM`).
    pub(crate) fn signal(&mut self, name: &str) -> Result<()> {
        let id = self.process.id().to_string();
        let done = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()?;
        if !done.success() {
            return Err(format!("SIG{name} could not be sent").into());
        }
        Ok(())
    }

    /// Lets no file that it writes become longer than this, as a full disk would; `None` lifts that.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let soft = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let done = Command::new("prlimit")
            .args(["--pid", &self.process.id().to_string()])
            .arg(format!("--fsize={soft}:unlimited"))
            .status()?;
        if !done.success() {
            return Err("the length of files could not be limited".into());
        }
        Ok(())
    }

    /// How it ended; `None` when it did not within this time.
    pub(crate) async fn ended(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        let give_up = Instant::now() + within;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > give_up {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A child must not outlive its parent, however that ends: it ends with its standard input.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(7);
    });
}

/// The ids that a process said were acknowledged, one a line in a file that it only ever appends to.
pub(crate) struct Acks(PathBuf);

impl Acks {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn read(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        // A last line without its end was not said yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }
}

/// Appends lines to a file in one write, so that a kill leaves whole batches.
pub(crate) fn append(path: &Path, lines: &[String]) -> Result<()> {
    use std::io::Write as _;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all((lines.join("\n") + "\n").as_bytes())?;
    Ok(())
}
