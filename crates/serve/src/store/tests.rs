use std::path::Path;

use super::jobs::{self, Job, Line, Room, State, Submitted};
use super::*;

fn job(id: &str, key: Option<&str>, items: u64) -> Job {
    Job {
        id: id.to_owned(),
        key: key.map(str::to_owned),
        owner: None,
        state: State::Running,
        items,
        bytes: 2 * items,
        judged: 0,
        failed: 0,
        created: 5,
        ended: None,
        model: "m".to_owned(),
        published: false,
    }
}

fn now<T: Send + 'static>(
    store: &Store,
    change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError> + Send + 'static,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.write(change)).unwrap()
}

fn submit(store: &Store, job: Job) -> Submitted {
    let items: Vec<Vec<u8>> = (0..job.items).map(|place| vec![b'i', place as u8]).collect();
    let room = Room {
        running: 2,
        bytes: 10,
    };
    now(store, move |tx| jobs::submit(tx, &job, &items, room))
}

fn finish(store: &Store, at: (u64, u64), text: &str, failed: bool) {
    let line = Line {
        text: text.as_bytes().to_vec(),
        failed,
    };
    now(store, move |tx| jobs::finish(tx, at, &line, 9));
}

fn texts(store: &Store, number: u64) -> Vec<(u64, String)> {
    let lines = store.read(|tx| jobs::results(tx, (number, 0), 100)).unwrap();
    lines
        .into_iter()
        .map(|(place, line)| (place, String::from_utf8(line.text).unwrap()))
        .collect()
}

fn found(store: &Store, id: &str) -> Option<Job> {
    store.read(|tx| jobs::find(tx, id)).unwrap().map(|(_, job)| job)
}

#[test]
fn a_job_is_what_it_was_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    {
        let store = Store::open(&path).unwrap();
        assert_eq!(submit(&store, job("a", Some("mine"), 3)), Submitted::New(0));
        finish(&store, (0, 2), "c", true);
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "one at a time: {error}");
    }
    let store = Store::open(&path).unwrap();
    // The same key is the same job, and what has a record is not done again.
    let Submitted::Known(known) = submit(&store, job("b", Some("mine"), 3)) else {
        panic!("it is known")
    };
    assert_eq!((known.id.as_str(), known.judged, known.failed), ("a", 1, 1));
    assert_eq!(store.read(|tx| jobs::pending(tx, 0)).unwrap(), [0, 1]);
    assert_eq!(
        store.read(|tx| jobs::item(tx, (0, 1))).unwrap(),
        Some(vec![b'i', 1])
    );
    finish(&store, (0, 0), "a", false);
    finish(&store, (0, 2), "another", false);
    assert_eq!(found(&store, "a").unwrap().state, State::Running);
    finish(&store, (0, 1), "b", false);
    let expect = [(0, "a"), (1, "b"), (2, "c")].map(|(place, text)| (place, text.to_owned()));
    assert_eq!(texts(&store, 0), expect, "the first record stays");
    let done = found(&store, "a").unwrap();
    assert_eq!((done.state, done.judged, done.failed), (State::Done, 3, 1));
    assert_eq!(done.ended, Some(9));
    assert_eq!(store.read(|tx| jobs::pending(tx, 0)).unwrap(), [0; 0]);
    // What failed is judged anew.
    let resumed = now(&store, |tx| jobs::resume(tx, "a", true, "n")).unwrap();
    let job = &resumed.job;
    assert_eq!((job.judged, job.failed, job.model.as_str()), (2, 0, "n"));
    assert_eq!((resumed.number, resumed.dropped), (Some(0), 1));
    assert_eq!(store.read(|tx| jobs::pending(tx, 0)).unwrap(), [2]);
}

