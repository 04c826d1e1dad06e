use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use automarket_core::{
    Url,
    http::{Call, Guard, Purpose, Verdict},
};
use proptest::prelude::*;

const REFUSED: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.0.9",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.42.42",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.11",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.7",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:0:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:1::4",
    "2001:2::1",
    "2001:10::1",
    "2001:1f:ffff::1",
    "2001:20::1",
    "2001:2f::1",
    "2001:100::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fd20:ce::254",
    "fdff::1",
    "fe00::1",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
];

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.17",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.0.9",
    "192.0.0.10",
    "192.0.1.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.167.255.255",
    "192.175.48.1",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:1::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2620:4f:8000::1",
    "2a00:1450::1",
    "3ffe:ffff::1",
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn judge(guard: &Guard, url: &str, purpose: Purpose) -> Verdict {
    guard.url(&Url::parse(url).unwrap(), purpose)
}

fn fetch(url: &str) -> Verdict {
    judge(&Guard::default(), url, Purpose::Fetch)
}

#[test]
fn special_addresses_are_refused_and_public_ones_are_not() {
    let guard = Guard::default();
    for text in REFUSED {
        let verdict = guard.ip(ip(text));
        assert!(!verdict.allowed, "{text} was let through");
        assert!(!verdict.reason.contains(text), "{}", verdict.reason);
    }
    for text in PUBLIC {
        let verdict = guard.ip(ip(text));
        assert!(verdict.allowed, "{text}: {}", verdict.reason);
    }
}

#[test]
fn an_address_is_known_in_every_spelling() {
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7F.1",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0x0.0x0.0x1",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[0000::0001]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "0",
        "00",
        "10.1",
    ] {
        for scheme in ["http", "https"] {
            let verdict = fetch(&format!("{scheme}://{host}/"));
            assert!(!verdict.allowed, "{scheme}://{host}/ was let through");
        }
    }
}

#[test]
fn what_the_parser_refuses_never_becomes_a_call() {
    for url in [
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://0x/..//",
        "http:///",
        "http://exa mple.com/",
        "http://a%00b/",
        "//127.0.0.1/",
        "127.0.0.1",
    ] {
        let refused = match Url::parse(url) {
            Err(_) => true,
            Ok(parsed) => !Guard::default().url(&parsed, Purpose::Fetch).allowed,
        };
        assert!(refused, "{url}");
        let call = Call::get("read", url);
        let uri = call.map(|call| call.request().uri().to_string());
        let refused = uri.is_err() || !fetch(&uri.unwrap()).allowed;
        assert!(refused, "{url} as a call");
    }
}

#[test]
fn local_names_are_refused() {
    for host in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ⓛocalhost",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "db.corp",
        "nas.home.arpa",
        "nas.lan",
        "intranet",
        "metadata",
    ] {
        assert!(!fetch(&format!("https://{host}/")).allowed, "{host}");
        // Also when a resolver calls it public.
        let url = Url::parse(&format!("https://{host}/")).unwrap();
        let verdict = Guard::default().target(&url, &[ip("1.1.1.1")], Purpose::Fetch);
        assert!(!verdict.allowed, "{host} with a public address");
    }
    for host in [
        "example.com",
        "example.com.",
        "local.example.com",
        "mylocal.com",
        "notlocalhost.io",
    ] {
        assert!(fetch(&format!("https://{host}/")).allowed, "{host}");
    }
}

#[test]
fn scheme_user_and_port_are_looked_at() {
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/plain,hi",
        "javascript:alert(1)",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://:pass@example.com/",
        "https://example.com:25/",
        "https://example.com:22/",
        "https://example.com:0/",
    ] {
        assert!(!fetch(url).allowed, "{url}");
    }
    for url in [
        "https://example.com/",
        "http://example.com/",
        "https://example.com:8443/hook?a=b#c",
        "http://example.com:3000/",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/",
    ] {
        assert!(fetch(url).allowed, "{url}: {}", fetch(url).reason);
    }
}

