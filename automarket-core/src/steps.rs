//! Remembered results: what makes work in several calls go on where it stopped.

use std::{collections::BTreeMap, future::Future, sync::Mutex, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Error, ErrorKind, Result, Retry, fault_point};

/// Where the steps of one job are remembered. Writes are durable on return, and refused with `LeaseLost`
/// once the job's lease has passed on.
#[async_trait]
pub trait Steps: Send + Sync {
    /// What was remembered under this name.
    async fn get(&self, name: &str) -> Result<Option<Value>>;
    /// Remembers a value under this name.
    async fn put(&self, name: &str, value: &Value) -> Result<()>;
    /// Whether the time is over in which an outside write may be sent again that was looked for and is not there.
    fn is_over(&self) -> bool {
        false
    }
    /// The instant, to tell how long ago an outside write began; `None` when whoever keeps these steps sees to it
    /// that nothing is looked for too soon.
    async fn now(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(None)
    }
    /// How long after its beginning an outside write whose end is not known is looked for at the earliest: the other
    /// side may still be at work on it, and whoever looks too soon finds nothing and sends it twice.
    fn look_after(&self) -> Duration {
        Duration::ZERO
    }
}

/// The rule of the error of [`once`] when a look found nothing and [`Steps::is_over`].
pub const OVER: &str = "step.over";

/// The rule of a refusal by which a platform says that it has the very thing whose sending was in doubt. From then on
/// [`once`] only looks for it: that it is not listed is no proof any more, and once the platform has forgotten the
/// first it would take a second.
pub const REPEATED: &str = "step.repeated";

/// The rule of the refusal of a call by a context that was used for another
/// ([`Context::intends`](crate::Context::intends)).
pub const OTHER: &str = "step.other";

const _: Option<&dyn Steps> = None;

/// Steps that last as long as the value: for calls outside any job.
#[derive(Debug, Default)]
pub struct MemorySteps(Mutex<BTreeMap<String, Value>>);

#[async_trait]
impl Steps for MemorySteps {
    async fn get(&self, name: &str) -> Result<Option<Value>> {
        Ok(self.lock().get(name).cloned())
    }

    async fn put(&self, name: &str, value: &Value) -> Result<()> {
        self.lock().insert(name.to_owned(), value.clone());
        Ok(())
    }
}

impl MemorySteps {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Value>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// How a step stands in its row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StepState {
    /// The outside write was about to be sent.
    Begun,
    /// It was at this instant.
    BegunAt(DateTime<Utc>),
    /// The platform refused it as a repeat of what may be its own: it is only looked for.
    Repeated,
    /// Not found, and sending it again was refused for the account's sake: it is looked for once more.
    Refused,
    /// It surely did not happen: it may be tried again.
    Failed,
    /// The result of an outside write.
    Done(Value),
    /// The result of what may be repeated.
    Kept(Value),
}

impl StepState {
    /// Whether it is an outside write whose end is not known.
    fn is_open(&self) -> bool {
        match self {
            Self::Begun | Self::BegunAt(_) | Self::Repeated | Self::Refused => true,
            Self::Failed | Self::Done(_) | Self::Kept(_) => false,
        }
    }
}

/// Whether these remembered steps say that no outside write happened or may have happened. Work in a
/// [`step`] does not count.
#[must_use]
pub fn nothing_out<'a>(steps: impl IntoIterator<Item = &'a Value>) -> bool {
    steps.into_iter().all(|value| {
        let state = StepState::deserialize(value);
        matches!(state, Ok(StepState::Failed | StepState::Kept(_)))
    })
}

/// Whether one of these remembered steps is an outside write whose end is not known.
#[must_use]
pub fn in_doubt<'a>(steps: impl IntoIterator<Item = &'a Value>) -> bool {
    steps.into_iter().any(|value| {
        let state = StepState::deserialize(value);
        state.is_ok_and(|state| state.is_open())
    })
}

