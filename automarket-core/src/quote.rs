//! One value as one literal of another language. Whatever the value holds, it cannot leave its literal.

/// A GraphQL string, quotes included (GraphQL specification, "String Value"). Reading it gives the value back.
///
/// ```
/// use automarket_core::quote::graphql;
/// assert_eq!(graphql("say \"hi\"\n"), r#""say \"hi\"\n""#);
/// assert_eq!(graphql("\u{0}"), r#""\u0000""#);
/// ```
#[must_use]
pub fn graphql(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{C}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line separators and the byte order mark are ignored or refused by some parsers.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}') => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
