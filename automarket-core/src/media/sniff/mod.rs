//! What media is, from its first bytes and its index, without decoding it.
//!
//! Our own few parsers, since the crates for it want a seekable reader in memory or on disk, and one
//! that also finds the index of a film reads all of it. Files are foreign: every read is bounded, and what is not
//! understood is left unsaid.

mod image;
mod mp4;
mod pdf;

use bytes::Bytes;

use super::MediaFile;
use crate::{Result, content::MediaKind};

/// What is read at a time; the header of nearly every file is in the first.
const BLOCK: u64 = 16 * 1024;
/// How many blocks at the most: a megabyte.
const BLOCKS: u32 = 64;

/// The MIME type of bytes that were looked into and are not what they are said to be; nobody says it of his own.
pub(crate) const UNRECOGNISED: &str = "application/octet-stream; found=other";

/// Whether each file of this MIME type begins as [`sniff`] knows it: where it finds nothing, the bytes are of another.
pub(crate) fn has_signature(mime: &str) -> bool {
    matches!(
        mime,
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "application/pdf"
    )
}

/// What was found out about media.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Which kind it is.
    pub kind: Option<MediaKind>,
    /// Its MIME type.
    pub mime: Option<&'static str>,
    /// Its width in pixels, as it is shown: a rotation in its header is done.
    pub width: Option<u32>,
    /// Its height in pixels, as it is shown.
    pub height: Option<u32>,
    /// Its duration in seconds.
    pub seconds: Option<f64>,
    /// Its pages; not every document says so where it is cheap to read.
    pub pages: Option<u32>,
}

impl Facts {
    fn new(kind: MediaKind, mime: &'static str) -> Self {
        Self {
            kind: Some(kind),
            mime: Some(mime),
            ..Self::default()
        }
    }

    fn sized(self, size: Option<(u32, u32)>) -> Self {
        let size = size.filter(|(width, height)| *width > 0 && *height > 0);
        Self {
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            ..self
        }
    }
}

/// Finds out what media is: PNG, JPEG, GIF and WebP with dimensions, MP4 and MOV with dimensions and duration
/// wherever their index is, PDF with its pages where they are cheap to find, and the type of some more. It reads 16 KiB
/// of most files and never more than 1 MiB.
///
/// # Errors
/// Those of reading. What is not understood is no error: there are no facts then.
pub async fn sniff(file: &MediaFile) -> Result<Facts> {
    let mut window = Window::of(file);
    let head = window.beginning().await?;
    let brand = head.get(8..12).unwrap_or_default();
    Ok(if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Facts::new(MediaKind::Image, "image/png").sized(image::png(&head))
    } else if head.starts_with(b"\xff\xd8\xff") {
        Facts::new(MediaKind::Image, "image/jpeg").sized(image::jpeg(&mut window).await?)
    } else if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        Facts::new(MediaKind::Gif, "image/gif").sized(image::gif(&head))
    } else if head.starts_with(b"RIFF") && brand == b"WEBP" {
        Facts::new(MediaKind::Image, "image/webp").sized(image::webp(&head))
    } else if head.starts_with(b"II*\0") || head.starts_with(b"MM\0*") {
        Facts::new(MediaKind::Image, "image/tiff")
    } else if head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4]) {
        Facts::new(MediaKind::Image, "image/bmp")
    } else if head.starts_with(b"\x1a\x45\xdf\xa3") {
        let mime = if find(&head[..head.len().min(64)], b"webm").is_some() {
            "video/webm"
        } else {
            "video/x-matroska"
        };
        Facts::new(MediaKind::Video, mime)
    } else if let Some(facts) = mp4::kind(&head) {
        match facts.kind {
            Some(MediaKind::Video) => mp4::index(&mut window, facts).await?,
            _ => facts,
        }
    } else if find(&head[..head.len().min(1024)], b"%PDF-").is_some() {
        Facts {
            pages: pdf::pages(&mut window, &head).await?,
            ..Facts::new(MediaKind::Document, "application/pdf")
        }
    } else {
        Facts::default()
    })
}

/// A file seen through one block at a time, for as many as are allowed.
struct Window<'a> {
    file: &'a MediaFile,
    at: u64,
    block: Bytes,
    left: u32,
}

impl<'a> Window<'a> {
    fn of(file: &'a MediaFile) -> Self {
        Self {
            file,
            at: 0,
            block: Bytes::new(),
            left: BLOCKS,
        }
    }

    fn size(&self) -> u64 {
        self.file.size()
    }

    async fn beginning(&mut self) -> Result<Bytes> {
        let length = self.size().min(BLOCK);
        Ok(self.bytes(0, length).await?.unwrap_or_default())
    }

    /// These bytes, at most a block of them; `None` beyond the end, or when enough was read.
    async fn bytes(&mut self, offset: u64, length: u64) -> Result<Option<Bytes>> {
        let Some(end) = offset.checked_add(length) else {
            return Ok(None);
        };
        if end > self.size() || length > BLOCK {
            return Ok(None);
        }
        if offset < self.at || end > self.at + self.block.len() as u64 {
            let Some(left) = self.left.checked_sub(1) else {
                return Ok(None);
            };
            self.left = left;
            let block = BLOCK.min(self.size() - offset);
            // At most a block.
            self.block = self.file.read(offset, block as usize).await?;
            self.at = offset;
        }
        let from = (offset - self.at) as usize;
        Ok(Some(self.block.slice(from..from + length as usize)))
    }

    /// A few bytes as an array.
    async fn array<const N: usize>(&mut self, offset: u64) -> Result<Option<[u8; N]>> {
        let bytes = self.bytes(offset, N as u64).await?;
        Ok(bytes.and_then(|bytes| bytes.as_ref().try_into().ok()))
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|part| part == word)
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_be(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
