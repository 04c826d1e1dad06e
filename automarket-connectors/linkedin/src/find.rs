//! Looking for what was sent among an author's own posts.

use automarket_core::{
    Alike, Content, Context, Error, ErrorKind, Profile, Result, Url,
    chrono::{DateTime, Utc},
    profile::Markup,
    text::{escape, normal},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    PLATFORM,
    api::{Api, PAGE},
    author::Author,
    error::ask,
    wire::{Page, Post},
};

/// Pages that are read at the most.
pub(crate) const PAGES: usize = 5;

/// The step that keeps when a post was begun, and what it says.
pub(crate) const BEGUN: &str = "linkedin.begun";

/// Why a post of media alone is not known.
pub(crate) const WORDLESS: &str = "a post without text cannot be told from the author's other ones, unless it is listed with its files";

/// Whether there is no text by which to know it.
pub(crate) fn is_wordless(commentary: &str) -> bool {
    plain(commentary).is_empty()
}

/// What a post says, as it is sent.
#[derive(Serialize, Deserialize)]
pub(crate) struct Said {
    /// Little text.
    pub(crate) commentary: String,
    pub(crate) link: Option<Url>,
    pub(crate) comment: Option<String>,
}

impl Said {
    pub(crate) fn of(content: &Content, profile: &Profile) -> Self {
        let comment = content.first_comment.as_deref();
        Self {
            commentary: escape(&content.final_text(profile), Markup::LittleText),
            link: content.link.clone(),
            comment: comment.map(|text| text.trim().to_owned()),
        }
    }
}

/// What a post said when it was sent.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) commentary: &'a str,
    pub(crate) content: Option<&'a Value>,
    /// Whether it has files whose URNs are not known.
    pub(crate) unknown_files: bool,
    /// Whether it was to be a draft.
    pub(crate) draft: bool,
}

/// The author's post that was sent, and begun at this instant: a draft, or what is public or to be so. One that LinkedIn
/// failed is nowhere. Of one without text, that no listed one shows its files is no proof that it is not out.
///
/// # Errors
/// `Forbidden` where the token may not list, as nearly no member's; `CannotTell` when there are more posts
/// than are read, or neither text nor files by which to know it, or what may be another post of these words.
pub(crate) async fn find_post(
    cx: &Context,
    api: &Api<'_>,
    author: &Author,
    sent: Sent<'_>,
    begun: DateTime<Utc>,
) -> Result<Option<Post>> {
    let wanted = plain(sent.commentary);
    if wanted.is_empty() && sent.files().is_empty() {
        return Err(cannot_tell(WORDLESS));
    }
    let since = cx.since(begun);
    let mut posts_alike = Vec::new();
    let mut alike = Vec::new();
    for page in 0..PAGES {
        let listed: Page<Post> = ask(cx, api.posts(author, page * PAGE)?).await?;
        let end = listed.is_last();
        let posts = listed.elements;
        let old = |post: &Post| post.made().is_some_and(|made| made < since);
        // That the newest come first is what is seen, not what is promised.
        let newest_first = posts.is_sorted_by(|a, b| a.made() >= b.made());
        let last = end || newest_first && posts.last().is_some_and(old);
        for post in posts {
            // Pages shift while something is added.
            if posts_alike.iter().any(|seen: &Post| seen.id == post.id) {
                continue;
            }
            if post.reshare_context.is_some() || post.has_failed() {
                continue;
            }
            // Whatever became of it since.
            if sent.shown_by(&post) {
                return Ok(Some(post));
            }
            if old(&post) || post.is_draft() != sent.draft || wanted.is_empty() {
                continue;
            }
            let said = plain(&post.commentary);
            if said == wanted || shortened(&said, &wanted) {
                alike.push(sent.fits(&post));
                posts_alike.push(post);
            }
        }
        if last {
            let ours = cx.ours(begun, alike).await?;
            let is_it = |post: &Post| Some(&post.id) == ours.as_ref();
            return Ok(posts_alike.into_iter().find(is_it));
        }
    }
    Err(cannot_tell("the author posted more since than is searched"))
}

impl<'a> Sent<'a> {
    /// The files that were uploaded for it.
    fn files(self) -> Vec<&'a str> {
        self.content.map(urns).unwrap_or_default()
    }

    /// Whether a post shows one of its files, as only ours can.
    fn shown_by(self, post: &Post) -> bool {
        let sent = self.files();
        let listed = post.content.as_ref().map(urns).unwrap_or_default();
        listed.iter().any(|urn| sent.contains(urn))
    }

    /// A post of this text. Another link makes doubt: how LinkedIn lists that of a card it does not promise. Files are
    /// known by their URNs, of which only ours has these; a post without any makes doubt, too.
    pub(crate) fn fits(self, post: &Post) -> Alike {
        let alike = Alike::new(post.id.as_str(), post.made());
        if self.shown_by(post) {
            return alike.certain();
        }
        let (sent, listed) = (self.content, post.content.as_ref());
        let listed_files = listed.map(urns).unwrap_or_default();
        // What has files shows them; a card is none.
        if listed_files.is_empty() && (self.unknown_files || !self.files().is_empty()) {
            return alike.doubtful();
        }
        if self.unknown_files {
            return alike;
        }
        let differs = match (sent.and_then(card), listed.and_then(card)) {
            (Some(one), Some(other)) => one != other,
            // Of polls it is not known how they are listed.
            (one, _) => {
                listed.is_some() && (sent.is_none() || one.is_some()) || !listed_files.is_empty()
            }
        };
        match differs {
            true => alike.doubtful(),
            false => alike,
        }
    }
}

/// The files that a post shows.
fn urns(content: &Value) -> Vec<&str> {
    let images = content["multiImage"]["images"].as_array();
    let images = images.into_iter().flatten();
    std::iter::once(&content["media"])
        .chain(images)
        .filter_map(|one| one["id"].as_str())
        .collect()
}

