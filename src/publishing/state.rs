//! What follows from the states of publications: a post's own state, and what cannot be changed any more.

use std::fmt;

use automarket_core::{
    Error, ErrorKind,
    store::{Publication, PublicationState},
};
use serde::{Deserialize, Serialize};

/// Where a post stands, derived from its publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PostState {
    /// Not to be published yet.
    Draft,
    /// Somebody has to say yes.
    AwaitingApproval,
    /// Waits for its time.
    Scheduled,
    /// An account of it waits to be reconnected, and nothing is under way.
    Blocked,
    /// Some of it is on its way, or done while the rest is still to come.
    Publishing,
    /// Public on all accounts that were not called off.
    Published,
    /// Public on some accounts; on others it did not happen, or nobody can tell.
    Partial,
    /// It may have happened somewhere, and is not known to be public anywhere.
    Unknown,
    /// It happened nowhere: an account or platform said no.
    Rejected,
    /// It happened nowhere: its time passed.
    Missed,
    /// Taken down again everywhere.
    Deleted,
    /// Called off.
    Cancelled,
}

impl PostState {
    /// The state of a post with these publications. One without any is a draft.
    #[must_use]
    pub fn of(publications: &[Publication]) -> Self {
        use PublicationState as P;
        let any = |state: P| publications.iter().any(|p| p.state == state);
        let public = any(P::Published);
        if publications.iter().any(|p| !p.state.is_terminal()) {
            let failed = any(P::Rejected) || any(P::Unknown) || any(P::Missed);
            return if public || failed || any(P::Publishing) || any(P::Accepted) {
                Self::Publishing
            } else if any(P::Blocked) {
                Self::Blocked
            } else if any(P::AwaitingApproval) {
                Self::AwaitingApproval
            } else if any(P::Scheduled) {
                Self::Scheduled
            } else {
                Self::Draft
            };
        }
        let short = [
            (P::Unknown, Self::Unknown),
            (P::Rejected, Self::Rejected),
            (P::Missed, Self::Missed),
        ];
        let short = short.into_iter().find(|(state, _)| any(*state));
        match (public, short) {
            (true, None) => Self::Published,
            (true, Some(_)) => Self::Partial,
            (false, Some((_, state))) => state,
            (false, None) if any(P::Deleted) => Self::Deleted,
            (false, None) if any(P::Cancelled) => Self::Cancelled,
            (false, None) => Self::Draft,
        }
    }
}

/// Why something cannot be changed any more: the source of an error of the kind `TooLate`.
///
/// ```
/// use automarket::{ErrorKind, publishing::TooLate, store::PublicationState};
/// let error = TooLate { state: PublicationState::Published }.into_error();
/// assert_eq!(error.kind(), ErrorKind::TooLate);
/// assert_eq!(error.rule(), Some("publication.published"));
/// assert_eq!(TooLate::of(&error).map(|late| late.state), Some(PublicationState::Published));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate {
    /// Where the publication stood.
    pub state: PublicationState,
}

impl TooLate {
    /// What this error says, if it is one of these.
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        std::error::Error::source(error)?.downcast_ref().copied()
    }

    /// The error, its rule `publication.` and the state.
    #[must_use]
    pub fn into_error(self) -> Error {
        let state = self.state.as_str();
        let message = format!("the publication is {state}: it cannot be changed any more");
        Error::new(ErrorKind::TooLate, message)
            .with_rule(format!("publication.{state}"))
            .with_source(self)
    }
}

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too late")
    }
}

impl std::error::Error for TooLate {}

#[cfg(test)]
mod tests {
    use automarket_core::store::{Approval, Lateness, Target};
    use automarket_core::{AccountId, JobId, Platform, PostId, PublicationId, TenantId, chrono};

    use super::*;

    fn in_state(state: PublicationState) -> Publication {
        let at = chrono::DateTime::UNIX_EPOCH;
        Publication {
            id: PublicationId::new(),
            tenant: TenantId::new("acme").unwrap(),
            post: PostId::derived("post"),
            target: Target {
                account: AccountId::new(),
                platform: Platform::X,
                network: Platform::X,
            },
            state,
            key: String::new(),
            content_hash: String::new(),
            due: at,
            lateness: Lateness::default(),
            public_at: None,
            approval: Approval::NotNeeded,
            slot: None,
            job: JobId::new(),
            via: None,
            sent_at: None,
            receipt: None,
            handle: None,
            error: None,
            revision: 1,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn a_posts_state_follows_from_its_publications() {
        use PublicationState as P;
        for (states, wanted) in [
            (&[][..], PostState::Draft),
            (&[P::Draft, P::Draft], PostState::Draft),
            (
                &[P::AwaitingApproval, P::Cancelled],
                PostState::AwaitingApproval,
            ),
            (&[P::Scheduled, P::Draft], PostState::Scheduled),
            (&[P::Scheduled, P::Blocked], PostState::Blocked),
            (&[P::Published, P::Scheduled], PostState::Publishing),
            (&[P::Rejected, P::Scheduled], PostState::Publishing),
            (&[P::Accepted, P::Blocked], PostState::Publishing),
            (
                &[P::Published, P::Published, P::Cancelled],
                PostState::Published,
            ),
            (&[P::Published, P::Rejected], PostState::Partial),
            (&[P::Published, P::Unknown], PostState::Partial),
            (&[P::Published, P::Missed], PostState::Partial),
            (&[P::Unknown, P::Rejected], PostState::Unknown),
            (&[P::Rejected, P::Missed], PostState::Rejected),
            (&[P::Missed, P::Cancelled], PostState::Missed),
            (&[P::Deleted, P::Cancelled], PostState::Deleted),
            (&[P::Cancelled], PostState::Cancelled),
        ] {
            let all: Vec<_> = states.iter().copied().map(in_state).collect();
            assert_eq!(PostState::of(&all), wanted, "{states:?}");
        }
    }
}
