//! Whose a job is.
//!
//! It belongs to the token with which it was handed in. What is kept with it is a digest of the token, so that a copy
//! of the store lets nobody in. To another token the job is not there: neither shown, nor listed, nor stopped.

use std::fmt::Write as _;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use crate::rates::Caller;
use crate::store::jobs::Job;

/// What is digested before the token, so that its digest is of no use where another program keeps one.
const PURPOSE: &str = "rewardanything job owner\0";

/// Who asks for jobs: the owner of a token, or, where there are none, everybody alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner(Option<Arc<str>>);

impl Owner {
    /// Whoever is let in where there are no tokens, and the server itself.
    pub(crate) const EVERYBODY: Self = Self(None);

    /// The digest of the token, in hexadecimal digits.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Whether a job is there for him. One without an owner, from before there were tokens, is there for everybody.
    pub(crate) fn sees(&self, job: &Job) -> bool {
        match (&self.0, &job.owner) {
            (Some(own), Some(owner)) => **own == **owner,
            _ => true,
        }
    }
}

/// The owners of a server's tokens, by their places.
#[derive(Debug)]
pub(crate) struct Owners(Vec<Owner>);

impl Owners {
    pub(crate) fn new(tokens: &[String]) -> Self {
        Self(tokens.iter().map(|token| of(token)).collect())
    }

    /// Whoever calls.
    pub(crate) fn of(&self, caller: Caller) -> Owner {
        self.0.get(caller.0).cloned().unwrap_or(Owner::EVERYBODY)
    }
}

fn of(token: &str) -> Owner {
    let digest = digest(
        &SHA256,
        [PURPOSE.as_bytes(), token.as_bytes()].concat().as_slice(),
    );
    let mut digits = String::with_capacity(64);
    for byte in digest.as_ref() {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Owner(Some(digits.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf 'rewardanything job owner\0first-token' | sha256sum`.
    #[test]
    fn a_token_is_kept_as_its_digest() {
        let owners = Owners::new(&["first-token".to_owned(), "second-token".to_owned()]);
        let first = owners.of(Caller(0));
        assert_eq!(
            first.digest(),
            Some("2ff0f0011ef250dfd7989e9c7dce9fd01fdad7adf49278699d651b600728966f")
        );
        assert_ne!(first, owners.of(Caller(1)));
        assert_eq!(Owners::new(&[]).of(Caller(0)), Owner::EVERYBODY);
    }
}
