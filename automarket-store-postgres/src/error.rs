//! What PostgreSQL says, in core's words.

use std::{error::Error as StdError, io};

use automarket_core::{
    Error, ErrorKind, JobId, Retry,
    store::{
        NewPublishing, Publication,
        rules::{id_taken, post_moved},
    },
};
use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, SqlState};

/// What `automarket.put_jobs` raises when another tenant's job has an id; which one stands in the detail.
pub(crate) const ID_TAKEN: &str = "AM001";

/// What `automarket.change` and `publish` raise when something is not there or not as it was; the detail says so of a
/// post ([`POST`], [`ACCOUNTS`]).
pub(crate) const MOVED: &str = "AM002";
/// A post is not there.
pub(crate) const POST: &str = "post";
/// A post says something else, has other accounts, or goes other ways.
pub(crate) const ACCOUNTS: &str = "accounts";

/// The rule of a right that the role lacks, and its remedy.
pub(crate) const PRIVILEGE: &str = "postgres.privilege";
pub(crate) const GRANT: &str = "open the store once as the schema's owner, and grant the role what the crate's README \
    lists under `Rights`";

/// The rule of a statement that cannot run as it was prepared.
pub(crate) const PREPARED: &str = "postgres.prepared";

/// The unique index that keeps a posting slot for one publication.
pub(crate) const SLOT_TAKEN: &str = "publications_slot";

/// Which of these publications a taken slot is told of.
pub(crate) fn slot_holder(publishing: &NewPublishing) -> Option<&Publication> {
    let mut publications = publishing.publications.iter();
    publications.find(|p| p.held_slot().is_some())
}

/// What may go wrong on the way; becomes core's error at the crate's edge.
pub(crate) enum Fault {
    Postgres(tokio_postgres::Error),
    Ours(Error),
}

pub(crate) type Outcome<T> = Result<T, Fault>;

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Postgres(error),
            PoolError::Timeout(_) => Self::Ours(no_connection()),
            other => Self::Ours(
                Error::new(ErrorKind::Internal, "the pool of connections failed")
                    .with_source(other),
            ),
        }
    }
}

pub(crate) fn no_connection() -> Error {
    let message = "no connection to the database became free in time";
    Error::new(ErrorKind::Storage, message).with_rule("postgres.pool")
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Ours(error) => error,
            Fault::Postgres(error) => classify(error),
        }
    }
}

impl Fault {
    /// The error of a taken id, if the database refused one of these jobs because another tenant's has its id.
    pub(crate) fn or_id_taken(self, ids: impl IntoIterator<Item = JobId>) -> Self {
        let Self::Postgres(error) = &self else {
            return self;
        };
        let taken = match error.as_db_error() {
            Some(said) if said.code().code() == ID_TAKEN => said.detail().unwrap_or_default(),
            _ => return self,
        };
        let mut ids = ids.into_iter();
        let id = ids.find(|id| id.to_string() == taken);
        id.map_or(self, |id| Self::Ours(id_taken(id)))
    }

    /// Whether what was to be changed is not there, or not as it was; which of them, if it is a post.
    pub(crate) fn has_moved(&self) -> Option<&str> {
        let Self::Postgres(error) = self else {
            return None;
        };
        let said = error.as_db_error()?;
        (said.code().code() == MOVED).then(|| said.detail().unwrap_or_default())
    }

    /// Whether somebody's open transaction held what was to be written.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
    }

    /// Whether a job's id is known already.
    pub(crate) fn is_known(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }

    /// The error of a post that moved, or of a taken id or slot, if the database refused to write this for that.
    pub(crate) fn or_taken(self, publishing: &NewPublishing) -> Self {
        if self.has_moved() == Some(ACCOUNTS) {
            return Self::Ours(post_moved(publishing.post.id));
        }
        let fault = self.or_id_taken(publishing.jobs.iter().map(|job| job.id));
        match slot_holder(publishing) {
            Some(holder) => fault.or_slot_taken(holder),
            None => fault,
        }
    }

    /// The error of a taken slot, if the database refused the publication for that.
    pub(crate) fn or_slot_taken(self, publication: &Publication) -> Self {
        let constraint = match &self {
            Self::Postgres(error) => error.as_db_error().and_then(|error| error.constraint()),
            Self::Ours(_) => None,
        };
        match constraint {
            Some(SLOT_TAKEN) => Self::Ours(publication.slot_taken()),
            _ => self,
        }
    }

    /// Whether the connection was lost, so that a commit under way may have happened.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.code().is_none_or(is_end_of_connection))
    }
}

