//! The `rewardanything` command: arguments become settings, settings become calls.
//!
//! This is the one crate that prints and the one that uses `anyhow`. What it decides is tested here; what it
//! passes on is tested where it is done.

mod align;
mod args;
mod batch;
mod bench;
mod best_of;
mod build;
mod columnar;
mod convert;
mod data;
mod doctor;
mod exchange;
mod hub;
mod info;
mod items;
mod judge;
mod models;
mod principle;
mod records;
mod score;
mod serve;
mod shell;
mod table;
mod training;
mod value;
mod watch;

use std::io;
use std::process::ExitCode;

use mimalloc::MiMalloc;

use crate::args::{Cli, Command, DataCommand, ModelCommand};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How a command that could be carried out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything asked for was done.
    Done,
    /// Something could not be judged, or a principle has a fault.
    SomeFailed,
}

impl Outcome {
    fn of(all_judged: bool) -> Self {
        if all_judged {
            Outcome::Done
        } else {
            Outcome::SomeFailed
        }
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::read(std::env::args_os())
        .unwrap_or_else(|error| error.exit())
        .command
    {
        Command::Judge(args) => judge::run(&args),
        Command::Serve(args) => serve::run(*args, None),
        Command::Ui(args) => serve::browser::run(*args),
        Command::Principle(command) => principle::run(&command),
        Command::Data(DataCommand::Import(args)) => exchange::import(&args),
        Command::Data(DataCommand::Export(args)) => exchange::export(&args),
        Command::Data(DataCommand::Build(args)) => build::run(&args),
        Command::Data(DataCommand::Decontaminate(args)) => build::clean::run(&args),
        Command::Data(DataCommand::Agreement(args)) => build::people::run(&args),
        Command::Data(DataCommand::Verifiable(args)) => data::verifiable(&args),
        Command::Score(args) => score::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Report(args) => bench::report::run(&args),
        Command::Train(command) => training::run(&command),
        Command::Align(args) => align::run(&args),
        Command::BestOf(args) => best_of::run(&args),
        Command::Model(ModelCommand::Info { model, json }) => info::run(&model, json),
        Command::Model(ModelCommand::List { json }) => hub::list(json),
        Command::Model(ModelCommand::Pull { model }) => hub::pull(&model),
        Command::Model(ModelCommand::Convert(args)) => convert::run(&args),
        Command::Doctor { json } => doctor::run(json),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { folder } => shell::man(&folder),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
