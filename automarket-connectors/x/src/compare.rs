//! Whether a post that X lists is the one that was sent: X shortens addresses, escapes `&`, `<` and `>`, adds
//! addresses of media and quotes, and names whom an answer is for.

use automarket_core::text::{self, entities};

use crate::wire::{Link, Post};

/// Whether this is a post of this text. Of an answer X lists the names of those whom it is for before it.
pub(crate) fn same(post: &Post, text: &str, quote: Option<&str>, answers: bool) -> bool {
    let (said, links) = match &post.note_tweet {
        Some(note) => (&note.text, &note.entities.urls),
        None => (&post.text, &post.entities.urls),
    };
    let listed = normal(&restored(said, links, quote, text));
    let sent = normal(text);
    listed == sent || answers && behind_names(&listed, &sent)
}

/// The text as it was before X changed it. What the sent text holds itself X did not add.
fn restored(text: &str, links: &[Link], quote: Option<&str>, sent: &str) -> String {
    let mut text = text.to_owned();
    let sent = entities(sent).urls;
    let mut sent: Vec<String> = sent.iter().map(|url| bare(&url.text)).collect();
    for link in links.iter().filter(|link| !link.url.is_empty()) {
        let address = bare(&link.expanded_url);
        let own = sent.iter().position(|one| *one == address);
        let own = own.map(|at| sent.swap_remove(at)).is_some();
        let path = link.expanded_url.split(['?', '#']).next();
        let path = path.unwrap_or_default();
        let added = link.media_key.is_some()
            || path.contains("/status/") && (path.contains("/photo/") || path.contains("/video/"))
            || quote.is_some_and(|id| path.ends_with(&format!("/status/{id}")));
        let whole = if added && !own {
            ""
        } else {
            &link.expanded_url
        };
        text = text.replace(&link.url, whole);
    }
    // The last of these is what the others begin with.
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// As texts are compared, with addresses without scheme and last slash.
fn normal(text: &str) -> String {
    let text = &text::normal(text);
    let mut out = String::with_capacity(text.len());
    let mut points = text.chars();
    let mut at = 0;
    for url in entities(text).urls {
        out.extend(points.by_ref().take(url.start - at));
        points.by_ref().take(url.end - url.start).for_each(drop);
        at = url.end;
        out.push_str(&bare(&url.text));
    }
    out.extend(points);
    out
}

/// An address without scheme and last slash. Case makes no difference in its host alone.
fn bare(url: &str) -> String {
    let lower = url.to_ascii_lowercase();
    let mut schemes = ["https://", "http://"].into_iter();
    let scheme = schemes.find(|scheme| lower.starts_with(scheme));
    let bare = url[scheme.map_or(0, str::len)..].trim_end_matches('/');
    let host = bare.find(['/', '?', '#']).unwrap_or(bare.len());
    let (host, rest) = bare.split_at(host);
    format!("{}{rest}", host.to_lowercase())
}

/// Whether only names stand before what was sent.
fn behind_names(listed: &str, sent: &str) -> bool {
    let names = listed.strip_suffix(sent);
    names.is_some_and(|names| {
        names.ends_with(' ')
            && names
                .split(' ')
                .all(|name| name.is_empty() || name.starts_with('@'))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn listed(mut post: Value) -> Post {
        post["id"] = json!("1");
        serde_json::from_value(post).unwrap()
    }

    #[test]
    fn what_x_changes_makes_no_difference() {
        let link = |url: &str, expanded: &str| json!({"url": url, "expanded_url": expanded});
        let cases = [
            ("a & b <3", json!({"text": "a &amp; b &lt;3"}), None),
            ("&lt;", json!({"text": "&amp;lt;"}), None),
            // As macOS writes it, and as it may be listed.
            (
                "Cafe\u{301} at acme.dev/cafe\u{301} #cafe\u{301}",
                json!({"text": "Caf\u{e9} at acme.dev/caf\u{e9} #caf\u{e9}"}),
                None,
            ),
            (
                "\u{110b}\u{1161}\u{11ab}",
                json!({"text": "\u{c548}"}),
                None,
            ),
            (
                "New:\n\nhttps://acme.dev/Blog/?a=1",
                json!({"text": "New:\n\nhttps://t.co/abc", "entities": {"urls": [link("https://t.co/abc", "https://acme.dev/Blog/?a=1")]}}),
                None,
            ),
            (
                "See acme.dev now",
                json!({"text": "See https://t.co/abc now", "entities": {"urls": [link("https://t.co/abc", "http://acme.dev")]}}),
                None,
            ),
            (
                "Look",
                json!({"text": "Look https://t.co/m", "entities": {"urls": [{"url": "https://t.co/m", "expanded_url": "https://x.com/a/status/1/photo/1", "media_key": "3_1"}]}}),
                None,
            ),
            (
                "Well said",
                json!({"text": "Well said https://t.co/q", "entities": {"urls": [link("https://t.co/q", "https://twitter.com/b/status/77")]}}),
                Some("77"),
            ),
            // Somebody else's video, whose address the text holds itself, whatever X says of it.
            (
                "Watch: https://x.com/acme/status/123/video/1",
                json!({"text": "Watch: https://t.co/abc", "entities": {"urls": [link("https://t.co/abc", "https://x.com/acme/status/123/video/1")]}}),
                None,
            ),
            (
                "Watch: x.com/acme/status/123/video/1 now",
                json!({"text": "Watch: https://t.co/abc now https://t.co/m", "entities": {"urls": [
                    {"url": "https://t.co/abc", "expanded_url": "https://x.com/acme/status/123/video/1", "media_key": "13_1"},
                    {"url": "https://t.co/m", "expanded_url": "https://x.com/a/status/1/photo/1", "media_key": "3_1"},
                ]}}),
                None,
            ),
            // The address of what is quoted stands in the text; X adds it once more, or does not.
            (
                "This: https://x.com/b/status/77",
                json!({"text": "This: https://t.co/q", "entities": {"urls": [link("https://t.co/q", "https://x.com/b/status/77")]}}),
                Some("77"),
            ),
            (
                "This: https://x.com/b/status/77",
                json!({"text": "This: https://t.co/q https://t.co/r", "entities": {"urls": [
                    link("https://t.co/q", "https://x.com/b/status/77"), link("https://t.co/r", "https://x.com/b/status/77"),
                ]}}),
                Some("77"),
            ),
            (
                "long text here",
                json!({"text": "long te… https://t.co/x", "note_tweet": {"text": "long text here"}}),
                None,
            ),
        ];
        for (sent, post, quote) in cases {
            assert!(
                same(&listed(post.clone()), sent, quote, false),
                "{sent}: {post}"
            );
            assert!(
                !same(&listed(post), &format!("{sent} 2"), quote, false),
                "{sent}"
            );
        }
        // X names whom an answer is for, before what was sent.
        for (sent, said, answers, taken) in [
            ("Thanks", "@bob @carl Thanks", true, true),
            ("@carl Thanks", "@bob @carl Thanks", true, true),
            ("Thanks", "@bob Thanks", false, false),
            ("@alice Thanks", "@bob Thanks", true, false),
            ("@alice Thanks", "@bob Thanks", false, false),
            ("Thanks", "@bob Many Thanks", true, false),
            ("b Thanks", "@bob Thanks", true, false),
        ] {
            let post = listed(json!({"text": said}));
            assert_eq!(same(&post, sent, None, answers), taken, "{sent}: {said}");
        }
        let other = json!({"text": "https://t.co/a", "entities": {"urls": [link("https://t.co/a", "https://acme.dev/2")]}});
        assert!(!same(&listed(other), "https://acme.dev/1", None, false));
    }

    #[test]
    fn case_makes_no_difference_in_a_host_alone() {
        for (sent, expanded, taken) in [
            ("https://bit.ly/4aBcD", "https://bit.ly/4aBcD", true),
            ("https://bit.ly/4aBcD", "https://bit.ly/4AbCd", false),
            ("HTTPS://Bit.ly/4aBcD", "https://bit.ly/4aBcD/", true),
            ("acme.dev?q=A", "http://acme.dev?q=a", false),
            // An address within an address.
            (
                "acme.dev/?to=https://b.dev",
                "http://acme.dev/?to=https://b.dev",
                true,
            ),
            (
                "acme.dev/?to=https://b.dev",
                "http://else.dev/?to=https://b.dev",
                false,
            ),
        ] {
            let post = listed(json!({"text": "https://t.co/a", "entities": {"urls": [
                {"url": "https://t.co/a", "expanded_url": expanded},
            ]}}));
            assert_eq!(same(&post, sent, None, false), taken, "{sent} {expanded}");
        }
    }
}
