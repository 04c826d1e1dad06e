//! Secrets are masked in all that is kept of a platform's answers: whole, in part, and in other spellings.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Secret, hash::hex};

/// A part of a secret that is at least so long, in bytes, is masked too.
const PART: usize = 8;
const MASKED: &str = "[REDACTED]";

/// Knows some secrets again. To make one costs as much as their spellings are long, a few dozen times the
/// secrets; to use one, as much as is kept of the text.
pub(crate) struct Mask {
    /// All parts of all spellings, sorted.
    parts: Vec<[u8; PART]>,
    /// Spellings that are shorter than a part.
    short: Vec<String>,
}

impl Mask {
    pub(crate) fn of<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let (mut parts, mut short) = (Vec::new(), Vec::new());
        let secrets = secrets
            .into_iter()
            .map(|secret| secret_part(secret.expose()));
        for spelling in secrets.filter(|s| !s.is_empty()).flat_map(spellings) {
            let folded = spelling.to_ascii_lowercase();
            parts.extend(folded.as_bytes().windows(PART).filter_map(part));
            if spelling.len() < PART {
                short.push(spelling);
            }
        }
        parts.sort_unstable();
        parts.dedup();
        short.sort_unstable_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        Self { parts, short }
    }

    /// The beginning of the text, at most `limit` characters, with secrets masked and control characters
    /// replaced.
    pub(crate) fn apply(&self, text: &str, limit: usize) -> String {
        let (mut kept, mut length) = (String::new(), 0);
        let (mut masked_to, mut masking) = (0, false);
        for (at, c) in text.char_indices() {
            if length >= limit {
                break;
            }
            masked_to = masked_to.max(self.masked_to(text, at, c.len_utf8()));
            if at >= masked_to {
                kept.push(if c.is_control() { ' ' } else { c });
                length += 1;
            } else if !masking {
                let mark = MASKED.chars().take(limit - length);
                length += mark.clone().count();
                kept.extend(mark);
            }
            masking = at < masked_to;
        }
        kept
    }

    /// Up to where the text is secret from this character on; 0 where it is not.
    fn masked_to(&self, text: &str, at: usize, width: usize) -> usize {
        let rest = &text.as_bytes()[at..];
        let known = |offset: &usize| {
            let window = rest.get(*offset..*offset + PART).and_then(part);
            window.is_some_and(|window| self.parts.binary_search(&window).is_ok())
        };
        if let Some(offset) = (0..width).rev().find(known) {
            return at + offset + PART;
        }
        let begins = |short: &&String| rest.starts_with(short.as_bytes());
        self.short
            .iter()
            .find(begins)
            .map_or(0, |short| at + short.len())
    }
}

/// What platforms repeat in another case is the same secret.
fn part(window: &[u8]) -> Option<[u8; PART]> {
    let mut part: [u8; PART] = window.try_into().ok()?;
    part.make_ascii_lowercase();
    Some(part)
}

/// Of an address what follows the host: `https://` alone gives nothing away.
fn secret_part(secret: &str) -> &str {
    let Some((_, rest)) = secret.split_once("://") else {
        return secret;
    };
    match rest.find(['/', '?', '#']) {
        Some(end) if !rest[..end].contains('@') => &rest[end..],
        _ => secret,
    }
}

/// How a secret may stand in a text: as it is, JSON-escaped, percent-encoded, in hex, and in base64, where it
/// reads differently at each of three places.
fn spellings(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let strict = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let mut all = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        secret.bytes().map(strict).collect(),
        hex(secret),
    ];
    for before in 0..3 {
        let shifted = [&b"   "[..before], secret.as_bytes()].concat();
        let whole = STANDARD.encode(&shifted);
        // Its first and last characters depend on what stands beside it.
        let inner = whole.trim_end_matches('=');
        let inner = inner.get((before * 8).div_ceil(6)..inner.len() - 1);
        let spelled = match inner {
            Some(inner) if inner.len() >= PART => inner,
            _ if before == 0 => &*whole,
            _ => continue,
        };
        all.push(spelled.replace('+', "-").replace('/', "_"));
        all.push(spelled.to_owned());
    }
    all
}

/// As [`Mask::apply`], once.
pub(crate) fn masked(text: &str, secrets: &[Secret], limit: usize) -> String {
    Mask::of(secrets).apply(text, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret/Tok+en=\"Of&Ada%\\99";

    fn of(secret: &str) -> Mask {
        Mask::of(&[Secret::new(secret)])
    }

    #[test]
    fn a_secret_is_masked_in_each_of_its_spellings() {
        let mask = of(SECRET);
        for around in ["", "a", "ab", "abc"] {
            let text = format!("{around}{SECRET}{around}");
            let json = serde_json::to_string(&text).unwrap();
            let mut spelled = vec![
                text.clone(),
                json.replace('/', "\\/"),
                json,
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
                text.bytes().map(|byte| format!("{byte:02X}")).collect(),
                text.bytes()
                    .map(|byte| format!("%{byte:02x}"))
                    .collect::<String>(),
                STANDARD.encode(&text),
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text),
            ];
            // Each byte escaped is no spelling of ours; it is here so that the check below can fail.
            let foreign = spelled.remove(5);
            assert_eq!(mask.apply(&foreign, 512), foreign);
            for text in spelled {
                let shown = mask.apply(&format!("it was {text} indeed"), 512);
                assert!(shown.len() < 40, "{text} became {shown}");
                assert!(shown.starts_with("it was ") && shown.ends_with(" indeed"));
            }
        }
    }

    #[test]
    fn parts_of_eight_characters_are_masked_and_shorter_ones_are_not() {
        let mask = of("abcdefghijklmnop");
        assert_eq!(mask.apply("at hijklmno.", 99), "at [REDACTED].");
        assert_eq!(mask.apply("at abcdefghij...", 99), "at [REDACTED]...");
        assert_eq!(mask.apply("AT HIJKLMNOP", 99), "AT [REDACTED]");
        assert_eq!(mask.apply("at hijklmn.", 99), "at hijklmn.");
        assert_eq!(mask.apply("abcdefgh abcdefgh", 99), "[REDACTED] [REDACTED]");
        // In base64 and hex a part is eight of their characters.
        assert_eq!(
            mask.apply(&STANDARD.encode("xefghijklmx"), 99),
            "e[REDACTED]Xg="
        );
        assert_eq!(mask.apply("6566676869", 99), "[REDACTED]");
    }

    #[test]
    fn short_secrets_are_masked_whole_and_none_masks_nothing() {
        assert_eq!(
            of("t0k").apply("you said t0k, t0", 99),
            "you said [REDACTED], t0"
        );
        assert_eq!(of("").apply("anything", 99), "anything");
        assert_eq!(Mask::of(&[]).apply("any\nthing", 5), "any t");
    }

    #[test]
    fn of_an_address_the_host_shows() {
        let mask = of("https://hooks.example/services/T0/B0/abc");
        let shown = mask.apply("no https://hooks.example/services/T0/B0/abc there", 99);
        assert_eq!(shown, "no https://hooks.example[REDACTED] there");
        assert_eq!(
            mask.apply("https://hooks.example/", 99),
            "https://hooks.example/"
        );
        let mask = of("https://ada:pass@hooks.example/");
        assert_eq!(mask.apply("//ada:pass@hook", 99), "[REDACTED]");
    }

    #[test]
    fn other_alphabets_are_not_cut_apart() {
        let mask = of("пароль-ключ");
        assert_eq!(mask.apply("это пароль-ключ тут", 99), "это [REDACTED] тут");
        assert_eq!(mask.apply("ключица", 99), "[REDACTED]ица");
    }
}
