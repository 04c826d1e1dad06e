//! What a page declares about itself: title, description, author, pictures, colours.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use url::Url;

use super::{
    json_ld::{self, Linked},
    scan::{Tag, clip},
    text::{one_line, seen, shaped},
    walk::Event,
};
use crate::source::MAX_COLORS;

/// Tags, scripts and characters of one value that are looked at.
const MAX_TAGS: usize = 300;
const MAX_SCRIPTS: usize = 16;
const MAX_SCRIPT: usize = 256 * 1024;
const MAX_TEXT: usize = 2000;

/// An address of the web, absolute, without user and password; whatever else is written there is none.
#[must_use]
pub fn web_address(base: Option<&Url>, text: &str) -> Option<Url> {
    let text = text.trim();
    if text.is_empty() || text.len() > 4096 {
        return None;
    }
    let url = match base {
        Some(base) => base.join(text).ok()?,
        None => Url::parse(text).ok()?,
    };
    let plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && plain && url.has_host()).then_some(url)
}

/// Gathers what is declared while the page goes by.
#[derive(Default)]
pub(super) struct Metadata {
    title: Option<String>,
    heading: Option<String>,
    /// Text of the first `h1` while it is open.
    in_heading: Option<String>,
    language: Option<String>,
    direction: Option<String>,
    base: Option<String>,
    canonical: Option<String>,
    /// Address and worth.
    icon: Option<(String, u32)>,
    /// Names in lower case, values decoded.
    tags: Vec<(String, String)>,
    linked: Linked,
    scripts: usize,
    style_colors: Vec<String>,
    time: Option<String>,
    author: Option<String>,
    in_author: Option<String>,
}

impl Metadata {
    pub(super) fn event(&mut self, event: &Event<'_, '_>) {
        match event {
            Event::Page(tag) => self.page_tag(tag),
            Event::Raw(tag, content) => self.raw(tag, content),
            Event::Open(tag) => self.element(tag),
            Event::Text(text) => {
                for open in [&mut self.in_heading, &mut self.in_author]
                    .into_iter()
                    .flatten()
                {
                    if open.len() < MAX_TEXT {
                        open.push_str(clip(&seen(text), MAX_TEXT));
                    }
                }
            }
            Event::Close("h1") => keep(&mut self.heading, self.in_heading.take()),
            Event::Close("a" | "span" | "address") => keep(&mut self.author, self.in_author.take()),
            Event::Close(_) => {}
        }
    }

    fn page_tag(&mut self, tag: &Tag<'_>) {
        match &*tag.name {
            "html" | "body" => self.declare_language(tag),
            "base" if self.base.is_none() => self.base = tag.get("href").map(Cow::into_owned),
            "link" => self.link(tag),
            "meta" if self.tags.len() < MAX_TAGS => {
                let content = tag
                    .get("content")
                    .map(|text| one_line(clip(&shaped(text), MAX_TEXT)));
                let Some(content) = content.filter(|content| !content.is_empty()) else {
                    return;
                };
                for key in ["property", "name", "itemprop", "http-equiv"] {
                    for name in tag.get(key).unwrap_or_default().split_whitespace().take(4) {
                        self.tags.push((name.to_ascii_lowercase(), content.clone()));
                    }
                }
            }
            _ => {}
        }
    }

    fn declare_language(&mut self, tag: &Tag<'_>) {
        let language = tag.get("lang").or_else(|| tag.get("xml:lang"));
        if self.language.is_none() {
            self.language = language.and_then(|language| language_tag(&language));
        }
        if self.direction.is_none() {
            self.direction = tag
                .get("dir")
                .map(|dir| dir.trim().to_ascii_lowercase())
                .filter(|dir| matches!(dir.as_str(), "ltr" | "rtl"));
        }
    }

    fn link(&mut self, tag: &Tag<'_>) {
        let (Some(rel), Some(href)) = (tag.get("rel"), tag.get("href")) else {
            return;
        };
        let rel = rel.to_ascii_lowercase();
        for rel in rel.split_whitespace().take(8) {
            match rel {
                "canonical" if self.canonical.is_none() => self.canonical = Some(href.to_string()),
                "icon" | "apple-touch-icon" | "apple-touch-icon-precomposed" => {
                    let size = tag
                        .get("sizes")
                        .and_then(|sizes| sizes.split(['x', 'X', ' ']).next()?.parse().ok());
                    let vector = tag.get("type").is_some_and(|mime| mime.contains("svg"));
                    let worth = match (rel, size) {
                        _ if vector => 1000,
                        (_, Some(size)) => u32::min(size, 512),
                        ("icon", None) => 16,
                        _ => 180,
                    };
                    if self.icon.as_ref().is_none_or(|(_, best)| worth > *best) {
                        self.icon = Some((href.to_string(), worth));
                    }
                }
                _ => {}
            }
        }
    }

