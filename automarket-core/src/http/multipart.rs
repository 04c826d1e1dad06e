use bytes::{BufMut as _, Bytes, BytesMut};

/// A `multipart/form-data` body.
#[derive(Debug)]
pub struct Multipart {
    boundary: String,
    body: BytesMut,
}

impl Multipart {
    /// An empty form. The boundary follows from `seed`, so that requests can be compared; any text that
    /// the parts do not hold will do.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, seed.as_bytes());
        Self {
            boundary: format!("automarket-{}", id.simple()),
            body: BytesMut::new(),
        }
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.open(name, None);
        self.body.put_slice(b"\r\n");
        self.body.put_slice(value.as_bytes());
        self.body.put_slice(b"\r\n");
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: &str, file_name: &str, mime: &str, bytes: &[u8]) -> Self {
        self.open(name, Some(file_name));
        let mime: String = mime.chars().filter(|c| !c.is_control()).collect();
        self.body
            .put_slice(format!("Content-Type: {mime}\r\n\r\n").as_bytes());
        self.body.put_slice(bytes);
        self.body.put_slice(b"\r\n");
        self
    }

    fn open(&mut self, name: &str, file_name: Option<&str>) {
        let mut head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{}\"",
            self.boundary,
            quoted(name)
        );
        if let Some(file_name) = file_name {
            head.push_str(&format!("; filename=\"{}\"", quoted(file_name)));
        }
        head.push_str("\r\n");
        self.body.put_slice(head.as_bytes());
    }

    pub(super) fn finish(mut self) -> (String, Bytes) {
        self.body
            .put_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (
            format!("multipart/form-data; boundary={}", self.boundary),
            self.body.freeze(),
        )
    }
}

/// Escapes as the HTML standard says for names in form data.
fn quoted(text: &str) -> String {
    text.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
