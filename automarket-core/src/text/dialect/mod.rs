//! Formatted text in the spelling of each platform.
//!
//! Markdown is read once (CommonMark with tables and strikethrough); each file here is one dialect. Raw HTML
//! in Markdown is literal text in every dialect, but `<br>` within a line, which ends it; only http, https and mailto
//! links stay links.

mod bounds;
mod flow;
mod frame;
mod html;
mod little_text;
mod markdown;
mod markdown_v2;
mod mrkdwn;
mod plain;
mod said;
mod spelling;

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};
use url::Url;

use crate::profile::Markup;

/// Markdown in the dialect of a platform.
///
/// | markup | what comes out |
/// | --- | --- |
/// | `Plain` | no formatting: links as `text (address)`, lists with bullets, headings as lines |
/// | `Html` | sanitised HTML |
/// | `Markdown` | the same document in one spelling |
/// | `MarkdownV2` | Telegram's: headings bold, everything reserved escaped |
/// | `Mrkdwn` | Slack's: `*bold*`, `<address\|text>`, `&`, `<` and `>` escaped |
/// | `LittleText` | plain, escaped for LinkedIn; hashtags and `@[Name](urn:li:person:1)` stay alive |
///
/// Raw HTML is literal text, but `<br>` within a line, which ends it.
///
/// Text of more than 512 KiB or nested more than 32 deep is not read as Markdown: it comes out as the literal text.
///
/// ```
/// use automarket_core::{profile::Markup, text::render};
/// let text = "# News\n\n**Out now:** [the guide](https://acme.dev/guide)";
/// assert_eq!(render(text, Markup::Plain), "News\n\nOut now: the guide (https://acme.dev/guide)");
/// assert_eq!(render(text, Markup::Mrkdwn), "*News*\n\n*Out now:* <https://acme.dev/guide|the guide>");
/// ```
#[must_use]
pub fn render(markdown: &str, markup: Markup) -> String {
    if !bounds::are_kept(markdown) {
        return match markup {
            Markup::Html => format!("<pre>{}</pre>\n", html::escape(markdown)),
            _ => escape(markdown, markup),
        };
    }
    let events = events(markdown);
    match markup {
        Markup::Plain => flow::write(events, &plain::Plain { mentions: false }),
        Markup::Html => html::write(events),
        Markup::Markdown => flow::write(events, &markdown::Markdown),
        Markup::MarkdownV2 => flow::write(events, &markdown_v2::MarkdownV2),
        Markup::Mrkdwn => flow::write(events, &mrkdwn::Mrkdwn),
        Markup::LittleText => {
            little_text::escape(&flow::write(events, &plain::Plain { mentions: true }))
        }
    }
}

/// What a document says, without marks and addresses; nothing of one that [`render`] does not read.
pub(crate) fn said(markdown: &str) -> String {
    if !bounds::are_kept(markdown) {
        return String::new();
    }
    flow::write(events(markdown).map(said::words), &said::Said)
}

/// Plain text, escaped so that a platform shows it as it is.
///
/// LinkedIn's hashtags and `@[Name](urn:li:person:1)` stay what they are; in `Markdown` an address stays as it
/// is, so that it can be clicked. Slack has no way to escape `*`, `_` and `~`.
///
/// ```
/// use automarket_core::{profile::Markup, text::escape};
/// assert_eq!(escape("50% (or more) #rust", Markup::LittleText), r"50% \(or more\) #rust");
/// assert_eq!(escape("v1.0!", Markup::MarkdownV2), r"v1\.0\!");
/// ```
#[must_use]
pub fn escape(text: &str, markup: Markup) -> String {
    match markup {
        Markup::Plain => text.to_owned(),
        Markup::Html => html::escape(text),
        Markup::Markdown => markdown::escape(text),
        Markup::MarkdownV2 => markdown_v2::escape(text),
        Markup::Mrkdwn => mrkdwn::escape(text),
        Markup::LittleText => little_text::escape(text),
    }
}

/// The parsed document; raw HTML has become text, but for what a table's cell has no other way to say.
fn events(markdown: &str) -> impl Iterator<Item = Event<'_>> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let breaks = |html: &str| {
        let name = html
            .trim_start_matches('<')
            .trim_end_matches(['>', '/', ' ']);
        name.eq_ignore_ascii_case("br")
    };
    let events = Parser::new_ext(markdown, options).map(move |event| match event {
        Event::InlineHtml(html) if breaks(&html) => Event::HardBreak,
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        event => event,
    });
    sound_breaks(TextMergeStream::new(events))
}

/// Breaks only where CommonMark has them: `<br>` before the end of a line is that end, before the end of a block it is none.
fn sound_breaks<'a>(
    mut events: impl Iterator<Item = Event<'a>>,
) -> impl Iterator<Item = Event<'a>> {
    let mut breaks = 0_usize;
    let mut held = None;
    std::iter::from_fn(move || {
        while held.is_none() {
            match events.next()? {
                Event::HardBreak => breaks += 1,
                Event::SoftBreak if breaks > 0 => {}
                // A blank would part the break from the block's end.
                Event::Text(text) if breaks > 0 && text.bytes().all(|c| c == b' ') => {}
                // `**one<br>**`: the break comes behind the mark that closes.
                event @ Event::End(
                    TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link,
                ) if breaks > 0 => return Some(event),
                event => {
                    if is_edge(&event) {
                        breaks = 0;
                    }
                    held = Some(event);
                }
            }
        }
        match breaks.checked_sub(1) {
            Some(less) => {
                breaks = less;
                Some(Event::HardBreak)
            }
            None => held.take(),
        }
    })
}

/// Whether the lines of a block end here.
fn is_edge(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell)
            | Event::Start(
                Tag::Paragraph
                    | Tag::Heading { .. }
                    | Tag::List(_)
                    | Tag::BlockQuote(_)
                    | Tag::CodeBlock(_)
                    | Tag::HtmlBlock
                    | Tag::Table(_)
            )
            | Event::Rule
    )
}

/// Where a link may lead: http, https and mailto as they were written, escaped if they hold what no address holds.
fn link_target(kind: LinkType, target: &str) -> Option<String> {
    let target = match kind {
        LinkType::Email => format!("mailto:{target}"),
        _ => target.to_owned(),
    };
    let url = Url::parse(&target).ok()?;
    if !matches!(url.scheme(), "http" | "https" | "mailto") {
        return None;
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>\"`\\|".contains(c);
    Some(if target.contains(odd) {
        url.to_string().replace('|', "%7C").replace('`', "%60")
    } else {
        target
    })
}

/// `text` with a backslash before each character of `reserved`.
fn with_backslashes(text: &str, reserved: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        if reserved.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The first word of a code block's info string, if it can be a language's name.
fn language(info: &str) -> &str {
    let word = info.split_whitespace().next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-#_.".contains(c);
    if word.len() <= 40 && word.chars().all(plain) {
        word
    } else {
        ""
    }
}
