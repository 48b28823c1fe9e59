//! Answers that are no verdict.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rewardanything_core::record::Failure;
use serde_json::json;

use crate::judging::NotJudged;

/// Seconds after which a caller may come back to a full queue.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// A word for programs and a sentence for people.
    pub(crate) failure: Failure,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, kind: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            failure: Failure {
                kind: kind.to_owned(),
                message: message.into(),
            },
        }
    }

    /// The body is not what was expected.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "input", message)
    }

    /// The body can be read, and what it asks for makes no sense.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "request", message)
    }

    /// The judge's own failure, with the status that its kind has.
    pub(crate) fn of_judge(failure: Failure) -> Self {
        Self {
            status: status_of(&failure.kind),
            failure,
        }
    }
}

/// The HTTP status of an error of the judge: the caller's fault, the model's, or the time's.
pub(crate) fn status_of(kind: &str) -> StatusCode {
    match kind {
        "input" => StatusCode::BAD_REQUEST,
        "request" | "prompt_too_long" | "too_many_responses" => StatusCode::UNPROCESSABLE_ENTITY,
        "full" => StatusCode::TOO_MANY_REQUESTS,
        "deadline" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

impl From<NotJudged> for Fault {
    fn from(why: NotJudged) -> Self {
        let kind = match why {
            NotJudged::Full { .. } => "full",
            NotJudged::Late { .. } => "deadline",
        };
        Self::new(status_of(kind), kind, why.to_string())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = json!({"error": {"kind": self.failure.kind, "message": self.failure.message}});
        with_status(self.status, Json(body))
    }
}

/// A body with its status, and when to come back where that is soon.
pub(crate) fn with_status(status: StatusCode, body: impl IntoResponse) -> Response {
    let mut response = (status, body).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}
