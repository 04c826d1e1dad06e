//! Calls of one sort that wait at the same time go to the database as one.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use automarket_core::{Error, ErrorKind, ErrorRecord, Result};
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc, oneshot},
    task::yield_now,
    time::timeout,
};

use crate::error::Outcome;

/// After so long the next group goes, though the one before it has not come back: one that waits for somebody's
/// transaction does not hold the others up for good.
const PATIENCE: Duration = Duration::from_millis(20);
/// So many at a time may have gone so. The next ones gather: each has a connection, and some are left for other calls.
pub(crate) const WITHOUT_TURN: usize = 2;
/// A group is held open for those who were just answered, as long as they come back one soon after the other, at most so
/// long. Else callers fall into two parts, each waiting for the other's commit.
const GAP: Duration = Duration::from_micros(50);
const HELD_OPEN: Duration = Duration::from_micros(500);

/// While groups are on their way the next one gathers, so a lone caller waits for nobody, and 64 callers at once make
/// groups of about as many.
pub(crate) struct Together<C, A> {
    calls: mpsc::UnboundedSender<Waiting<C, A>>,
    turn: Arc<Semaphore>,
    /// Whether the last group had several. The first of them to come back would otherwise go alone, and all others
    /// wait for its commit: two commits for one group.
    crowd: Arc<AtomicBool>,
}

/// A call in a group, to be answered.
pub(crate) struct Waiting<C, A> {
    pub(crate) call: C,
    reply: oneshot::Sender<Result<A>>,
}

