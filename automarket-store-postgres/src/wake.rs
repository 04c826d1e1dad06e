//! Wake-ups between processes: one NOTIFY for all jobs that are put in within a few milliseconds, outside their
//! transactions, and a connection of its own that listens.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{connect::Server, db::Database};

/// A NOTIFY's commit takes a lock that all of the server's notifying transactions share: at most one per so long.
const GAP: Duration = Duration::from_millis(5);
/// How long the listener waits before it connects again; doubled up to the longest.
const AGAIN: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// How long a connection may take until it listens.
const START: Duration = Duration::from_secs(30);

/// Tells other processes that jobs may be there, and hears it from them. The channel bears the schema's name.
pub(crate) struct Bell {
    rope: mpsc::Sender<()>,
    heard: Arc<Notify>,
    db: Arc<Database>,
    server: Server,
    channel: String,
    listener: OnceLock<AbortHandle>,
}

impl Bell {
    /// Starts the task that rings; it ends with the store.
    pub(crate) fn hang(server: Server, db: Arc<Database>) -> Self {
        let (rope, mut pulled) = mpsc::channel(1);
        let channel = db.schema.clone();
        let rung = db.clone();
        tokio::spawn(async move {
            // Nothing hangs on a word that survives a crash, so its commit does not wait for the disk.
            let sql = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')";
            while pulled.recv().await.is_some() {
                // One that fails is nobody's error: workers look from time to time.
                let _ = rung.rows(sql, &[&rung.schema]).await;
                sleep(GAP).await;
            }
        });
        Self {
            rope,
            heard: Arc::default(),
            db,
            server,
            channel,
            listener: OnceLock::new(),
        }
    }

    /// Rings soon. Whoever pulls while it has not rung yet is heard with the others.
    pub(crate) fn pull(&self) {
        let _ = self.rope.try_send(());
    }

    /// What [`JobStore::woken`](automarket_core::store::JobStore::woken) waits for. The first call starts the
    /// listener, so a process without workers has none.
    pub(crate) fn heard(&self) -> impl Future<Output = ()> + Send + '_ {
        if let Ok(runtime) = Handle::try_current() {
            self.listener.get_or_init(|| {
                let listening = listen(
                    self.db.clone(),
                    self.server.clone(),
                    self.channel.clone(),
                    self.heard.clone(),
                );
                runtime.spawn(listening).abort_handle()
            });
        }
        self.heard.notified()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}

/// Listens for ever, on a new connection whenever one is lost.
async fn listen(db: Arc<Database>, server: Server, channel: String, heard: Arc<Notify>) {
    let mut pause = AGAIN;
    loop {
        let distrusted = db.distrusted();
        if let Ok(Ok(listening)) = timeout(START, server.listen(&channel)).await {
            pause = AGAIN;
            // What was said before it listened is not said again.
            heard.notify_waiters();
            tokio::select! {
                () = listening.each(|| heard.notify_waiters()) => {}
                // Nobody speaks any more where no other connection goes.
                () = distrusted => {}
            }
        }
        sleep(pause).await;
        pause = LONGEST.min(pause * 2);
    }
}
