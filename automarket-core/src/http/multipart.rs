use bytes::Bytes;

use super::Upload;

/// A `multipart/form-data` body. Its files may be read as they leave.
#[derive(Debug)]
pub struct Multipart {
    boundary: String,
    body: Upload,
}

impl Multipart {
    /// An empty form. Its boundary is by chance: whoever knew it beforehand could make a file that holds it, and with it
    /// fields of their own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            boundary: format!("automarket-{}", uuid::Uuid::new_v4().simple()),
            body: Upload::default(),
        }
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let head = self.head(name, None);
        self.push(format!("{head}\r\n{value}\r\n"));
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, name: &str, file_name: &str, mime: &str, bytes: &[u8]) -> Self {
        let mut content = Upload::default();
        content.push_bytes(Bytes::copy_from_slice(bytes));
        self.stream(name, file_name, mime, content)
    }

    /// Adds a file that is read as it leaves.
    #[must_use]
    pub fn stream(mut self, name: &str, file_name: &str, mime: &str, content: Upload) -> Self {
        let head = self.head(name, Some(file_name));
        let mime: String = mime.chars().filter(|c| !c.is_control()).collect();
        self.push(format!("{head}Content-Type: {mime}\r\n\r\n"));
        self.body.append(content);
        self.push("\r\n".to_owned());
        self
    }

    fn push(&mut self, text: String) {
        self.body.push_bytes(text.into());
    }

    fn head(&self, name: &str, file_name: Option<&str>) -> String {
        let mut head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{}\"",
            self.boundary,
            quoted(name)
        );
        if let Some(file_name) = file_name {
            head.push_str(&format!("; filename=\"{}\"", quoted(file_name)));
        }
        head.push_str("\r\n");
        head
    }

    pub(super) fn finish(mut self) -> (String, Upload) {
        self.push(format!("--{}--\r\n", self.boundary));
        (
            format!("multipart/form-data; boundary={}", self.boundary),
            self.body,
        )
    }
}

impl Default for Multipart {
    fn default() -> Self {
        Self::new()
    }
}

/// Escapes as the HTML standard says for names in form data.
fn quoted(text: &str) -> String {
    text.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