impl<C: Send + 'static, A: Send + 'static> Together<C, A> {
    /// Starts the task that sends the groups, so many at a time and so many more once one does not come back, each of
    /// calls that weigh `most` together; it ends with the store.
    pub(crate) fn start<F>(
        groups: usize,
        more: usize,
        most: usize,
        weight: impl Fn(&C) -> usize + Send + 'static,
        send: impl Fn(Vec<Waiting<C, A>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::holding_open((GAP, HELD_OPEN), groups, more, most, weight, send)
    }

    fn holding_open<F>(
        (gap, held_open): (Duration, Duration),
        groups: usize,
        more: usize,
        most: usize,
        weight: impl Fn(&C) -> usize + Send + 'static,
        send: impl Fn(Vec<Waiting<C, A>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (calls, mut waiting) = mpsc::unbounded_channel::<Waiting<C, A>>();
        let turn = Arc::new(Semaphore::new(groups));
        let turns = turn.clone();
        let others = Arc::new(Semaphore::new(more));
        let crowd = Arc::<AtomicBool>::default();
        let seen = crowd.clone();
        tokio::spawn(async move {
            let mut last = 0;
            while let Some(first) = waiting.recv().await {
                let turn = match timeout(PATIENCE, turns.clone().acquire_owned()).await {
                    Ok(turn) => turn,
                    Err(_) => tokio::select! {
                        turn = turns.clone().acquire_owned() => turn,
                        other = others.clone().acquire_owned() => other,
                    },
                };
                let mut weighs = weight(&first.call);
                let mut group = vec![first];
                let opened = Instant::now();
                let mut came = opened;
                loop {
                    yield_now().await;
                    while weighs < most
                        && let Ok(next) = waiting.try_recv()
                    {
                        weighs = weighs.saturating_add(weight(&next.call));
                        group.push(next);
                        came = Instant::now();
                    }
                    let whole = weighs >= most || group.len() >= last;
                    if whole || came.elapsed() > gap || opened.elapsed() > held_open {
                        break;
                    }
                }
                // Of several groups at a time none is waited for: what keeps the server busy is not its disk.
                last = if groups == 1 { group.len() } else { 0 };
                seen.store(group.len() > 1, Ordering::Relaxed);
                // Nothing is done for those who have gone.
                group.retain(|call| !call.reply.is_closed());
                if group.is_empty() {
                    continue;
                }
                let mut sent = Box::pin(send(group));
                // It begins here, since another task begins later. One that panics ends alone.
                let over = poll_fn(|cx| {
                    let poll = AssertUnwindSafe(|| sent.as_mut().poll(cx));
                    Poll::Ready(catch_unwind(poll).map_or(true, |poll| poll.is_ready()))
                });
                if over.await {
                    continue;
                }
                tokio::spawn(async move {
                    sent.await;
                    drop(turn);
                });
            }
        });
        Self { calls, turn, crowd }
    }

    /// A turn, if there is one and nobody else about: then a call needs no company, and no task stands between.
    pub(crate) fn alone(&self) -> Option<SemaphorePermit<'_>> {
        if self.crowd.load(Ordering::Relaxed) {
            return None;
        }
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

/// Answers the calls of a group that was made as a whole. Gives those back that are to be made one by one, since one of
/// them may be at fault that it was not.
#[must_use]
pub(crate) fn answer_all<C, A>(
    group: Vec<Waiting<C, A>>,
    all: Outcome<Vec<A>>,
) -> Vec<Waiting<C, A>> {
    match all.map_err(Error::from) {
        Ok(all) => {
            for (waiting, answer) in group.into_iter().zip(all) {
                let _ = waiting.answer(Ok(answer));
            }
        }
        Err(error)
            if error.kind() == ErrorKind::Storage && error.rule() != Some("postgres.conflict") =>
        {
            for waiting in group {
                let _ = waiting.answer(Err(ErrorRecord::from(&error).into()));
            }
        }
        Err(_) => return group,
    }
    Vec::new()
}

/// As [`answer_all`], where what somebody's open transaction holds is a matter of one call, and not of all.
#[must_use]
pub(crate) fn answer_apart<C, A>(
    group: Vec<Waiting<C, A>>,
    all: Outcome<Vec<A>>,
) -> Vec<Waiting<C, A>> {
    match all {
        Err(fault) if fault.is_held() => group,
        all => answer_all(group, all),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_go_together_and_each_gets_its_own_answer() {
        let groups = Arc::<Mutex<Vec<usize>>>::default();
        let seen = groups.clone();
        let together = Together::start(
            1,
            WITHOUT_TURN,
            4,
            |_| 1,
            move |group: Vec<Waiting<u32, u32>>| {
                seen.lock().unwrap().push(group.len());
                async move {
                    for waiting in group {
                        let answer = waiting.call * 10;
                        let _ = waiting.answer(Ok(answer));
                    }
                }
            },
        );
        let turn = together.alone().unwrap();
        assert!(together.alone().is_none(), "it is taken");
        let gone = together.call(9);
        let calls = async { tokio::join!(together.call(1), together.call(2), together.call(3)) };
        let mut calls = std::pin::pin!(calls);
        // All of them are in line; one goes away before its turn.
        {
            let mut gone = std::pin::pin!(gone);
            assert!(futures_now(gone.as_mut()).await.is_none());
            assert!(futures_now(calls.as_mut()).await.is_none());
        }
        drop(turn);
        let (one, two, three) = calls.await;
        assert_eq!([one, two, three].map(Result::unwrap), [10, 20, 30]);
        assert_eq!(groups.lock().unwrap().iter().sum::<usize>(), 3);
        assert!(together.alone().is_none(), "the others will come again");
        assert_eq!(together.call(4).await.unwrap(), 40);
        // Nobody else came.
        let turn = together.turn.acquire().await.unwrap();
        drop(turn);
        assert!(together.alone().is_some());
    }

    #[tokio::test]
    async fn one_that_panics_ends_alone() {
        let together = Together::start(
            1,
            WITHOUT_TURN,
            1,
            |_| 1,
            |group: Vec<Waiting<bool, ()>>| async move {
                for waiting in group {
                    assert!(!waiting.call, "as it was asked to");
                    let _ = waiting.answer(Ok(()));
                }
            },
        );
        together.call(true).await.unwrap_err();
        together.call(false).await.unwrap();
    }

    #[tokio::test]
    async fn one_without_limit_has_company_and_ends_nothing() {
        let together = Together::start(
            1,
            WITHOUT_TURN,
            usize::MAX,
            |weight: &usize| *weight,
            |group: Vec<Waiting<usize, ()>>| async move {
                for waiting in group {
                    let _ = waiting.answer(Ok(()));
                }
            },
        );
        let turn = together.alone().unwrap();
        let calls = async { tokio::join!(together.call(1), together.call(usize::MAX)) };
        let mut calls = std::pin::pin!(calls);
        assert!(futures_now(calls.as_mut()).await.is_none());
        drop(turn);
        let (one, all) = calls.await;
        one.and(all).unwrap();
        together.call(1).await.unwrap();
    }

    #[tokio::test]
    async fn a_group_is_held_open_for_those_who_were_just_answered() {
        let whole = Arc::<Mutex<usize>>::default();
        let seen = whole.clone();
        // The time only ends a test that fails.
        let minute = Duration::from_secs(60);
        let together = Together::holding_open(
            (minute, minute),
            1,
            WITHOUT_TURN,
            10,
            |_| 1,
            move |group: Vec<Waiting<(), ()>>| {
                *seen.lock().unwrap() += usize::from(group.len() == 3);
                async move {
                    for waiting in group {
                        let _ = waiting.answer(Ok(()));
                    }
                }
            },
        );
        let turn = together.alone().unwrap();
        let caller = async |pauses: usize| {
            for _ in 0..100 {
                together.call(()).await.unwrap();
                for _ in 0..pauses {
                    yield_now().await;
                }
            }
        };
        let callers = async { tokio::join!(caller(0), caller(2), caller(4)) };
        let mut callers = std::pin::pin!(callers);
        assert!(futures_now(callers.as_mut()).await.is_none());
        drop(turn);
        callers.await;
        assert_eq!(*whole.lock().unwrap(), 100, "all groups were whole");
    }

    /// The end of a future, if it has come.
    async fn futures_now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut future = Some(future);
        std::future::poll_fn(|cx| {
            let polled = future.take().map(|future| future.poll(cx));
            std::task::Poll::Ready(match polled {
                Some(std::task::Poll::Ready(end)) => Some(end),
                _ => None,
            })
        })
        .await
    }
}
