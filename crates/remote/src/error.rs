//! Why a pool cannot be set up.

use crate::address::AddressError;

/// Why there is no pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// An address is unusable.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No address was given.
    #[error("expected at least one URL, got none")]
    NoAddress,
    /// None of the endpoints answered.
    #[error("no endpoint answers: {}", .0.join("; "))]
    Unreachable(Vec<String>),
    /// An endpoint does not tell its models.
    #[error("{endpoint} does not list its models ({message}); name one with --served-model")]
    NoList {
        /// Who was asked.
        endpoint: String,
        /// What came instead.
        message: String,
    },
    /// It is not clear which model is meant.
    #[error("{endpoint} serves several models, name one with --served-model: {}", .models.join(", "))]
    SeveralModels {
        /// Who was asked.
        endpoint: String,
        /// What it serves.
        models: Vec<String>,
    },
    /// Two endpoints serve different models.
    #[error(
        "{first_endpoint} serves {first} and {second_endpoint} serves {second}: expected the same model everywhere"
    )]
    DifferentModels {
        /// An endpoint.
        first_endpoint: String,
        /// Its model.
        first: String,
        /// Another endpoint.
        second_endpoint: String,
        /// That one's model.
        second: String,
    },
}
