//! Checks before anything is sent: pure, without I/O or account.

use serde::{Deserialize, Serialize};

use crate::{
    content::{Content, Voice},
    profile::{Profile, TextUnit},
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The platform would refuse it, or we do.
    Blocker,
    /// It would go out, and could be better.
    Advice,
}

/// One thing a check has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable id, such as `text.too_long`.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// What the checks say of one content on one platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The text as it would be sent.
    pub text: String,
    /// Its length as the platform counts it.
    pub length: usize,
    /// The platform's limit.
    pub limit: Option<usize>,
    /// In which unit.
    pub unit: TextUnit,
    /// Blockers first.
    pub findings: Vec<Finding>,
    /// Completeness, 0 to 100.
    pub score: u8,
}

impl Report {
    /// Whether nothing stands against sending it.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.severity != Severity::Blocker)
    }
}

/// Checks what one account will say against its platform and the brand's voice.
#[must_use]
pub fn check(content: &Content, profile: &Profile, _voice: &Voice) -> Report {
    let text = content.final_text(profile);
    let length = crate::text::length(&text, &profile.text);
    Report {
        text,
        length,
        limit: profile.text.limit,
        unit: profile.text.unit,
        findings: Vec::new(),
        score: 100,
    }
}
