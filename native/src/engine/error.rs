//! What the engine refuses.

use std::fmt;

/// Why the engine could not do what it was asked for. Python's `MediaFailure` says what each means.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    NoPorts,
    BadPrompt,
    BadRecording,
    BadPlan,
    BadDigits,
    NotNegotiated,
    Closed,
    Unavailable,
}

impl Failure {
    /// Its name in Python.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoPorts => "no_ports",
            Self::BadPrompt => "bad_prompt",
            Self::BadRecording => "bad_recording",
            Self::BadPlan => "bad_plan",
            Self::BadDigits => "bad_digits",
            Self::NotNegotiated => "not_negotiated",
            Self::Closed => "closed",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A refusal; nothing was sent, heard or written because of the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineError {
    /// Of what kind.
    pub failure: Failure,
    /// What exactly, for the log.
    pub detail: String,
}

impl EngineError {
    /// A refusal of the kind `failure`.
    pub fn new(failure: Failure, detail: impl fmt::Display) -> Self {
        Self {
            failure,
            detail: detail.to_string(),
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.failure.code(), self.detail)
    }
}

impl std::error::Error for EngineError {}
