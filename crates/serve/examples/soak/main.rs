//! Hours of full load with clients that die and backends that fail, to see that nothing is lost, nothing is out of order
//! and memory stays as it is. Linux only: memory is read from /proc.
//!
//! ```text
//! soak PROGRAM FOLDER [--minutes 60] [--callers 64]
//! ```
//!
//! PROGRAM is the `rewardanything` to try; it serves with a store in FOLDER before four chat endpoints of this process that
//! fail at random. Of eight callers five send single items and batches, two send groups sample by sample, and one hands in
//! jobs; each sends the next when the last is answered. Every response says what it is worth, the endpoints read that, and
//! every answer is held against it: one that belongs to somebody else, or stands in another's place, is seen. Callers die
//! before their answers, and some come back for them.
//!
//! Each minute is a line in FOLDER/minutes.jsonl. Where there are lines already the soak goes on after them, over the
//! same store, until there are so many. The exit code is 1 where anything was wrong in any of them.

mod backend;
mod callers;
mod groups;
mod jobs;
mod minutes;
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
use minutes::Log;
use wire::{Result, read, request};

/// Chat endpoints behind the server.
const BACKENDS: u64 = 4;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().map(String::as_str);
    let (Some(program), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("expected: PROGRAM FOLDER [--minutes N] [--callers N]".into());
    };
    let (mut minutes, mut callers) = (60, 64);
    while let Some(flag) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{flag}: expected a number"))?;
        match flag {
            "--minutes" => minutes = value.parse()?,
            "--callers" => callers = value.parse()?,
            _ => return Err(format!("{flag}: expected --minutes or --callers").into()),
        }
    }
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    let log = Log::open(&folder.join("minutes.jsonl"))?;
    let left = minutes_left(minutes, log.minutes())?;
    soak(program, (folder, log), (left, callers))
}

fn minutes_left(minutes: u64, done: u64) -> Result<u64> {
    minutes
        .checked_sub(done)
        .filter(|left| *left > 0)
        .ok_or_else(|| format!("{done} minutes are done already").into())
}

fn soak(program: &str, (folder, mut log): (&Path, Log), (minutes, callers): (u64, u64)) -> Result<()> {
    let mut backends = Vec::new();
    for number in 0..BACKENDS {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        backends.push(format!("http://{}", listener.local_addr()?));
        thread::spawn(move || backend::serve(&listener, number));
    }
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let mut server = Server::start(program, folder, (&address, &backends.join(",")))?;
    let counts = Counts::default();
    // Items of an earlier run are in the store, and those of this one are not to be taken for them.
    let load = Load {
        address: &address,
        end: Instant::now() + Duration::from_secs(60 * minutes),
        salt: log.minutes(),
        counts: &counts,
    };
    let watched = thread::scope(|scope| -> Result<()> {
        for caller in 0..callers {
            thread::Builder::new()
                .stack_size(256 << 10)
                .spawn_scoped(scope, move || load.call(caller))?;
        }
        let began = Instant::now();
        for minute in 1..=minutes {
            let due = began + Duration::from_secs(60 * minute);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            log.minute(server.0.id(), &counts)?;
        }
        Ok(())
    });
    watched?;
    // Every caller of jobs has fetched and forgotten its own.
    let jobs = get(&address, "/v1/jobs")?;
    let metrics = get(&address, "/metrics")?;
    let gauge = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next())
            .unwrap_or("?")
            .to_owned()
    };
    println!(
        "left over: {} jobs, {} groups, {} waiting",
        jobs.matches("\"id\":").count(),
        gauge("rewardanything_groups "),
        gauge("rewardanything_queue_depth ")
    );
    server.0.kill()?;
    server.0.wait()?;
    if jobs.contains("\"id\":") {
        return Err("jobs were left over".into());
    }
    log.sum_up()
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
    fn start(program: &str, folder: &Path, (address, backends): (&str, &str)) -> Result<Self> {
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
