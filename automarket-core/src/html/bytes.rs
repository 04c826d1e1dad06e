//! From bytes to text: what is no page is named, the rest is decoded.

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, WINDOWS_1252};

use crate::{Error, ErrorKind, Result};

/// Text kept of a page, in bytes.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Where a page has to declare its encoding.
const PRESCAN: usize = 1024;

/// The page as text, and whether it was cut.
pub(super) fn decode(bytes: &[u8], content_type: Option<&str>) -> Result<(String, bool)> {
    if let Some(what) = no_page(bytes) {
        return Err(Error::new(
            ErrorKind::UnexpectedReply,
            format!("this is {what}, not a web page"),
        )
        .with_rule("not-a-page")
        .with_remedy("give the address of an HTML page"));
    }
    let kept = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let (encoding, bom) = match Encoding::for_bom(kept) {
        Some((encoding, length)) => (encoding, length),
        None => (declared(kept, content_type), 0),
    };
    let (text, _) = encoding.decode_without_bom_handling(kept.get(bom..).unwrap_or_default());
    let mut cut = kept.len() < bytes.len();
    let mut text = text.replace('\0', "");
    if text.len() > MAX_BYTES {
        text.truncate(text.floor_char_boundary(MAX_BYTES));
        cut = true;
    }
    Ok((text, cut))
}

/// What the bytes are if they are certainly no page.
fn no_page(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.trim_ascii_start();
    let signatures: [(&[u8], &str); 18] = [
        (b"%PDF-", "a PDF"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF87a", "a GIF image"),
        (b"GIF89a", "a GIF image"),
        (b"\x00\x00\x01\x00", "an icon"),
        (b"PK\x03\x04", "a ZIP archive or office document"),
        (b"PK\x05\x06", "a ZIP archive"),
        (b"\x1f\x8b", "gzip-compressed data"),
        (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
        (b"BZh", "bzip2-compressed data"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a", "a RAR archive"),
        (b"\x7fELF", "a program"),
        (b"\xd0\xcf\x11\xe0", "an office document"),
        (b"OggS", "an audio or video file"),
        (b"ID3", "an audio file"),
        (b"\x1a\x45\xdf\xa3", "a video"),
    ];
    for (signature, name) in signatures {
        if bytes.starts_with(signature) || start.starts_with(signature) {
            return Some(name);
        }
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some("a WebP image");
    }
    if matches!(bytes.get(4..8), Some(b"ftyp")) {
        return Some("a video or image");
    }
    // UTF-16 without a mark is full of NULs too, but nobody serves it.
    let head = bytes.get(..4096).unwrap_or(bytes);
    let nuls = head.iter().filter(|byte| **byte == 0).count();
    (Encoding::for_bom(bytes).is_none() && nuls * 10 > head.len()).then_some("binary data")
}

/// The encoding that the answer or the page declares; else UTF-8 where the bytes allow it.
fn declared(bytes: &[u8], content_type: Option<&str>) -> &'static Encoding {
    let from_header = content_type
        .and_then(|value| charset_in(value))
        .and_then(|label| Encoding::for_label(label.as_bytes()));
    if let Some(encoding) = from_header {
        return encoding;
    }
    let head = bytes.get(..PRESCAN).unwrap_or(bytes);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let from_meta = head
        .match_indices("<meta")
        .filter_map(|(i, _)| head.get(i..)?.split('>').next())
        .find_map(|tag| Encoding::for_label(charset_in(tag)?.as_bytes()));
    match from_meta {
        // ISO-2022-JP begins in ASCII. A page whose own ASCII says so is not UTF-16, whatever it declares.
        Some(encoding) if encoding.is_ascii_compatible() || encoding == ISO_2022_JP => encoding,
        Some(_) => UTF_8,
        None if mostly_utf8(bytes) => UTF_8,
        None => WINDOWS_1252,
    }
}

/// The value of `charset=` in a header or a tag.
fn charset_in(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find("charset")? + "charset".len();
    let value = text.get(at..)?.trim_start().strip_prefix('=')?.trim_start();
    let value = value.trim_start_matches(['"', '\'']);
    let end = value
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '/' | '>'))
        .unwrap_or(value.len());
    value.get(..end).filter(|label| !label.is_empty())
}

/// Broken UTF-8 is still UTF-8 as long as more of its non-ASCII bytes are well formed than not.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        good += chunk
            .valid()
            .bytes()
            .filter(|byte| !byte.is_ascii())
            .count();
        bad += chunk.invalid().len();
    }
    bad == 0 || good > bad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], content_type: Option<&str>) -> String {
        decode(bytes, content_type).unwrap().0
    }

    #[test]
    fn the_encoding_is_found_where_it_is_declared() {
        assert_eq!(
            text(
                b"\xef\xbb\xbfgr\xc3\xbcn",
                Some("text/html; charset=latin1")
            ),
            "grün"
        );
        assert_eq!(text(b"\xff\xfeg\0r\0\xfc\0n\0", None), "grün");
        assert_eq!(
            text(b"gr\xfcn", Some("text/html; charset=\"ISO-8859-1\"")),
            "grün"
        );
        assert!(text(b"<meta charset=iso-8859-15>\xa4", None).ends_with('€'));
        let http_equiv =
            b"<meta http-equiv=Content-Type content='text/html; charset=windows-1251'>\xef";
        assert!(text(http_equiv, None).ends_with('п'));
        assert_eq!(text("日本".as_bytes(), None), "日本");
        let japanese = b"<meta charset=iso-2022-jp>\x1b$BF|K\\\x1b(B";
        assert!(text(japanese, None).ends_with("日本"));
        assert!(text(b"<meta charset=utf-16>gr\xc3\xbcn", None).ends_with("grün"));
        assert_eq!(text(b"caf\xe9", None), "café");
    }

    #[test]
    fn broken_utf8_is_replaced_and_nuls_vanish() {
        assert_eq!(text(b"\xc3\xbc\xc3\xa4 \xff x\0y", None), "üä \u{fffd} xy");
        assert_eq!(
            text(b"a\xffb", Some("text/html; charset=utf-8")),
            "a\u{fffd}b"
        );
    }

    #[test]
    fn what_is_no_page_is_named() {
        for (bytes, name) in [
            (&b"%PDF-1.7\n..."[..], "PDF"),
            (b"\n %PDF-1.4", "PDF"),
            (b"\x89PNG\r\n\x1a\n....", "PNG"),
            (b"PK\x03\x04....", "ZIP"),
            (b"\x1f\x8b\x08....", "gzip"),
            (b"\x01\x00\x00\x02\x00\x00", "binary"),
        ] {
            let error = decode(bytes, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedReply);
            assert!(error.message().contains(name), "{error}");
        }
    }
}
