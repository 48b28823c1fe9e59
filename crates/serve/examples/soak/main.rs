//! Hours of full load with clients that die and backends that fail, to see that nothing is lost, nothing is out of order
//! and memory stays as it is. Linux only: memory is read from /proc.
//!
//! ```text
//! soak PROGRAM FOLDER [--minutes 60] [--callers 64] [--deaths 1] [-- FLAGS OF THE SERVER]
//! ```
//!
//! PROGRAM is the `rewardanything` to try; it serves with a store in FOLDER before four chat endpoints of this process that
//! fail at random. Of eight callers five send single items and batches, two send groups sample by sample, and one hands in
//! jobs; each sends the next when the last is answered. Every response says what it is worth, the endpoints read that, and
//! every answer is held against it: one that belongs to somebody else, or stands in another's place, is seen. Callers die
//! before their answers, and some come back for them; `--deaths 3` makes it three times as many.
//!
//! Each minute is a line in FOLDER/minutes.jsonl. Where there are lines already the soak goes on after them, over the
//! same store, until there are so many. The exit code is 1 where anything was wrong in any of them, where the server still
//! holds something when nobody has asked for long, and where it is not shown that memory is flat: of a straight line
//! through the minutes of the second half, the upper end of the slope's interval is to stay below 5% an hour.
//! The example `counted` is a PROGRAM that also says what it holds of what the system counts.

mod backend;
mod callers;
mod groups;
mod jobs;
mod minutes;
mod trend;
#[path = "../wire/mod.rs"]
mod wire;

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use callers::{Counts, Load};
use minutes::{Log, Seen, held, metric};
use wire::{Result, read, request};

/// Chat endpoints behind the server.
const BACKENDS: u64 = 4;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words = arguments.iter().map(String::as_str);
    let (Some(program), Some(folder)) = (words.next(), words.next()) else {
        return Err("expected: PROGRAM FOLDER [--minutes N] [--callers N] [--deaths N] [-- FLAGS]".into());
    };
    let (mut minutes, mut callers, mut deaths) = (60, 64, 1);
    let mut flags = Vec::new();
    while let Some(flag) = words.next() {
        if flag == "--" {
            flags.extend(&mut words);
            break;
        }
        let value = words.next().ok_or_else(|| format!("{flag}: expected a number"))?;
        match flag {
            "--minutes" => minutes = value.parse()?,
            "--callers" => callers = value.parse()?,
            "--deaths" => deaths = value.parse()?,
            _ => return Err(format!("{flag}: expected --minutes, --callers or --deaths").into()),
        }
    }
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    let log = Log::open(&folder.join("minutes.jsonl"))?;
    let left = minutes_left(minutes, log.minutes())?;
    let plan = Plan {
        minutes: left,
        callers,
        deaths,
        flags,
    };
    soak(program, (folder, log), &plan)
}

/// How much is done to the server.
struct Plan<'a> {
    minutes: u64,
    callers: u64,
    deaths: u64,
    /// Of the server, after those that it has anyway.
    flags: Vec<&'a str>,
}

fn minutes_left(minutes: u64, done: u64) -> Result<u64> {
    minutes
        .checked_sub(done)
        .filter(|left| *left > 0)
        .ok_or_else(|| format!("{done} minutes are done already").into())
}

fn soak(program: &str, (folder, mut log): (&Path, Log), plan: &Plan<'_>) -> Result<()> {
    let mut backends = Vec::new();
    for number in 0..BACKENDS {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        backends.push(format!("http://{}", listener.local_addr()?));
        thread::spawn(move || backend::serve(&listener, number));
    }
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut server = Server::start(program, folder, (&address, &backends.join(",")), &plan.flags)?;
    let counts = Counts::default();
    // Items of an earlier run are in the store, and those of this one are not to be taken for them.
    let load = Load {
        address: &address,
        end: Instant::now() + Duration::from_secs(60 * plan.minutes),
        salt: log.minutes(),
        deaths: plan.deaths,
        counts: &counts,
    };
    let watched = thread::scope(|scope| -> Result<()> {
        for caller in 0..plan.callers {
            thread::Builder::new()
                .stack_size(256 << 10)
                .spawn_scoped(scope, move || load.call(caller))?;
        }
        let began = Instant::now();
        for minute in 1..=plan.minutes {
            let due = began + Duration::from_secs(60 * minute);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let metrics = get(&address, "/metrics")?;
            let seen = Seen {
                pid: server.0.id(),
                metrics: &metrics,
                store: &folder.join("store"),
            };
            log.minute(&seen, &counts)?;
        }
        Ok(())
    });
    watched?;
    let settled = settle(&address);
    server.0.kill()?;
    server.0.wait()?;
    // What was seen is said in any case.
    let summed = log.sum_up();
    settled.and(summed)
}

/// Waits until the server holds nothing any more of what callers asked for: every group is judged and forgotten, every
/// job was fetched and forgotten, nothing waits.
///
/// # Errors
/// It holds something when nobody has asked for two minutes.
fn settle(address: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let metrics = get(address, "/metrics")?;
        let jobs = get(address, "/v1/jobs")?.matches("\"id\":").count() as f64;
        let of = |what: &'static str| (what, held(&metrics, what).unwrap_or(f64::NAN));
        let waiting = metric(&metrics, "rewardanything_queue_depth").unwrap_or(f64::NAN);
        let left = [
            ("jobs", jobs),
            ("waiting", waiting),
            of("groups"),
            of("group_calls"),
            of("job_tasks"),
            of("store_changes"),
            of("replies"),
        ];
        if left.iter().all(|(_, count)| *count == 0.0) {
            let tasks = held(&metrics, "tasks").unwrap_or(f64::NAN);
            println!(
                "nothing was left {:.0} s after the last call, but {tasks} tasks of the server's own",
                began.elapsed().as_secs_f64()
            );
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(120) {
            return Err(format!("left over: {left:?}").into());
        }
        thread::sleep(Duration::from_secs(2));
    }
}

/// What is at a path.
fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.get_mut().write_all(&request("GET", address, path, ""))?;
    let (_, answer) = read(&mut stream)?.ok_or("the server closed the connection")?;
    Ok(String::from_utf8(answer)?)
}

/// The server; it does not outlive this value.
struct Server(Child);

impl Server {
    fn start(
        program: &str,
        folder: &Path,
        (address, backends): (&str, &str),
        flags: &[&str],
    ) -> Result<Self> {
        let (host, port) = address.split_once(':').ok_or("an address has a port")?;
        let store = folder.join("store");
        let mut server = Self(
            Command::new(program)
                .args(["serve", "--host", host, "--port", port, "--model", backends])
                .args([
                    "--concurrency",
                    "128",
                    "--queue",
                    "8192",
                    "--deadline",
                    "60",
                    "--log",
                    "off",
                ])
                .args(["--group-wait", "5", "--store"])
                .arg(store)
                .args(flags)
                .stdin(Stdio::null())
                .stderr(File::create(folder.join("server.log"))?)
                .spawn()?,
        );
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if server.0.try_wait()?.is_some() || began.elapsed() > Duration::from_secs(30) {
                return Err(format!("it does not serve: {}", folder.join("server.log").display()).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
