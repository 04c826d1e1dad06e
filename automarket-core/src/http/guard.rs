use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use super::addresses::{carried, is_metadata, least_prefix, not_public};
use crate::{Error, ErrorKind, Result};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading a page or media, with nothing secret in the request. Plain http is allowed by default.
    Fetch,
    /// Everything that carries data or a credential: a webhook, a call of an API. https unless the host
    /// allows otherwise.
    Send,
}

impl Purpose {
    /// What a request is for, as far as it shows: a `GET` or `HEAD` without a sensitive header is a fetch.
    #[must_use]
    pub fn of<B>(request: &http::Request<B>) -> Self {
        let reads = matches!(*request.method(), http::Method::GET | http::Method::HEAD);
        if reads && !request.headers().values().any(|value| value.is_sensitive()) {
            Self::Fetch
        } else {
            Self::Send
        }
    }
}

/// What the guard says of an address, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may be connected to.
    pub allowed: bool,
    /// Why, or why not. It names no address, so it may be shown to whoever gave the URL.
    pub reason: String,
}

impl Verdict {
    fn allow(reason: &str) -> Self {
        Self {
            allowed: true,
            reason: reason.to_owned(),
        }
    }

    fn refuse(reason: impl Into<String>) -> Self {
        Self {
            allowed: false,
            reason: reason.into(),
        }
    }
}

/// For what plain http is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PlainHttp {
    Never,
    #[default]
    Fetch,
    Always,
}

/// The outbound guard: decides which addresses may be connected to. Pure, and fails closed.
///
/// By default every public address may be connected to, by https, and by http to read pages. Whatever
/// is private, local, reserved or a cloud's metadata service is refused in every spelling. A host opens
/// networks by configuration:
///
/// ```
/// use automarket_core::{Url, http::{Guard, Purpose}};
/// let guard = Guard::default();
/// assert!(guard.ip([93, 184, 216, 34].into()).allowed);
/// let url = Url::parse("http://0x7f.1/admin")?;
/// assert_eq!(guard.url(&url, Purpose::Fetch).reason, "the address is loopback");
///
/// // A self-hosted service in our own network, spoken to without TLS.
/// let guard = Guard::default().allow("10.1.0.0/16".parse()?).allow_http(true);
/// assert!(guard.url(&Url::parse("http://10.1.2.3:3000/")?, Purpose::Send).allowed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    plain_http: PlainHttp,
    networks: Vec<IpNet>,
}

impl Guard {
    /// A guard that allows https only, for every purpose.
    #[must_use]
    pub fn strict() -> Self {
        Self::default().allow_http(false)
    }