fn is_end_of_connection(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
        ]
        .contains(code)
}

fn classify(error: tokio_postgres::Error) -> Error {
    let words = match error.as_db_error() {
        Some(refused) => by_answer(refused),
        None => by_cause(&error),
    };
    let refused = error
        .as_db_error()
        .map(|refused| refused.message().to_owned());
    said(words, refused.as_deref(), error)
}

fn by_answer(refused: &DbError) -> Words {
    if is_stale(refused) {
        return (
            ErrorKind::Storage,
            "a statement was prepared before its table changed",
            PREPARED,
            None,
        );
    }
    if refused.code() == &SqlState::PROTOCOL_VIOLATION
        && refused.message().contains("startup parameter")
    {
        return url(
            "the pooler does not take these options of the URL",
            "take options out of the URL, and set them by ALTER ROLE .. SET",
        );
    }
    by_code(refused.code())
}

/// Whether a statement answers otherwise than when it was prepared. The code alone has other meanings.
pub(crate) fn is_stale(refused: &DbError) -> bool {
    refused.code() == &SqlState::FEATURE_NOT_SUPPORTED
        && refused.routine() == Some("RevalidateCachedQuery")
}

/// What the driver found before it spoke to the database, or of its own accord.
fn by_cause(error: &tokio_postgres::Error) -> Words {
    if let Some(refused) = cause::<rustls::Error>(error) {
        return no_tls(tls_remedy(refused));
    }
    match cause::<io::Error>(error) {
        // The driver's own, where a server takes no writes.
        Some(io) if io.kind() == io::ErrorKind::PermissionDenied && io.get_ref().is_some() => {
            by_code(&SqlState::READ_ONLY_SQL_TRANSACTION)
        }
        Some(_) => connection(),
        None if error.is_closed() => connection(),
        None => {
            let inside = error.source().map(ToString::to_string);
            by_words(&error.to_string(), &inside.unwrap_or_default())
        }
    }
}

fn no_tls(remedy: Option<&'static str>) -> Words {
    (
        ErrorKind::Config,
        "no TLS connection to the database that can be trusted",
        "postgres.tls",
        remedy,
    )
}

fn tls_remedy(refused: &rustls::Error) -> Option<&'static str> {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
    };
    let rustls::Error::InvalidCertificate(why) = refused else {
        return None;
    };
    Some(match why {
        Expired | ExpiredContext { .. } => "renew the server's certificate",
        NotValidForName | NotValidForNameContext { .. } => {
            "connect by a name that is in the server's certificate"
        }
        _ => "hand the builder the root certificate of the server's",
    })
}

fn url(message: &'static str, remedy: &'static str) -> Words {
    (ErrorKind::Config, message, "postgres.url", Some(remedy))
}

/// What shows its sort in words alone.
fn by_words(said: &str, inside: &str) -> Words {
    let begins = |with: &str| said.starts_with(with);
    if begins("error performing TLS handshake") {
        let without = inside.contains("does not support TLS");
        no_tls(without.then_some("let the server speak TLS, or set sslmode=disable in the URL"))
    } else if inside.contains("channel binding") {
        url(
            "the driver cannot bind the login to the TLS connection",
            "take channel_binding=require out of the URL; with sslmode=require the certificate is verified anyway",
        )
    } else if begins("authentication error") || begins("invalid configuration") {
        by_code(&SqlState::INVALID_PASSWORD)
    } else if said.contains("connect") || begins("timeout") {
        connection()
    } else {
        (
            ErrorKind::Internal,
            "the database did not do what was asked",
            "postgres.other",
            None,
        )
    }
}

/// Core's error in these words. A login, a right or a certificate may be changed and put right while work goes on, so
/// that is worth another try later; only opening a store says that it never is.
pub(crate) fn said(
    (kind, message, rule, remedy): Words,
    refused: Option<&str>,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    let message = match refused {
        // Which table, sequence or function it is, only PostgreSQL says.
        Some(refused) if rule == PRIVILEGE => format!("{message}: {refused}"),
        _ => message.to_owned(),
    };
    let mut ours = Error::new(kind, message)
        .with_rule(rule)
        .with_source(source);
    if kind == ErrorKind::Config {
        ours = ours.with_retry(Retry::After(None));
    }
    if let Some(remedy) = remedy {
        ours = ours.with_remedy(remedy);
    }
    ours
}

