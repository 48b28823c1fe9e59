//! The server over real sockets, before real and scripted judges.

mod common;
mod frameworks;
mod injection;
mod jobs;
mod native;
mod published;
