//! Calls of one sort that wait at the same time go to the database as one.

use std::{future::Future, sync::Arc, time::Duration};

use automarket_core::{Error, ErrorKind, Result};
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc, oneshot},
    time::timeout,
};

/// After so long the next group goes, though the one before it has not come back: one that waits for somebody's
/// transaction does not hold the others up for good.
const PATIENCE: Duration = Duration::from_millis(20);

/// While a group is on its way the next one gathers, so a lone caller waits for nobody, and 64 callers at once make
/// groups of about as many.
pub(crate) struct Together<C, A> {
    calls: mpsc::UnboundedSender<Waiting<C, A>>,
    turn: Arc<Semaphore>,
}

/// A call in a group, to be answered.
pub(crate) struct Waiting<C, A> {
    pub(crate) call: C,
    reply: oneshot::Sender<Result<A>>,
}

impl<C: Send + 'static, A: Send + 'static> Together<C, A> {
    /// Starts the task that sends the groups, of `most` calls; it ends with the store.
    pub(crate) fn start<F>(
        most: usize,
        send: impl Fn(Vec<Waiting<C, A>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (calls, mut waiting) = mpsc::unbounded_channel::<Waiting<C, A>>();
        let turn = Arc::new(Semaphore::new(1));
        let turns = turn.clone();
        tokio::spawn(async move {
            while let Some(first) = waiting.recv().await {
                let turn = timeout(PATIENCE, turns.clone().acquire_owned()).await;
                // Those who were just answered may have more: they come first.
                tokio::task::yield_now().await;
                let mut group = vec![first];
                while group.len() < most
                    && let Ok(call) = waiting.try_recv()
                {
                    group.push(call);
                }
                // Nothing is done for those who have gone.
                group.retain(|call| !call.reply.is_closed());
                if group.is_empty() {
                    continue;
                }
                let sent = send(group);
                tokio::spawn(async move {
                    sent.await;
                    drop(turn);
                });
            }
        });
        Self { calls, turn }
    }

    /// The turn, if nobody has it: then a call needs no company, and no task stands between.
    pub(crate) fn alone(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.try_acquire().ok()
    }

    /// Makes the call in the next group.
    pub(crate) async fn call(&self, call: C) -> Result<A> {
        let stopped = || {
            let message = "the runtime that the store was opened in has ended";
            Error::new(ErrorKind::Internal, message)
        };
        let (reply, answer) = oneshot::channel();
        self.calls
            .send(Waiting { call, reply })
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl<C, A> Waiting<C, A> {
    /// Answers; gives the answer back when the caller has gone.
    pub(crate) fn answer(self, answer: Result<A>) -> std::result::Result<(), Result<A>> {
        self.reply.send(answer)
    }
}
