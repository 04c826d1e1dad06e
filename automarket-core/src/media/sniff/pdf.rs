//! How many pages a PDF has, where its first or last kilobytes say so. Most that are written for the web say it
//! at once; in one whose page tree is compressed or stands in its middle they stay unknown.

use super::{BLOCK, Window, find};
use crate::Result;

pub(super) async fn pages(window: &mut Window<'_>, head: &[u8]) -> Result<Option<u32>> {
    if let Some(pages) = linearized(head) {
        return Ok(Some(pages));
    }
    let length = window.size().min(BLOCK);
    let tail = window.bytes(window.size() - length, length).await?;
    let in_tail = tail.and_then(|tail| counted(&tail));
    Ok(counted(head).max(in_tail))
}

/// `/N` of the dictionary that a PDF for the web begins with.
fn linearized(head: &[u8]) -> Option<u32> {
    let from = find(head, b"/Linearized")?;
    let rest = head.get(from..)?;
    let dictionary = rest.get(..find(rest, b">>")?)?;
    number_after(dictionary, b"/N ")
}

/// The largest `/Count` of a dictionary of pages: the root of the tree has it.
fn counted(text: &[u8]) -> Option<u32> {
    let mut most = None;
    let mut rest = text;
    while let Some(end) = find(rest, b">>") {
        let (before, after) = rest.split_at(end);
        let dictionary = match before.windows(2).rposition(|part| part == b"<<") {
            Some(start) => &before[start..],
            None => before,
        };
        let pages = find(dictionary, b"/Type /Pages").or_else(|| find(dictionary, b"/Type/Pages"));
        if pages.is_some() {
            most = most.max(number_after(dictionary, b"/Count "));
        }
        rest = &after[2..];
    }
    most
}

fn number_after(text: &[u8], name: &[u8]) -> Option<u32> {
    let rest = text.get(find(text, name)? + name.len()..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}
