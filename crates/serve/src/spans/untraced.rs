//! No spans.

use std::future::Future;

use super::Incoming;

/// Nothing.
#[derive(Debug, Clone)]
pub(crate) struct Span;

pub(crate) fn request(_: &Incoming<'_>) -> Span {
    Span
}

pub(crate) fn stage(_: &'static str) -> Span {
    Span
}

pub(crate) fn root(_: &'static str) -> Span {
    Span
}

pub(crate) fn here(_: &'static str) -> Span {
    Span
}

pub(crate) fn note(_: &'static str) {}

impl Span {
    pub(crate) fn carry<F: Future>(&self, future: F) -> F {
        future
    }

    pub(crate) fn number(&self, _: &'static str, _: u64) {}

    pub(crate) fn answered(&self, _: u16) {}

    pub(crate) fn aside(&self) -> Aside {
        Aside
    }

    pub(crate) fn end(self) {}
}

/// Nothing.
#[derive(Debug)]
pub(crate) struct Aside;

impl Aside {
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        work()
    }
}
