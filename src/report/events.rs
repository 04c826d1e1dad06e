//! What is told of, in the order in which it happened: read with [`Tenant::events`](crate::Tenant::events), each written in the
//! transaction of what it tells.
//!
//! | kind | subject | told when |
//! | --- | --- | --- |
//! | `publication.draft` | publication | it was kept as a draft |
//! | `publication.awaiting_approval` | publication | it waits for somebody's yes |
//! | `publication.scheduled` | publication | it waits for its time |
//! | `publication.publishing` | publication | the intent to send it is on disk |
//! | `publication.accepted` | publication | the platform took it and is at work on it |
//! | `publication.published` | publication | it is out; `comment_error` says that its comment is not, `thread_error` that its thread stops before the end |
//! | `publication.rejected` | publication | it is out nowhere, and `error` says why |
//! | `publication.unknown` | publication | whether it is out cannot be told, or a part of it is out; `cancelled` says that the rest was called off |
//! | `publication.missed` | publication | it was not sent in time; `gates` names those that kept it from that |
//! | `publication.blocked` | publication | it waits for its account, or for a newer version of this library |
//! | `publication.rerouted` | publication | it goes by the fallback account; `state` says whether it awaits approval first |
//! | `publication.approved` | publication | somebody said yes |
//! | `publication.released` | publication | a draft was handed over |
//! | `publication.edited` | publication | it says something else |
//! | `publication.rescheduled` | publication | it has another time |
//! | `publication.retried` | publication | what failed is tried again |
//! | `publication.resent` | publication | what is unknown is sent again, for the `reason` given |
//! | `publication.cancelled` | publication | it will not be sent, nobody said yes (`rule` is `approval.refused`), or its account was removed (`account.removed`) |
//! | `publication.deleting` | publication | it is to be taken down |
//! | `publication.deleted` | publication | it was taken down |
//! | `publication.delete_failed` | publication | it could not be taken down |
//! | `publication.overdue` | publication | it should have been sent, and no worker takes it |
//! | `account.needs_reauth` | account | it has to be connected again |
//! | `job.overdue` | job | it should have been run, and no worker takes it |
//!
//! Those of publications carry `post`, `account`, `platform`, `network`, `remote_id`, `error`, `due` and `revision`.
