//! Verdicts that were given before.
//!
//! What is kept is the model's reply, under the hash of all that it depends on: who the model is, the messages, which
//! hold the profile, the principle, the prompt and the responses in their order, and how it is decoded. It is read again
//! each time as if the model had just written it, so that a verdict from here is the verdict, under the names of whoever
//! asks. A reply without a verdict is not kept.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rewardanything_core::{Completion, Generate, GenerateError, GenerateJob, Interest};
use ring::digest::{Context, SHA256};

use crate::store::Store;
use crate::store::verdicts::{self, Key};

/// Replies on their way to the store at a time; beyond, they are not kept.
const PENDING: usize = 4_096;

/// Keys that were of use and are not noted yet, at most.
const USED: usize = 4_096;

/// What is remembered of verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheSettings {
    /// The most bytes that are kept; 0 keeps nothing.
    pub bytes: u64,
    /// Who the model is: two models of one identity give the same reply to the same job. A hash of the weights and how
    /// they are computed, where they are known.
    pub identity: String,
    /// Whether drawn replies are kept too. They are some reply of several, so it should be so only where the caller
    /// chose the seed.
    pub sampled: bool,
}

/// The replies of one model.
#[derive(Debug)]
pub(crate) struct Cache {
    store: Arc<Store>,
    settings: CacheSettings,
    hits: AtomicU64,
    misses: AtomicU64,
    pending: Arc<AtomicUsize>,
    used: Mutex<Vec<Key>>,
}

impl Cache {
    /// `None` where nothing is to be kept.
    pub(crate) fn new(store: Arc<Store>, settings: CacheSettings) -> Option<Self> {
        (settings.bytes > 0).then(|| Self {
            store,
            settings,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            pending: Arc::default(),
            used: Mutex::default(),
        })
    }

    /// Verdicts that were there, and those that were not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.hits.load(Ordering::Relaxed),
            self.misses.load(Ordering::Relaxed),
        )
    }

    /// Replies that are kept, and their bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        self.store.read(verdicts::size).unwrap_or_default()
    }

    /// Batches of replies on their way to the store.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, hit: bool) {
        let counter = if hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Where the reply to a job is kept; `None` where it is not to be.
    fn key(&self, job: &GenerateJob) -> Option<Key> {
        let sampling = &job.sampling;
        let drawn = sampling.temperature > 0.0;
        if drawn && !self.settings.sampled {
            return None;
        }
        let mut hash = Context::new(&SHA256);
        let mut text = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        text("reply 1");
        text(&self.settings.identity);
        text(&job.messages.len().to_string());
        for message in &job.messages {
            text(match message.role {
                rewardanything_core::Role::System => "system",
                rewardanything_core::Role::User => "user",
                rewardanything_core::Role::Assistant => "assistant",
            });
            text(&message.content);
        }
        // What a draw depends on is nothing to a reply that is none.
        let draws = if drawn {
            format!(
                "{:?}",
                (
                    sampling.temperature,
                    sampling.top_p,
                    sampling.top_k,
                    sampling.seed
                )
            )
        } else {
            "greedy".to_owned()
        };
        text(&draws);
        text(&format!(
            "{:?}",
            (sampling.max_new_tokens, job.thinking, &job.form)
        ));
        let digest = hash.finish();
        digest.as_ref().try_into().ok()
    }

    fn get(&self, key: &Key) -> Option<Completion> {
        let bytes = self.store.read(|store| verdicts::get(store, key)).ok()??;
        let completion = serde_json::from_slice(&bytes).ok()?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < USED {
            used.push(*key);
        }
        Some(completion)
    }

    /// Keeps what a model has just written.
    pub(crate) fn keep(&self, fresh: Vec<(Key, Completion)>) {
        if fresh.is_empty() || self.pending.fetch_add(1, Ordering::Relaxed) >= PENDING {
            if !fresh.is_empty() {
                self.pending.fetch_sub(1, Ordering::Relaxed);
            }
            return;
        }
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let fresh: Vec<(Key, Vec<u8>)> = fresh
            .into_iter()
            .map(|(key, completion)| {
                let bytes = serde_json::to_vec(&completion).expect("a reply is plain data. This is a bug.");
                (key, bytes)
            })
            .collect();
        let (limit, pending) = (self.settings.bytes, Arc::clone(&self.pending));
        self.store.write_softly(move |transaction| {
            pending.fetch_sub(1, Ordering::Relaxed);
            verdicts::keep(transaction, &fresh, &used, limit)
        });
    }
}

