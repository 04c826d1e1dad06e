//! Dimensions from the headers of images.

use super::{Window, u16_be, u16_le, u32_be, u32_le};
use crate::Result;

pub(super) type Size = Option<(u32, u32)>;

/// The first chunk is the header.
pub(super) fn png(head: &[u8]) -> Size {
    (head.get(12..16)? == b"IHDR").then_some(())?;
    Some((u32_be(head, 16)?, u32_be(head, 20)?))
}

pub(super) fn gif(head: &[u8]) -> Size {
    Some((u16_le(head, 6)?.into(), u16_le(head, 8)?.into()))
}

pub(super) fn webp(head: &[u8]) -> Size {
    match head.get(12..16)? {
        b"VP8 " => {
            (head.get(23..26)? == b"\x9d\x01\x2a").then_some(())?;
            // The upper two bits say how to scale it.
            let side = |at| Some(u32::from(u16_le(head, at)? & 0x3fff));
            Some((side(26)?, side(28)?))
        }
        b"VP8L" => {
            (*head.get(20)? == 0x2f).then_some(())?;
            let bits = u32_le(head, 21)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => {
            let side = |at: usize| Some((u32_le(head, at)? & 0x00ff_ffff) + 1);
            Some((side(24)?, side(27)?))
        }
        _ => None,
    }
}

/// Walks the segments up to the frame header. A camera held upright says so in the Exif segment, and the
/// sides change places.
pub(super) async fn jpeg(window: &mut Window<'_>) -> Result<Size> {
    let mut at: u64 = 2;
    let mut turned = false;
    while let Some([mark, code, high, low]) = window.array(at).await? {
        if mark != 0xff {
            break;
        }
        let length = u64::from(u16::from_be_bytes([high, low]));
        match code {
            // Fill bytes, and markers that stand alone.
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                let Some([_, h0, h1, w0, w1]) = window.array(at + 4).await? else {
                    break;
                };
                let height = u32::from(u16::from_be_bytes([h0, h1]));
                let width = u32::from(u16::from_be_bytes([w0, w1]));
                return Ok(Some(if turned {
                    (height, width)
                } else {
                    (width, height)
                }));
            }
            // Before the image data comes a frame header, and a length counts itself.
            0xd9 | 0xda => break,
            _ if length < 2 => break,
            0xe1 => {
                // The orientation stands among the first tags.
                let wanted = (length - 2)
                    .min(4096)
                    .min(window.size().saturating_sub(at + 4));
                if let Some(segment) = window.bytes(at + 4, wanted).await? {
                    turned |= segment
                        .strip_prefix(b"Exif\0\0")
                        .and_then(orientation)
                        .is_some_and(|orientation| (5..=8).contains(&orientation));
                }
                at += 2 + length;
            }
            _ => at += 2 + length,
        }
    }
    Ok(None)
}

/// The orientation of a TIFF header's first directory.
fn orientation(tiff: &[u8]) -> Option<u16> {
    let little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at| {
        if little {
            u16_le(tiff, at)
        } else {
            u16_be(tiff, at)
        }
    };
    let long = |at| {
        if little {
            u32_le(tiff, at)
        } else {
            u32_be(tiff, at)
        }
    };
    let directory = usize::try_from(long(4)?)
        .ok()
        .filter(|at| *at < tiff.len())?;
    let entries = usize::from(short(directory)?);
    (0..entries)
        .map(|entry| directory + 2 + 12 * entry)
        .take_while(|at| *at < tiff.len())
        .find(|at| short(*at) == Some(0x0112))
        .and_then(|at| short(at + 8))
}
