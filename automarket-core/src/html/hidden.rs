//! What a reader of the page does not see.

use std::collections::HashSet;

use super::scan::{Tag, clip};

/// How much of a page's style sheets is looked at, in bytes.
const MAX_STYLES: usize = 256 * 1024;

/// Classes and ids that the page's own style sheets hide. Only rules of one plain class or id count, and
/// none that another rule shows again: a tab or a menu is hidden by its class and shown by two.
#[derive(Default)]
pub(super) struct Styles {
    /// `.name` and `#name`.
    hidden: HashSet<String>,
    shown: HashSet<String>,
    room: Option<usize>,
}

impl Styles {
    /// Takes up a style sheet of the page, which is for these media.
    pub(super) fn read(&mut self, sheet: &str, media: &str) {
        let always = media.split(',').any(|media| {
            matches!(
                media.trim().to_ascii_lowercase().as_str(),
                "" | "all" | "screen"
            )
        });
        let room = self.room.unwrap_or(MAX_STYLES);
        let sheet = clip(sheet, room);
        self.room = Some(room - sheet.len());
        let sheet = without_comments(sheet);
        // Blocks in blocks are those of `@media` and its kind: they hold at times only, as does a sheet for
        // some media.
        let mut depth = 0_usize;
        let mut start = 0;
        let mut selector = "";
        for (at, c) in sheet.char_indices() {
            if !matches!(c, '{' | '}' | ';') {
                continue;
            }
            let before = sheet.get(start..at).unwrap_or_default().trim();
            match c {
                '{' => {
                    depth += 1;
                    selector = before;
                    start = at + 1;
                }
                '}' => {
                    self.rule(selector, before, always && depth <= 1);
                    depth = depth.saturating_sub(1);
                    selector = "";
                    start = at + 1;
                }
                // `@import "x";` stands before a selector; inside a rule declarations go on.
                _ if selector.is_empty() => start = at + 1,
                _ => {}
            }
        }
    }

    fn rule(&mut self, selector: &str, declarations: &str, always: bool) {
        if selector.starts_with('@') || declarations.is_empty() {
            return;
        }
        let hiding = hides(declarations);
        let fading = fades_in(declarations);
        for selector in selector.split(',').map(str::trim) {
            let name = selector.get(1..).unwrap_or_default();
            let plain =
                selector.starts_with(['.', '#']) && !name.is_empty() && name.chars().all(is_name);
            let fading = fading && selector.starts_with('.') && !HIDDEN.contains(&name);
            if hiding && plain && always && !fading {
                self.hidden.insert(selector.to_owned());
            } else if !hiding && shows(declarations) {
                let names = selector.split_inclusive(|c: char| !is_name(c));
                let mut mark = "";
                for part in names {
                    let name = part.trim_end_matches(|c: char| !is_name(c));
                    if !name.is_empty() && matches!(mark, "." | "#") {
                        self.shown.insert(format!("{mark}{name}"));
                    }
                    mark = part.get(name.len()..).unwrap_or_default();
                }
            }
        }
    }