/// A model whose replies are remembered; where it is not asked, what is remembered of it.
pub(crate) struct Remembering<'a> {
    cache: &'a Cache,
    model: &'a dyn Generate,
    asks: bool,
    unknown: AtomicUsize,
    fresh: Mutex<Vec<(Key, Completion)>>,
}

impl<'a> Remembering<'a> {
    /// Asks the model for what is not remembered.
    pub(crate) fn asking(cache: &'a Cache, model: &'a dyn Generate) -> Self {
        Self {
            asks: true,
            ..Self::alone(cache, model)
        }
    }

    /// Has what is remembered, and errors for the rest.
    pub(crate) fn alone(cache: &'a Cache, model: &'a dyn Generate) -> Self {
        Self {
            cache,
            model,
            asks: false,
            unknown: AtomicUsize::new(0),
            fresh: Mutex::default(),
        }
    }

    /// Whether every reply so far was remembered.
    pub(crate) fn knew_all(&self) -> bool {
        self.unknown.load(Ordering::Relaxed) == 0
    }

    /// What the model wrote and may be kept.
    pub(crate) fn into_fresh(self) -> Vec<(Key, Completion)> {
        self.fresh.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generate for Remembering<'_> {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn holds_forms(&self) -> bool {
        self.model.holds_forms()
    }

    fn generate(&self, jobs: &[GenerateJob]) -> Vec<Result<Completion, GenerateError>> {
        self.generate_for(jobs, &Interest::default())
    }

    fn generate_for(
        &self,
        jobs: &[GenerateJob],
        interest: &Interest,
    ) -> Vec<Result<Completion, GenerateError>> {
        let keys: Vec<Option<Key>> = jobs.iter().map(|job| self.cache.key(job)).collect();
        let known: Vec<Option<Completion>> = keys
            .iter()
            .map(|key| key.as_ref().and_then(|key| self.cache.get(key)))
            .collect();
        let places: Vec<usize> = (0..jobs.len()).filter(|&place| known[place].is_none()).collect();
        self.unknown.fetch_add(places.len(), Ordering::Relaxed);
        let mut replies: Vec<Result<Completion, GenerateError>> = known
            .into_iter()
            .map(|known| known.ok_or_else(|| GenerateError::Backend("it is not remembered".to_owned())))
            .collect();
        if places.is_empty() || !self.asks {
            return replies;
        }
        let asked: Vec<GenerateJob> = places.iter().map(|&place| jobs[place].clone()).collect();
        let written = self.model.generate_for(&asked, interest);
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, reply) in places.into_iter().zip(written) {
            if let (Some(key), Ok(completion)) = (keys[place], &reply) {
                fresh.push((key, completion.clone()));
            }
            replies[place] = reply;
        }
        replies
    }
}

#[cfg(test)]
mod tests {
    use rewardanything_core::{
        Given, Judge, JudgeRequest, Profile, Repeats, Response, Scripted, VerdictForm,
    };

    use super::*;

    fn cache(settings: CacheSettings) -> Cache {
        Cache::new(Arc::new(Store::in_memory().unwrap()), settings).unwrap()
    }

    fn settings() -> CacheSettings {
        CacheSettings {
            bytes: 1 << 20,
            identity: "m".to_owned(),
            sampled: false,
        }
    }

    fn job() -> GenerateJob {
        let request =
            JudgeRequest::new("p", "q", vec![Response::new("a", "x"), Response::new("b", "y")]).unwrap();
        let model = Scripted::always("nothing");
        Judge::new(&model, Profile::rewardanything(), 0).judge(&request);
        model.seen().remove(0)
    }

