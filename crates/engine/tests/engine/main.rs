//! The engine on the tiny checkpoints of `fixtures/`, and on the judge that ships inside.

mod chats;
mod common;
mod cpu;
mod folders;
mod gguf;
mod guided;
mod local;
mod nano;
mod reference;
