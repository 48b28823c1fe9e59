//! Whether anybody still waits for an answer.

use std::sync::{Arc, Weak};

/// Somebody who waits for an answer: the interest lasts as long as this is kept.
///
/// ```
/// use rewardanything_core::Waiter;
///
/// let waiter = Waiter::default();
/// let interest = waiter.interest();
/// assert!(!interest.is_gone());
/// drop(waiter);
/// assert!(interest.is_gone());
/// ```
#[derive(Debug, Default)]
pub struct Waiter(Arc<()>);

impl Waiter {
    /// What is handed to those who work on the answer.
    pub fn interest(&self) -> Interest {
        Interest(Some(Arc::downgrade(&self.0)))
    }
}

/// What those who work on an answer know of the one who waits for it. The default one lasts for ever.
#[derive(Debug, Clone, Default)]
pub struct Interest(Option<Weak<()>>);

impl Interest {
    /// Nobody waits any more: what is still to be done for this answer can be left.
    pub fn is_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|ticket| ticket.strong_count() == 0)
    }

    /// Dead once nobody waits; `None` where the interest lasts for ever.
    pub fn ticket(&self) -> Option<&Weak<()>> {
        self.0.as_ref()
    }
}
