//! The principle library, and verifiable principles with exact gold.
//!
//! A principle is *verifiable* when a program can measure how far a text adheres to it. The simplest is a
//! [`Measure`] (a countable quality) and a [`Direction`] (which end is better). Each pair can be said in many
//! ways, and over any set of responses it has an exact [`gold`] verdict. A [`Rule`] puts such demands together.
//!
//! - [`Measure`] and [`Direction`]: what is asked for; [`gold`] and [`items`]: the exact answers.
//! - [`phrasings`] and [`phrase`]: the ways to say it, hand-written and composed.
//! - [`Quality`], [`Goal`] and [`Rule`]: more that can be counted; demands with priorities, thresholds and points.
//! - [`Difficulty`]: how far apart responses are in what is asked for.
//! - [`library`]: two hundred principles of all kinds, verifiable or not, by [`Category`].
//! - [`lint`]: what is wrong with a principle, by rules that cite its words.
//!
//! The measures and their order are closed: items drawn by seed depend on them, and numbers were published on those
//! items. What is newer is a [`Quality`].
//!
//! Whatever is *held out* (measures, phrasings, frames, principles) is never trained on.
//!
//! Pure: no IO, clock, environment or global random state; what is random takes a seed or a generator.

mod around;
mod category;
mod compose;
mod count;
mod detect;
mod difficulty;
mod gold;
pub mod items;
mod lexicon;
mod library;
pub mod lint;
mod measure;
mod phrasings;
mod quality;
mod rule;
mod text;
mod wording;

pub use category::Category;
pub use compose::{Split, phrase};
pub use difficulty::Difficulty;
pub use gold::{gold, gold_of_values};
pub use library::{INTENTS, Intent, Kind, Principle, library};
pub use measure::{Direction, Measure};
pub use phrasings::{Phrasing, phrasings};
pub use quality::Quality;
pub use rule::{Goal, Rule, values_by_points, values_in_order};
pub use text::{count_words, trim_to_words};
pub use wording::Wording;
