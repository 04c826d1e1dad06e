//! Secrets that are known again in every spelling.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::super::{NEW, OLD};

/// Spelled differently in each encoding.
pub(super) const MARK: &str = "cAnArY\"/+\\=&%7f3a";
/// What is left of it when somebody shows a part.
const PART: &str = "cAnArY";

pub(super) fn marked(what: &str) -> String {
    format!("{what}-{MARK}-{what}")
}

/// The spellings of a secret that may be found inside something longer.
fn spellings(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let percent = |lower: bool| -> String {
        let spell = |b: &u8| match b {
            b if b.is_ascii_alphanumeric() || *b == b'-' => char::from(*b).to_string(),
            b if lower => format!("%{b:02x}"),
            b => format!("%{b:02X}"),
        };
        bytes.iter().map(spell).collect()
    };
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let mut all = vec![
        secret.to_owned(),
        hex.to_uppercase(),
        hex,
        percent(true),
        percent(false),
        json(secret),
        json(&json(secret)),
    ];
    // In base64 it reads differently at each of three places; its ends depend on the neighbours.
    for before in 0..3 {
        let mut shifted = vec![b'x'; before];
        shifted.extend_from_slice(bytes);
        let whole = STANDARD.encode(&shifted);
        let inner = whole.trim_end_matches('=');
        let inner = &inner[(before * 8).div_ceil(6)..inner.len() - 1];
        all.push(inner.to_owned());
        all.push(inner.replace('+', "-").replace('/', "_"));
    }
    all
}

/// Where it stands, in whatever spelling.
fn found(haystack: &str, secret: &str) -> Option<usize> {
    let mut spelled = spellings(secret).into_iter();
    spelled.find_map(|needle| haystack.find(&needle))
}

#[test]
fn the_search_finds_a_secret_in_every_spelling() {
    let secret = marked("x");
    for around in ["", "a", "ab", "abc"] {
        let text = format!("{around}{secret}{around}");
        let hidden = [
            text.clone(),
            STANDARD.encode(&text),
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text),
            serde_json::to_string(&text).unwrap(),
            serde_json::to_string(&serde_json::to_string(&text).unwrap()).unwrap(),
            format!("{text:?}"),
            text.bytes().map(|b| format!("{b:02x}")).collect(),
            automarket::core::Url::parse_with_params("https://a.example", [("q", &text)])
                .unwrap()
                .to_string(),
        ];
        for hidden in hidden {
            assert!(found(&hidden, MARK).is_some(), "{hidden}");
        }
    }
    assert!(found(PART, MARK).is_none());
}

pub(super) fn no_secret_in(what: &str, bytes: &[u8]) {
    // All of what is looked for is ASCII, which stays as it is.
    let text = String::from_utf8_lossy(bytes);
    if let Some(at) = found(&text, MARK).or_else(|| text.find(PART)) {
        let around = &text.as_bytes()[at.saturating_sub(300)..text.len().min(at + 200)];
        let around = String::from_utf8_lossy(around);
        panic!("a secret, or part of one, in {what}: {around}");
    }
    for key in [OLD, NEW] {
        let key = key.split_once(':').unwrap().1;
        let raw = String::from_utf8(STANDARD.decode(key).unwrap()).unwrap();
        assert!(!text.contains(&raw), "a key in {what}");
        assert!(!text.contains(&key[..43]), "a key in {what}");
    }
}
