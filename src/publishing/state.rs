//! What follows from the states of publications: a post's own state, and what cannot be done with it any more.

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

/// Whether its words may be changed, as far as its state goes.
pub(super) fn editable(publication: &Publication) -> bool {
    use PublicationState::{Cancelled, Missed, Rejected};
    waits(publication) || matches!(publication.state, Cancelled | Missed | Rejected)
}

/// Whether nothing was sent yet and something is still to come.
pub(super) fn waits(publication: &Publication) -> bool {
    matches!(
        publication.state,
        PublicationState::Draft
            | PublicationState::AwaitingApproval
            | PublicationState::Scheduled
            | PublicationState::Blocked
    )
}

/// Why something cannot be done with a publication: the source of an error of the kind `TooLate`, whose message says what was
/// wanted, whose rule is `publication.` and the state, and whose remedy names the calls that work in that state.
///
/// ```
/// use automarket::{Error, publishing::TooLate, store::PublicationState};
/// fn is_out(error: &Error) -> bool {
///     TooLate::of(error).is_some_and(|late| late.state == PublicationState::Published)
/// }
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

    /// The error, with why what was wanted is not to be had.
    pub(super) fn error(self, why: &str) -> Error {
        let state = self.state.as_str();
        let message = format!("{why}: it is {}", state.replace('_', " "));
        Error::new(ErrorKind::TooLate, message)
            .with_rule(format!("publication.{state}"))
            .with_remedy(works(self.state))
            .with_source(self)
    }
}

/// What can be done with a publication in this state.
fn works(state: PublicationState) -> &'static str {
    use PublicationState as P;
    match state {
        P::Draft => "`publish_draft` hands it over, `cancel` calls it off",
        P::AwaitingApproval => "`approve` lets it go, `cancel` calls it off",
        P::Scheduled | P::Blocked => "`reschedule` moves it, `cancel` calls it off",
        P::Publishing => "it is under way: look again when that has ended",
        P::Accepted | P::Published => "`delete` takes it down",
        P::Unknown => "look there; `resend_unknown` sends it again",
        P::Rejected | P::Missed => "`retry` sends it again",
        _ => "publish a new post",
    }
}

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too late")
    }
}

impl std::error::Error for TooLate {}

/// The error when a publication is not the one any more that somebody looked at.
pub(super) fn changed(publication: &Publication) -> Error {
    let message = format!("the publication {} was changed meanwhile", publication.id);
    Error::new(ErrorKind::Conflict, message)
        .with_rule("publication.changed")
        .with_remedy("read it again, and decide again")
}

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