/// The link of a post's card.
fn card(content: &Value) -> Option<Url> {
    Url::parse(content["article"]["source"].as_str()?).ok()
}

/// The one of these comments that is like what was sent but for [shortened] links, where it is the only one.
pub(crate) fn only<T>(mut alike: Vec<Option<T>>) -> Result<Option<T>> {
    match (alike.pop(), alike.len()) {
        (None, _) => Ok(None),
        (Some(Some(ours)), 0) => Ok(Some(ours)),
        _ => Err(cannot_tell(
            "LinkedIn shortens links, so what is there may be this, or say the same of another link: look there, \
             then send it again or leave it",
        )),
    }
}

pub(crate) fn cannot_tell(why: &str) -> Error {
    Error::new(ErrorKind::CannotTell, why).with_platform(&PLATFORM)
}

/// Whether a listed text is what was sent, with long addresses as short ones of LinkedIn's: where they lead it does not
/// say. Spaces count alike.
pub(crate) fn shortened(listed: &str, sent: &str) -> bool {
    const SHORT: &str = "lnkd.in/";
    let same = |(listed, sent): (&str, &str)| {
        let (Some((head, _)), Some((_, rest))) =
            (listed.split_once(SHORT), listed.rsplit_once(SHORT))
        else {
            return listed == sent;
        };
        let head = head.trim_end_matches("https://");
        let code = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let tail = rest.trim_start_matches(code);
        let address = sent.strip_prefix(head);
        let address = address.and_then(|rest| rest.strip_suffix(tail));
        address.is_some_and(|address| address.contains('.'))
    };
    let (listed_words, sent_words) = (listed.split_whitespace(), sent.split_whitespace());
    listed.contains(SHORT)
        && listed_words.clone().count() == sent_words.clone().count()
        && listed_words.zip(sent_words).all(same)
}

/// What little text shows, as texts are compared: without backslashes, hashtags and mentions as their words.
fn plain(little: &str) -> String {
    let mut out = String::with_capacity(little.len());
    let mut rest = little;
    while let Some(c) = rest.chars().next() {
        if let Some((word, left)) = hashtag(rest) {
            out.push('#');
            out.push_str(&word.replace('\\', ""));
            rest = left;
        } else if let Some((name, left)) = mention(rest) {
            out.push_str(&name.replace('\\', ""));
            rest = left;
        } else {
            rest = &rest[c.len_utf8()..];
            let shown = if c == '\\' { rest.chars().next() } else { None };
            if let Some(escaped) = shown {
                rest = &rest[escaped.len_utf8()..];
            }
            out.push(shown.unwrap_or(c));
        }
    }
    normal(&out)
}

/// The word of `{hashtag|\#|word}` at the start, and what follows: LinkedIn may list `#word` so.
fn hashtag(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("{hashtag|\\#|")?.split_once('}')
}

/// The name of `@[Name](urn:li:person:1)` at the start, and what follows.
fn mention(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix("@[")?.split_once("](urn:li:")?;
    Some((name, rest.split_once(')')?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_text_are_one_text() {
        for (sent, listed) in [
            ("50% (or more) #rust", r"50% \(or more\) {hashtag|\#|rust}"),
            ("50% (or more) #rust", r"50% \(or more\) #rust"),
            ("C:\\dir_a | {x}", r"C:\\dir\_a \| \{x\}"),
            ("New: #snake_case!", r"New: {hashtag|\#|snake_case}!"),
            (
                "With @[Acme (Labs)](urn:li:organization:7)",
                r"With @[Acme \(Labs\)](urn:li:organization:7)",
            ),
            ("a\n\nb ", "a\n\nb"),
            (
                "Cafe\u{301} #cafe\u{301}",
                "Caf\u{e9} {hashtag|\\#|caf\u{e9}}",
            ),
        ] {
            let written = escape(sent, Markup::LittleText);
            assert_eq!(plain(&written), plain(listed), "{sent}");
            assert_ne!(plain(&written), plain(&format!("{listed} 2")), "{sent}");
        }
        assert_ne!(plain(r"Hello \(1\)"), plain("Hello 1"));
    }

    #[test]
    fn a_text_is_known_by_what_stands_around_its_shortened_links() {
        for (sent, listed, same) in [
            (
                "New: https://acme.dev/long",
                "New: https://lnkd.in/dX_9-a",
                true,
            ),
            ("New:\n\nacme.dev/long ", "New: https://lnkd.in/dX", true),
            (
                "(see https://acme.dev/a_(b)), ok",
                "(see https://lnkd.in/dX), ok",
                true,
            ),
            (
                "a acme.dev and acme.dev/long!",
                "a acme.dev and https://lnkd.in/dX!",
                true,
            ),
            (
                "a.dev/1,b.dev/2",
                "https://lnkd.in/d1,https://lnkd.in/d2",
                true,
            ),
            ("看https://acme.dev/long吧", "看https://lnkd.in/dX吧", true),
            ("听https://acme.dev/long吧", "看https://lnkd.in/dX吧", false),
            (
                "Old: https://acme.dev/long",
                "New: https://lnkd.in/dX",
                false,
            ),
            ("New: soon", "New: https://lnkd.in/dX", false),
            (
                "New: https://acme.dev/long",
                "New: https://lnkd.in/dX now",
                false,
            ),
            (
                "New: a.dev and b.dev/long",
                "New: c.dev and https://lnkd.in/dX",
                false,
            ),
            ("New: https://acme.dev/1", "New: https://acme.dev/2", false),
            ("", "", false),
        ] {
            assert_eq!(shortened(listed, sent), same, "{sent}: {listed}");
        }
    }
}
