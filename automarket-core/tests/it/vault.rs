//! What is sealed opens at its own place, whole and unchanged, and nowhere else.

use automarket_core::{
    Keyring,
    vault::{Place, key_id_of},
};
use proptest::prelude::*;

const KEY: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// The same key under another id, then another key under the same id.
const RENAMED: &str = "k2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const OTHER: &str = "k1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn keyring(text: &str) -> Keyring {
    Keyring::from_base64(text).unwrap()
}

const HOME: Place<'_> = Place {
    tenant: "acme",
    account: "12",
    field: "credential",
};

proptest! {
    #[test]
    fn what_is_sealed_comes_back(plain: Vec<u8>, tenant: String, account: String, field: String) {
        let place = Place { tenant: &tenant, account: &account, field: &field };
        let ring = keyring(KEY);
        let sealed = ring.seal(place, &plain).unwrap();
        let opened = ring.open(place, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), &plain[..]);
        prop_assert_eq!(key_id_of(&sealed).unwrap(), "k1");
        prop_assert_ne!(ring.seal(place, &plain).unwrap(), sealed);
    }

    #[test]
    fn it_opens_at_no_other_place(
        tenant in "[ab|:]{0,4}", account in "[ab|:]{0,4}", field in "[ab|:]{0,4}",
        other_tenant in "[ab|:]{0,4}", other_account in "[ab|:]{0,4}", other_field in "[ab|:]{0,4}",
    ) {
        let place = Place { tenant: &tenant, account: &account, field: &field };
        let other = Place { tenant: &other_tenant, account: &other_account, field: &other_field };
        let ring = keyring(KEY);
        let sealed = ring.seal(place, b"secret").unwrap();
        prop_assert_eq!(ring.open(other, &sealed).is_ok(), place == other);
    }

    #[test]
    fn garbage_does_not_open_and_does_not_panic(bytes: Vec<u8>, wrap: bool) {
        let mut envelope = if wrap { b"\x01\x02k1".to_vec() } else { Vec::new() };
        envelope.extend(bytes);
        prop_assert!(keyring(KEY).open(HOME, &envelope).is_err());
    }

    #[test]
    fn two_envelopes_cannot_be_mixed(at in 0_usize..40) {
        let ring = keyring(KEY);
        let (one, two) = (ring.seal(HOME, b"secret").unwrap(), ring.seal(HOME, b"hidden").unwrap());
        let at = at.min(one.len());
        let mixed = [&one[..at], &two[at..]].concat();
        prop_assert_eq!(ring.open(HOME, &mixed).is_ok(), mixed == one || mixed == two);
    }
}

#[test]
fn one_part_of_the_place_is_enough_to_keep_it_shut() {
    let ring = keyring(KEY);
    let sealed = ring.seal(HOME, b"secret").unwrap();
    let (tenant, account, field) = ("other", "other", "other");
    for place in [
        Place { tenant, ..HOME },
        Place { account, ..HOME },
        Place { field, ..HOME },
    ] {
        let refused = ring.open(place, &sealed).unwrap_err();
        assert_eq!(refused.rule(), Some("vault.damaged"), "{place:?}");
    }
    assert!(ring.open(HOME, &sealed).is_ok());
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let ring = keyring(KEY);
    let sealed = ring.seal(HOME, b"the token").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open(HOME, &flipped).is_err(), "bit {bit}");
    }
    for at in 0..sealed.len() {
        assert!(ring.open(HOME, &sealed[..at]).is_err(), "cut at {at}");
        assert!(ring.open(HOME, &sealed[at + 1..]).is_err(), "from {at}");
    }
    let mut longer = sealed;
    longer.push(0);
    assert!(ring.open(HOME, &longer).is_err());
}

#[test]
fn a_missing_key_is_named_and_a_wrong_one_is_refused() {
    let sealed = keyring(KEY).seal(HOME, b"x").unwrap();
    let missing = keyring(RENAMED).open(HOME, &sealed).unwrap_err();
    assert_eq!(missing.rule(), Some("vault.missing_key"));
    assert!(missing.message().contains("k1"));
    let wrong = keyring(OTHER).open(HOME, &sealed).unwrap_err();
    assert_eq!(wrong.rule(), Some("vault.damaged"));
    // The id is vouched for too: the same key under another id does not open it.
    let mut renamed = sealed.clone();
    renamed[3] = b'2';
    let both = keyring(&format!("{KEY},{RENAMED}"));
    assert_eq!(key_id_of(&renamed).unwrap(), "k2");
    assert!(both.open(HOME, &renamed).is_err());
    assert!(both.open(HOME, &sealed).is_ok());
}

#[test]
fn keys_are_read_in_any_spelling_and_wrong_ones_are_not_quoted() {
    let bare = keyring("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE");
    assert_eq!(bare.current_id().len(), 8);
    let again = keyring(" AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n");
    assert_eq!(again.current_id(), bare.current_id());
    let other = keyring("AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
    assert_ne!(other.current_id(), bare.current_id());
    let two = keyring(&format!("{KEY}, {RENAMED}"));
    assert_eq!(two.ids().collect::<Vec<_>>(), ["k1", "k2"]);
    for wrong in [
        "",
        " , ",
        "AQEBAQ==",
        "not base64 at all!",
        ":AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "a b:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "ü:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        &format!("{KEY},{OTHER}"),
    ] {
        let error = Keyring::from_base64(wrong).unwrap_err();
        assert_eq!(error.rule(), Some("vault.key"), "{wrong}");
        let text = format!("{error:?} {}", error.report());
        assert!(
            !text.contains("AQEBAQ") && !text.contains("not base64 at all"),
            "{text}"
        );
    }
}

#[test]
fn sealings_are_counted_on_from_what_others_counted() {
    let ring = keyring(KEY);
    ring.seal(HOME, b"x").unwrap();
    assert_eq!(ring.seals(), 1);
    ring.count_from("k1", 4096);
    ring.count_from("unknown", 9);
    ring.clone().seal(HOME, b"x").unwrap();
    assert_eq!(ring.seals(), 4097);
    ring.count_from("k1", 5);
    assert_eq!(ring.seals(), 4097);
}
