//! Jobs as the store holds them: a line on each, its items, and what became of them.
//!
//! A result is written once: its place is its key, and whoever comes second finds it taken. The counts of a job change in
//! the commit that changes its results, so that they cannot differ.

use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::StoreError;

/// By number, in the order they were handed in.
const JOBS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("jobs");
/// Numbers by id, and by the owner's own name for the job.
const NAMES: TableDefinition<'static, (u8, &str), u64> = TableDefinition::new("names");
/// Items as they came, by job and place.
const ITEMS: TableDefinition<'static, (u64, u64), &[u8]> = TableDefinition::new("items");
/// Records as lines, by job and place, and whether they hold no verdict.
const RESULTS: TableDefinition<'static, (u64, u64), (bool, &[u8])> = TableDefinition::new("results");

const BY_ID: u8 = 0;
const BY_KEY: u8 = 1;
/// Under no name: the number of the next job.
const NEXT: u8 = 2;
/// By the name that an owner gave it, after the owner.
const BY_OWN_KEY: u8 = 3;

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Items are judged, or wait for it.
    Running,
    /// Every item has its record.
    Done,
    /// It was stopped; items without a record are left.
    Cancelled,
}

/// What is known of a job without its items. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// The owner's name for it: the same name is the same job, however often it is handed in.
    pub(crate) key: Option<String>,
    /// The digest of the token it came with; none where there are no tokens, and in files from before there were owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    pub(crate) state: State,
    pub(crate) items: u64,
    /// What its items take.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// Items that have a record.
    pub(crate) judged: u64,
    /// Records without a verdict.
    pub(crate) failed: u64,
    pub(crate) created: u64,
    pub(crate) ended: Option<u64>,
    /// The model that was there when it was handed in or resumed.
    pub(crate) model: String,
    /// It came by the published package's endpoint, and is listed and cleared there.
    pub(crate) published: bool,
}

/// A record as a line, and whether it holds no verdict.
pub(crate) struct Line {
    pub(crate) text: Vec<u8>,
    pub(crate) failed: bool,
}

pub(super) fn create(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(JOBS).map_err(StoreError::of)?;
    transaction.open_table(NAMES).map_err(StoreError::of)?;
    transaction.open_table(ITEMS).map_err(StoreError::of)?;
    transaction.open_table(RESULTS).map_err(StoreError::of)?;
    Ok(())
}

fn parsed(bytes: &[u8]) -> Result<Job, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::Failed(format!("not a job: {error}")))
}

fn put(transaction: &WriteTransaction, number: u64, job: &Job) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(job).expect("a job is plain data. This is a bug.");
    let mut jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
    jobs.insert(number, &bytes[..]).map_err(StoreError::of)?;
    Ok(())
}

fn get(transaction: &WriteTransaction, number: u64) -> Result<Option<Job>, StoreError> {
    let jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
    let found = jobs.get(number).map_err(StoreError::of)?;
    found.map(|bytes| parsed(bytes.value())).transpose()
}

fn number(transaction: &WriteTransaction, kind: u8, name: &str) -> Result<Option<u64>, StoreError> {
    let names = transaction.open_table(NAMES).map_err(StoreError::of)?;
    let found = names.get((kind, name)).map_err(StoreError::of)?;
    Ok(found.map(|number| number.value()))
}

/// Where the number of a job stands by the name that its owner gave it.
fn own_key(job: &Job) -> Option<(u8, String)> {
    let key = job.key.as_ref()?;
    Some(match &job.owner {
        // Digests are of one length, so that no owner and key are another's.
        Some(owner) => (BY_OWN_KEY, format!("{owner} {key}")),
        None => (BY_KEY, key.clone()),
    })
}

