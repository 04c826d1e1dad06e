//! What readers see of little text: it ends, without an error, at the first reserved character that is neither
//! escaped nor part of an element.

const RESERVED: &str = "\\|{}@[]()<>#*_~";

pub(super) fn shown(commentary: &str) -> String {
    let mut out = String::new();
    let mut rest = commentary;
    while let Some(c) = rest.chars().next() {
        if !RESERVED.contains(c) {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let element = match c {
            '\\' => escaped(rest),
            '#' => hashtag(rest),
            '{' => template(rest),
            '@' => mention(rest),
            _ => None,
        };
        let Some((words, left)) = element else {
            break;
        };
        out.push_str(&words);
        rest = left;
    }
    out
}

fn escaped(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('\\')?;
    let c = rest.chars().next().filter(|c| RESERVED.contains(*c))?;
    Some((c.to_string(), &rest[c.len_utf8()..]))
}

fn hashtag(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('#')?;
    let end = rest.find(|c: char| !c.is_alphanumeric());
    let (word, left) = rest.split_at(end.unwrap_or(rest.len()));
    (!word.is_empty()).then(|| (format!("#{word}"), left))
}

fn template(text: &str) -> Option<(String, &str)> {
    let (word, left) = text.strip_prefix("{hashtag|\\#|")?.split_once('}')?;
    Some((format!("#{}", word.replace('\\', "")), left))
}

fn mention(text: &str) -> Option<(String, &str)> {
    let (name, rest) = text.strip_prefix("@[")?.split_once("](")?;
    let (urn, left) = rest.split_once(')')?;
    let known = urn.starts_with("urn:li:person:") || urn.starts_with("urn:li:organization:");
    known.then(|| (name.replace('\\', ""), left))
}

/// A text as it is listed: addresses of more than 26 characters as short ones of LinkedIn's own. What was sent is not
/// kept.
pub(super) fn shortened(text: &str, id: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut number = 0;
    while let Some(at) = rest.find("http") {
        let (before, from) = rest.split_at(at);
        let end = from.find(char::is_whitespace).unwrap_or(from.len());
        let address = from[..end].trim_end_matches(['.', ',', '!', ')', '\\']);
        out.push_str(before);
        if address.contains("://") && address.replace('\\', "").chars().count() > 26 {
            number += 1;
            let id = id.rsplit([':', ',']).next().unwrap_or_default();
            let id = id.trim_end_matches(')');
            out.push_str(&format!("https://lnkd.in/d{id}{number}"));
        } else {
            out.push_str(address);
        }
        rest = &from[address.len()..];
    }
    out + rest
}
