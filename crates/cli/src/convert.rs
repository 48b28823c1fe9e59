//! `model convert`: a model as one GGUF file.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rewardanything_engine::{GgufFormat, write_gguf};

use crate::Outcome;
use crate::args::{ConvertArgs, NumberFormat};
use crate::models;

/// Runs `model convert`. The file appears under its name once it is whole.
///
/// # Errors
/// The model is unusable, the output exists or cannot be written.
pub(crate) fn run(args: &ConvertArgs) -> Result<Outcome> {
    let output = args.output.as_path();
    ensure!(!output.exists(), "{} exists already", output.display());
    let files = models::files(&args.model)?;
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let unfinished = tempfile::Builder::new()
        .prefix(".rewardanything-")
        .suffix(".gguf")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let format = match args.format {
        NumberFormat::Q8_0 => GgufFormat::Q8_0,
        NumberFormat::Bf16 => GgufFormat::Bf16,
        NumberFormat::F16 => GgufFormat::F16,
    };
    let bar = ProgressBar::no_length().with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} tensors · {elapsed} spent")
            .expect("the template is fixed. This is a bug."),
    );
    write_gguf(&files, format, unfinished.path(), |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })
    .with_context(|| format!("cannot convert {}", args.model))?;
    bar.finish_and_clear();
    let bytes = unfinished.path().metadata()?.len();
    unfinished
        .persist_noclobber(output)
        .with_context(|| format!("cannot write {}", output.display()))?;
    eprintln!("{}: {:.1} MB", output.display(), bytes as f64 / 1e6);
    Ok(Outcome::Done)
}
