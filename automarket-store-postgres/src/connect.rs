//! Connections: TLS, the pool, and one that listens.

use std::{future::poll_fn, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use automarket_core::{Error, ErrorKind, Result};
use deadpool_postgres::{
    ConfigConnectImpl, Connect, Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls_platform_verifier::Verifier;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, NoTls,
    config::{Host, SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::Outcome;

/// A commit that we acknowledge is on the disk, whatever the database or the role is set to: an intent that is lost is a
/// post that goes out twice. Settings that wait for more than this server's disk stay.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";
/// Our connections wait for work: the server does not end them for that, whatever the role is set to.
const KEPT: &str = "SELECT set_config('idle_session_timeout', '0', false)
    WHERE current_setting('idle_session_timeout', true) <> '0'";
/// How long a connection may take to be made, where the URL says nothing.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a call waits for a connection to become free, or to be made and greeted.
pub(crate) const WAIT: Duration = Duration::from_secs(30);
/// How long nothing is heard before the server's machine is asked whether it is there, how often it is asked, and how
/// long what was sent may go without a receipt: a connection whose other end is gone ends in half a minute, where
/// the system's own settings make it two hours.
const SILENT: Duration = Duration::from_secs(15);
const ASKED: (Duration, u32) = (Duration::from_secs(5), 3);
const UNHEARD: Duration = Duration::from_secs(20);

/// Where the server is, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl Server {
    pub(crate) fn new(url: &str, roots: Option<&[u8]>) -> Result<Self> {
        let mut config = read(url)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("automarket");
        }
        // A name may lead to an old primary for a while, and connections to it would stay.
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
            config.keepalives_idle(SILENT);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(ASKED.0);
        }
        if config.get_keepalives_retries().is_none() {
            config.keepalives_retries(ASKED.1);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNHEARD);
        }
        let tls = match wants_tls(&config) {
            true => Some(MakeRustlsConnect::new(tls(roots)?)),
            false => None,
        };
        Ok(Self { config, tls })
    }

    pub(crate) fn pool(&self, size: usize) -> Result<Pool> {
        let options = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_connect(self.config.clone(), self.clone(), options);
        Pool::builder(manager)
            .max_size(size)
            // The one used last is the warmest, on both sides.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Config, "the pool cannot be built").with_source(error)
            })
    }

    /// A connection that listens on a channel and does nothing else.
    pub(crate) async fn listen(&self, channel: &str) -> Outcome<Listening> {
        Ok(match self.tls.clone() {
            Some(tls) => Listening::begin(self.config.connect(tls).await?, channel).await?,
            None => Listening::begin(self.config.connect(NoTls).await?, channel).await?,
        })
    }
}

impl Connect for Server {
    fn connect(&self, config: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move {
            let connected = match self.tls.clone() {
                Some(tls) => ConfigConnectImpl { tls }.connect(&config).await?,
                None => ConfigConnectImpl { tls: NoTls }.connect(&config).await?,
            };
            let ours = format!("{DURABLE}; {KEPT}");
            connected.0.batch_execute(&ours).await?;
            Ok(connected)
        })
    }
}

type Connected = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

/// A connection that listens.
pub(crate) struct Listening {
    words: mpsc::Receiver<()>,
    _client: Client,
}

impl Listening {
    async fn begin<S, T>(
        (client, mut connection): (Client, Connection<S, T>),
        channel: &str,
    ) -> Outcome<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (said, words) = mpsc::channel(1);
        // Ends when the client is dropped or the connection is lost.
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    // One that waits says it all.
                    let _ = said.try_send(());
                }
            }
        });
        client.batch_execute(KEPT).await?;
        client.batch_execute(&format!("LISTEN {channel}")).await?;
        Ok(Self {
            words,
            _client: client,
        })
    }

    /// Calls for the words that are heard, until the connection is lost.
    pub(crate) async fn each(mut self, hear: impl Fn()) {
        while self.words.recv().await.is_some() {
            hear();
        }
    }
}