/// When the newest of these outside writes began whose end is not known, as far as they say.
#[must_use]
pub fn begun_at<'a>(steps: impl IntoIterator<Item = &'a Value>) -> Option<DateTime<Utc>> {
    let at = |value| match StepState::deserialize(value) {
        Ok(StepState::BegunAt(at)) => Some(at),
        _ => None,
    };
    steps.into_iter().filter_map(at).max()
}

/// Does work whose repetition is harmless, once: a result that is remembered is returned without doing
/// it again.
///
/// # Errors
/// Those of `work`, which is then not remembered, and those of the steps.
pub async fn step<T, F>(steps: &dyn Steps, name: &str, work: impl FnOnce() -> F) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<T>>,
{
    if let Some(StepState::Done(value) | StepState::Kept(value)) = state(steps, name).await? {
        return decode(name, value);
    }
    fault_point(name, "before");
    let result = work().await?;
    fault_point(name, "after");
    put(steps, name, &StepState::Kept(encode(name, &result)?)).await?;
    Ok(result)
}

/// Does an outside write that must not be repeated blindly: its beginning is remembered before `act`
/// runs. When an earlier attempt began and its end is not known, `find` is asked: `Some` is its result,
/// `None` says that it surely did not happen.
///
/// # Errors
/// Those of `act`; one whose retry is `Reconcile` leaves the step begun, so that the next call asks `find`. So does,
/// after a look that found nothing, any that is to be tried again, if only when the account or the program is mended, and
/// any trouble of our own (`Refused`, `Config`, `Storage`, `LeaseLost`, `Internal`): what was lost may appear late.
/// `Forbidden` and `QuotaExhausted`, which are as silent on the first sending, then get the retry `Reconcile`, and are
/// final when the next call's look finds nothing either.
/// Those of `find` with the retry `Reconcile`: while it cannot answer, the write may have happened.
/// `Unavailable` with the retry `Reconcile` when it is too soon to look ([`Steps::look_after`]).
/// `TooLate` (rule [`OVER`]) when it is not there and is not to be sent any more; the step stays begun.
/// Of an `act` that said [`REPEATED`]: its error with the retry `Reconcile`, and from then on, until `find` finds it,
/// `Duplicate` with that retry, or `CannotTell` when it is too late.
pub async fn once<T, F, G>(
    steps: &dyn Steps,
    name: &str,
    find: impl FnOnce() -> G,
    act: impl FnOnce() -> F,
) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<T>>,
    G: Future<Output = Result<Option<T>>>,
{
    // What is out and cannot be read is still out.
    let unread = |error: Error| error.with_retry(Retry::Reconcile);
    let (mut looked, mut refused) = (false, false);
    match state(steps, name).await? {
        Some(StepState::Done(value) | StepState::Kept(value)) => {
            return decode(name, value).map_err(unread);
        }
        Some(begun) if begun.is_open() => {
            looked = true;
            refused = matches!(begun, StepState::Refused);
            if let StepState::BegunAt(at) = begun
                && let Some(now) = steps.now().await?
                && (now - at).to_std().unwrap_or_default() < steps.look_after()
            {
                if at > now {
                    // The clock was set back: nobody knows how long ago it was, so it counts from now.
                    put(steps, name, &StepState::BegunAt(now)).await?;
                }
                let message = "the other side may still be at work on it: it is too soon to look";
                return Err(unread(Error::new(ErrorKind::Unavailable, message)));
            }
            // Until that is answered the write may have happened, whatever kept the answer away.
            let answer = find().await;
            if let Some(found) = answer.map_err(|error| error.with_retry(Retry::Reconcile))? {
                remember(steps, name, &found).await?;
                return Ok(found);
            }
            if matches!(begun, StepState::Repeated) {
                // Whoever waits may yet find it; when that is over, somebody else has to look.
                let kind = match steps.is_over() {
                    true => ErrorKind::CannotTell,
                    false => ErrorKind::Duplicate,
                };
                let message =
                    "the platform refused it as a repeat of what it has, and does not list it";
                let remedy = "look there, then send it again or leave it";
                return Err(unread(Error::new(kind, message))
                    .with_rule(REPEATED)
                    .with_remedy(remedy));
            }
            if steps.is_over() {
                let message = "it is not there, and too late to be sent again";
                return Err(Error::new(ErrorKind::TooLate, message).with_rule(OVER));
            }
        }
        _ => {}
    }
    let begun = match steps.now().await? {
        Some(now) => StepState::BegunAt(now),
        None => StepState::Begun,
    };
    put(steps, name, &begun).await?;
    fault_point(name, "before");
    let acted = act().await;
    fault_point(name, "after");
    match acted {
        Ok(result) => {
            remember(steps, name, &result).await?;
            Ok(result)
        }
        Err(error) if error.rule() == Some(REPEATED) => {
            put(steps, name, &StepState::Repeated).await?;
            Err(unread(error))
        }
        Err(error) => {
            let in_doubt = match error.retry() {
                Retry::Reconcile => true,
                Retry::After(_) => looked,
                // Said of the account or of us, and not of the words, it says nothing of the sending before.
                Retry::Never => match error.kind() {
                    ErrorKind::Unauthorized
                    | ErrorKind::ApiVersionRetired
                    | ErrorKind::Refused
                    | ErrorKind::Config
                    | ErrorKind::Storage
                    | ErrorKind::LeaseLost
                    | ErrorKind::Internal => looked,
                    ErrorKind::QuotaExhausted | ErrorKind::Forbidden if looked && !refused => {
                        put(steps, name, &StepState::Refused).await?;
                        return Err(unread(error));
                    }
                    _ => false,
                },
            };
            if !in_doubt {
                put(steps, name, &StepState::Failed).await?;
            }
            Err(error)
        }
    }
}