pub(crate) type Words = (ErrorKind, &'static str, &'static str, Option<&'static str>);

pub(crate) fn connection() -> Words {
    (
        ErrorKind::Storage,
        "the connection to the database could not be made, or broke",
        "postgres.connection",
        None,
    )
}

/// By SQLSTATE: its class, the first two characters, and the few codes that say more.
pub(crate) fn by_code(code: &SqlState) -> Words {
    use ErrorKind::{Config, Internal, InvalidInput, Storage};
    match code.code() {
        "57P01" | "57P02" | "57P03" | "57P05" => connection(),
        // An old primary, or one whose disk is nearly full: another takes over, or it ends.
        "25006" => (
            Storage,
            "the database is read-only",
            "postgres.readonly",
            Some(
                "connect to the primary; where it is one, unset default_transaction_read_only of the role and the database",
            ),
        ),
        "55P03" | "57014" | "25P03" | "25P04" => (
            Storage,
            "the database did not finish in time",
            "postgres.timeout",
            None,
        ),
        // A pooler gave the statement to a server that does not know it, or knows another by its name.
        "26000" | "42P05" => (
            Storage,
            "the database does not know a statement that was prepared",
            PREPARED,
            Some("let the pooler keep prepared statements: PgBouncer's max_prepared_statements"),
        ),
        "3F000" => (
            Config,
            "the database does not have the store's schema",
            "postgres.no_store",
            Some(
                "connect to the database that the store was opened on, or open a store on this one first",
            ),
        ),
        "42501" => (Config, "the role may not do this", PRIVILEGE, Some(GRANT)),
        "22021" | "22P05" | "22008" | "22003" | "22P02" | "22007" | "22023" | "54000" => (
            InvalidInput,
            "the database cannot hold this value",
            "postgres.value",
            None,
        ),
        code => match code.get(..2) {
            Some("08") => connection(),
            Some("40") => (
                Storage,
                "the transaction met another one",
                "postgres.conflict",
                None,
            ),
            Some("53") => (
                Storage,
                "the database is out of connections, memory or disk",
                "postgres.full",
                None,
            ),
            Some("58" | "57") => (
                Storage,
                "the database could not finish",
                "postgres.system",
                None,
            ),
            Some("28" | "3D") => (
                Config,
                "the database refuses this user, password or database name",
                "postgres.login",
                None,
            ),
            _ => (
                Internal,
                "the database did not do what was asked",
                "postgres.other",
                None,
            ),
        },
    }
}

fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(cause) = next {
        let io = cause.downcast_ref::<io::Error>();
        let inside = io.and_then(io::Error::get_ref);
        let found = cause.downcast_ref::<E>();
        if let Some(found) = found.or_else(|| inside.and_then(|inner| inner.downcast_ref::<E>())) {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds() {
        use ErrorKind::{Config, Internal, InvalidInput, Storage};
        for (code, kind) in [
            ("08006", Storage),
            ("57P01", Storage),
            ("53300", Storage),
            ("53100", Storage),
            ("40001", Storage),
            ("40P01", Storage),
            ("55P03", Storage),
            ("25P04", Storage),
            ("26000", Storage),
            ("42P05", Storage),
            ("25006", Storage),
            ("28P01", Config),
            ("3D000", Config),
            ("42501", Config),
            ("3F000", Config),
            ("22021", InvalidInput),
            ("42P01", Internal),
            ("XX000", Internal),
        ] {
            assert_eq!(by_code(&SqlState::from_code(code)).0, kind, "{code}");
        }
    }

    #[test]
    fn a_certificate_that_is_refused_is_told_with_what_helps() {
        use rustls::{CertificateError, Error};
        for (why, words) in [
            (CertificateError::Expired, "renew"),
            (CertificateError::NotValidForName, "name"),
            (CertificateError::UnknownIssuer, "hand the builder"),
        ] {
            let inside = Error::InvalidCertificate(why);
            let io = io::Error::new(io::ErrorKind::InvalidData, inside);
            let found = cause::<Error>(&io).and_then(tls_remedy).unwrap();
            assert!(found.contains(words), "{found}");
            assert!(!found.contains("disable"), "{found}");
        }
        assert_eq!(tls_remedy(&Error::DecryptError), None);
    }
}
