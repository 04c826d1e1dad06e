//! Redirect addresses are compared as text: whatever normalises them opens a door.

use url::Url;

use super::{App, rule};
use crate::{Error, Result};

/// Whether a redirect address is the registered one: the same text. Only where the registered one is plain
/// http on a loopback address literal may the port differ (RFC 8252, 7.3), since a native app cannot choose
/// it; `localhost` is a name, and no such address. One with a fragment never matches (RFC 6749, 3.1.2).
///
/// ```
/// use automarket_core::oauth::redirect_uri_matches;
/// assert!(redirect_uri_matches("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb"));
/// assert!(!redirect_uri_matches("https://acme.dev/cb", "https://acme.dev/cb/"));
/// ```
#[must_use]
pub fn redirect_uri_matches(registered: &str, given: &str) -> bool {
    if check_redirect_uri(given).is_err() {
        return false;
    }
    registered == given
        || match (loopback(registered), loopback(given)) {
            (Some(registered), Some(given)) => registered == given,
            _ => false,
        }
}

/// Address and the rest of an http loopback literal, without its port.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    ["http://127.0.0.1", "http://[::1]"]
        .into_iter()
        .find_map(|start| {
            let rest = uri.strip_prefix(start)?;
            let rest = match rest.strip_prefix(':') {
                None => rest,
                Some(rest) => {
                    let end = rest.find(['/', '?']).unwrap_or(rest.len());
                    let (port, rest) = rest.split_at(end);
                    let digits = port.bytes().all(|b| b.is_ascii_digit());
                    (digits && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(rest)?
                }
            };
            (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((start, rest))
        })
}

/// Whether this can be a redirect address: https, http on loopback, or a scheme of the app's own; without
/// fragment, user and password.
///
/// # Errors
/// `InvalidInput` (`redirect_uri`, [`rule::REDIRECT_URI`]).
pub fn check_redirect_uri(uri: &str) -> Result<()> {
    let wrong = |why: &str| Err(Error::invalid("redirect_uri", why).with_rule(rule::REDIRECT_URI));
    let Ok(url) = Url::parse(uri) else {
        return wrong("a redirect address is absolute");
    };
    if uri
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
    {
        return wrong("a redirect address has no spaces, control characters and backslashes");
    }
    if uri.contains('#') {
        return wrong("a redirect address has no fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("a redirect address has no user and password");
    }
    let safe = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        "javascript" | "data" | "file" | "vbscript" | "blob" | "about" => false,
        _ => true,
    };
    if !safe {
        return wrong("a redirect address is https, http on loopback, or of the app's own scheme");
    }
    Ok(())
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether the app may be called back there.
pub(super) fn check_registered(app: &App, uri: &str) -> Result<()> {
    check_redirect_uri(uri)?;
    let registered = &app.redirect_uris;
    if registered.is_empty() || registered.iter().any(|r| redirect_uri_matches(r, uri)) {
        return Ok(());
    }
    Err(Error::invalid(
        "redirect_uri",
        "the app is not registered with this address",
    )
    .with_rule(rule::REDIRECT_URI)
    .with_remedy("register the address at the platform and name it in the App"))
}

#[cfg(test)]
mod tests {
    use super::redirect_uri_matches as matches;

    #[test]
    fn only_the_same_text_matches() {
        let registered = "https://acme.dev/cb?x=1";
        assert!(matches(registered, registered));
        for other in [
            "https://acme.dev/cb",
            "https://acme.dev/cb?x=1&y=2",
            "https://acme.dev/cb?x=1#f",
            "https://acme.dev/cb/?x=1",
            "https://ACME.dev/cb?x=1",
            "https://acme.dev:443/cb?x=1",
            "https://acme.dev/a/../cb?x=1",
            "https://acme.dev/%63b?x=1",
            "http://acme.dev/cb?x=1",
            "https://acme.dev.evil.com/cb?x=1",
            "https://acme.dev@evil.com/cb?x=1",
            "//acme.dev/cb?x=1",
            "",
        ] {
            assert!(!matches(registered, other), "{other}");
        }
        assert!(matches("com.acme.app:/cb", "com.acme.app:/cb"));
        assert!(!matches("https://a.dev/#", "https://a.dev/#"));
        assert!(!matches("javascript:alert(1)", "javascript:alert(1)"));
    }

    #[test]
    fn the_port_is_free_on_loopback_literals_alone() {
        assert!(matches("http://127.0.0.1/cb", "http://127.0.0.1:8123/cb"));
        assert!(matches("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb"));
        assert!(matches("http://[::1]:1/cb?a", "http://[::1]/cb?a"));
        for (registered, given) in [
            ("http://localhost/cb", "http://localhost:8123/cb"),
            ("https://127.0.0.1/cb", "https://127.0.0.1:8123/cb"),
            ("http://127.0.0.1/cb", "http://[::1]/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:8123/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:8123/cb?x"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.com/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.com/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:+80/cb"),
            ("http://127.0.0.1/cb", "http://127.1/cb"),
            ("http://192.168.0.1/cb", "http://192.168.0.1:8123/cb"),
        ] {
            assert!(!matches(registered, given), "{registered} {given}");
        }
    }
}