    #[test]
    fn a_key_is_of_all_that_a_reply_depends_on() {
        let base = cache(settings());
        let key = base.key(&job()).unwrap();
        assert_eq!(base.key(&job()), Some(key));
        let differs = |change: &dyn Fn(&mut GenerateJob), what: &str| {
            let mut other = job();
            change(&mut other);
            assert_ne!(base.key(&other), Some(key), "{what}");
        };
        differs(&|job| job.messages[1].content.push('x'), "the prompt");
        differs(&|job| job.messages[0].content.push('x'), "the profile");
        differs(
            &|job| job.messages[0].role = rewardanything_core::Role::User,
            "roles",
        );
        differs(&|job| job.messages.swap(0, 1), "the order of messages");
        differs(&|job| job.sampling.max_new_tokens += 1, "limits");
        differs(&|job| job.thinking = !job.thinking, "thinking");
        differs(&|job| job.form = None, "the form");
        let labels = |job: &mut GenerateJob| {
            job.form = Some(VerdictForm {
                labels: vec!["model-2".to_owned(), "model-1".to_owned()],
                thinking_tokens: 1,
                given: Vec::new(),
            });
        };
        differs(&labels, "labels");
        let mut known = job();
        labels(&mut known);
        let before = base.key(&known);
        if let Some(form) = &mut known.form {
            form.given.push(Given::open("aloud", ""));
        }
        assert_ne!(base.key(&known), before, "what is given");
        let model = Scripted::always("nothing").holding_forms();
        let held = [
            Remembering::alone(&base, &model),
            Remembering::asking(&base, &model),
        ];
        assert!(held.iter().all(|model| model.holds_forms()), "as the model does");
        let mut seeded = job();
        seeded.sampling.seed = 9;
        assert_eq!(base.key(&seeded), Some(key), "nothing is drawn");
        let other = cache(CacheSettings {
            identity: "n".to_owned(),
            ..settings()
        });
        assert_ne!(other.key(&job()), Some(key), "the model");
        let mut drawn = job();
        drawn.sampling.temperature = 0.7;
        assert_eq!(base.key(&drawn), None, "drawn without a seed");
        let sampled = cache(CacheSettings {
            sampled: true,
            ..settings()
        });
        let first = sampled.key(&drawn);
        assert!(first.is_some() && first != Some(key));
        drawn.sampling.seed += 1;
        assert_ne!(sampled.key(&drawn), first, "another seed");
    }

    /// Some of a request's replies may be there and others not: two orders, of which one was asked before.
    #[test]
    fn what_is_missing_alone_is_asked_for() {
        let cache = cache(settings());
        let reply = "<think>x</think>{\"scores\":{\"model-1\":2,\"model-2\":4},\"best-to-worst\":[\"model-2\",\"model-1\"]}";
        let model = Scripted::always(reply);
        let request =
            JudgeRequest::new("p", "q", vec![Response::new("a", "x"), Response::new("b", "y")]).unwrap();
        let judged = |permutations: usize| {
            let remembering = Remembering::asking(&cache, &model);
            let repeats = Repeats {
                permutations,
                samples: 1,
            };
            let judge = Judge::new(&remembering, Profile::rewardanything(), 0).with_repeats(repeats);
            let judgment = judge.judge(&request);
            let plain = Judge::new(&model, Profile::rewardanything(), 0).with_repeats(repeats);
            assert_eq!(judgment, plain.judge(&request));
            let fresh = remembering.into_fresh();
            let count = fresh.len();
            cache.keep(fresh);
            // A soft write is seen by whoever reads after a hard one.
            let wait = cache.store.write(|_| Ok(()));
            futures_util::FutureExt::now_or_never(wait);
            let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
            while (cache.size().0 as usize) < permutations {
                assert!(std::time::Instant::now() < until, "it is never kept");
                std::thread::yield_now();
            }
            count
        };
        assert_eq!((judged(1), judged(2), judged(2), judged(1)), (1, 1, 0, 0));
    }

    #[test]
    fn the_oldest_go_first_and_what_is_of_use_stays() {
        let store = Store::in_memory().unwrap();
        let keep = |fresh: &[(Key, Vec<u8>)], used: &[Key]| {
            let (fresh, used) = (fresh.to_vec(), used.to_vec());
            let (tell, told) = std::sync::mpsc::channel();
            store.write_softly(move |transaction| {
                let kept = verdicts::keep(transaction, &fresh, &used, 1_000);
                tell.send(()).unwrap();
                kept
            });
            told.recv().unwrap();
            // The next change is made once the last one is committed.
            let (tell, told) = std::sync::mpsc::channel();
            store.write_softly(move |_| {
                tell.send(()).unwrap();
                Ok(())
            });
            told.recv().unwrap();
        };
        let entry = |name: u8, size: usize| ([name; 32], vec![name; size]);
        let there = |names: &[u8]| {
            for name in 1..=6 {
                let found = store.read(|read| verdicts::get(read, &[name; 32])).unwrap();
                assert_eq!(found.is_some(), names.contains(&name), "{name} of {names:?}");
            }
            assert_eq!(store.read(verdicts::size).unwrap().0, names.len() as u64);
        };
        // Each takes 300, three fit.
        keep(&[entry(1, 140), entry(2, 140), entry(3, 140)], &[]);
        there(&[1, 2, 3]);
        keep(&[entry(4, 140)], &[[1; 32]]);
        there(&[1, 3, 4]);
        keep(&[entry(5, 2_000)], &[]);
        there(&[1, 3, 4]);
        keep(&[entry(1, 100), entry(6, 500)], &[]);
        there(&[1, 6]);
        assert_eq!(store.read(verdicts::size).unwrap().1, 260 + 660);
    }
}