#[test]
fn plain_http_depends_on_purpose_and_configuration() {
    let http = "http://example.com/";
    let allowed = |guard: &Guard, purpose| judge(guard, http, purpose).allowed;
    let guards = [
        (Guard::strict(), false, false),
        (Guard::default(), true, false),
        (Guard::default().allow_http(true), true, true),
        (Guard::default().allow_http(false), false, false),
    ];
    for (guard, fetch, send) in guards {
        assert_eq!(allowed(&guard, Purpose::Fetch), fetch, "{guard:?}");
        assert_eq!(allowed(&guard, Purpose::Send), send, "{guard:?}");
        assert!(judge(&guard, "https://example.com/", Purpose::Send).allowed);
    }
}

#[test]
fn one_refused_address_refuses_the_whole() {
    let guard = Guard::default();
    let url = Url::parse("https://example.com/").unwrap();
    let target = |ips: &[&str]| {
        let ips: Vec<_> = ips.iter().map(|text| ip(text)).collect();
        guard.target(&url, &ips, Purpose::Send).allowed
    };
    assert!(target(&["1.1.1.1"]));
    assert!(target(&["1.1.1.1", "2606:4700:4700::1111"]));
    assert!(!target(&[]));
    assert!(!target(&["1.1.1.1", "10.0.0.1"]));
    assert!(!target(&["::1", "1.1.1.1"]));
    // A literal is judged itself, whatever is said of it.
    let literal = Url::parse("https://10.0.0.1/").unwrap();
    assert!(
        !guard
            .target(&literal, &[ip("1.1.1.1")], Purpose::Send)
            .allowed
    );
    let literal = Url::parse("https://1.1.1.1/").unwrap();
    assert!(guard.target(&literal, &[], Purpose::Send).allowed);
    assert!(
        !guard
            .target(&literal, &[ip("10.0.0.1")], Purpose::Send)
            .allowed
    );
}

#[test]
fn configuration_opens_networks_and_their_names() {
    let guard = Guard::default()
        .allow("10.1.0.0/16".parse().unwrap())
        .allow("127.0.0.0/8".parse().unwrap());
    assert!(guard.ip(ip("10.1.2.3")).allowed);
    assert!(!guard.ip(ip("10.2.0.1")).allowed);
    let url = Url::parse("https://twenty:3000/").unwrap();
    assert!(guard.target(&url, &[ip("10.1.2.3")], Purpose::Send).allowed);
    // A local name stays one outside the networks.
    assert!(!guard.target(&url, &[ip("10.2.0.1")], Purpose::Send).allowed);
    assert!(!guard.target(&url, &[ip("1.1.1.1")], Purpose::Send).allowed);
    assert!(
        !guard
            .target(&url, &[ip("10.1.2.3"), ip("1.1.1.1")], Purpose::Send)
            .allowed
    );
}

#[test]
fn metadata_wants_a_network_of_its_own() {
    let metadata = ip("169.254.169.254");
    let wide = Guard::default().allow("0.0.0.0/0".parse().unwrap());
    assert!(wide.ip(ip("10.0.0.1")).allowed);
    assert!(!wide.ip(metadata).allowed);
    let exact = Guard::default().allow("169.254.169.254/32".parse().unwrap());
    assert!(exact.ip(metadata).allowed);
    let wide = Guard::default()
        .allow("169.254.0.0/16".parse().unwrap())
        .allow("fd00::/8".parse().unwrap());
    for own in ["169.254.42.42", "fd00:42::42", "fd00:c1::a9fe:a9fe"] {
        assert!(!wide.ip(ip(own)).allowed, "{own}");
    }
    assert!(wide.ip(ip("fd00::1")).allowed && wide.ip(ip("169.254.1.1")).allowed);
}

