//! `train watch`: how runs are doing, once or until they have ended.

pub(crate) mod args;
mod view;

use std::io::{self, IsTerminal as _, Write as _};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use rewardanything_train::watch::{Run, State, Summary, write_page};

use self::args::WatchArgs;
use crate::Outcome;
use crate::table::Style;

pub(crate) fn run(args: &WatchArgs) -> Result<Outcome> {
    let mut runs: Vec<Run> = args
        .runs
        .iter()
        .map(|folder| Run::open(folder))
        .collect::<Result<_, _>>()?;
    for (at, folder) in args.runs.iter().enumerate() {
        ensure!(
            !args.runs[..at].contains(folder),
            "{} is named twice",
            folder.display()
        );
    }
    let mut out = io::stdout().lock();
    if args.json || args.once {
        let now = now();
        page(args, &runs, now)?;
        if args.json {
            for run in &runs {
                let summary = serde_json::to_string(&Summary::new(run, now));
                writeln!(out, "{}", summary.expect("a summary is JSON. This is a bug."))?;
            }
        } else {
            let (style, rows) = (Style::of_stdout(), if args.all { usize::MAX } else { view::ROWS });
            out.write_all(view::render(&runs, now, style, rows).as_bytes())?;
        }
        return Ok(Outcome::Done);
    }
    if let Some(file) = args.page_file() {
        eprintln!("the page is {}", file.display());
    }
    let mut screen = Screen::new(args.all);
    let mut states = Vec::new();
    let mut first = true;
    loop {
        let now = now();
        let mut changed = first;
        if !first {
            for run in &mut runs {
                changed |= run.refresh()?;
            }
        }
        let before = std::mem::replace(&mut states, runs.iter().map(|run| run.state(now)).collect());
        changed |= before != states;
        if changed {
            page(args, &runs, now)?;
        }
        screen.show(&mut out, &runs, now, changed)?;
        if states.iter().all(|state| state.ended()) {
            return Ok(Outcome::Done);
        }
        first = false;
        thread::sleep(Duration::from_secs(u64::from(args.every)));
    }
}

/// What the clock on the wall says: files have their times by it.
#[expect(
    clippy::disallowed_methods,
    reason = "a run is silent, and a page was written, by the clock on the wall"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

fn page(args: &WatchArgs, runs: &[Run], now: SystemTime) -> Result<()> {
    if let Some(file) = args.page_file() {
        write_page(&file, runs, Duration::from_secs(u64::from(args.every)), now)?;
    }
    Ok(())
}

/// Where the view is drawn again and again.
struct Screen {
    terminal: bool,
    all: bool,
    /// Lines of the view that stands there.
    drawn: usize,
}

impl Screen {
    fn new(all: bool) -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            all,
            drawn: 0,
        }
    }

    fn show(
        &mut self,
        out: &mut impl io::Write,
        runs: &[Run],
        now: SystemTime,
        changed: bool,
    ) -> io::Result<()> {
        if !self.terminal {
            if changed {
                for run in runs {
                    writeln!(out, "{}", view::line(run, now))?;
                }
            }
            return out.flush();
        }
        let style = Style::of_stdout();
        let height = terminal_size::terminal_size().map_or(24, |(_, height)| usize::from(height.0));
        let rows = if self.all { usize::MAX } else { view::ROWS };
        // A view that is higher than the terminal cannot be drawn over; what does not fit is left out and counted.
        let shown = view::fitted(runs, now, style, (rows, height.saturating_sub(1)));
        // One write, so that nothing flickers: up to the first line, clear to the end, the view.
        let up = if self.drawn > 0 {
            format!("\u{1b}[{}A\r\u{1b}[J", self.drawn)
        } else {
            String::new()
        };
        self.drawn = shown.lines().count();
        out.write_all((up + &shown).as_bytes())?;
        out.flush()
    }
}

/// The word of a state and the colour it is shown in.
fn state_shown(state: State) -> (&'static str, &'static str) {
    let colour = match state {
        State::Running | State::Finished => "32",
        State::Waiting => "2",
        State::Silent | State::Stopped => "33",
    };
    (state.word(), colour)
}
