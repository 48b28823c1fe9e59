//! Judging over HTTP, for many callers at a time.
//!
//! [`serve`] listens; [`router`] has the routes. Beneath them is one [`Judging`](judging::Judging): a bounded queue
//! before the same judge that files are judged with, so that a verdict does not depend on the way it was asked for.
//!
//! - [`rewardanything_evals::item`] reads requests, the records of [`rewardanything_core::record`] answer them.
//! - [`groups`] puts single samples of training frameworks together; [`transcript`] reads what their templates wrote.
//! - A [`Store`] holds jobs, which outlive the server, and verdicts that were given before.
//! - [`watch`] lets callers in and says what became of them, [`metrics`] counts.
//!
//! # What this crate never does
//!
//! It prints nothing and reads no environment: the log is a function it is given. It opens no connection of its own;
//! a judge behind URLs is the model's affair. Nobody's texts are logged.

mod app;
mod best_of;
mod cache;
mod chat;
mod dates;
mod fault;
mod gather;
pub mod groups;
mod jobs;
pub mod judging;
pub mod metrics;
mod native;
mod page;
mod published;
mod rates;
mod rewards;
mod scoring;
mod serve;
mod spans;
mod store;
pub mod watch;

pub use app::{App, Host, RewardSettings, Settings, router};
pub use best_of::Policy;
pub use cache::CacheSettings;
pub use gather::GroupSettings;
pub use jobs::JobSettings;
pub use judging::{Limits, Setup};
pub use rewardanything_evals::transcript;
pub use serve::serve;
pub use store::{Store, StoreError};