    /// Whether the element is of a class or id that is hidden.
    pub(super) fn hide(&self, tag: &Tag<'_>) -> bool {
        let hides = |mark: char, name: &str| {
            let name = format!("{mark}{name}");
            self.hidden.contains(&name) && !self.shown.contains(&name)
        };
        !self.hidden.is_empty()
            && (tag.raw("id").is_some_and(|id| hides('#', id.trim()))
                || tag.raw("class").is_some_and(|classes| {
                    classes.split_whitespace().any(|class| hides('.', class))
                }))
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_')
}

/// Whether declarations bring into sight what other rules hide.
fn shows(declarations: &str) -> bool {
    declarations.split(';').any(|declaration| {
        declaration.split_once(':').is_some_and(|(name, _)| {
            matches!(
                name.trim().to_ascii_lowercase().as_str(),
                "display" | "visibility" | "position" | "clip" | "height" | "max-height" | "width"
            )
        })
    })
}

/// Whether the element and all it holds are not shown: by element, by attribute, or by its own style.
pub(super) fn is_hidden(tag: &Tag<'_>) -> bool {
    matches!(
        &*tag.name,
        "template"
            | "svg"
            | "object"
            | "applet"
            | "audio"
            | "video"
            | "canvas"
            | "datalist"
            | "select"
            | "map"
    ) || tag
        .raw("hidden")
        .is_some_and(|value| !value.eq_ignore_ascii_case("until-found"))
        || (tag.name == "dialog" && !tag.has("open"))
        || tag
            .raw("aria-hidden")
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
        || (tag.name == "input")
        || tag.get("style").is_some_and(|style| hides(&style))
}

/// Whether a style attribute takes an element out of sight. Opacity and transforms are left alone: pages
/// that fade and slide their content in begin with them.
fn hides(style: &str) -> bool {
    let mut absolute = false;
    let mut clipped = false;
    let mut outside = false;
    let mut empty = [false; 2];
    let mut overflow = false;
    for declaration in without_comments(style).split(';') {
        let Some((name, value)) = declaration.split_once(':') else {
            continue;
        };
        let name = name.trim().to_ascii_lowercase();
        let value = value.to_ascii_lowercase();
        let value = value.trim().trim_end_matches("!important").trim_end();
        match name.as_str() {
            "display" if value == "none" => return true,
            "visibility" if matches!(value, "hidden" | "collapse") => return true,
            "content-visibility" if value == "hidden" => return true,
            "font-size" | "font" if size_is_zero(&name, value) => return true,
            "text-indent" if number(value).is_some_and(|n| n <= -500.0) => return true,
            "position" => absolute = matches!(value, "absolute" | "fixed"),
            "left" | "right" | "top" | "bottom" | "margin-left" | "margin-top" | "inset" => {
                let far = value
                    .split_whitespace()
                    .filter_map(number)
                    .any(|n| n <= -500.0);
                if name.starts_with("margin") && far {
                    return true;
                }
                outside |= far;
            }
            "clip" => {
                clipped = value.starts_with("rect(")
                    && value
                        .trim_start_matches("rect(")
                        .split([',', ' ', ')'])
                        .filter_map(number)
                        .all(|n| n.abs() <= 1.0);
            }
            "clip-path"
                if matches!(
                    value.replace(' ', "").as_str(),
                    "inset(100%)" | "inset(50%)" | "circle(0)"
                ) =>
            {
                return true;
            }
            "width" | "max-width" => empty[0] |= number(value).is_some_and(|n| n.abs() <= 1.0),
            "height" | "max-height" => empty[1] |= number(value).is_some_and(|n| n.abs() <= 1.0),
            "overflow" | "overflow-x" | "overflow-y" => {
                overflow |= matches!(value, "hidden" | "clip")
            }
            _ => {}
        }
    }
    (absolute && (outside || clipped)) || (overflow && (empty[0] || empty[1]))
}

/// Classes whose names say that what bears them is not seen.
const HIDDEN: &[&str] = &[
    "hidden",
    "invisible",
    "is-hidden",
    "is-invisible",
    "v-hidden",
];

/// Whether declarations say nothing but how something comes into sight: pages that fade their content in begin with
/// such a class, and a script takes it off. Menus and dialogs have a place of their own in the same rule.
fn fades_in(declarations: &str) -> bool {
    declarations.split(';').all(|declaration| {
        let name = declaration.split(':').next().unwrap_or_default();
        let name = name.trim().to_ascii_lowercase();
        matches!(&*name, "" | "visibility" | "opacity" | "transform")
            || name.starts_with("transition")
            || name.starts_with("animation")
    })
}

fn size_is_zero(name: &str, value: &str) -> bool {
    if name == "font-size" {
        return number(value) == Some(0.0);
    }
    // The shorthand: `font: 0/0 a`.
    value
        .split_whitespace()
        .filter_map(|part| part.split('/').next())
        .any(|part| number(part) == Some(0.0))
}

/// The number at the beginning of a CSS value, whatever its unit. `100%` and `auto` of a size are none of
/// the numbers asked for here.
fn number(value: &str) -> Option<f64> {
    let value = value.trim();
    let end = value
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(value.len());
    value.get(..end)?.parse().ok()
}

fn without_comments(style: &str) -> String {
    let mut out = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{Styles, hides};

    #[test]
    fn style_sheets_that_hide_for_good() {
        let mut styles = Styles::default();
        styles.read(
            "@import 'x'; .gone{display:none} p, #gone { color: red; visibility: hidden }
             .tab { display: none } .tab.open { display: block } /* .note{display:none} */
             @media print { .screen { display: none } } .a .b { display: none }
             @media (min-width: 1px) { .wide { display: block } } .wide { display: none }
             .off { position: absolute; left: -9999px }",
            "",
        );
        let mut hidden: Vec<_> = styles.hidden.difference(&styles.shown).collect();
        hidden.sort();
        assert_eq!(hidden, ["#gone", ".gone", ".off"]);
    }

    #[test]
    fn styles_that_hide_and_styles_that_do_not() {
        for style in [
            "display:none",
            "color:red; DISPLAY : None !important",
            "display:/**/none",
            "visibility: hidden",
            "font-size:0",
            "font-size: 0px",
            "font:0/0 a",
            "position:absolute;left:-9999px",
            "top:-1000em; position:fixed",
            "text-indent:-9999px",
            "margin-left:-5000px",
            "position:absolute;clip:rect(0 0 0 0)",
            "position:absolute;clip:rect(1px, 1px, 1px, 1px)",
            "height:0;overflow:hidden",
            "width:1px;height:1px;overflow:hidden",
        ] {
            assert!(hides(style), "{style}");
        }
        for style in [
            "",
            "display:block",
            "font-size:0.8em",
            "opacity:0",
            "transform:translateX(-2400px)",
            "left:-20px;position:absolute",
            "left:-9999px",
            "height:10px;overflow:hidden",
            "height:0",
            "text-indent:2em",
            "margin-left:-15px",
            "font: 12px/1.5 Arial",
            "transform: translateY(-50%)",
            "background:url(display:none)",
        ] {
            assert!(!hides(style), "{style}");
        }
    }
}
