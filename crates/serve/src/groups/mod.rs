//! Whole groups out of single samples: training frameworks send one sample a call, and a listwise judge needs all of
//! those that belong together.
//!
//! [`Assembler`] decides, as a pure state machine, who belongs together, when a group is judged and who is answered
//! with what; [`split`] cuts groups that are too large for the judge and brings the scores of their
//! parts onto one scale. `docs/groups.md` explains both.

mod assembler;

pub use rewardanything_core::split;

pub use assembler::{Action, Arrival, Assembler, By, GroupId, Member, Timing, WaiterId};
