//! The program as its users meet it, run as a process of its own, and the walls between the crates.

mod align;
mod architecture;
mod bench;
mod book;
mod browser;
mod build;
mod columnar;
mod commands;
mod common;
mod durable;
mod formats;
mod judge_file;
mod nano;
#[cfg(feature = "otel")]
mod otel;
mod page;
mod principle;
mod remote;
mod serve;
#[expect(dead_code, reason = "the tests of the crate it lies in use the rest")]
#[path = "../../../remote/tests/it/server.rs"]
mod server;
mod shell;
mod validation;
mod watch;