/// The job that was handed in before under the name of this one: its owner's, or one that has no owner.
fn known(transaction: &WriteTransaction, job: &Job) -> Result<Option<Job>, StoreError> {
    let names = [own_key(job), job.key.clone().map(|key| (BY_KEY, key))];
    for (kind, name) in names.into_iter().flatten() {
        if let Some(number) = number(transaction, kind, &name)?
            && let Some(known) = get(transaction, number)?
        {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// What became of a job that was handed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    New(u64),
    /// A job of this key is there already.
    Known(Job),
    /// As many jobs as may be are not done.
    Full,
}

/// How much is taken in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Jobs that run at a time.
    pub(crate) running: usize,
    /// Bytes of the items of all jobs.
    pub(crate) bytes: u64,
}

/// Takes a job in, unless its key is known or there is no room. For its bytes, the jobs that ended go, the oldest first.
pub(crate) fn submit(
    transaction: &WriteTransaction,
    job: &Job,
    items: &[Vec<u8>],
    room: Room,
) -> Result<Submitted, StoreError> {
    if let Some(known) = known(transaction, job)? {
        return Ok(Submitted::Known(known));
    }
    let mut ended = Vec::new();
    {
        let jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
        let mut running = 0;
        let mut bytes = job.bytes;
        for entry in jobs.iter().map_err(StoreError::of)? {
            let (number, found) = entry.map_err(StoreError::of)?;
            let found = parsed(found.value())?;
            bytes += found.bytes;
            if found.state == State::Running {
                running += 1;
            } else {
                ended.push((number.value(), found));
            }
        }
        let mut gone = 0;
        while bytes > room.bytes && gone < ended.len() {
            bytes -= ended[gone].1.bytes;
            gone += 1;
        }
        if running >= room.running || bytes > room.bytes {
            return Ok(Submitted::Full);
        }
        ended.truncate(gone);
    }
    forget(transaction, &ended)?;
    // Not that of a job which is gone: a record of it may still be on its way.
    let next = number(transaction, NEXT, "")?.unwrap_or(0);
    put(transaction, next, job)?;
    let mut names = transaction.open_table(NAMES).map_err(StoreError::of)?;
    names.insert((NEXT, ""), next + 1).map_err(StoreError::of)?;
    names
        .insert((BY_ID, job.id.as_str()), next)
        .map_err(StoreError::of)?;
    if let Some((kind, name)) = own_key(job) {
        names
            .insert((kind, name.as_str()), next)
            .map_err(StoreError::of)?;
    }
    let mut table = transaction.open_table(ITEMS).map_err(StoreError::of)?;
    for (place, item) in (0..).zip(items) {
        table.insert((next, place), &item[..]).map_err(StoreError::of)?;
    }
    Ok(Submitted::New(next))
}

/// Gives an item its record, unless it has one or the job is gone. The last one ends the job.
pub(crate) fn finish(
    transaction: &WriteTransaction,
    at: (u64, u64),
    line: &Line,
    now: u64,
) -> Result<(), StoreError> {
    let Some(mut job) = get(transaction, at.0)? else {
        return Ok(());
    };
    let mut results = transaction.open_table(RESULTS).map_err(StoreError::of)?;
    if results.get(at).map_err(StoreError::of)?.is_some() {
        return Ok(());
    }
    results
        .insert(at, (line.failed, &line.text[..]))
        .map_err(StoreError::of)?;
    job.judged += 1;
    job.failed += u64::from(line.failed);
    if job.judged == job.items {
        job.state = State::Done;
        job.ended = Some(now);
    }
    put(transaction, at.0, &job)
}

/// Stops a job that runs.
pub(crate) fn cancel(transaction: &WriteTransaction, id: &str, now: u64) -> Result<Option<Job>, StoreError> {
    let Some(number) = number(transaction, BY_ID, id)? else {
        return Ok(None);
    };
    let Some(mut job) = get(transaction, number)? else {
        return Ok(None);
    };
    if job.state == State::Running {
        job.state = State::Cancelled;
        job.ended = Some(now);
        put(transaction, number, &job)?;
    }
    Ok(Some(job))
}

/// A job that was let go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resumed {
    pub(crate) job: Job,
    /// Its number, where there is something to do.
    pub(crate) number: Option<u64>,
    /// Records that were dropped, so that their items are judged anew.
    pub(crate) dropped: u64,
}

/// Lets a job go on that was cancelled; with `failed`, any job, and records without a verdict are dropped first.
pub(crate) fn resume(
    transaction: &WriteTransaction,
    id: &str,
    failed: bool,
    model: &str,
) -> Result<Option<Resumed>, StoreError> {
    let Some(number) = number(transaction, BY_ID, id)? else {
        return Ok(None);
    };
    let Some(mut job) = get(transaction, number)? else {
        return Ok(None);
    };
    let dropped = if failed { job.failed } else { 0 };
    if dropped > 0 {
        let mut results = transaction.open_table(RESULTS).map_err(StoreError::of)?;
        results
            .retain_in((number, 0)..(number + 1, 0), |_, (failed, _)| !failed)
            .map_err(StoreError::of)?;
        job.judged -= dropped;
        job.failed = 0;
    }
    if job.judged == job.items {
        return Ok(Some(Resumed {
            job,
            number: None,
            dropped,
        }));
    }
    job.state = State::Running;
    job.ended = None;
    job.model = model.to_owned();
    put(transaction, number, &job)?;
    Ok(Some(Resumed {
        job,
        number: Some(number),
        dropped,
    }))
}

