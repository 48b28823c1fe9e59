//! The engine on the tiny checkpoints of `fixtures/`.

mod chats;
mod common;
mod folders;
mod local;
mod reference;