    /// Allows plain http for every purpose, or for none.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.plain_http = if allow {
            PlainHttp::Always
        } else {
            PlainHttp::Never
        };
        self
    }

    /// Allows a network that would be refused. A metadata service inside it stays refused unless the
    /// network is that one address, and so does an IPv4 address that is not public and stands in an IPv6 one
    /// (`64:ff9b::10.0.0.1`) unless it is allowed itself. Of a gateway's own network (in `64:ff9b:1::/48`) only one of
    /// 96 bits or more is opened: in others the IPv4 address stands elsewhere.
    #[must_use]
    pub fn allow(mut self, network: IpNet) -> Self {
        self.networks.push(network);
        self
    }

    /// Judges an address.
    #[must_use]
    pub fn ip(&self, ip: IpAddr) -> Verdict {
        if self.opens(ip) {
            // What was opened is the way: where it leads to is judged like every other address.
            let end = carried(ip).map(|ip| self.ip(ip.into()));
            end.filter(|end| !end.allowed)
                .unwrap_or_else(|| Verdict::allow("allowed by configuration"))
        } else if is_metadata(ip) {
            Verdict::refuse("the address is a cloud metadata service")
        } else if let Some(reason) = not_public(ip) {
            Verdict::refuse(format!("the address is {reason}"))
        } else {
            Verdict::allow("public")
        }
    }

    /// Judges what a URL says by itself, before its name is resolved: scheme, user and password, port,
    /// and a host that is an address or a local name. A local name (`localhost`, `*.internal`, one label)
    /// passes here when networks are allowed; [`target`](Self::target) then wants it to be inside them.
    #[must_use]
    pub fn url(&self, url: &Url, purpose: Purpose) -> Verdict {
        let http = match self.plain_http {
            PlainHttp::Never => false,
            PlainHttp::Fetch => purpose == Purpose::Fetch,
            PlainHttp::Always => true,
        };
        match url.scheme() {
            "https" => {}
            "http" if http => {}
            "http" => return Verdict::refuse("plain http is not allowed, https is"),
            _ => return Verdict::refuse("the address is not http or https"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Verdict::refuse("the address holds a user or password");
        }
        if url
            .port_or_known_default()
            .is_none_or(|port| REFUSED_PORTS.contains(&port))
        {
            return Verdict::refuse("the port belongs to another protocol");
        }
        match url.host() {
            None => Verdict::refuse("the address has no host"),
            Some(Host::Ipv4(ip)) => self.ip(ip.into()),
            Some(Host::Ipv6(ip)) => self.ip(ip.into()),
            Some(Host::Domain(name)) if is_local(name) && self.networks.is_empty() => {
                Verdict::refuse("the name is local")
            }
            Some(Host::Domain(_)) => Verdict::allow("the name is to be resolved"),
        }
    }

    /// Judges an address that another machine in our network is to fetch for a tenant. That machine resolves the
    /// name, so that what it resolves to is for its own walls.
    ///
    /// # Errors
    /// `Refused`, with the reason.
    pub fn hand_over(&self, url: &Url) -> Result<()> {
        let verdict = self.url(url, Purpose::Fetch);
        if verdict.allowed {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Refused, verdict.reason))
    }

    /// Judges a URL with all addresses that its name resolves to (none are needed when the host is an
    /// address itself). One refused address refuses the whole, and so does none at all.
    #[must_use]
    pub fn target(&self, url: &Url, addresses: &[IpAddr], purpose: Purpose) -> Verdict {
        let verdict = self.url(url, purpose);
        match url.host() {
            Some(Host::Domain(name)) if verdict.allowed => self.resolved(name, addresses),
            _ => addresses
                .iter()
                .map(|ip| self.ip(*ip))
                .find(|other| verdict.allowed && !other.allowed)
                .unwrap_or(verdict),
        }
    }

    /// Judges what a name resolved to.
    pub(super) fn resolved(&self, name: &str, addresses: &[IpAddr]) -> Verdict {
        if addresses.is_empty() {
            return Verdict::refuse("the name has no address");
        }
        if is_local(name) && !addresses.iter().all(|ip| self.is_configured(*ip)) {
            return Verdict::refuse("the name is local");
        }
        addresses
            .iter()
            .map(|ip| self.ip(*ip))
            .find(|verdict| !verdict.allowed)
            .unwrap_or_else(|| Verdict::allow("every address is allowed"))
    }

    fn is_configured(&self, ip: IpAddr) -> bool {
        self.opens(ip) && carried(ip).is_none_or(|ip| self.opens(ip.into()))
    }

    fn opens(&self, ip: IpAddr) -> bool {
        let least = least_prefix(ip);
        let mut networks = self.networks.iter();
        networks.any(|net| net.contains(&ip) && net.prefix_len() >= least)
    }
}

/// Names that never mean a public host: RFC 6761, 6762 (with its appendix G), 8375, ICANN's `internal`,
/// and everything of one label, which resolves by a search list.
fn is_local(name: &str) -> bool {
    const ENDINGS: [&str; 10] = [
        "localhost",
        "local",
        "localdomain",
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "home.arpa",
    ];
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    !name.contains('.')
        || ENDINGS.iter().any(|ending| {
            name.strip_suffix(ending)
                .is_some_and(|rest| rest.ends_with('.') || rest.is_empty())
        })
}

/// Ports of other protocols, which an HTTP request could be made to speak: the Fetch standard's list.
const REFUSED_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];
