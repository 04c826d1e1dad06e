//! Sanitised HTML: every tag in it is one of those that Markdown knows.

use pulldown_cmark::{CowStr, Event, Tag, TagEnd};

use super::link_target;

pub(super) fn write<'a>(events: impl Iterator<Item = Event<'a>>) -> String {
    // Whether each link and image that is open was kept.
    let mut kept = Vec::new();
    let safe = events.filter_map(|event| match event {
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let target = link_target(link_type, &dest_url);
            kept.push(target.is_some());
            target.map(|target| {
                Event::Start(Tag::Link {
                    // An e-mail address has got its scheme.
                    link_type: pulldown_cmark::LinkType::Inline,
                    dest_url: CowStr::from(target),
                    title,
                    id,
                })
            })
        }
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let target = link_target(link_type, &dest_url).filter(|url| url.starts_with("http"));
            kept.push(target.is_some());
            target.map(|target| {
                Event::Start(Tag::Image {
                    link_type,
                    dest_url: CowStr::from(target),
                    title,
                    id,
                })
            })
        }
        Event::End(TagEnd::Link | TagEnd::Image) => kept.pop().unwrap_or(false).then_some(event),
        event => Some(event),
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, safe);
    html
}

/// Text as HTML text or attribute value.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