    fn raw(&mut self, tag: &Tag<'_>, content: &str) {
        match &*tag.name {
            "title" => {
                let title = one_line(&seen(clip(content, MAX_TEXT)));
                keep(&mut self.title, Some(title));
            }
            "style" if self.style_colors.is_empty() => self.style_colors = style_colors(content),
            "script" if self.scripts < MAX_SCRIPTS => {
                let json = tag.get("type").is_some_and(|mime| {
                    mime.trim()
                        .to_ascii_lowercase()
                        .starts_with("application/ld+json")
                });
                if json && content.len() <= MAX_SCRIPT {
                    self.scripts += 1;
                    json_ld::read(content, &mut self.linked);
                }
            }
            _ => {}
        }
    }

    fn element(&mut self, tag: &Tag<'_>) {
        match &*tag.name {
            "h1" if self.heading.is_none() => self.in_heading = Some(String::new()),
            "time" if self.time.is_none() => {
                let marked = tag.has("pubdate")
                    || tag
                        .raw("itemprop")
                        .is_some_and(|prop| prop.contains("datePublished"));
                if marked {
                    self.time = tag.get("datetime").map(Cow::into_owned);
                }
            }
            "a" | "span" | "address" if self.author.is_none() && self.in_author.is_none() => {
                let rel = tag
                    .raw("rel")
                    .is_some_and(|rel| rel.split_whitespace().any(|r| r == "author"));
                if rel || tag.raw("itemprop") == Some("author") {
                    self.in_author = Some(String::new());
                }
            }
            _ => {}
        }
    }

    /// The first of these tags that says something.
    fn tag(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            self.tags
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        })
    }

    /// What addresses in the page are relative to.
    pub(super) fn base(&self, page: Option<&Url>) -> Option<Url> {
        self.base
            .as_deref()
            .and_then(|base| web_address(page, base))
            .or_else(|| page.cloned())
    }

    pub(super) fn url(&self, page: Option<&Url>) -> Option<Url> {
        let base = self.base(page);
        let declared = self.canonical.as_deref().or_else(|| self.tag(&["og:url"]));
        declared
            .and_then(|href| web_address(base.as_ref(), href))
            .or_else(|| page.cloned())
    }

    /// The title as the page writes it.
    pub(super) fn page_title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    pub(super) fn site_name(&self) -> Option<String> {
        self.tag(&[
            "og:site_name",
            "application-name",
            "apple-mobile-web-app-title",
        ])
        .or(self.linked.site.as_deref())
        .map(str::to_owned)
    }

    pub(super) fn title(&self, url: Option<&Url>) -> Option<String> {
        let page = self.title.as_deref().unwrap_or_default();
        // A headline in JSON-LD that the page's own title does not hold is often a category.
        let headline = self.linked.title.as_deref();
        let title = self
            .tag(&["og:title", "twitter:title"])
            .or(headline.filter(|headline| squeezed(page).contains(&squeezed(headline))))
            .or(self.title.as_deref())
            .or(self.tag(&["dc.title", "dcterms.title"]))
            .or(headline)
            .or(self.heading.as_deref())?;
        let site = self.site_name();
        Some(without_site(
            title,
            site.as_deref(),
            self.heading.as_deref(),
            url,
        ))
    }

    pub(super) fn description(&self) -> Option<String> {
        self.tag(&["og:description", "description", "twitter:description"])
            .or(self.linked.description.as_deref())
            .or(self.tag(&["dc.description", "dcterms.description", "dcterms.abstract"]))
            .map(str::to_owned)
    }

    pub(super) fn byline(&self) -> Option<String> {
        let tags = [
            "author",
            "article:author",
            "dc.creator",
            "dcterms.creator",
            "parsely-author",
        ];
        let tagged = tags.iter().flat_map(|name| {
            let named = self.tags.iter().filter(move |(key, _)| key == name);
            named.map(|(_, value)| value)
        });
        let mut names = (self.linked.author.iter())
            .chain(tagged)
            .chain(&self.author)
            .map(|name| name.strip_prefix("By ").unwrap_or(name).trim());
        // `article:author` is often the address of a profile.
        let is_address = |name: &str| name.contains("://") && !name.contains(' ');
        names
            .find(|name| !name.is_empty() && name.chars().count() <= 200 && !is_address(name))
            .map(str::to_owned)
    }

    pub(super) fn language(&self) -> Option<String> {
        self.language.clone().or_else(|| {
            language_tag(self.tag(&["content-language", "language", "dc.language", "og:locale"])?)
        })
    }

    pub(super) fn direction(&self) -> Option<String> {
        self.direction.clone()
    }

    pub(super) fn published(&self) -> Option<DateTime<FixedOffset>> {
        let tags = [
            "article:published_time",
            "og:published_time",
            "datepublished",
            "parsely-pub-date",
            "dc.date.issued",
            "dcterms.issued",
            "dc.date",
            "dcterms.date",
            "date",
            "pubdate",
        ];
        [
            self.tag(&tags[..2]),
            self.linked.published.as_deref(),
            self.tag(&tags[2..]),
            self.time.as_deref(),
        ]
        .into_iter()
        .flatten()
        .find_map(instant)
    }

    pub(super) fn image(&self, base: Option<&Url>) -> Option<Url> {
        let names = [
            "og:image:secure_url",
            "og:image",
            "og:image:url",
            "twitter:image",
            "twitter:image:src",
        ];
        self.tag(&names)
            .or(self.linked.image.as_deref())
            .and_then(|image| web_address(base, image))
    }

    pub(super) fn icon(&self, base: Option<&Url>) -> Option<Url> {
        let (icon, _) = self.icon.as_ref()?;
        web_address(base, icon)
    }

    pub(super) fn colors(&self) -> Vec<String> {
        let declared = self
            .tags
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "theme-color" | "msapplication-tilecolor"))
            .filter_map(|(_, value)| color(value));
        let mut colors = Vec::new();
        for color in declared.chain(self.style_colors.iter().cloned()) {
            if !colors.contains(&color) {
                colors.push(color);
            }
        }
        colors.truncate(MAX_COLORS);
        colors
    }
}

