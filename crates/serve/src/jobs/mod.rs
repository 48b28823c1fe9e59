//! Jobs: many items handed in at once, judged as there is room, and fetched when they are done.
//!
//! Everything about a job is in the store, so a server that ends, however it ends, and comes back goes on where the last
//! commit left it. What is here are tasks that judge what has no record yet. That nothing is lost or there twice is the
//! store's doing alone: an item judged twice, because the first record did not reach the disk, has one place.

pub(crate) mod owner;
pub(crate) mod routes;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rewardanything_evals::item::Ask;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use crate::app::App;
use crate::jobs::owner::{Owner, Owners};
use crate::judging::WhenFull;
use crate::native::{Record, record_of};
use crate::spans;
use crate::store::jobs::{self as table, Job, Line, Room, State, Submitted};
use crate::store::{Store, StoreError};

/// How long a task waits before it tries a store again that failed.
const AGAIN: Duration = Duration::from_secs(5);

/// How jobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobSettings {
    /// How long a job is kept once it has ended.
    pub keep: Duration,
    /// Jobs that have ended and are kept, at most; the oldest go first.
    pub most: usize,
    /// Jobs that may run at a time.
    pub running: usize,
    /// The most bytes of the items of all jobs that are kept; of those that have ended, the oldest go first.
    pub bytes: u64,
}

impl Default for JobSettings {
    /// A week, 1,024 of them, 256 at a time, and a gibibyte of items.
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(7 * 86_400),
            most: 1_024,
            running: 256,
            bytes: 1 << 30,
        }
    }
}

/// The tasks of a server, and who waits for them.
#[derive(Debug)]
pub(crate) struct Jobs {
    pub(crate) store: Arc<Store>,
    /// Whose what a caller hands in is.
    pub(crate) owners: Owners,
    settings: JobSettings,
    /// Items of jobs that are before the judge at a time: all jobs together fill its places, and do not fill its queue.
    turns: Semaphore,
    places: usize,
    tasks: Mutex<HashMap<u64, AbortHandle>>,
    changed: watch::Sender<()>,
    ids: Mutex<ChaCha8Rng>,
}

impl Jobs {
    /// The ids of jobs to come are drawn from the seed.
    pub(crate) fn new(
        (store, owners): (Arc<Store>, Owners),
        settings: JobSettings,
        places: usize,
        seed: u64,
    ) -> Self {
        Self {
            store,
            owners,
            settings,
            turns: Semaphore::new(places),
            places,
            tasks: Mutex::default(),
            changed: watch::Sender::default(),
            ids: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
        }
    }

    /// Jobs that run.
    pub(crate) fn unfinished(&self) -> usize {
        let jobs = self.store.read(table::list).unwrap_or_default();
        jobs.iter().filter(|(_, job)| job.state == State::Running).count()
    }

    /// Tasks that work on jobs.
    pub(crate) fn watched(&self) -> usize {
        let mut tasks = self.tasks();
        tasks.retain(|_, task| !task.is_finished());
        tasks.len()
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, number: u64) {
        if let Some(task) = self.tasks().remove(&number) {
            task.abort();
        }
    }

