//! What every provider needs of a message, so that none can be made to say more than was meant: one address where
//! one is meant, no header that was not asked for.

use super::{EmailMessage, Mailbox};
use crate::{Error, Result};

/// Bytes of a whole address, and of what stands before its `@` (RFC 5321).
const ADDRESS: usize = 254;
const LOCAL_PART: usize = 64;

/// Headers that a message has fields for, or that are the provider's.
const TAKEN: [&str; 15] = [
    "bcc",
    "cc",
    "content-disposition",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
];

impl EmailMessage {
    /// Checks what every provider needs: a recipient, a body, one address in each mailbox, and no header that says more
    /// than it seems to.
    ///
    /// # Errors
    /// `InvalidInput` naming the field: `to`, `cc`, `bcc`, `reply_to`, `from`, `subject`, `text` or `headers`.
    pub fn check(&self) -> Result<()> {
        if self.to.is_empty() && self.cc.is_empty() && self.bcc.is_empty() {
            return Err(Error::invalid("to", "a message has at least one recipient"));
        }
        if self.text.is_none() && self.html.is_none() {
            return Err(Error::invalid("text", "a message has a text or HTML"));
        }
        if breaks(&self.subject) {
            let message = "a subject has no line breaks and control characters";
            return Err(Error::invalid("subject", message));
        }
        mailboxes("to", &self.to)?;
        mailboxes("cc", &self.cc)?;
        mailboxes("bcc", &self.bcc)?;
        mailboxes("reply_to", self.reply_to.as_slice())?;
        mailboxes("from", std::slice::from_ref(&self.from))?;
        for (name, value) in &self.headers {
            let wrong = |message| Err(Error::invalid("headers", format!("{name:?}: {message}")));
            if !is_token(name) {
                return wrong("a header's name is of ASCII letters, digits and hyphens");
            }
            let lower = name.to_ascii_lowercase();
            if TAKEN.contains(&lower.as_str()) || lower.starts_with("resent-") {
                return wrong("this header is set by the message or its provider");
            }
            if breaks(value) {
                return wrong("a header has no line breaks and control characters");
            }
        }
        Ok(())
    }
}

fn mailboxes(field: &str, mailboxes: &[Mailbox]) -> Result<()> {
    for (number, mailbox) in (1..).zip(mailboxes) {
        let wrong = |message| Err(Error::invalid(field, format!("number {number}: {message}")));
        if !is_one_address(&mailbox.email) {
            return wrong("an address is one name@domain, without spaces, quotes and brackets");
        }
        if mailbox.name.as_deref().is_some_and(breaks) {
            return wrong("a name has no line breaks and control characters");
        }
    }
    Ok(())
}

/// Whether a text could end the line it stands in.
fn breaks(text: &str) -> bool {
    let breaks = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().any(breaks)
}

/// Quoted names and addresses of machines are legal, and refused: what may stand in them is read differently by
/// every program on the way.
fn is_one_address(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    let foreign = |c: char| !c.is_ascii() && !c.is_control() && !c.is_whitespace();
    let in_name = |c: char| is_token_char(c) || "/={}?".contains(c) || foreign(c);
    let in_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || foreign(c);
    let label = |label: &str| !label.is_empty() && label.chars().all(in_label);
    text.len() <= ADDRESS
        && (1..=LOCAL_PART).contains(&name.len())
        && name.chars().all(in_name)
        && domain.split('.').all(label)
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}