/// Forgets jobs with all they hold.
fn forget(transaction: &WriteTransaction, numbers: &[(u64, Job)]) -> Result<(), StoreError> {
    let mut jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
    let mut names = transaction.open_table(NAMES).map_err(StoreError::of)?;
    let mut items = transaction.open_table(ITEMS).map_err(StoreError::of)?;
    let mut results = transaction.open_table(RESULTS).map_err(StoreError::of)?;
    for (number, job) in numbers {
        jobs.remove(number).map_err(StoreError::of)?;
        names.remove((BY_ID, job.id.as_str())).map_err(StoreError::of)?;
        if let Some((kind, name)) = own_key(job) {
            names.remove((kind, name.as_str())).map_err(StoreError::of)?;
        }
        let all = (*number, 0)..(*number + 1, 0);
        items
            .retain_in(all.clone(), |_, _| false)
            .map_err(StoreError::of)?;
        results.retain_in(all, |_, _| false).map_err(StoreError::of)?;
    }
    Ok(())
}

/// Forgets the jobs that `which` names, given each and how many jobs that have ended are younger. How many there were.
pub(crate) fn forget_if(
    transaction: &WriteTransaction,
    which: impl Fn(&Job, usize) -> bool,
) -> Result<usize, StoreError> {
    let mut found = Vec::new();
    {
        let jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
        let mut younger = 0;
        for entry in jobs.iter().map_err(StoreError::of)?.rev() {
            let (number, bytes) = entry.map_err(StoreError::of)?;
            let job = parsed(bytes.value())?;
            if which(&job, younger) {
                found.push((number.value(), job));
            } else {
                younger += usize::from(job.ended.is_some());
            }
        }
    }
    forget(transaction, &found)?;
    Ok(found.len())
}

/// All jobs with their numbers, in the order they were handed in.
pub(crate) fn list(transaction: &ReadTransaction) -> Result<Vec<(u64, Job)>, StoreError> {
    let jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
    let jobs = jobs.iter().map_err(StoreError::of)?;
    jobs.map(|entry| {
        let (number, bytes) = entry.map_err(StoreError::of)?;
        Ok((number.value(), parsed(bytes.value())?))
    })
    .collect()
}

/// A job by its id.
pub(crate) fn find(transaction: &ReadTransaction, id: &str) -> Result<Option<(u64, Job)>, StoreError> {
    let names = transaction.open_table(NAMES).map_err(StoreError::of)?;
    let Some(number) = names.get((BY_ID, id)).map_err(StoreError::of)? else {
        return Ok(None);
    };
    let number = number.value();
    let jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
    let found = jobs.get(number).map_err(StoreError::of)?;
    found
        .map(|bytes| Ok((number, parsed(bytes.value())?)))
        .transpose()
}

/// The places of a running job that have no record; none where it does not run.
pub(crate) fn pending(transaction: &ReadTransaction, number: u64) -> Result<Vec<u64>, StoreError> {
    let jobs = transaction.open_table(JOBS).map_err(StoreError::of)?;
    let Some(job) = jobs.get(number).map_err(StoreError::of)? else {
        return Ok(Vec::new());
    };
    let job = parsed(job.value())?;
    if job.state != State::Running {
        return Ok(Vec::new());
    }
    let results = transaction.open_table(RESULTS).map_err(StoreError::of)?;
    let mut done = results
        .range((number, 0)..(number + 1, 0))
        .map_err(StoreError::of)?
        .peekable();
    let mut pending = Vec::new();
    for place in 0..job.items {
        match done.peek() {
            Some(Ok((at, _))) if at.value().1 == place => {
                done.next();
            }
            Some(Err(error)) => return Err(StoreError::of(error)),
            _ => pending.push(place),
        }
    }
    Ok(pending)
}

/// An item as it came.
pub(crate) fn item(transaction: &ReadTransaction, at: (u64, u64)) -> Result<Option<Vec<u8>>, StoreError> {
    let items = transaction.open_table(ITEMS).map_err(StoreError::of)?;
    let found = items.get(at).map_err(StoreError::of)?;
    Ok(found.map(|bytes| bytes.value().to_vec()))
}

/// Up to `count` records of a job from a place on, with their places.
pub(crate) fn results(
    transaction: &ReadTransaction,
    from: (u64, u64),
    count: usize,
) -> Result<Vec<(u64, Line)>, StoreError> {
    let results = transaction.open_table(RESULTS).map_err(StoreError::of)?;
    let found = results.range(from..(from.0 + 1, 0)).map_err(StoreError::of)?;
    found
        .take(count)
        .map(|entry| {
            let (at, line) = entry.map_err(StoreError::of)?;
            let (failed, text) = line.value();
            let line = Line {
                text: text.to_vec(),
                failed,
            };
            Ok((at.value().1, line))
        })
        .collect()
}
