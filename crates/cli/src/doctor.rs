//! `doctor`: what this machine offers to a judge, and what is wrong with it.
//!
//! Looking is apart from judging what was seen: [`findings`] is a function of [`Seen`].

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use rewardanything_core::{Judge, JudgeRequest, Profile, Response};
use rewardanything_engine::Isa;
use serde_json::json;

use crate::Outcome;
use crate::args::LocalArgs;
use crate::hub;
use crate::models;
use crate::table::pad;

/// Memory below which models other than the smallest do not fit, with room to work in.
const LITTLE_MEMORY: u64 = 2 << 30;

/// What was seen of the machine. What cannot be known here is `None`.
#[derive(Debug, Clone, Default)]
struct Seen {
    processor: Option<String>,
    /// Instruction sets that kernels are compiled for and the machine has, the plainest first.
    sets: Vec<&'static str>,
    /// The one in use, and the one that the environment forces.
    active: Option<Isa>,
    forced: Option<String>,
    threads: usize,
    memory: Option<Memory>,
    /// NVIDIA devices that the system shows.
    gpus: Vec<String>,
    /// Whether this program was built for them.
    cuda: bool,
    cache: Option<PathBuf>,
    /// Models in the cache, and their bytes.
    fetched: (usize, u64),
    /// Why the cache cannot be used.
    cache_fault: Option<String>,
    /// Variables that hold keys.
    keys: Vec<&'static str>,
    /// How long the judge inside took to judge two responses, or why it did not.
    judged: Option<Result<Duration, String>>,
}

/// Bytes of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memory {
    total: u64,
    available: u64,
}

/// Runs `doctor`.
///
/// # Errors
/// Standard output is closed.
pub(crate) fn run(as_json: bool) -> Result<Outcome> {
    let seen = look();
    let wrong = findings(&seen);
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", object(&seen, &wrong))?;
    } else {
        for (name, value) in rows(&seen) {
            writeln!(out, "{}{value}", pad(name, 14))?;
        }
        for line in &wrong {
            writeln!(out, "\nwrong: {line}")?;
        }
        if wrong.is_empty() {
            writeln!(out, "\nNothing is wrong.")?;
        }
    }
    Ok(Outcome::of(wrong.is_empty()))
}

fn look() -> Seen {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let forced = hub::variable("REWARDANYTHING_ISA");
    let available = || Isa::ALL.into_iter().filter(|isa| isa.is_available());
    // The kernels end the program where a set is forced that is not there; here that is a finding.
    let active = match &forced {
        Some(name) => available().find(|isa| isa.name() == name),
        None => Some(Isa::active()),
    };
    let (cache, fetched, cache_fault) = match hub::from_environment() {
        Err(error) => (None, (0, 0), Some(format!("{error:#}"))),
        Ok(hub) => {
            let entries = hub.list();
            let bytes = entries.iter().map(|entry| entry.bytes).sum();
            let fault = unusable(&hub.cache);
            (Some(hub.cache), (entries.len(), bytes), fault)
        }
    };
    let keys = ["REWARDANYTHING_API_KEY", "OPENAI_API_KEY", "HF_TOKEN"];
    Seen {
        processor: processor(&file("/proc/cpuinfo")),
        sets: available().map(Isa::name).collect(),
        active,
        forced,
        threads: thread::available_parallelism().map_or(1, usize::from),
        memory: memory(
            &file("/proc/meminfo"),
            &file("/sys/fs/cgroup/memory.max"),
            &file("/sys/fs/cgroup/memory.current"),
        ),
        gpus: gpus(Path::new("/proc/driver/nvidia/gpus")),
        cuda: cfg!(feature = "cuda"),
        cache,
        fetched,
        cache_fault,
        keys: keys
            .into_iter()
            .filter(|name| hub::variable(name).is_some())
            .collect(),
        judged: active.map(|_| judged()),
    }
}

