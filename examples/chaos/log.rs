//! The fake's log: what it did, on disk before it answers.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use automarket::core::chrono::Utc;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::Result;

/// One thing that happened at the fake.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// `effects`, or what else a scenario has the fake write down.
    pub(crate) list: String,
    pub(crate) id: String,
    /// Who asked for it.
    pub(crate) by: String,
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
}

/// The writing side. Those who wait at the same time share one flush of the disk.
pub(crate) struct Log {
    line: mpsc::Sender<(String, oneshot::Sender<()>)>,
}

impl Log {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let (line, lines) = mpsc::channel::<(String, oneshot::Sender<()>)>();
        thread::spawn(move || {
            while let Ok(first) = lines.recv() {
                let mut batch = vec![first];
                batch.extend(lines.try_iter());
                let text: String = batch.iter().map(|(line, _)| line.as_str()).collect();
                file.write_all(text.as_bytes())
                    .expect("the log can be written");
                file.sync_data().expect("the log can be flushed");
                for (_, written) in batch {
                    let _ = written.send(());
                }
            }
        });
        Ok(Self { line })
    }

    /// Writes an entry down; on disk on return.
    pub(crate) async fn write(&self, list: &str, id: &str, by: &str) {
        let entry = Entry {
            list: list.to_owned(),
            id: id.to_owned(),
            by: by.to_owned(),
            at: Utc::now().timestamp_millis(),
        };
        let line = serde_json::to_string(&entry).expect("an entry is JSON") + "\n";
        let (written, wait) = oneshot::channel();
        self.line
            .send((line, written))
            .expect("the log's thread lives");
        wait.await.expect("the log's thread lives");
    }
}

/// The reading side, in another process.
pub(crate) struct Reader {
    path: PathBuf,
    read: u64,
    entries: Vec<Entry>,
}

impl Reader {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: 0,
            entries: Vec::new(),
        }
    }

    /// Everything so far.
    pub(crate) fn entries(&mut self) -> &[Entry] {
        let more = File::open(&self.path).map(|file| lines_after(file, self.read));
        if let Ok((lines, end)) = more {
            self.read = end;
            let entries = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            self.entries.extend(entries);
        }
        &self.entries
    }

    pub(crate) fn count(&mut self, list: &str) -> usize {
        self.entries()
            .iter()
            .filter(|entry| entry.list == list)
            .count()
    }
}

/// The whole lines of a growing file from a place on, and the place behind them.
pub(crate) fn lines_after(mut file: File, place: u64) -> (Vec<String>, u64) {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut text = String::new();
    if file.seek(SeekFrom::Start(place)).is_err() || file.read_to_string(&mut text).is_err() {
        return (Vec::new(), place);
    }
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let lines = text[..whole].lines().map(str::to_owned).collect();
    (lines, place + whole as u64)
}