/// What a [`once`] or [`step`] of this name ended in, where that is remembered: what only leads up to it need not be
/// done again.
///
/// # Errors
/// Those of the steps.
pub async fn ended<T: DeserializeOwned>(steps: &dyn Steps, name: &str) -> Result<Option<T>> {
    match state(steps, name).await? {
        Some(StepState::Done(value) | StepState::Kept(value)) => decode(name, value).map(Some),
        _ => Ok(None),
    }
}

/// Whether the [`once`] of this name may have been done before, so that the next one looks for it first.
///
/// # Errors
/// Those of the steps.
pub async fn is_open(steps: &dyn Steps, name: &str) -> Result<bool> {
    let state = state(steps, name).await?;
    Ok(state.is_some_and(|state| state.is_open()))
}

async fn state(steps: &dyn Steps, name: &str) -> Result<Option<StepState>> {
    steps
        .get(name)
        .await?
        .map(|value| decode(name, value))
        .transpose()
}

async fn remember<T: Serialize>(steps: &dyn Steps, name: &str, result: &T) -> Result<()> {
    let value = encode(name, result)?;
    put(steps, name, &StepState::Done(value)).await
}

async fn put(steps: &dyn Steps, name: &str, state: &StepState) -> Result<()> {
    steps.put(name, &encode(name, state)?).await
}

fn encode<T: Serialize>(name: &str, value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            format!("the result of step {name} cannot be written as JSON"),
        )
        .with_source(error)
    })
}