/// What is wrong, in sentences that say what to do.
fn findings(seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    match (&seen.forced, seen.active) {
        (Some(name), None) => wrong.push(format!(
            "REWARDANYTHING_ISA asks for {name:?}, which is not here: expected one of {}, or no such variable",
            seen.sets.join(", ")
        )),
        (Some(name), Some(_)) if seen.sets.last().is_some_and(|best| best != name) => wrong.push(format!(
            "REWARDANYTHING_ISA forces {name}, and the processor has {}: without the variable judging is faster",
            seen.sets.last().unwrap_or(&"more")
        )),
        (None, Some(Isa::Portable)) => wrong.push(
            "the processor has no instruction set that there are kernels for (AVX2, AVX-512, NEON): judging works, and \
             is slow"
                .to_owned(),
        ),
        _ => {}
    }
    if let Some(memory) = seen.memory.filter(|memory| memory.available < LITTLE_MEMORY) {
        wrong.push(format!(
            "{} of memory are left: the judge inside fits, a model of 0.6 billion weights takes {} and more",
            size(memory.available),
            size(LITTLE_MEMORY)
        ));
    }
    if !seen.gpus.is_empty() && !seen.cuda {
        wrong.push(
            "there is an NVIDIA device that this program was not built for: docs/gpu.md says how to build it"
                .to_owned(),
        );
    }
    if let Some(fault) = &seen.cache_fault {
        wrong.push(format!("models cannot be fetched: {fault}"));
    }
    if let Some(Err(why)) = &seen.judged {
        wrong.push(format!("the judge inside does not judge: {why}"));
    }
    wrong
}

fn rows(seen: &Seen) -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_owned();
    let built = if seen.cuda { ", built with CUDA" } else { "" };
    let numbers = match seen.active {
        Some(isa) if isa.has_bf16() => "; multiplies bf16 and bytes",
        Some(isa) if isa.has_byte_products() => "; multiplies bytes",
        _ => "",
    };
    let active = seen.active.map_or("none", Isa::name);
    let keys = match &seen.keys[..] {
        [] => "none in the environment".to_owned(),
        names => names.join(", "),
    };
    vec![
        (
            "program",
            format!("rewardanything {}{built}", env!("CARGO_PKG_VERSION")),
        ),
        ("processor", seen.processor.clone().unwrap_or_else(unknown)),
        (
            "instructions",
            format!("{}; in use: {active}{numbers}", seen.sets.join(", ")),
        ),
        ("threads", seen.threads.to_string()),
        (
            "memory",
            seen.memory.map_or_else(unknown, |memory| {
                format!(
                    "{}, of which {} are left",
                    size(memory.total),
                    size(memory.available)
                )
            }),
        ),
        (
            "devices",
            if seen.gpus.is_empty() {
                "none beside the processors".to_owned()
            } else {
                seen.gpus.join(", ")
            },
        ),
        (
            "models",
            format!(
                "{} fetched, {}, in {}",
                seen.fetched.0,
                size(seen.fetched.1),
                seen.cache
                    .as_ref()
                    .map_or_else(unknown, |cache| cache.display().to_string())
            ),
        ),
        ("keys", keys),
        (
            "judge inside",
            match &seen.judged {
                Some(Ok(took)) => format!("judges two responses in {} ms", took.as_millis()),
                Some(Err(why)) => why.clone(),
                None => "not tried".to_owned(),
            },
        ),
    ]
}

fn object(seen: &Seen, wrong: &[String]) -> serde_json::Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "cuda": seen.cuda,
        "processor": seen.processor,
        "instruction_sets": seen.sets,
        "instruction_set": seen.active.map(Isa::name),
        "threads": seen.threads,
        "memory_bytes": seen.memory.map(|memory| memory.total),
        "memory_available_bytes": seen.memory.map(|memory| memory.available),
        "devices": seen.gpus,
        "cache": seen.cache,
        "models_fetched": seen.fetched.0,
        "models_bytes": seen.fetched.1,
        "keys": seen.keys,
        "judge_ms": seen.judged.as_ref().and_then(|judged| judged.as_ref().ok()).map(Duration::as_millis),
        "wrong": wrong,
    })
}

fn size(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// The processor's name, as Linux gives it.
fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Memory as Linux gives it, within the limit of the group of processes where that is lower.
fn memory(meminfo: &str, limit: &str, used: &str) -> Option<Memory> {
    let kibibytes = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let whole = Memory {
        total: kibibytes("MemTotal:")? << 10,
        available: kibibytes("MemAvailable:")? << 10,
    };
    let limit: Option<u64> = limit.trim().parse().ok();
    Some(match limit.filter(|&limit| limit < whole.total) {
        None => whole,
        Some(total) => {
            let used: u64 = used.trim().parse().unwrap_or(0);
            Memory {
                total,
                available: whole.available.min(total.saturating_sub(used)),
            }
        }
    })
}

/// Names of the NVIDIA devices that the driver shows.
fn gpus(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("information")).ok())
        .filter_map(|text| {
            let line = text.lines().find(|line| line.starts_with("Model:"))?;
            Some(line.trim_start_matches("Model:").trim().to_owned())
        })
        .collect();
    names.sort();
    names
}

