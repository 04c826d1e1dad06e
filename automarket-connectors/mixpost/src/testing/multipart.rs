//! Reading `multipart/form-data`.

/// One part of a form.
pub(super) struct Part<'a> {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) mime: String,
    pub(super) bytes: &'a [u8],
}

/// The parts of a body; none when it is no form.
pub(super) fn parts<'a>(content_type: &[u8], body: &'a [u8]) -> Vec<Part<'a>> {
    let content_type = String::from_utf8_lossy(content_type);
    let Some((_, boundary)) = content_type.split_once("boundary=") else {
        return Vec::new();
    };
    let line = format!("--{}", boundary.trim_matches('"'));
    let mut parts = Vec::new();
    let mut rest = body;
    while let Some(start) = position(rest, line.as_bytes()) {
        rest = &rest[start + line.len()..];
        let Some(end) = position(rest, format!("\r\n{line}").as_bytes()) else {
            break;
        };
        parts.extend(part(&rest[..end]));
        rest = &rest[end..];
    }
    parts
}

fn part(bytes: &[u8]) -> Option<Part<'_>> {
    let split = position(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let attribute = |name: &str| {
        let (_, rest) = head.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let mime = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Type: "))
        .unwrap_or("text/plain");
    Some(Part {
        name: attribute("name")?,
        file_name: attribute("filename"),
        mime: mime.to_owned(),
        bytes: &bytes[split + 4..],
    })
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