/// The driver knows no `verify-ca` and `verify-full`: what we require is verified anyway.
fn read(url: &str) -> Result<Config> {
    // A password stands before the options.
    let (before, options) = match url.rsplit_once('?') {
        Some((before, options)) if url.contains("://") => (format!("{before}?"), options),
        _ => (String::new(), url),
    };
    let options = options
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    let wrong = |message: &str, remedy: &str| {
        let error = Error::new(ErrorKind::Config, message).with_rule("postgres.url");
        error.with_remedy(remedy)
    };
    let mut config: Config = (before + &options).parse().map_err(|error: tokio_postgres::Error| {
        wrong(
            "the PostgreSQL URL cannot be read",
            "take out options that tokio-postgres does not know; of sslmode it takes disable, prefer, require, \
                 verify-ca and verify-full, and root certificates are handed to the builder",
        )
        .with_source(error)
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(wrong(
            "the PostgreSQL URL names no host",
            "write it as postgres://user:password@host/database",
        ));
    }
    if config.get_hosts().is_empty() {
        // What a certificate is to be for.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    Ok(config)
}

/// Not when the URL says `disable`, nor, unless it says `require`, to a server on this machine, whose
/// certificate is nearly always one that it signed itself.
fn wants_tls(config: &Config) -> bool {
    let on_this_machine = |host: &Host| match host {
        Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    match config.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Prefer => match config.get_hostaddrs() {
            [] => !config.get_hosts().iter().all(on_this_machine),
            // Where it connects to, whatever the hosts are called.
            addresses => !addresses.iter().all(IpAddr::is_loopback),
        },
        _ => true,
    }
}

fn tls(roots: Option<&[u8]>) -> Result<rustls::ClientConfig> {
    let config = |message: &str| Error::new(ErrorKind::Config, message);
    let extra: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(roots.unwrap_or_default())
            .collect::<Result<_, _>>()
            .map_err(|error| config("the root certificate is no PEM").with_source(error))?;
    let no_roots = |error: rustls::Error| {
        config("the system's root certificates cannot be loaded")
            .with_remedy("install the system's CA certificates (ca-certificates)")
            .with_source(error)
    };
    // The provider is named here, so that no process-wide default is needed or touched.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone()).map_err(no_roots)?;
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(no_roots)?
        .dangerous() // rustls' word for any verifier that is not its own; this is the system's.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_follows_the_url() {
        for (url, wanted) in [
            ("postgres://u@db.example/a", true),
            ("postgres://u@db.example/a?sslmode=require", true),
            ("postgres://u@db.example/a?sslmode=disable", false),
            ("postgres://u@localhost/a", false),
            ("postgres://u@localhost/a?sslmode=require", true),
            (
                "postgres://u@localhost/a?application_name=a&sslmode=verify-full",
                true,
            ),
            (
                "postgres://u@localhost/a?sslmode=verify-ca&application_name=a",
                true,
            ),
            ("host=localhost user=u sslmode=verify-full", true),
            ("host=/tmp user=u", false),
            ("host=localhost,db.example user=u", true),
            ("hostaddr=192.0.2.2 user=u", true),
            ("host=localhost hostaddr=192.0.2.2 user=u", true),
            ("host=db.example hostaddr=127.0.0.1 user=u", false),
            ("hostaddr=192.0.2.2 user=u sslmode=disable", false),
        ] {
            assert_eq!(wants_tls(&read(url).unwrap()), wanted, "{url}");
        }
    }

    #[test]
    fn an_address_alone_is_the_name_of_its_certificate() {
        let config = read("hostaddr=192.0.2.2 user=u").unwrap();
        assert_eq!(config.get_hosts(), [Host::Tcp("192.0.2.2".to_owned())]);
        let config = read("host=db.example hostaddr=192.0.2.2 user=u").unwrap();
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example".to_owned())]);
    }

    #[test]
    fn a_password_stays_as_it_is() {
        let config = read("postgres://u:sslmode=verify-ca@h/a?sslmode=verify-full").unwrap();
        assert_eq!(config.get_password(), Some(&b"sslmode=verify-ca"[..]));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (url, words) in [
            ("postgres://u@h/a?statement-cache-capacity=1", "sslmode"),
            ("postgres://u@h/a?sslmode=allow", "sslmode"),
            ("", "postgres://"),
            ("postgres:///a", "postgres://"),
        ] {
            let refused = Server::new(url, None).err().unwrap();
            assert_eq!(
                (refused.kind(), refused.rule()),
                (ErrorKind::Config, Some("postgres.url")),
                "{url}"
            );
            let remedy = refused.remedy().unwrap_or_default();
            assert!(remedy.contains(words), "{url}: {remedy}");
        }
    }

    #[test]
    fn silence_is_bounded_where_the_url_says_nothing() {
        let settings = |url: &str| {
            let config = Server::new(url, None).ok().unwrap().config;
            [
                Some(config.get_keepalives_idle().as_secs()),
                config.get_keepalives_interval().map(|d| d.as_secs()),
                config.get_keepalives_retries().map(u64::from),
                config.get_tcp_user_timeout().map(Duration::as_secs),
            ]
        };
        let own = settings("postgres://u@localhost/a");
        assert_eq!(own, [Some(15), Some(5), Some(3), Some(20)]);
        let told =
            "keepalives_idle=1&keepalives_interval=2&keepalives_retries=3&tcp_user_timeout=4";
        let told = settings(&format!("postgres://u@localhost/a?{told}"));
        assert_eq!(told, [Some(1), Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn a_bad_url_or_certificate_is_a_configuration_error_that_keeps_the_password() {
        let refused = Server::new("postgres://u:hunter2@h:port/", None)
            .err()
            .unwrap();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(!format!("{refused:?} {}", refused.report()).contains("hunter2"));
        let damaged = b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n";
        assert_eq!(tls(Some(damaged)).unwrap_err().kind(), ErrorKind::Config);
    }
}
