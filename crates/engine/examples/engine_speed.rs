//! Tokens per second of a model on the CPU, prefill and decoding apart, as the comparison with other engines reads it:
//! `cargo run --release -p rewardanything-engine --example engine_speed -- --model FOLDER|FILE.gguf [--exact] [--json]`.
//!
//! The tokens are arbitrary: what a pass costs does not depend on them. The number of threads is that of rayon's
//! global pool (`RAYON_NUM_THREADS`).

use std::path::PathBuf;
use std::time::Instant;

use rewardanything_engine::cpu::{Part, Sequence, Wanted};
use rewardanything_engine::{CpuModel, ModelFiles, Numerics};

/// Tokens of a piece of a prompt, as the scheduler takes them.
const PIECE: usize = 512;
/// Tokens written by each row.
const STEPS: usize = 24;

type Failure = Box<dyn std::error::Error>;

struct Bench {
    model: CpuModel,
}

impl Bench {
    fn token(&self, index: usize) -> u32 {
        (index * 7919 % self.model.config().vocab_size) as u32
    }

    /// Rows that have each read so many tokens, and the seconds that took.
    fn read(&self, rows: usize, tokens: usize) -> Result<(Vec<Sequence>, f64), Failure> {
        let mut sequences: Vec<Sequence> = (0..rows).map(|_| self.model.sequence()).collect();
        let start = Instant::now();
        for (row, sequence) in sequences.iter_mut().enumerate() {
            let prompt: Vec<u32> = (0..tokens).map(|i| self.token(row * tokens + i + 1)).collect();
            for (index, piece) in prompt.chunks(PIECE).enumerate() {
                let last = (index + 1) * PIECE >= tokens;
                let part = Part {
                    sequence,
                    tokens: piece,
                    wanted: if last { Wanted::Last } else { Wanted::Nothing },
                };
                self.model.forward(&mut [part])?;
            }
        }
        Ok((sequences, start.elapsed().as_secs_f64()))
    }

    /// Tokens per second of all rows together, each writing [`STEPS`] tokens.
    fn write(&self, mut sequences: Vec<Sequence>) -> Result<f64, Failure> {
        let rows = sequences.len();
        let start = Instant::now();
        for step in 0..STEPS {
            let tokens: Vec<[u32; 1]> = (0..rows).map(|row| [self.token(row * STEPS + step)]).collect();
            let mut parts: Vec<Part<'_>> = sequences
                .iter_mut()
                .zip(&tokens)
                .map(|(sequence, token)| Part {
                    sequence,
                    tokens: token,
                    wanted: Wanted::Last,
                })
                .collect();
            self.model.forward(&mut parts)?;
        }
        Ok((rows * STEPS) as f64 / start.elapsed().as_secs_f64())
    }
}

/// The most memory that this process ever held, where the system tells.
fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

fn main() -> Result<(), Failure> {
    let (mut model, mut json, mut numerics) = (None, false, Numerics::Native);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--model" => model = arguments.next().map(PathBuf::from),
            "--json" => json = true,
            "--exact" => numerics = Numerics::Exact,
            other => return Err(format!("unknown argument {other:?}").into()),
        }
    }
    let path = model.ok_or("expected --model FOLDER|FILE.gguf")?;
    let start = Instant::now();
    let files = if path.is_dir() {
        ModelFiles::from_folder(&path)?
    } else {
        ModelFiles::from_gguf(&path)?
    };
    let bench = Bench {
        model: CpuModel::new(&files.config, &files.weights, numerics)?,
    };
    let load_seconds = start.elapsed().as_secs_f64();
    // Touches everything once.
    bench.read(1, 64)?;
    let (long, seconds) = bench.read(1, 2048)?;
    let figures = [
        ("prefill_2048", Some(2048.0 / seconds)),
        ("decode_1_at_2048", Some(bench.write(long)?)),
        ("decode_1_at_512", Some(bench.write(bench.read(1, 512)?.0)?)),
        ("decode_8_at_512", Some(bench.write(bench.read(8, 512)?.0)?)),
        ("peak_rss_mib", peak_rss_mib()),
        ("load_seconds", Some(load_seconds)),
    ];
    if json {
        let object: serde_json::Map<String, serde_json::Value> = figures
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        println!("{}", serde_json::Value::Object(object));
    } else {
        for (name, value) in figures {
            match value {
                Some(value) => println!("{name:18} {value:10.2}"),
                None => println!("{name:18}          -"),
            }
        }
    }
    Ok(())
}
