//! Measuring judges: items with gold, published benchmarks, their metrics, statistics over runs, and reports.
//!
//! Pure: lines come from any reader, reports are strings and nothing is printed. The command reads files, runs judges
//! and writes folders.
//!
//! - [`item`] is the item format and its one reader; [`layout`] brings published layouts into it and back.
//! - [`principle`] has one principle for each benchmark and domain, in our own words.
//! - [`benchmark`] defines the figures of each benchmark over [`outcome`]s; [`statistic`] gives them intervals and
//!   compares two runs; [`calibration`] looks at the probabilities behind scores.
//! - [`build`] makes data sets, and [`decontaminate`] keeps benchmarks out of them.
//! - [`raw`] reads conversations and [`transcript`] what chat templates made of them, as a judge wants them.
//! - [`report`] says it all as data, Markdown and HTML; [`validation`] is a page for raters, and
//!   [`agreement`] measures how far they agree.

pub mod agreement;
pub mod benchmark;
pub mod build;
pub mod calibration;
pub mod decontaminate;
pub mod gold;
pub mod item;
pub mod layout;
pub mod outcome;
pub mod principle;
pub mod raw;
pub mod report;
pub mod sample;
pub mod statistic;
pub mod transcript;
mod tree;
pub mod validation;
