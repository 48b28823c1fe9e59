//! The principle library, and verifiable principles with exact gold.
//!
//! A principle is *verifiable* when a program can measure how far a text adheres to it. Here that is a
//! [`Measure`] (a countable quality) and a [`Direction`] (which end is better). Each pair can be said in many
//! ways, and over any set of responses it has an exact [`gold`] verdict.
//!
//! - [`Measure`] and [`Direction`]: what is asked for; [`gold`] and [`items`]: the exact answers.
//! - [`phrasings`] and [`phrase`]: the ways to say it, hand-written and composed.
//! - [`library`]: principles of all kinds, verifiable or not, by [`Category`].
//!
//! Whatever is *held out* (measures, phrasings, frames, principles) is never trained on.
//!
//! Pure: no IO, clock, environment or global random state; what is random takes a seed or a generator.

mod category;
mod compose;
mod count;
mod gold;
pub mod items;
mod lexicon;
mod library;
mod measure;
mod phrasings;
mod text;

pub use category::Category;
pub use compose::{Split, phrase};
pub use gold::{gold, gold_of_values};
pub use library::{Kind, Principle, library};
pub use measure::{Direction, Measure};
pub use phrasings::{Phrasing, phrasings};
pub use text::{count_words, trim_to_words};
