//! Secrets that are known again in every spelling.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::super::{NEW, OLD};

/// Spelled differently in each encoding.
pub(super) const MARK: &str = "cAnArY\"/+\\=&%7f3a";
/// What is left of it when somebody shows a part.
const PART: &[u8] = b"cAnArY";

pub(super) fn marked(what: &str) -> String {
    format!("{what}-{MARK}-{what}")
}

/// The spellings of a secret that may be found inside something longer.
pub(super) fn spellings(secret: &str) -> Vec<Vec<u8>> {
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
    all.into_iter().map(String::into_bytes).collect()
}

fn holds(haystack: &[u8], secret: &str) -> bool {
    spellings(secret)
        .iter()
        .any(|needle| haystack.windows(needle.len()).any(|w| w == needle))
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
            assert!(holds(hidden.as_bytes(), MARK), "{hidden}");
        }
    }
    assert!(!holds(b"cAnArY", MARK));
}

pub(super) fn no_secret_in(what: &str, bytes: &[u8]) {
    let at = spellings(MARK).into_iter().find_map(|needle| {
        let at = bytes.windows(needle.len()).position(|w| w == needle)?;
        Some(at)
    });
    if let Some(at) = at {
        let around = &bytes[at.saturating_sub(300)..bytes.len().min(at + 200)];
        panic!("a secret in {what}: {}", String::from_utf8_lossy(around));
    }
    if let Some(at) = bytes.windows(PART.len()).position(|w| w == PART) {
        let around = &bytes[at.saturating_sub(300)..bytes.len().min(at + 200)];
        panic!(
            "part of a secret in {what}: {}",
            String::from_utf8_lossy(around)
        );
    }
    for key in [OLD, NEW] {
        let key = key.split_once(':').unwrap().1;
        let raw = STANDARD.decode(key).unwrap();
        assert!(!bytes.windows(32).any(|w| w == raw), "a key in {what}");
        assert!(
            !bytes.windows(43).any(|w| w == &key.as_bytes()[..43]),
            "a key in {what}"
        );
    }
}