    /// An id that callers cannot guess from others.
    fn id(&self) -> String {
        let mut random = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let (high, low) = (random.next_u64(), random.next_u64());
        let (high, low) = ((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62));
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// The job of an id, where it is there for who asks.
    pub(crate) fn find(&self, owner: &Owner, id: &str) -> Result<Option<(u64, Job)>, StoreError> {
        let found = self.store.read(|store| table::find(store, id))?;
        Ok(found.filter(|(_, job)| owner.sees(job)))
    }

    /// The jobs that are there for who asks, with their numbers, in the order they were handed in.
    pub(crate) fn list(&self, owner: &Owner) -> Result<Vec<(u64, Job)>, StoreError> {
        let mut jobs = self.store.read(table::list)?;
        jobs.retain(|(_, job)| owner.sees(job));
        Ok(jobs)
    }

    /// The job of an id, once it has ended or the time is over; `None` where there is none, or no longer.
    pub(crate) async fn wait(
        &self,
        (owner, id): (&Owner, &str),
        most: Duration,
    ) -> Result<Option<(u64, Job)>, StoreError> {
        let mut changed = self.changed.subscribe();
        let ended = async {
            loop {
                changed.borrow_and_update();
                match self.find(owner, id)? {
                    Some((_, job)) if job.state == State::Running => {}
                    other => return Ok(other),
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(most, ended).await {
            Ok(found) => found,
            Err(_) => self.find(owner, id),
        }
    }
}

/// What a caller hands in.
pub(crate) struct Handed {
    /// As they came.
    pub(crate) items: Vec<Vec<u8>>,
    pub(crate) key: Option<String>,
    pub(crate) owner: Owner,
    pub(crate) published: bool,
}

/// Does something to its end, whether or not its caller stays to hear of it. What a change on the disk says is so only
/// together with the task that begins or ends with it; a caller who goes away between the two is not to part them.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Failed(format!("its task broke down: {error}"))))
}

/// Takes a job in, once it is on the disk. The job as it stands, and whether it is new; `None` where too many run.
pub(crate) async fn submit(app: &Arc<App>, handed: Handed) -> Result<Option<(Job, bool)>, StoreError> {
    let job = Job {
        id: app.jobs.id(),
        key: handed.key,
        owner: handed.owner.digest().map(str::to_owned),
        state: State::Running,
        items: handed.items.len() as u64,
        bytes: handed.items.iter().map(|item| item.len() as u64).sum(),
        judged: 0,
        failed: 0,
        created: now(app),
        ended: None,
        model: app.model().to_owned(),
        published: handed.published,
    };
    let (new, settings) = (job.clone(), app.jobs.settings);
    let room = Room {
        running: settings.running,
        bytes: settings.bytes,
    };
    let (app, items) = (Arc::clone(app), handed.items);
    whole(async move {
        let write = app
            .jobs
            .store
            .write(move |store| table::submit(store, &new, &items, room));
        Ok(match write.await? {
            Submitted::New(number) => {
                start(&app, number);
                Some((job, true))
            }
            Submitted::Known(job) => Some((job, false)),
            Submitted::Full => None,
        })
    })
    .await
}

/// Stops a job; one that has ended is forgotten. The job as it was last.
pub(crate) async fn end(app: &Arc<App>, owner: &Owner, id: &str) -> Result<Option<Job>, StoreError> {
    let Some((number, job)) = app.jobs.find(owner, id)? else {
        return Ok(None);
    };
    let (app, id, time) = (Arc::clone(app), id.to_owned(), now(app));
    whole(async move {
        let ended = if job.state == State::Running {
            app.jobs.stop(number);
            let cancel = move |store: &_| table::cancel(store, &id, time);
            app.jobs.store.write(cancel).await?
        } else {
            let forget =
                move |store: &_| table::forget_if(store, |job, _| job.id == id && job.ended.is_some());
            app.jobs.store.write(forget).await?;
            Some(job)
        };
        app.jobs.changed.send_replace(());
        Ok(ended)
    })
    .await
}

/// Forgets the published package's jobs that are there for who asks, running or not.
pub(crate) async fn clear(app: &Arc<App>, owner: Owner) -> Result<(), StoreError> {
    let app = Arc::clone(app);
    whole(async move {
        for (number, job) in app.jobs.list(&owner)? {
            if job.published {
                app.jobs.stop(number);
            }
        }
        let all = move |store: &_| table::forget_if(store, |job, _| job.published && owner.sees(job));
        app.jobs.store.write(all).await?;
        app.jobs.changed.send_replace(());
        Ok(())
    })
    .await
}

/// Lets a job go on; with `failed`, what has no verdict is judged anew. The job, and how many items that is.
pub(crate) async fn resume(
    app: &Arc<App>,
    (owner, id): (&Owner, &str),
    failed: bool,
) -> Result<Option<(Job, u64)>, StoreError> {
    if app.jobs.find(owner, id)?.is_none() {
        return Ok(None);
    }
    let (app, id) = (Arc::clone(app), id.to_owned());
    whole(async move {
        let model = app.model().to_owned();
        let write = app
            .jobs
            .store
            .write(move |store| table::resume(store, &id, failed, &model));
        Ok(write.await?.map(|resumed| {
            if let Some(number) = resumed.number {
                start(&app, number);
            }
            (resumed.job, resumed.dropped)
        }))
    })
    .await
}

/// Goes on with what an earlier server left, and forgets jobs when their time is over, until it is dropped. A job that
/// another model began is stopped, since two models' verdicts are not to be mixed unasked; it can be resumed.
pub(crate) async fn keep(app: Arc<App>) {
    let left = loop {
        match app.jobs.store.read(table::list) {
            Ok(jobs) => break jobs,
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    };
    for (number, job) in left {
        if job.state != State::Running {
            continue;
        }
        if same_model(&job.model, app.model()) {
            start(&app, number);
        } else {
            // One that cannot be stopped stays as it is, and nothing works on it.
            let _ = end(&app, &Owner::EVERYBODY, &job.id).await;
        }
    }
    let JobSettings { keep, most, .. } = app.jobs.settings;
    let pause = (keep / 4).clamp(Duration::from_millis(100), Duration::from_secs(600));
    loop {
        let before = now(&app).saturating_sub(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
        let over = move |store: &_| {
            table::forget_if(store, |job, younger| {
                job.ended.is_some_and(|ended| ended < before || younger >= most)
            })
        };
        // The next round tries again.
        let _ = app.jobs.store.write(over).await;
        tokio::time::sleep(pause).await;
    }
}

/// Whether two names are of one model. That of a pool is MODEL@HOSTS, and its hosts come and go.
fn same_model(one: &str, other: &str) -> bool {
    let model = |name: &str| name.split_once('@').map_or(name, |(model, _)| model).to_owned();
    model(one) == model(other)
}

/// Has a task work on a job, and ends the one that may have done so before.
fn start(app: &Arc<App>, number: u64) {
    let mut tasks = app.jobs.tasks();
    tasks.retain(|_, task| !task.is_finished());
    let task = tokio::spawn(run(Arc::clone(app), number)).abort_handle();
    if let Some(before) = tasks.insert(number, task) {
        before.abort();
    }
}

async fn run(app: Arc<App>, number: u64) {
    loop {
        let worked = async {
            let pending = app.jobs.store.read(|store| table::pending(store, number))?;
            // Twice as many as are judged at a time: the rest wait for the disk.
            let mut items = stream::iter(pending)
                .map(|place| one(&app, (number, place)))
                .buffer_unordered(2 * app.jobs.places);
            while let Some(done) = items.next().await {
                done?;
                app.jobs.changed.send_replace(());
            }
            Ok::<_, StoreError>(())
        };
        let worked = worked.await;
        // Records may have come to the disk whose tasks did not live to tell.
        app.jobs.changed.send_replace(());
        if worked.is_ok() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Judges one item and waits until its record is on the disk.
async fn one(app: &Arc<App>, at: (u64, u64)) -> Result<(), StoreError> {
    let Some(text) = app.jobs.store.read(|store| table::item(store, at))? else {
        return Ok(());
    };
    let record = match Ask::read(&text) {
        Ok(item) => {
            let _turn = app.jobs.turns.acquire().await;
            let span = spans::root("job item");
            span.number("rewardanything.job.place", at.1);
            span.carry(record_of(app, item, WhenFull::Wait)).await
        }
        Err(why) => Record::without_verdict(None, "input", why, app.model()),
    };
    let line = Line {
        text: serde_json::to_vec(&record).expect("a record is plain data. This is a bug."),
        failed: record.error.is_some(),
    };
    let time = now(app);
    app.jobs
        .store
        .write(move |store| table::finish(store, at, &line, time))
        .await
}

/// Milliseconds since 1970.
fn now(app: &App) -> u64 {
    u64::try_from((app.host.now)().as_millis()).unwrap_or(u64::MAX)
}