fn decode<T: DeserializeOwned>(name: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            format!("the remembered result of step {name} is of another shape"),
        )
        .with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn a_finished_step_is_not_done_again() {
        let steps = MemorySteps::default();
        let runs = Cell::new(0);
        for _ in 0..2 {
            let got: u32 = step(&steps, "a", || async {
                runs.set(runs.get() + 1);
                Ok(7)
            })
            .await
            .unwrap();
            assert_eq!(got, 7);
        }
        assert_eq!(runs.get(), 1);
        assert_eq!(ended(&steps, "a").await.unwrap(), Some(7));
        assert_eq!(ended::<u32>(&steps, "b").await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_unknown_end_is_looked_up_and_never_repeated_blindly() {
        let steps = MemorySteps::default();
        let unknown = || Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
        let first: Result<u32> = once(
            &steps,
            "post",
            || async { panic!("nothing began") },
            || async { Err(unknown()) },
        )
        .await;
        assert!(first.unwrap_err().is_unknown());
        let cannot_tell: Result<u32> = once(
            &steps,
            "post",
            || async { Err(Error::new(ErrorKind::Unauthorized, "cannot look")) },
            || async { panic!("blind repeat") },
        )
        .await;
        assert!(cannot_tell.unwrap_err().is_unknown());
        let found: u32 = once(
            &steps,
            "post",
            || async { Ok(Some(3)) },
            || async { panic!("blind repeat") },
        )
        .await
        .unwrap();
        assert_eq!(found, 3);
        let again: u32 = once(
            &steps,
            "post",
            || async { panic!("known") },
            || async { panic!("blind repeat") },
        )
        .await
        .unwrap();
        assert_eq!(again, 3);
    }

    #[tokio::test]
    async fn what_was_lost_is_looked_for_again_after_a_refusal_for_now() {
        let steps = MemorySteps::default();
        let slow = Retry::After(None);
        for (retry, looks) in [(Retry::Reconcile, 0), (slow, 1), (slow, 1)] {
            let error = Error::new(ErrorKind::RateLimited, "slow").with_retry(retry);
            let looked = Cell::new(0);
            let look = || async {
                looked.set(looked.get() + 1);
                Ok(None)
            };
            let end: Result<u32> = once(&steps, "p", look, || async { Err(error) }).await;
            assert!(end.is_err());
            assert_eq!(looked.get(), looks);
        }
        let found = once(
            &steps,
            "p",
            || async { Ok(Some(5)) },
            || async { panic!("it is out") },
        );
        assert_eq!(found.await.unwrap(), 5_u32);
    }

    #[tokio::test]
    async fn a_second_sending_that_its_words_did_not_stop_wipes_no_doubt_about_the_first() {
        let lost = || Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
        let turn = async |steps: &MemorySteps, error: Error| {
            let absent = || async { Ok(None) };
            let end: Result<u32> = once(steps, "p", absent, || async { Err(error) }).await;
            let row = steps.get("p").await.unwrap().unwrap();
            assert_ne!(in_doubt([&row]), nothing_out([&row]));
            (end.unwrap_err(), in_doubt([&row]))
        };
        // What is tried again when the account is usable, or what is ours is mended, is looked for then, however often.
        for kind in [
            ErrorKind::Unauthorized,
            ErrorKind::ApiVersionRetired,
            ErrorKind::Refused,
            ErrorKind::Config,
            ErrorKind::Storage,
            ErrorKind::LeaseLost,
            ErrorKind::Internal,
        ] {
            let steps = MemorySteps::default();
            turn(&steps, lost()).await;
            for _ in 0..3 {
                let error = Error::new(kind, "no").with_retry(Retry::Never);
                let (error, doubt) = turn(&steps, error).await;
                assert_eq!((error.kind(), doubt), (kind, true));
            }
        }
        // The rest is looked for once more before it is settled.
        for kind in [ErrorKind::QuotaExhausted, ErrorKind::Forbidden] {
            let steps = MemorySteps::default();
            turn(&steps, lost()).await;
            let (error, doubt) = turn(&steps, Error::new(kind, "no")).await;
            assert!(error.is_unknown() && doubt, "{error:?}");
            let (error, doubt) = turn(&steps, Error::new(kind, "no")).await;
            assert_eq!((error.retry(), doubt), (Retry::Never, false));
        }
        // What is said of the words was as true of the first.
        let steps = MemorySteps::default();
        turn(&steps, lost()).await;
        let refused = Error::new(ErrorKind::ContentRefused, "no");
        assert!(!turn(&steps, refused).await.1);
    }

    /// Steps of somebody who has a clock.
    #[derive(Default)]
    struct Timed(MemorySteps, Mutex<DateTime<Utc>>);

    #[async_trait]
    impl Steps for Timed {
        async fn get(&self, name: &str) -> Result<Option<Value>> {
            self.0.get(name).await
        }
        async fn put(&self, name: &str, value: &Value) -> Result<()> {
            self.0.put(name, value).await
        }
        async fn now(&self) -> Result<Option<DateTime<Utc>>> {
            Ok(Some(*self.1.lock().unwrap()))
        }
        fn look_after(&self) -> Duration {
            Duration::from_secs(60)
        }
    }

    #[tokio::test]
    async fn what_was_lost_is_not_looked_for_too_soon() {
        let steps = Timed::default();
        let looked = Cell::new(0);
        let look = || async {
            looked.set(looked.get() + 1);
            Ok(None)
        };
        // The clock is set back once: from then on it is counted anew.
        let back = [(-3600, 2), (59, 2), (1, 3)];
        let looks = [(0, 0), (59, 0), (1, 1), (59, 1), (1, 2)];
        for (seconds, looks) in looks.into_iter().chain(back) {
            *steps.1.lock().unwrap() += chrono::Duration::seconds(seconds);
            let lost = Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
            let end: Result<u32> = once(&steps, "p", look, || async { Err(lost) }).await;
            assert!(end.unwrap_err().is_unknown());
            assert_eq!(looked.get(), looks);
            let row = steps.get("p").await.unwrap().unwrap();
            assert!(in_doubt([&row]) && begun_at([&row]).is_some());
        }
        // As rows say that were written before.
        let before = serde_json::json!("begun");
        steps.put("old", &before).await.unwrap();
        assert!(in_doubt([&before]) && !nothing_out([&before]));
        assert_eq!(begun_at([&before]), None);
        let found = once(&steps, "old", || async { Ok(Some(3)) }, || async { Ok(4) });
        assert_eq!(found.await.unwrap(), 3);
    }

    /// Steps of what is too late.
    #[derive(Default)]
    struct Late(MemorySteps, AtomicBool);

    #[async_trait]
    impl Steps for Late {
        async fn get(&self, name: &str) -> Result<Option<Value>> {
            self.0.get(name).await
        }
        async fn put(&self, name: &str, value: &Value) -> Result<()> {
            self.0.put(name, value).await
        }
        fn is_over(&self) -> bool {
            self.1.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn what_was_refused_as_its_own_repeat_is_looked_for_and_never_sent_again() {
        let steps = Late::default();
        let lost = Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
        let repeat = Error::new(ErrorKind::Duplicate, "twice").with_rule(REPEATED);
        for error in [lost, repeat] {
            let end: Result<u32> =
                once(&steps, "p", || async { Ok(None) }, || async { Err(error) }).await;
            assert!(end.unwrap_err().is_unknown());
        }
        let blind = || async { panic!("the platform has it") };
        for (over, kind) in [(false, ErrorKind::Duplicate), (true, ErrorKind::CannotTell)] {
            steps.1.store(over, Ordering::Relaxed);
            let end: Result<u32> = once(&steps, "p", || async { Ok(None) }, blind).await;
            let error = end.unwrap_err();
            assert_eq!(
                (error.kind(), error.is_unknown()),
                (kind, true),
                "{error:?}"
            );
            assert_eq!(error.rule(), Some(REPEATED));
            let row = steps.get("p").await.unwrap().unwrap();
            assert!(in_doubt([&row]) && !nothing_out([&row]));
        }
        let found: u32 = once(&steps, "p", || async { Ok(Some(3)) }, blind)
            .await
            .unwrap();
        assert_eq!(found, 3);
    }

    #[tokio::test]
    async fn a_sure_failure_is_tried_again_without_a_look_up() {
        let steps = MemorySteps::default();
        let refused: Result<u32> = once(
            &steps,
            "p",
            || async { panic!() },
            || async { Err(Error::new(ErrorKind::RateLimited, "slow")) },
        )
        .await;
        assert!(refused.is_err());
        assert_eq!(ended::<u32>(&steps, "p").await.unwrap(), None);
        let done: u32 = once(
            &steps,
            "p",
            || async { panic!("it surely failed") },
            || async { Ok(1) },
        )
        .await
        .unwrap();
        assert_eq!(done, 1);
        assert_eq!(ended(&steps, "p").await.unwrap(), Some(1));
    }
}
