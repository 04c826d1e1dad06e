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
