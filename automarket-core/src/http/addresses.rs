//! What the registries say of an address: the public ones, and why the others are not.
//!
//! Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries ("globally reachable"), IANA multicast
//! and IPv6 address space registries, and the clouds' own pages for metadata services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Why an address is not a public host's, or `None` when it is.
pub(super) fn not_public(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => reason(V4, |net: &Ipv4Net| net.contains(&ip)).flatten(),
        // Whatever no row names is public only inside 2000::/3; the rest is not given out.
        IpAddr::V6(ip) => reason(V6, |net: &Ipv6Net| net.contains(&ip)).unwrap_or(Some("reserved")),
    }
}

/// Whether a cloud serves credentials to its machines at this address.
pub(super) fn is_metadata(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => METADATA_V4.contains(&ip),
        IpAddr::V6(ip) => METADATA_V6.contains(&ip),
    }
}

/// How long the prefix of a network is at the least that opens this address: a metadata service is opened by itself alone,
/// and behind a gateway of one's own (RFC 8215) a shorter one would put the IPv4 address somewhere else (RFC 6052).
pub(super) fn least_prefix(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) if is_metadata(ip) => 32,
        IpAddr::V6(_) if is_metadata(ip) => 128,
        IpAddr::V6(ip) if OWN_GATEWAY.contains(&ip) => 96,
        _ => 0,
    }
}

/// The IPv4 address that the kernel or a gateway makes of an IPv6 one: in these networks its last 32 bits, in 6to4 those
/// behind the prefix.
pub(super) fn carried(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let octets = ip.octets();
    if let [0x20, 0x02, a, b, c, d, ..] = octets {
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    // They stand in the first of the networks, and are hosts of their own.
    let own = ip.is_unspecified() || ip.is_loopback();
    let carries = !own && CARRIERS.iter().any(|net| net.contains(&ip));
    let [.., a, b, c, d] = octets;
    carries.then(|| Ipv4Addr::new(a, b, c, d))
}

const OWN_GATEWAY: Ipv6Net = v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48);
const CARRIERS: [Ipv6Net; 5] = [
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
    OWN_GATEWAY,
];

type Row<Net> = (Net, Option<&'static str>);

fn reason<Net>(rows: &[Row<Net>], contains: impl Fn(&Net) -> bool) -> Option<Option<&'static str>> {
    rows.iter()
        .find(|(net, _)| contains(net))
        .map(|(_, reason)| *reason)
}

const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254), // AWS, Azure, Google, DigitalOcean, Oracle, Hetzner
    Ipv4Addr::new(169, 254, 170, 2),   // AWS containers
    Ipv4Addr::new(169, 254, 170, 23),  // AWS pod identity
    Ipv4Addr::new(169, 254, 0, 23),    // Tencent
    Ipv4Addr::new(169, 254, 42, 42),   // Scaleway
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's wire server, in a public range
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle, older
];

const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), // AWS
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),  // AWS pod identity
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),  // Google
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),   // Scaleway
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // Oracle
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // OpenStack
];

/// The first row that holds the address decides, so exceptions stand before their network.
const V4: &[Row<Ipv4Net>] = &[
    (v4([0, 0, 0, 0], 8), Some("this network")),
    (v4([10, 0, 0, 0], 8), Some("private")),
    (v4([100, 64, 0, 0], 10), Some("carrier-grade NAT")),
    (v4([127, 0, 0, 0], 8), Some("loopback")),
    (v4([169, 254, 0, 0], 16), Some("link-local")),
    (v4([172, 16, 0, 0], 12), Some("private")),
    (v4([192, 0, 0, 9], 32), None),
    (v4([192, 0, 0, 10], 32), None),
    (v4([192, 0, 0, 0], 24), Some("protocol assignments")),
    (v4([192, 0, 2, 0], 24), Some("documentation")),
    (v4([192, 88, 99, 0], 24), Some("6to4 relay")),
    (v4([192, 168, 0, 0], 16), Some("private")),
    (v4([198, 18, 0, 0], 15), Some("benchmarking")),
    (v4([198, 51, 100, 0], 24), Some("documentation")),
    (v4([203, 0, 113, 0], 24), Some("documentation")),
    (v4([224, 0, 0, 0], 4), Some("multicast")),
    (v4([255, 255, 255, 255], 32), Some("broadcast")),
    (v4([240, 0, 0, 0], 4), Some("reserved")),
];

/// Addresses that carry an IPv4 one are refused whatever they carry: no public host needs them. Where they are
/// opened, as a network without IPv4 has to, the guard judges what they carry.
const V6: &[Row<Ipv6Net>] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), Some("unspecified")),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), Some("loopback")),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), Some("IPv4-mapped")),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), Some("IPv4-compatible")),
    (
        v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),
        Some("IPv4-translated"),
    ),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), Some("NAT64")),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), Some("NAT64")),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), Some("discard")),
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128), None),
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128), None),
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128), None),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Some("Teredo")),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), Some("benchmarking")),
    (v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32), None),
    (v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48), None),
    (v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), Some("ORCHID")),
    (v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), Some("ORCHIDv2")),
    (v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28), None),
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        Some("protocol assignments"),
    ),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        Some("documentation"),
    ),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Some("6to4")),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), Some("documentation")),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), Some("SRv6")),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), Some("unique local")),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), Some("link-local")),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), Some("site-local")),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), Some("multicast")),
    (v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3), None),
];

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits)
}
