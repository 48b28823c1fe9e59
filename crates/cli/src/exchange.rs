//! `data import` and `data export`: published layouts to items and back.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, Result, ensure};
use rewardanything_evals::layout::Layout;
use serde_json::Value;

use crate::Outcome;
use crate::args::ExchangeArgs;
use crate::columnar::Output;
use crate::items::{self, BadLines, Content, ReadOptions, Reader};

/// Runs `data import`.
///
/// # Errors
/// A file cannot be read or written, no line is a record of the layout, or with `--strict` a line is bad.
pub(crate) fn import(args: &ExchangeArgs) -> Result<Outcome> {
    let layout = args.layout;
    convert(args, |line| {
        let record = parse(line)?;
        let item = layout.to_item(&record)?;
        // What is written must be readable: an item that the reader refuses is a bad line here already.
        let text = item.to_string();
        let mut reader = Reader::new(text.as_bytes(), ReadOptions::default());
        match reader.next() {
            Some(Ok(line)) => match line.content {
                Content::Named(_, Ok(read)) => read.gold().map(|_| item),
                Content::Named(_, Err(why)) | Content::Broken(why) => Err(why),
            },
            _ => Err("the record is blank".to_owned()),
        }
    })
}

/// Runs `data export`.
///
/// # Errors
/// As [`import`].
pub(crate) fn export(args: &ExchangeArgs) -> Result<Outcome> {
    let layout = args.layout;
    convert(args, |line| layout.from_item(&parse(line)?))
}

fn parse(line: &str) -> Result<Value, String> {
    serde_json::from_str(line).map_err(|error| format!("not a record: {error}"))
}

fn convert(args: &ExchangeArgs, each: impl Fn(&str) -> Result<Value, String>) -> Result<Outcome> {
    let input = items::open(&args.input)?;
    let mut out = Output::create(&args.output)?;
    let (mut written, mut bad) = (0usize, BadLines::default());
    for (index, line) in input.lines().enumerate() {
        let line =
            line.with_context(|| format!("cannot read {}, line {}", args.input.display(), index + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        match each(&line) {
            Err(why) => bad.report(&args.input, index + 1, &why, args.strict)?,
            Ok(value) => {
                writeln!(out, "{value}")?;
                written += 1;
            }
        }
    }
    ensure!(
        written > 0,
        "{} holds nothing in the layout {}",
        args.input.display(),
        Layout::name(args.layout)
    );
    out.finish()?;
    eprintln!("{written} records");
    if let Some(summary) = bad.summary() {
        eprintln!("{summary}");
    }
    Ok(Outcome::of(bad.is_empty()))
}
