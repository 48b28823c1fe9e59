//! What outlives the server: one file, written by one thread.
//!
//! Changes are put together: whatever waits when the last commit is done goes into the next one, so that a thousand
//! verdicts a second cost no more commits than the disk can take. A change is *hard* where somebody waits for it to be on
//! the disk; one that is not, a remembered verdict, is there within a second.
//!
//! What is in a commit and what is not is the database's affair: after a kill at any moment the file is as the last
//! commit left it. Nothing here repairs anything.

pub(crate) mod jobs;
pub(crate) mod verdicts;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::backends::InMemoryBackend;
use redb::{Database, Durability, ReadTransaction, ReadableDatabase as _, WriteTransaction};
use tokio::sync::oneshot;

/// How long what nobody waits for may stay off the disk.
const SYNC: Duration = Duration::from_secs(1);

/// Changes that go into one commit at most.
const MOST: usize = 1_024;

/// What the database keeps of the file in memory, in bytes.
const PAGES: usize = 64 << 20;

/// Why something is not in the store, or not to be had from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be used.
    #[error("cannot open the store {}: {message}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// Reading or writing failed.
    #[error("the store fails: {0}")]
    Failed(String),
}

impl StoreError {
    fn of(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

type Change = Box<dyn FnOnce(&WriteTransaction) -> Result<(), StoreError> + Send>;
type Told = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Order {
    change: Change,
    /// Told of the commit; a change that has nobody to tell is not hard.
    told: Option<Told>,
}

/// Jobs and remembered verdicts, in a file or, without one, in memory.
pub struct Store {
    database: Arc<Database>,
    orders: Option<Mutex<Sender<Order>>>,
    writer: Option<JoinHandle<()>>,
    fails: Arc<AtomicBool>,
    /// Changes that no commit has taken yet.
    waiting: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// The store in a file, which is made where it is not there. It is this process's alone for as long as it is open.
    ///
    /// # Errors
    /// The file is no store, cannot be read or written, or is another process's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(PAGES).create(path);
        let opened = database.map_err(StoreError::of).and_then(Self::over);
        opened.map_err(|error| StoreError::Open {
            path: path.to_owned(),
            message: match error {
                StoreError::Failed(message) | StoreError::Open { message, .. } => message,
            },
        })
    }

    /// A store that ends with this value.
    ///
    /// # Errors
    /// There is no memory or no thread for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Database::builder()
            .set_cache_size(PAGES)
            .create_with_backend(InMemoryBackend::new())
            .map_err(StoreError::of)?;
        Self::over(database)
    }

    fn over(database: Database) -> Result<Self, StoreError> {
        // Tables are there from the start, so that no reader has to think of a store that is new.
        let transaction = database.begin_write().map_err(StoreError::of)?;
        jobs::create(&transaction)?;
        verdicts::create(&transaction)?;
        transaction.commit().map_err(StoreError::of)?;
        let database = Arc::new(database);
        let fails = Arc::new(AtomicBool::new(false));
        let waiting = Arc::new(AtomicUsize::new(0));
        let (orders, taken) = channel();
        let writer = {
            let (database, fails, waiting) =
                (Arc::clone(&database), Arc::clone(&fails), Arc::clone(&waiting));
            std::thread::Builder::new()
                .name("store".to_owned())
                .spawn(move || write(&database, &taken, (&fails, &waiting)))
                .map_err(StoreError::of)?
        };
        Ok(Self {
            database,
            orders: Some(Mutex::new(orders)),
            writer: Some(writer),
            fails,
            waiting,
        })
    }

    /// Whether something could not be written. The database then takes nothing more until it is opened anew.
    pub fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// Changes that wait for a commit.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// What of the file is in memory, in bytes: at most [`PAGES`].
    pub(crate) fn pages_in_memory(&self) -> usize {
        self.database.cache_stats().used_bytes()
    }

    /// Reads what the last commit left. It blocks for as long as pages take to come from the disk.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        look(&self.database.begin_read().map_err(StoreError::of)?)
    }

    /// Makes a change and waits until it is on the disk.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let made = Arc::new(Mutex::new(None));
        let (tell, told) = oneshot::channel();
        let result = Arc::clone(&made);
        self.order(Order {
            change: Box::new(move |transaction| {
                let value = change(transaction)?;
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                Ok(())
            }),
            told: Some(Box::new(move |outcome| {
                // Whoever asked may have gone away.
                let _ = tell.send(outcome);
            })),
        });
        told.await.map_err(|_| ended())??;
        let value = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.ok_or_else(ended)
    }

    /// Makes a change some time within the next second. Nobody is told if it fails.
    pub(crate) fn write_softly(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), StoreError> + Send + 'static,
    ) {
        self.order(Order {
            change: Box::new(change),
            told: None,
        });
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // Without a writer the order is dropped, and with it the sender that somebody waits for.
            let _ = orders.lock().unwrap_or_else(PoisonError::into_inner).send(order);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(writer) = self.writer.take() {
            // It panicked if it did, and there is nothing left to do about it.
            let _ = writer.join();
        }
    }
}

fn ended() -> StoreError {
    StoreError::Failed("its thread has ended".to_owned())
}

/// The writing thread, until nobody can order any more.
fn write(database: &Database, orders: &Receiver<Order>, (fails, left): (&AtomicBool, &AtomicUsize)) {
    // Since when something is not on the disk.
    let mut off_disk: Option<Instant> = None;
    loop {
        let first = if let Some(since) = off_disk {
            match orders.recv_timeout(SYNC.saturating_sub(since.elapsed())) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = commit(database, Vec::new(), true);
                    return;
                }
            }
        } else {
            let Ok(order) = orders.recv() else { return };
            Some(order)
        };
        let waiting = orders.try_iter().take(MOST - 1);
        let (changes, told): (Vec<Change>, Vec<Option<Told>>) = first
            .into_iter()
            .chain(waiting)
            .map(|order| (order.change, order.told))
            .unzip();
        left.fetch_sub(changes.len(), Ordering::Relaxed);
        // However fast soft changes come, they do not keep each other off the disk, where pages that are of no use any
        // more become free.
        let due = off_disk.is_some_and(|since| since.elapsed() >= SYNC);
        let hard = due || changes.is_empty() || told.iter().any(Option::is_some);
        let outcome = commit(database, changes, hard);
        off_disk = if hard || outcome.is_err() {
            None
        } else {
            off_disk.or_else(|| Some(Instant::now()))
        };
        fails.store(outcome.is_err(), Ordering::Relaxed);
        for tell in told.into_iter().flatten() {
            tell(outcome.clone());
        }
    }
}

fn commit(database: &Database, changes: Vec<Change>, hard: bool) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(StoreError::of)?;
    if !hard {
        transaction
            .set_durability(Durability::None)
            .map_err(StoreError::of)?;
    }
    for change in changes {
        change(&transaction)?;
    }
    transaction.commit().map_err(StoreError::of)
}

#[cfg(test)]
mod tests;
