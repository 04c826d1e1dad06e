//! MP4 and QuickTime: the boxes of the index, wherever it stands (ISO/IEC 14496-12).

use super::{Facts, Window, u32_be, u64_be};
use crate::{Result, content::MediaKind};

/// How many boxes are looked at in all.
const BOXES: u32 = 2000;

/// What the first box says the file is.
pub(super) fn kind(head: &[u8]) -> Option<Facts> {
    let brand = head.get(8..12)?;
    let (kind, mime) = match head.get(4..8)? {
        b"ftyp" => match brand {
            b"heic" | b"heix" | b"heim" | b"heis" | b"mif1" | b"msf1" => {
                (MediaKind::Image, "image/heic")
            }
            b"avif" | b"avis" => (MediaKind::Image, "image/avif"),
            b"qt  " => (MediaKind::Video, "video/quicktime"),
            b"M4V " | b"M4VH" | b"M4VP" => (MediaKind::Video, "video/x-m4v"),
            _ => (MediaKind::Video, "video/mp4"),
        },
        // QuickTime before there were brands.
        b"moov" | b"mdat" | b"wide" => (MediaKind::Video, "video/quicktime"),
        _ => return None,
    };
    Some(Facts::new(kind, mime))
}

/// Where the content of a box begins and ends.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

/// Adds what the index says of the film: its duration, and the size of its largest picture.
pub(super) async fn index(window: &mut Window<'_>, facts: Facts) -> Result<Facts> {
    let mut boxes = Boxes { left: BOXES };
    let file = Span {
        from: 0,
        to: window.size(),
    };
    let Some(moov) = boxes.first(window, file, b"moov").await? else {
        return Ok(facts);
    };
    let mut scale = 0;
    let mut duration = None;
    let mut size = None;
    let mut at = moov.from;
    while let Some((name, inner, next)) = boxes.at(window, at, moov.to).await? {
        match &name {
            b"mvhd" => {
                if let Some((of, ticks)) = header(window, inner).await? {
                    scale = of;
                    duration = duration.or(ticks);
                }
            }
            b"mvex" => {
                if let Some(mehd) = boxes.first(window, inner, b"mehd").await? {
                    duration = fragments(window, mehd).await?.or(duration);
                }
            }
            b"trak" => {
                if let Some(tkhd) = boxes.first(window, inner, b"tkhd").await? {
                    let picture = picture(window, tkhd).await?;
                    if area(picture) > area(size) {
                        size = picture;
                    }
                }
            }
            _ => {}
        }
        at = next;
    }
    let seconds = duration
        .filter(|_| scale > 0)
        .map(|ticks| ticks as f64 / f64::from(scale));
    Ok(Facts { seconds, ..facts }.sized(size))
}

struct Boxes {
    left: u32,
}

impl Boxes {
    /// The box at this place: its name, its content, and where the next begins.
    async fn at(
        &mut self,
        window: &mut Window<'_>,
        at: u64,
        end: u64,
    ) -> Result<Option<([u8; 4], Span, u64)>> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        if at >= end {
            return Ok(None);
        }
        let Some([s0, s1, s2, s3, name @ ..]) = window.array::<8>(at).await? else {
            return Ok(None);
        };
        let (head, size) = match u32::from_be_bytes([s0, s1, s2, s3]) {
            // Up to the end.
            0 => (8, end - at),
            1 => match window.array(at + 8).await? {
                Some(size) => (16, u64::from_be_bytes(size)),
                None => return Ok(None),
            },
            size => (8, u64::from(size)),
        };
        let next = match at.checked_add(size) {
            Some(next) if size >= head && next <= end => next,
            _ => return Ok(None),
        };
        let inner = Span {
            from: at + head,
            to: next,
        };
        Ok(Some((name, inner, next)))
    }

    /// The content of the first box of this name.
    async fn first(
        &mut self,
        window: &mut Window<'_>,
        within: Span,
        wanted: &[u8; 4],
    ) -> Result<Option<Span>> {
        let mut at = within.from;
        while let Some((name, inner, next)) = self.at(window, at, within.to).await? {
            if name == *wanted {
                return Ok(Some(inner));
            }
            at = next;
        }
        Ok(None)
    }
}

/// Ticks in a second, and how many of them, where that is known.
async fn header(window: &mut Window<'_>, mvhd: Span) -> Result<Option<(u32, Option<u64>)>> {
    let Some(bytes) = content(window, mvhd, 32).await? else {
        return Ok(None);
    };
    Ok(if bytes.first() == Some(&1) {
        u32_be(&bytes, 20).map(|scale| (scale, known(u64_be(&bytes, 24), u64::MAX)))
    } else {
        let ticks = u32_be(&bytes, 16).map(u64::from);
        u32_be(&bytes, 12).map(|scale| (scale, known(ticks, u32::MAX.into())))
    })
}

/// How long a fragmented film is.
async fn fragments(window: &mut Window<'_>, mehd: Span) -> Result<Option<u64>> {
    let bytes = content(window, mehd, 12).await?.unwrap_or_default();
    Ok(if bytes.first() == Some(&1) {
        known(u64_be(&bytes, 4), u64::MAX)
    } else {
        known(u32_be(&bytes, 4).map(u64::from), u32::MAX.into())
    })
}

/// All bits set means unknown, and so does none.
fn known(ticks: Option<u64>, unknown: u64) -> Option<u64> {
    ticks.filter(|ticks| *ticks != unknown && *ticks != 0)
}

/// The size of a track's picture, turned as its matrix says; sound has none.
async fn picture(window: &mut Window<'_>, tkhd: Span) -> Result<Option<(u32, u32)>> {
    let Some(bytes) = content(window, tkhd, 96).await? else {
        return Ok(None);
    };
    let shift: usize = if bytes.first() == Some(&1) { 12 } else { 0 };
    // Fixed-point numbers, 16.16.
    let side = |at: usize| u32_be(&bytes, at + shift).map(|side| side >> 16);
    let matrix = |at: usize| u32_be(&bytes, 40 + shift + at);
    let Some((width, height)) = side(76).zip(side(80)) else {
        return Ok(None);
    };
    let turned = matrix(0) == Some(0) && matrix(16) == Some(0) && matrix(4) != Some(0);
    Ok(Some(if turned {
        (height, width)
    } else {
        (width, height)
    }))
}

/// The first bytes of a box, as many as it has.
async fn content(window: &mut Window<'_>, span: Span, most: u64) -> Result<Option<bytes::Bytes>> {
    window.bytes(span.from, most.min(span.to - span.from)).await
}

fn area(size: Option<(u32, u32)>) -> u64 {
    size.map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}
