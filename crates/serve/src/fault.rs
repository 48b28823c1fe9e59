//! Answers that are no verdict.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rewardanything_core::record::Failure;
use serde_json::json;

use crate::judging::NotJudged;
use crate::store::StoreError;

/// Seconds after which a caller may come back to a full queue.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// When to come back, where that is known better than that it is soon.
    pub(crate) wait: Option<Duration>,
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// A word for programs and a sentence for people.
    pub(crate) failure: Failure,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, kind: &str, message: impl Into<String>) -> Self {
        Self {
            wait: None,
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

    /// The caller has asked for as many verdicts as he may.
    pub(crate) fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        let message =
            format!("this token has asked for as many verdicts as it may; come back in {seconds} s");
        Self {
            wait: Some(wait),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", message)
        }
    }

    /// The judge's own failure, with the status that its kind has.
    pub(crate) fn of_judge(failure: Failure) -> Self {
        Self {
            wait: None,
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

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store", error.to_string())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = json!({"error": {"kind": self.failure.kind, "message": self.failure.message}});
        let mut response = with_status(self.status, Json(body));
        if let Some(wait) = self.wait {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
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