fn keep(place: &mut Option<String>, found: Option<String>) {
    if place.is_none() {
        *place = found
            .map(|text| one_line(&text))
            .filter(|text| !text.is_empty());
    }
}

/// `de_DE` and `de-DE` as `de-DE`; what is no language tag is none.
#[must_use]
pub fn language_tag(text: &str) -> Option<String> {
    let tag = text.split([',', ';']).next()?.trim().replace('_', "-");
    let primary = tag.split('-').next()?;
    let plain = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    ((2..=3).contains(&primary.len()) && plain && tag.len() <= 35).then_some(tag)
}

/// A title without the site's name behind or before it: where the name is known, where the heading is the
/// rest, or where the name is the host's.
fn without_site(
    title: &str,
    site: Option<&str>,
    heading: Option<&str>,
    url: Option<&Url>,
) -> String {
    let same = |a: &str, b: &str| squeezed(a) == squeezed(b);
    let host = url
        .and_then(Url::host_str)
        .map(|host| host.trim_start_matches("www.").to_ascii_lowercase());
    let is_site = |part: &str| {
        site.is_some_and(|site| same(part, site))
            || host.as_deref().is_some_and(|host| {
                same(part, host)
                    || host
                        .split('.')
                        .next()
                        .is_some_and(|label| same(part, label))
            })
    };
    // A logo is often a heading too, so the heading counts as the longer part only.
    let is_heading = |heading: Option<&str>, part: &str, rest: &str| {
        part.chars().count() > rest.chars().count()
            && heading.is_some_and(|heading| same(heading, part))
    };
    // Without blanks, as in Japanese and Chinese titles, only a name that is known is one.
    for separator in [
        " | ", " — ", " – ", " - ", " · ", " • ", " :: ", " » ", " « ", " / ", "｜", "|",
    ] {
        let heading = heading.filter(|_| separator.starts_with(' '));
        if let Some((head, tail)) = title.rsplit_once(separator)
            && !head.trim().is_empty()
            && (is_site(tail) || is_heading(heading, head, tail))
        {
            return head.trim().to_owned();
        }
        if let Some((head, tail)) = title.split_once(separator)
            && !tail.trim().is_empty()
            && (is_site(head) || is_heading(heading, tail, head))
        {
            return tail.trim().to_owned();
        }
    }
    title.to_owned()
}