#[test]
fn an_ipv4_address_inside_an_opened_ipv6_network_is_judged_itself() {
    let wide = Guard::default().allow("::/0".parse().unwrap());
    assert!(wide.ip(ip("fd00::1")).allowed && wide.ip(ip("::1")).allowed);
    // An IPv6-only network reaches every IPv4 host through its NAT64.
    let nat = Guard::default().allow("64:ff9b::/96".parse().unwrap());
    assert!(nat.ip(ip("64:ff9b::5db8:d822")).allowed);
    assert!(!nat.ip(ip("::ffff:93.184.216.34")).allowed);
    for inside in [
        "169.254.169.254",
        "100.100.100.200",
        "10.0.0.1",
        "127.0.0.1",
    ] {
        for before in ["::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"] {
            let address = ip(&format!("{before}{inside}"));
            assert!(!wide.ip(address).allowed, "{address}");
        }
        let verdict = nat.ip(ip(&format!("64:ff9b::{inside}")));
        assert_eq!(verdict, Guard::default().ip(ip(inside)));
        let url = Url::parse(&format!("http://[::ffff:{inside}]/")).unwrap();
        assert!(!wide.url(&url, Purpose::Fetch).allowed, "{url}");
    }
    // Gateways of one's own put it elsewhere unless the prefix has 96 bits.
    let own = |network: &str| Guard::default().allow(network.parse().unwrap());
    let (wide, narrow) = (own("64:ff9b:1::/64"), own("64:ff9b:1::/96"));
    assert!(!wide.ip(ip("64:ff9b:1:0:a:0:500:0")).allowed, "10.0.0.5");
    assert!(narrow.ip(ip("64:ff9b:1::93.184.216.34")).allowed);
    assert!(!narrow.ip(ip("64:ff9b:1::10.0.0.5")).allowed);
    // Nor is 6to4 a way around.
    assert!(!own("::/0").ip(ip("2002:a00:5::1")).allowed);
    assert!(own("::/0").ip(ip("2002:5db8:d822::1")).allowed);
    // It is opened as an IPv4 one, and a local name stays one outside the networks.
    let nat = nat.allow("10.0.0.0/8".parse().unwrap());
    assert!(nat.ip(ip("64:ff9b::10.0.0.1")).allowed);
    let local = Url::parse("https://twenty:3000/").unwrap();
    let target = |address| nat.target(&local, &[ip(address)], Purpose::Send).allowed;
    assert!(target("64:ff9b::10.0.0.1"));
    assert!(!target("64:ff9b::93.184.216.34"));
}

proptest! {
    #[test]
    fn only_global_unicast_v6_is_ever_allowed(bits: u128) {
        let address = Ipv6Addr::from(bits);
        if Guard::default().ip(address.into()).allowed {
            prop_assert_eq!(address.segments()[0] >> 13, 1);
        }
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_one_is_refused(bits: u32) {
        let [a, b, c, d] = Ipv4Addr::from(bits).octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        for segments in [
            [0, 0, 0, 0, 0, 0xffff, high, low],
            [0, 0, 0, 0, 0, 0, high, low],
            [0, 0, 0, 0, 0xffff, 0, high, low],
            [0x64, 0xff9b, 0, 0, 0, 0, high, low],
            [0x2002, high, low, 0, 0, 0, 0, 1],
            [0x2001, 0, high, low, 0, 0, 0, 1],
        ] {
            let address = IpAddr::from(segments);
            prop_assert!(!Guard::default().ip(address).allowed, "{}", address);
        }
    }

    #[test]
    fn every_spelling_is_judged_as_its_address(bits: u32) {
        let address = Ipv4Addr::from(bits);
        let [a, b, c, d] = address.octets();
        let allowed = Guard::default().ip(address.into()).allowed;
        for host in [
            address.to_string(),
            bits.to_string(),
            format!("{bits:#x}"),
            format!("0{bits:o}"),
            format!("{a:#x}.{b}.0{c:o}.{d}"),
            format!("{a}.{}", bits & 0x00ff_ffff),
        ] {
            prop_assert_eq!(fetch(&format!("https://{host}/")).allowed, allowed, "{}", host);
        }
    }
}
