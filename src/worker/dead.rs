//! Dead letters: jobs given up, kept with their history until somebody decides.

use automarket_core::{
    JobId, Result,
    store::{Job, JobState},
};

use crate::Tenant;

impl Tenant {
    /// Its dead jobs, newest first, each with the failures that led there ([`Job::failures`]).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn dead_jobs(&self, limit: usize) -> Result<Vec<Job>> {
        self.engine()
            .store
            .jobs(&self.id, JobState::Dead, limit)
            .await
    }

    /// Puts a dead job back in for now, its attempts at zero, its history and steps kept. `false` when it is
    /// not dead, or a live job holds its unique key.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn redrive(&self, job: JobId) -> Result<bool> {
        let back = self.engine().store.redrive(&self.id, job).await?;
        self.engine().wake.notify_waiters();
        Ok(back)
    }

    /// As [`Tenant::redrive`] for the dead jobs of one kind or of all, the oldest first, at most `limit`; how
    /// many went back. Calling it again goes on where a call failed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn redrive_dead(&self, kind: Option<&str>, limit: usize) -> Result<usize> {
        let store = &self.engine().store;
        let back = store.redrive_dead(&self.id, kind, limit).await;
        // Some may be back though it failed.
        self.engine().wake.notify_waiters();
        back
    }

    /// Removes dead jobs of one kind or of all with their history, the oldest first, at most `limit`; how many
    /// were removed. Calling it again goes on where a call failed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn remove_dead(&self, kind: Option<&str>, limit: usize) -> Result<usize> {
        let store = &self.engine().store;
        store.remove_dead(&self.id, kind, limit).await
    }
}