/// A name without case, spaces and punctuation.
fn squeezed(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The forms in which pages write instants, each by its own clock; a date alone is its midnight in UTC.
fn instant(text: &str) -> Option<DateTime<FixedOffset>> {
    let text = text.trim();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant);
    }
    for form in [
        "%Y-%m-%dT%H:%M:%S%.f%z",
        "%Y-%m-%d %H:%M:%S%.f %z",
        "%Y-%m-%dT%H:%M%z",
    ] {
        if let Ok(instant) = DateTime::parse_from_str(text, form) {
            return Some(instant);
        }
    }
    if let Ok(instant) = DateTime::parse_from_rfc2822(text) {
        return Some(instant);
    }
    for form in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(local) = NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), form) {
            return Some(local.and_utc().fixed_offset());
        }
    }
    ["%Y-%m-%d", "%Y/%m/%d"]
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(text, form).ok())
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map(|local| local.and_utc().fixed_offset())
}

/// `#rgb` and `#rrggbb` (alpha left out) as `#rrggbb`.
fn color(text: &str) -> Option<String> {
    let hex = text.trim().strip_prefix('#')?;
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let hex = hex.to_ascii_lowercase();
    match hex.len() {
        3 | 4 => Some(
            hex.chars()
                .take(3)
                .fold("#".to_owned(), |out, c| format!("{out}{c}{c}")),
        ),
        6 | 8 => hex.get(..6).map(|hex| format!("#{hex}")),
        _ => None,
    }
}

/// Colours that a style sheet keeps under a name of its brand: `--brand: #0a7cff`.
fn style_colors(style: &str) -> Vec<String> {
    let style = clip(style, 64 * 1024);
    let mut colors = Vec::new();
    for declaration in style.split([';', '{', '}']) {
        let Some((name, value)) = declaration.split_once(':') else {
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        let telling = ["brand", "primary", "accent"]
            .iter()
            .any(|word| name.contains(word));
        if name.starts_with("--") && telling && colors.len() < 8 {
            colors.extend(color(value));
        }
    }
    colors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_name_is_taken_off_where_it_can_be_told() {
        let url: Option<Url> = "https://www.theguardian.com/a".parse().ok();
        let title = |title, site, heading| without_site(title, site, heading, url.as_ref());
        assert_eq!(title("A - B | Acme", Some("ACME"), None), "A - B");
        assert_eq!(title("Acme: A – B", Some("Acme"), None), "Acme: A – B");
        assert_eq!(title("Acme | News", Some("Acme"), None), "News");
        assert_eq!(title("It rains | The Guardian", None, None), "It rains");
        assert_eq!(
            title("It rains - Weather", None, Some("It rains")),
            "It rains"
        );
        assert_eq!(
            title("Spider-Man | Review", None, None),
            "Spider-Man | Review"
        );
        assert_eq!(title("Acme", Some("Acme"), None), "Acme");
        let said = "新製品を発表しました";
        for whole in [
            "新製品を発表しました|アクメ",
            "新製品を発表しました｜アクメ",
            "アクメ ｜ 新製品を発表しました",
        ] {
            assert_eq!(title(whole, Some("アクメ"), None), said);
            assert_eq!(title(whole, None, Some(said)), whole);
        }
        assert_eq!(title("A|B", None, None), "A|B");
    }

    #[test]
    fn instants_as_pages_write_them() {
        for text in [
            "2026-03-04T05:06:07Z",
            "2026-03-04T06:06:07+01:00",
            "2026-03-04T05:06:07.000+0000",
            "2026-03-04 05:06:07",
            "Wed, 04 Mar 2026 05:06:07 GMT",
        ] {
            let found = instant(text).map(|at| at.to_utc().to_rfc3339());
            assert_eq!(
                found.as_deref(),
                Some("2026-03-04T05:06:07+00:00"),
                "{text}"
            );
        }
        assert!(instant("2026-03-04").is_some());
        assert!(instant("yesterday").is_none());
    }

    #[test]
    fn only_web_addresses_are_addresses() {
        let base: Option<Url> = "https://acme.example/blog/a".parse().ok();
        let address = |text| web_address(base.as_ref(), text).map(String::from);
        assert_eq!(
            address("b.png").as_deref(),
            Some("https://acme.example/blog/b.png")
        );
        assert_eq!(
            address("//cdn.example/x").as_deref(),
            Some("https://cdn.example/x")
        );
        for bad in [
            "javascript:alert(1)",
            " java\nscript:x",
            "data:text/html,x",
            "file:///etc/passwd",
            "http://u:p@h/",
            "",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn colours_are_hexadecimal() {
        assert_eq!(color("#ABC").as_deref(), Some("#aabbcc"));
        assert_eq!(color(" #0A7CFFcc").as_deref(), Some("#0a7cff"));
        assert_eq!(color("red"), None);
        assert_eq!(
            style_colors(":root{--brand-main:#123456;--gap:#fff}"),
            ["#123456"]
        );
    }
}
