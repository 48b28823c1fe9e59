//! The crate against real sockets.

mod hub;
mod llama;
mod pool;
mod recorded;
mod server;
