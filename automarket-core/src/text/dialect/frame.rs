//! The containers that are being written into while a document is walked.

use super::spelling::Style;

/// What is being written into.
pub(super) enum Kind {
    Page,
    Quote,
    List {
        next: Option<u64>,
        alternate: bool,
        items: Vec<String>,
    },
    Item,
    Code {
        language: String,
    },
    Table {
        columns: usize,
    },
    Row {
        cells: Vec<String>,
    },
    Cell,
    Label {
        url: Option<String>,
        image: bool,
        outer: usize,
        open: Vec<(Style, &'static str)>,
    },
}

pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) out: String,
    /// The letters alone.
    pub(super) raw: String,
    /// Whether a block has ended, so that what follows begins anew.
    pub(super) after_block: bool,
    /// Whether there is an empty line between its blocks; in a list, between its items.
    pub(super) spaced: bool,
    /// The block that ended last.
    pub(super) last: Block,
}

/// A block as far as the next one must know: some run together without an empty line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    List { ordered: bool, alternate: bool },
    Quote,
    Table,
    Other,
}

impl Frame {
    pub(super) fn new(kind: Kind) -> Self {
        let spaced = !matches!(kind, Kind::Item | Kind::List { .. });
        Self {
            kind,
            out: String::new(),
            raw: String::new(),
            after_block: false,
            spaced,
            last: Block::Other,
        }
    }
}