/// Why files cannot be written below a folder, which need not be there yet.
fn unusable(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let tried = tempfile::NamedTempFile::new_in(there).err()?;
    Some(format!("cannot write to {}: {tried}", there.display()))
}

/// Lets the judge inside judge two responses.
fn judged() -> Result<Duration, String> {
    let model = models::load(rewardanything_models::NANO, &LocalArgs::default())
        .map_err(|error| format!("{error:#}"))?;
    let profile = model.profile().cloned().unwrap_or_else(Profile::rewardanything);
    let responses = vec![
        Response::new("brief", "Paris."),
        Response::new("long", "It is the old and famous city of Paris."),
    ];
    let request = JudgeRequest::new(
        "The shorter, the better.",
        "What is the capital of France?",
        responses,
    )
    .map_err(|error| error.to_string())?;
    let began = Instant::now();
    let verdict = Judge::new(&model, profile, 0)
        .judge(&request)
        .verdict
        .map_err(|error| error.to_string())?;
    match verdict.ranking.first() {
        Some(0) => Ok(began.elapsed()),
        _ => Err("it takes the longer of two answers for the shorter".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Seen {
        Seen {
            sets: vec!["portable", "avx2"],
            active: Some(Isa::Avx2),
            threads: 2,
            memory: Some(Memory {
                total: 8 << 30,
                available: 4 << 30,
            }),
            judged: Some(Ok(Duration::from_millis(40))),
            ..Seen::default()
        }
    }

    #[test]
    fn every_fault_is_found_and_nothing_else() {
        assert_eq!(findings(&well()), [""; 0]);
        let check = |seen: Seen, expect: &str| {
            let found = findings(&seen);
            assert!(
                found.len() == 1 && found[0].contains(expect),
                "{expect}: {found:?}"
            );
        };
        let forced = |name: &str| Some(name.to_owned());
        check(
            Seen {
                forced: forced("sse9"),
                active: None,
                judged: None,
                ..well()
            },
            "expected one of portable, avx2",
        );
        check(
            Seen {
                forced: forced("portable"),
                active: Some(Isa::Portable),
                ..well()
            },
            "forces portable",
        );
        check(
            Seen {
                sets: vec!["portable"],
                active: Some(Isa::Portable),
                ..well()
            },
            "no instruction set",
        );
        let memory = Some(Memory {
            total: 8 << 30,
            available: 1 << 30,
        });
        check(Seen { memory, ..well() }, "1.1 GB of memory");
        check(
            Seen {
                gpus: vec!["H100".to_owned()],
                ..well()
            },
            "not built for",
        );
        check(
            Seen {
                cache_fault: Some("no place".to_owned()),
                ..well()
            },
            "no place",
        );
        check(
            Seen {
                judged: Some(Err("broken".to_owned())),
                ..well()
            },
            "broken",
        );
        let forced_best = Seen {
            forced: forced("avx2"),
            ..well()
        };
        assert_eq!(
            findings(&forced_best),
            [""; 0],
            "what is best anyway may be forced"
        );
    }

    #[test]
    fn linux_is_read() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Processor: 9\nflags\t: x\nmodel name\t: B\n";
        assert_eq!(processor(cpuinfo).as_deref(), Some("A Processor: 9"));
        assert_eq!(processor(""), None);
        let meminfo = "MemTotal:       2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n";
        let check = |limit: &str, used: &str, total: u64, available: u64| {
            assert_eq!(
                memory(meminfo, limit, used),
                Some(Memory { total, available }),
                "{limit}"
            );
        };
        check("", "", 2 << 20, 1 << 20);
        check("max\n", "5\n", 2 << 20, 1 << 20);
        check("1048576\n", "1000000\n", 1 << 20, 48_576);
        check("9999999999\n", "1000000\n", 2 << 20, 1 << 20);
        assert_eq!(memory("", "1", "1"), None);
    }

    #[test]
    fn devices_and_caches_are_looked_for() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let device = folder.path().join("0000:01:00.0");
        fs::create_dir(&device).expect("a folder");
        fs::write(device.join("information"), "Model: \t\t NVIDIA H100\nIRQ: 7\n").expect("a file");
        assert_eq!(gpus(folder.path()), ["NVIDIA H100"]);
        assert_eq!(gpus(&folder.path().join("none")), [""; 0]);
        assert_eq!(unusable(&folder.path().join("not/yet/there")), None);
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(unusable(&file.join("below")).is_some_and(|why| why.contains("cannot write")));
    }
}
