//! What operators see of outside calls: numbers, and fields of their spans. Never an address, a header or a body.

use std::time::Instant;

use tracing::Span;

use super::Body;
use crate::{Platform, Result};

/// A call on its way.
pub(crate) struct CallWatch {
    platform: String,
    operation: &'static str,
    began: Instant,
}

impl CallWatch {
    pub(crate) fn begin(platform: Option<&Platform>, operation: &'static str) -> Self {
        Self {
            platform: platform.map_or("none", Platform::as_str).to_owned(),
            operation,
            began: Instant::now(),
        }
    }

    /// Counts it: `automarket_calls_total` and `automarket_call_seconds`, until the head of the answer.
    pub(crate) fn end(self, span: &Span, result: &Result<http::Response<Body>>) {
        let outcome = match result {
            Ok(answer) => {
                span.record("status", answer.status().as_u16());
                match answer.status().as_u16() {
                    429 => "limited",
                    100..=399 => "answered",
                    400..=499 => "refused",
                    _ => "failed",
                }
            }
            Err(error) => error.kind().as_str(),
        };
        span.record("outcome", outcome);
        let labels = [
            ("platform", self.platform),
            ("operation", self.operation.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        metrics::counter!("automarket_calls_total", &labels).increment(1);
        metrics::histogram!("automarket_call_seconds", &labels).record(self.began.elapsed());
    }
}
