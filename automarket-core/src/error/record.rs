use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind, Retry};
use crate::Platform;

/// An error as it is kept in rows, events and reports: the same facts without the cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorRecord {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What may be done next.
    pub retry: Retry,
    /// One line, with platform and operation.
    pub message: String,
    /// The platform that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The input field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The rule that was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What can be done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The masked, bounded excerpt of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether what failed is somebody else's than the platform's ([`Error::with_elsewhere`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

impl ErrorRecord {
    /// Whether what somebody gave is to blame, and another try would not help: it names the field. What a job carries,
    /// its `payload`, the program gave.
    #[must_use]
    pub fn is_of_input(&self) -> bool {
        // What is missing here, or what the store holds, is nobody's input, whatever field it was for.
        let ours = matches!(
            self.kind,
            ErrorKind::Config | ErrorKind::Storage | ErrorKind::Internal
        );
        let field = self.field.as_deref();
        !ours && self.retry == Retry::Never && field.is_some_and(|field| field != "payload")
    }
}

impl From<&Error> for ErrorRecord {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            retry: error.retry(),
            message: error.report(),
            platform: error.platform().cloned(),
            field: error.field().map(str::to_owned),
            rule: error.rule().map(str::to_owned),
            remedy: error.remedy().map(str::to_owned),
            body: error.body().map(str::to_owned),
            elsewhere: error.is_elsewhere(),
        }
    }
}

impl From<ErrorRecord> for Error {
    fn from(record: ErrorRecord) -> Self {
        let mut error = Self::new(record.kind, record.message).with_retry(record.retry);
        error.0.platform = record.platform;
        error.0.field = record.field;
        error.0.rule = record.rule;
        error.0.remedy = record.remedy;
        error.0.body = record.body;
        error.0.elsewhere = record.elsewhere;
        error.0.recorded = true;
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_what_decides_the_next_step() {
        let error = Error::new(ErrorKind::Timeout, "late").with_retry(Retry::Reconcile);
        let back = Error::from(ErrorRecord::from(&error));
        assert_eq!(
            (back.kind(), back.retry()),
            (ErrorKind::Timeout, Retry::Reconcile)
        );
    }

    #[test]
    fn a_record_keeps_whose_fault_it_was_and_says_it_once() {
        let error = Error::invalid("when", "the hour is past")
            .with_platform(&Platform::X)
            .with_operation("posts.create")
            .with_rule("when.past")
            .with_source(Error::new(ErrorKind::Internal, "no such hour"));
        let record = ErrorRecord::from(&error);
        let back = Error::from(record.clone());
        assert_eq!(back.platform(), Some(&Platform::X));
        assert_eq!(
            (back.field(), back.rule()),
            (Some("when"), Some("when.past"))
        );
        assert_eq!(back.report(), error.report());
        assert_eq!(ErrorRecord::from(&back), record);
        // As rows, events and reports of older versions hold it.
        let old = r#"{"kind":"invalid_input","retry":"never","message":"x: old [field when]"}"#;
        let old: ErrorRecord = serde_json::from_str(old).unwrap();
        assert_eq!((&old.platform, &old.field), (&None, &None));
        assert_eq!(
            serde_json::to_value(old)
                .unwrap()
                .as_object()
                .unwrap()
                .len(),
            3
        );
    }
}
