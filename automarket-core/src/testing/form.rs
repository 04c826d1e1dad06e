//! Reading `multipart/form-data`, for fakes and checks of requests.

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPart<'a> {
    /// Its name.
    pub name: String,
    /// The name of its file, where it has one.
    pub file_name: Option<String>,
    /// Its type; `text/plain` unless it says otherwise.
    pub mime: String,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// The parts of a body of this content type; `None` when it is no form.
#[must_use]
pub fn form_parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<FormPart<'a>>> {
    let parameters = content_type.strip_prefix("multipart/form-data")?;
    let (_, boundary) = parameters.split_once("boundary=")?;
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
    Some(parts)
}

fn part(bytes: &[u8]) -> Option<FormPart<'_>> {
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
    Some(FormPart {
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
