//! Character classes of addresses and names, as X's reference knows them.
//!
//! Source: the classes of npm `twitter-text` 3.1.0, tried with every code point, case ignored where the
//! reference ignores it.

/// What a host label may hold, its first and last character included.
pub(super) fn is_host(c: char) -> bool {
    match c {
        '\0'..='\x08'
        | '\x0E'..='\x1F'
        | '"'
        | '0'..='9'
        | 'A'..='Z'
        | '`'
        | 'a'..='z'
        | '\x7F' => true,
        '\0'..='\x7F' => false,
        _ => !matches!(
            c,
            '\u{85}' | '\u{A0}' | '\u{61C}' | '\u{1680}' | '\u{180E}'
                | '\u{2000}'..='\u{200A}' | '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202F}'
                | '\u{205F}' | '\u{2066}'..='\u{2069}' | '\u{3000}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}'
        ),
    }
}

/// What a host may hold, borders of labels included.
pub(super) fn is_host_run(c: char) -> bool {
    is_host(c) || matches!(c, '.' | '-' | '_')
}

/// What may stand before an address.
pub(super) fn may_precede_address(c: char) -> bool {
    !(c.is_ascii_alphanumeric()
        || matches!(
            c,
            '@' | '$' | '#' | '＠' | '＃' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}'
        ))
}

/// Latin letters beyond ASCII, and combining marks.
pub(super) fn is_latin(c: char) -> bool {
    c > '\u{BF}'
        && matches!(
            c as u32,
            0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x24F | 0x253..=0x254 | 0x256..=0x257 | 0x259 | 0x25B
                | 0x260 | 0x263 | 0x268..=0x269 | 0x26F | 0x272 | 0x275 | 0x280 | 0x283 | 0x288..=0x28C
                | 0x292 | 0x2BB | 0x300..=0x36F | 0x399 | 0x3B9 | 0x1E00..=0x1EFF | 0x1FBE
                | 0x2C65..=0x2C66 | 0x2C7E..=0x2C7F | 0xA7DC
        )
}

/// What makes an `@name` before it no mention: [`is_latin`] with case told apart.
pub(super) fn is_latin_exact(c: char) -> bool {
    is_latin(c)
        && !matches!(
            c as u32,
            0x260 | 0x269 | 0x275 | 0x280 | 0x283 | 0x288 | 0x28A | 0x28C | 0x292 | 0x399 | 0x3B9
                | 0x1FBE | 0x2C65..=0x2C66 | 0x2C7E..=0x2C7F | 0xA7DC
        )
}

/// What the host of an address without scheme may hold.
pub(super) fn is_bare_host(c: char) -> bool {
    c == '-' || c.is_ascii_alphanumeric() || is_latin(c)
}

/// Whose pattern reads the path and the query of an address.
#[derive(Clone, Copy)]
pub(super) enum Pattern {
    /// The reference's.
    X,
    /// The reference's but for these: letters of every script. Source: `config/initializers/twitter_regex.rb`
    /// of Mastodon, as of August 2026.
    Mastodon,
}

impl Pattern {
    /// What a path may hold.
    pub(super) fn is_path(self, c: char) -> bool {
        match self {
            Self::X => is_path(c),
            Self::Mastodon => !c.is_whitespace() && !matches!(c, '<' | '>' | '(' | ')' | '?'),
        }
    }

    /// What a path may end with.
    pub(super) fn is_path_end(self, c: char) -> bool {
        match self {
            Self::X => is_path_end(c),
            Self::Mastodon => self.is_path(c) && !"!*\"'「」;:=,.$%[]~&|@".contains(c),
        }
    }

    /// What a query may hold.
    pub(super) fn is_query(self, c: char) -> bool {
        match self {
            Self::X => is_query(c),
            Self::Mastodon => is_query(c) || c == '^' || is_wide(c),
        }
    }

    /// What a query may end with.
    pub(super) fn is_query_end(self, c: char) -> bool {
        match self {
            Self::X => is_query_end(c),
            Self::Mastodon => is_query_end(c) || is_wide(c),
        }
    }
}

/// The characters of addresses beyond ASCII.
fn is_wide(c: char) -> bool {
    c >= '\u{A0}'
        && !matches!(c, '\u{FDD0}'..='\u{FDEF}' | '\u{E0000}'..='\u{E0FFF}')
        && !matches!(c as u32 & 0xFFFF, 0xFFFE | 0xFFFF)
}

/// What a path may end with.
fn is_path_end(c: char) -> bool {
    match c {
        '+' | '-' | '=' | '_' | '#' | '/' | '0'..='9' | 'A'..='Z' | 'a'..='z' => true,
        _ => matches!(c, '\u{400}'..='\u{4FF}' | '\u{1C80}'..='\u{1C87}') || is_latin(c),
    }
}

/// What a path may hold.
fn is_path(c: char) -> bool {
    is_path_end(c)
        || matches!(
            c,
            '!' | '*'
                | '\''
                | ';'
                | ':'
                | ','
                | '.'
                | '$'
                | '%'
                | '['
                | ']'
                | '~'
                | '@'
                | '|'
                | '&'
                | '–'
        )
}

/// What a query may hold.
fn is_query(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '}')
}

/// What a query may end with.
fn is_query_end(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '&' | '=' | '#' | '/')
}

/// What may stand before a cashtag.
pub(super) fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r' | ' ' | '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{180E}' | '\u{2000}'..='\u{200A}'
            | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// What may stand after a cashtag.
pub(super) fn ends_cashtag(c: char) -> bool {
    (c.is_ascii_punctuation() && !matches!(c, '"' | '`'))
        || c == '\u{FEFF}'
        || (is_space(c) && !matches!(c, '\u{85}' | '\u{180E}'))
}
