//! `report`: what runs have shown, as Markdown, JSON and one page.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rewardanything_evals::report::{
    Comparison, RunReport, compare, comparison_text, leaderboard, page, text, worst,
};
use serde_json::json;

use super::args::ReportArgs;
use super::load::Loaded;
use crate::Outcome;
use crate::table::plain;

/// Items shown in full in a run's own report.
const WORST: usize = 5;

/// Runs `report`.
///
/// # Errors
/// A folder is no run, its data is gone or other data, or a report cannot be written.
pub(crate) fn run(args: &ReportArgs) -> Result<Outcome> {
    let report = Reports::of(&args.runs, args.data.as_deref(), args.worst)?;
    if args.json {
        writeln!(io::stdout().lock(), "{}", report.as_json())?;
    } else {
        io::stdout()
            .lock()
            .write_all(plain(&report.as_text()).as_bytes())?;
    }
    match (&args.output, args.runs.as_slice()) {
        (Some(folder), _) | (None, [folder]) => report.write(folder)?,
        (None, _) => {}
    }
    Ok(Outcome::Done)
}

/// Writes the report of a run into its folder.
pub(crate) fn write_one(folder: &Path) -> Result<()> {
    Reports::of(&[folder.to_owned()], None, WORST)?.write(folder)
}

/// Prints the report of runs just made, and writes it where `output` says.
pub(crate) fn show(folders: &[PathBuf], output: Option<&Path>) -> Result<()> {
    let report = Reports::of(folders, None, WORST)?;
    io::stdout()
        .lock()
        .write_all(plain(&report.as_text()).as_bytes())?;
    output.map_or(Ok(()), |folder| report.write(folder))
}

/// Reports of runs, and what distinguishes them from the first.
struct Reports {
    reports: Vec<RunReport>,
    comparisons: Vec<Comparison>,
}

impl Reports {
    fn of(folders: &[PathBuf], data: Option<&Path>, count: usize) -> Result<Self> {
        let runs: Vec<Loaded> = folders
            .iter()
            .map(|folder| Loaded::read(folder, data))
            .collect::<Result<_>>()?;
        let reports = runs
            .iter()
            .map(|run| report(run, count))
            .collect::<Result<Vec<_>>>()?;
        let mut comparisons = Vec::new();
        if let Some((first, others)) = runs.split_first() {
            let name = |run: &Loaded| name(&run.folder);
            for other in others {
                let alike = first.header.benchmark == other.header.benchmark
                    && first.header.data.sha256 == other.header.data.sha256;
                if alike {
                    comparisons.push(compare(
                        first.header.benchmark()?,
                        (&name(first), &first.items),
                        (&name(other), &other.items),
                    ));
                }
            }
        }
        Ok(Reports { reports, comparisons })
    }

    fn as_text(&self) -> String {
        if let [one] = self.reports.as_slice() {
            return text(one);
        }
        let mut out = String::new();
        let mut benchmarks: Vec<&str> = self
            .reports
            .iter()
            .map(|report| report.benchmark.as_str())
            .collect();
        benchmarks.sort_unstable();
        benchmarks.dedup();
        for benchmark in benchmarks {
            let of: Vec<RunReport> = self
                .reports
                .iter()
                .filter(|report| report.benchmark == benchmark)
                .cloned()
                .collect();
            out.push_str(&format!("# {benchmark}\n\n{}\n", leaderboard(&of)));
        }
        for comparison in &self.comparisons {
            out.push_str(&comparison_text(comparison));
            out.push('\n');
        }
        out
    }

    fn as_json(&self) -> serde_json::Value {
        json!({ "runs": self.reports, "comparisons": self.comparisons })
    }

    fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut markdown = self.as_text();
        if self.reports.len() > 1 {
            for report in &self.reports {
                markdown.push_str(&format!("\n{}", text(report)));
            }
        }
        let files = [
            ("report.md", markdown),
            (
                "report.json",
                serde_json::to_string_pretty(&self.as_json())? + "\n",
            ),
            ("report.html", page(&self.reports, &self.comparisons)),
        ];
        for (name, content) in files {
            let path = folder.join(name);
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn report(run: &Loaded, count: usize) -> Result<RunReport> {
    let benchmark = run.header.benchmark()?;
    let report = RunReport::of(benchmark, &run.items, run.counts.clone());
    Ok(RunReport {
        run: name(&run.folder),
        model: run.header.model.name.clone(),
        settings: run.header.shown(),
        cost: run.cost,
        command: run.header.command.clone(),
        worst: run.in_full(&worst(&run.items, count))?,
        ..report
    })
}

/// The last part of a folder's path.
fn name(folder: &Path) -> String {
    folder.file_name().map_or_else(
        || folder.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
