use std::{fmt, path::PathBuf};

use base64::{Engine as _, display::Base64Display, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Position, Url};

/// An image, video or document of a post, with what is known about it. What is unknown is not checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Which kind.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: MediaSource,
    /// Its MIME type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Its file name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it shows, for those who cannot see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Its width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Its height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Its duration in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Its pages, of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
}

/// Which kind of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaKind {
    /// A still image.
    Image,
    /// An animated GIF.
    Gif,
    /// A video.
    Video,
    /// A document.
    Document,
}

/// Where media bytes are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// In memory.
    Bytes(#[serde(serialize_with = "write_base64", deserialize_with = "read_base64")] Bytes),
    /// In a file of this machine.
    File(PathBuf),
    /// At an address.
    Address(Url),
    /// With the host, under a key that its [`MediaHost`](crate::media::MediaHost) opens.
    Host(String),
}

impl fmt::Debug for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(path) => path.fmt(f),
            // What gives access to it stands in the query.
            Self::Address(url) => f.write_str(&url[..Position::AfterPath]),
            Self::Host(key) => write!(f, "the host's {key:?}"),
        }
    }
}

impl Media {
    /// Media of a kind.
    #[must_use]
    pub fn new(kind: MediaKind, source: MediaSource) -> Self {
        let bytes = match &source {
            MediaSource::Bytes(bytes) => Some(bytes.len() as u64),
            _ => None,
        };
        Self {
            kind,
            source,
            mime: None,
            name: None,
            alt: None,
            bytes,
            width: None,
            height: None,
            seconds: None,
            pages: None,
        }
    }

    /// An image in memory.
    #[must_use]
    pub fn image(bytes: impl Into<Bytes>, mime: impl Into<String>) -> Self {
        Self {
            mime: Some(mime.into()),
            ..Self::new(MediaKind::Image, MediaSource::Bytes(bytes.into()))
        }
    }

    /// Media at an address.
    #[must_use]
    pub fn address(kind: MediaKind, url: Url) -> Self {
        Self::new(kind, MediaSource::Address(url))
    }

    /// Media in a file of the machine whose worker sends it: where workers are elsewhere take [`Media::host`].
    #[must_use]
    pub fn file(kind: MediaKind, path: impl Into<PathBuf>) -> Self {
        Self::new(kind, MediaSource::File(path.into()))
    }

    /// Media that the host keeps under a key and opens when it is needed.
    #[must_use]
    pub fn host(kind: MediaKind, key: impl Into<String>) -> Self {
        Self::new(kind, MediaSource::Host(key.into()))
    }

    /// Says what it shows.
    #[must_use]
    pub fn alt(mut self, alt: impl Into<String>) -> Self {
        self.alt = Some(alt.into());
        self
    }
}

fn write_base64<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    // Piece by piece: a film is not copied to be hashed.
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

fn read_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD
        .decode(text)
        .map(Bytes::from)
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::io::{Result, Write};

    use super::*;

    /// The most that was written at once.
    struct Most(usize);

    impl Write for Most {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0 = self.0.max(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_are_written_piece_by_piece() {
        let mut most = Most(0);
        let media = Media::image(vec![7; 1 << 20], "image/png");
        serde_json::to_writer(&mut most, &media).unwrap();
        assert!(most.0 < 16 * 1024, "{} bytes at once", most.0);
    }
}
