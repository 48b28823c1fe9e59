//! The server over real sockets, before real and scripted judges.

mod best_of;
mod common;
mod frameworks;
mod injection;
mod jobs;
mod native;
mod owners;
mod published;
