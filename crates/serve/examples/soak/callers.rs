//! Callers of the server, what they count, and those that send items, one or eight at a time.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::wire::{Result, post, read};
use crate::{groups, jobs};

/// Items of a batch.
const BATCH: u64 = 8;

/// A generator of our own, as the examples depend on nothing (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// What all callers saw together.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Items, samples and items of jobs that got their verdict.
    pub(crate) verdicts: AtomicU64,
    /// Those of which it was said that they have none.
    pub(crate) failures: AtomicU64,
    /// Callers that went away before the answer.
    pub(crate) deaths: AtomicU64,
    /// Calls that were told to come back.
    pub(crate) refused: AtomicU64,
    /// Samples whose siblings came too late, as where the machine stands still: they were judged without them, as said.
    pub(crate) short: AtomicU64,
    /// Groups and jobs that were answered whole.
    pub(crate) groups: AtomicU64,
    pub(crate) jobs: AtomicU64,
    /// Answers that are not the item's own, or stand in another's place.
    pub(crate) wrong: AtomicU64,
    /// Calls without an answer.
    pub(crate) lost: AtomicU64,
}

impl Counts {
    /// Counts what became of an item: its verdict, a failure that was said, or neither.
    pub(crate) fn item(&self, found: Option<bool>, what: &dyn std::fmt::Display) {
        let counter = match found {
            Some(true) => &self.verdicts,
            Some(false) => &self.failures,
            None => {
                println!("wrong: {what}");
                &self.wrong
            }
        };
        add(counter, 1);
    }
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// What all callers have in common.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) address: &'a str,
    pub(crate) end: Instant,
    /// In every prompt, so that what an earlier run asked is not asked again.
    pub(crate) salt: u64,
    /// How many times as many callers die as usually.
    pub(crate) deaths: u64,
    pub(crate) counts: &'a Counts,
}

impl Load<'_> {
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Whether a caller dies now, of whom usually one in so many does.
    pub(crate) fn dies(&self, one_in: u64, random: &mut Random) -> bool {
        random.below(one_in.max(2 * self.deaths)) < self.deaths
    }

    /// The life of one caller.
    pub(crate) fn call(&self, caller: u64) {
        let mut random = Random(caller << 20 | self.salt);
        let mut turn = 0;
        while !self.is_over() {
            turn += 1;
            let who = (caller, turn);
            let lived = match caller % 8 {
                0 => jobs::live(self, who, &mut random),
                1 | 2 => groups::live(self, who, &mut random),
                _ => self.live(caller, &mut turn, &mut random),
            };
            if let Err(error) = lived {
                println!("lost: caller {caller}: {error}");
                add(&self.counts.lost, 1);
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// Until it dies: each life of a caller is a connection.
    fn live(&self, caller: u64, turn: &mut u64, random: &mut Random) -> Result<()> {
        let mut stream = self.connect()?;
        while !self.is_over() {
            *turn += 1;
            let batch = random.once_in(5);
            let items: Vec<Item> = (0..if batch { BATCH } else { 1 })
                .map(|place| Item::new((caller, *turn, place), random))
                .collect();
            let lines = items.iter().map(|item| item.line(self.salt));
            let (path, body) = if batch {
                ("/v1/judge/batch", lines.map(|line| line + "\n").collect())
            } else {
                ("/v1/judge", lines.collect::<String>())
            };
            stream.get_mut().write_all(&post(self.address, path, &body))?;
            if self.dies(10, random) {
                thread::sleep(Duration::from_millis(random.below(30)));
                add(&self.counts.deaths, 1);
                return Ok(());
            }
            let (status, answer) = read(&mut stream)?.ok_or("the server closed the connection")?;
            if status.contains(" 429 ") {
                add(&self.counts.refused, 1);
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            let answer = String::from_utf8(answer)?;
            let records: Vec<&str> = answer.lines().collect();
            if records.len() != items.len() {
                return Err(format!("{} items, {} records: {status}", items.len(), records.len()).into());
            }
            for (item, record) in items.iter().zip(records) {
                self.counts.item(item.held_against("{", record), &record);
            }
        }
        Ok(())
    }

    pub(crate) fn connect(&self) -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        // Longer than the server's own deadline: who waits longer was forgotten.
        stream.set_read_timeout(Some(Duration::from_secs(90)))?;
        Ok(BufReader::new(stream))
    }
}

/// Two responses, of which one is worth so much and the other what is left of six.
pub(crate) struct Item {
    id: u64,
    worth: u64,
}

impl Item {
    pub(crate) fn new((caller, turn, place): (u64, u64, u64), random: &mut Random) -> Self {
        Self {
            id: (caller << 36) + (turn << 6) + place,
            worth: random.below(5) + 1,
        }
    }

    pub(crate) fn line(&self, salt: u64) -> String {
        let Self { id, worth } = self;
        format!(
            "{{\"id\": {id}, \"principle\": \"By worth.\", \"prompt\": \"{id} in {salt}?\", \"responses\": {{\"a\": \
             \"worth {worth}\", \"b\": \"worth {}\"}}}}",
            6 - worth
        )
    }

    /// Whether a record that begins so is this item's verdict, or says that it has none; `None` where it is neither.
    pub(crate) fn held_against(&self, begins: &str, record: &str) -> Option<bool> {
        let Self { id, worth } = self;
        let mine = record.starts_with(&format!("{begins}\"id\":{id},"));
        let right = record.contains(&format!("\"scores\":{{\"a\":{worth},\"b\":{}}}", 6 - worth));
        let failed = record.contains("\"error\":{\"kind\":");
        match (mine, right, failed) {
            (true, true, false) => Some(true),
            (true, false, true) => Some(false),
            _ => None,
        }
    }
}
