//! A world's time: how long work lasts, moving it, and waiting for what comes.

use std::time::{Duration, Instant};

use crate::{
    Result, rows,
    wait::Wait,
    world::{Fake, World},
};

impl World {
    /// To notice when nothing moves: for longer than any lease, outage or window takes on a machine under load.
    pub(crate) fn wait<T: PartialEq>(&self) -> Wait<T> {
        Wait::new(Duration::from_secs(
            90 + 4 * self.size.lease + 2 * self.size.seconds,
        ))
    }

    /// At how many at once, and for how many milliseconds each, the jobs keep the workers busy about this long:
    /// few jobs too are to be there still when something is broken.
    pub(crate) fn pace(&self, lasting: Duration, longest: u64) -> (usize, u64) {
        let (jobs, workers) = (self.size.jobs.max(1), self.size.workers);
        let concurrency = (jobs / (8 * workers)).clamp(1, 16);
        let at_once = jobs.min(workers * concurrency);
        let hold = lasting.as_millis() * at_once as u128 / jobs as u128;
        let hold = u64::try_from(hold).unwrap_or(u64::MAX).min(longest);
        (concurrency, hold)
    }

    /// Moves time, for everybody.
    pub(crate) async fn advance(&mut self, by: Duration) -> Result<()> {
        self.ahead += by;
        self.place.set_ahead(self.ahead).await
    }

    /// Waits until no job is live, as long as they become fewer or have effects.
    pub(crate) async fn rest(&self, fake: &mut Fake) -> Result<()> {
        let (mut wait, mut said) = (self.wait(), Instant::now());
        loop {
            let live = rows::live(&self.place).await?;
            if live == 0 {
                return Ok(());
            }
            let effects = fake.log.count("effects");
            wait.at((live, effects), || {
                format!("the queue is stuck: {live} jobs are live")
            })?;
            if said.elapsed() > Duration::from_secs(5) {
                self.say(format!("{live} jobs are live"));
                said = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the fake's log has so many entries in this list, as long as more come.
    pub(crate) async fn until(&self, fake: &mut Fake, list: &str, count: usize) -> Result<()> {
        let mut wait = self.wait();
        loop {
            let now = fake.log.count(list);
            if now >= count {
                return Ok(());
            }
            wait.at(now, || format!("the fake has {now} of {count} {list}"))?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many posts came through, moving time by this much all the while; and by a day when nothing
    /// comes through for long, since platforms have limits of their own.
    pub(crate) async fn until_posted(
        &mut self,
        fake: &mut Fake,
        count: usize,
        step: Duration,
    ) -> Result<()> {
        let pause = || Wait::new(Duration::from_secs(15));
        let (mut wait, mut day) = (self.wait(), pause());
        loop {
            let now = fake.log.count("effects");
            if now >= count {
                return Ok(());
            }
            let so_far = || format!("{now} of {count} posts came through");
            wait.at(now, so_far)?;
            if day.at(now, so_far).is_err() {
                self.advance(Duration::from_secs(86_400)).await?;
                day = pause();
            }
            self.advance(step).await?;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Waits until all these are published, or ended in another way, moving time by this much all the while.
    pub(crate) async fn until_ended(&mut self, marks: &[String], step: Duration) -> Result<()> {
        let mut wait = self.wait();
        loop {
            let rows = rows::publications(&self.place).await?;
            let open = rows
                .iter()
                .filter(|row| !row.ended() && marks.contains(&row.mark))
                .count();
            if open == 0 {
                return Ok(());
            }
            wait.at(open, || format!("{open} publications came to no end"))?;
            self.advance(step).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
