//! `completions` and `man`: what shells and manuals say of the command, out of its own arguments.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Outcome;
use crate::args::Cli;

/// Runs `completions`.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn completions(shell: Shell) -> Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rewardanything", &mut text);
    io::stdout().lock().write_all(&text)?;
    Ok(Outcome::Done)
}

/// Runs `man`.
///
/// # Errors
/// The folder cannot be written to.
pub(crate) fn man(folder: &Path) -> Result<Outcome> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(Outcome::Done)
}