#[test]
fn jobs_stop_go_on_and_are_forgotten() {
    let store = Store::in_memory().unwrap();
    assert_eq!(submit(&store, job("a", Some("k"), 2)), Submitted::New(0));
    assert_eq!(submit(&store, job("b", None, 1)), Submitted::New(1));
    assert_eq!(submit(&store, job("c", None, 1)), Submitted::Full);
    assert_eq!(now(&store, |tx| jobs::cancel(tx, "x", 7)), None);
    let stopped = now(&store, |tx| jobs::cancel(tx, "a", 7)).unwrap();
    assert_eq!((stopped.state, stopped.ended), (State::Cancelled, Some(7)));
    assert_eq!(
        store.read(|tx| jobs::pending(tx, 0)).unwrap(),
        [0; 0],
        "nothing is done"
    );
    assert_eq!(
        submit(&store, job("c", None, 1)),
        Submitted::New(2),
        "there is room"
    );
    let resumed = now(&store, |tx| jobs::resume(tx, "a", false, "m")).unwrap();
    assert_eq!((resumed.number, resumed.dropped), (Some(0), 0));
    assert_eq!(store.read(|tx| jobs::pending(tx, 0)).unwrap(), [0, 1]);
    for (number, place) in [(0, 0), (0, 1), (1, 0)] {
        finish(&store, (number, place), "r", false);
    }
    // Of those that have ended, one is younger than `a`, and none than `b`.
    assert_eq!(
        now(&store, |tx| jobs::forget_if(tx, |job, younger| job
            .ended
            .is_some()
            && younger >= 1)),
        1
    );
    assert_eq!((found(&store, "a"), texts(&store, 0).len()), (None, 0));
    assert_eq!(store.read(|tx| jobs::item(tx, (0, 0))).unwrap(), None);
    assert!(found(&store, "b").is_some() && found(&store, "c").is_some());
    finish(&store, (0, 0), "late", false);
    assert_eq!(texts(&store, 0).len(), 0, "a record of nothing");
    assert_eq!(
        submit(&store, job("d", Some("k"), 1)),
        Submitted::New(3),
        "its key is free"
    );
    assert_eq!(now(&store, |tx| jobs::forget_if(tx, |job, _| job.id == "d")), 1);
    assert_eq!(
        submit(&store, job("e", None, 1)),
        Submitted::New(4),
        "a number of its own"
    );
}

#[test]
fn a_change_that_fails_takes_nothing_along_and_is_told() {
    let store = Store::in_memory().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let failed = runtime.block_on(store.write(|tx| {
        let room = Room { running: 9, bytes: 9 };
        jobs::submit(tx, &job("a", None, 1), &[vec![b'x']], room)?;
        Err::<(), _>(StoreError::Failed("no".to_owned()))
    }));
    assert_eq!(failed, Err(StoreError::Failed("no".to_owned())));
    assert!(store.fails());
    assert_eq!(found(&store, "a"), None);
    submit(&store, job("b", None, 1));
    assert!(!store.fails() && found(&store, "b").is_some());
    assert!(Store::open(Path::new("/nowhere/at/all")).is_err());
}

#[test]
fn the_oldest_that_ended_make_room() {
    let store = Store::in_memory().unwrap();
    // Ten bytes, two an item.
    for (number, id, items) in [(0, "a", 1), (1, "b", 2)] {
        assert_eq!(submit(&store, job(id, None, items)), Submitted::New(number));
        for place in 0..items {
            finish(&store, (number, place), "r", false);
        }
    }
    assert_eq!(submit(&store, job("c", None, 2)), Submitted::New(2));
    assert!(found(&store, "a").is_some());
    assert_eq!(submit(&store, job("d", None, 1)), Submitted::New(3));
    assert_eq!((found(&store, "a"), texts(&store, 0).len()), (None, 0));
    assert!(found(&store, "b").is_some());
    now(&store, |tx| jobs::cancel(tx, "d", 7));
    assert_eq!(submit(&store, job("e", None, 4)), Submitted::Full);
    assert!(
        found(&store, "b").is_some(),
        "nothing goes for what is not taken in"
    );
    assert_eq!(submit(&store, job("e", None, 3)), Submitted::New(4));
    let left = ["b", "c", "d", "e"].map(|id| found(&store, id).is_some());
    assert_eq!(left, [false, true, false, true]);
}

/// A copy of the file is what a kill would leave of it.
#[test]
fn soft_changes_do_not_keep_each_other_off_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = Store::open(&path).unwrap();
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed() < SYNC + SYNC / 2 {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&count.to_le_bytes());
        store.write_softly(move |tx| verdicts::keep(tx, &[(key, vec![1])], &[], 1 << 20));
        count += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    let copy = folder.path().join("copy");
    std::fs::copy(&path, &copy).unwrap();
    let left = Store::open(&copy).unwrap().read(verdicts::size).unwrap().0;
    assert!(left > 0 && left <= count, "{left} of {count}");
}

/// As files held jobs before these had owners and their items a size.
#[test]
fn a_job_of_an_older_file_is_read() {
    let older = r#"{"id":"a","key":"k","state":"done","items":2,"judged":2,"failed":0,"created":5,"ended":9,"model":"m",
        "published":true}"#;
    let read: Job = serde_json::from_str(older).unwrap();
    let expect = Job {
        state: State::Done,
        bytes: 0,
        judged: 2,
        ended: Some(9),
        published: true,
        ..job("a", Some("k"), 2)
    };
    assert_eq!(read, expect);
    let written = serde_json::to_value(&expect).unwrap();
    assert_eq!(written.get("owner"), None, "older programs find what they know");
}
