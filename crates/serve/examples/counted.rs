//! The server before other servers, as `rewardanything serve` is, in a program of its own whose allocator counts: its
//! metrics also say what the program holds. Where a process grows and this does not, it is the allocator that keeps what it
//! was given back.
//!
//! ```text
//! counted serve --model URL,URL --store FILE [--host 127.0.0.1] [--port 8000] [--cache 256] [--concurrency 128]
//!         [--queue 8192] [--deadline 60] [--group-wait 5]
//! ```
//!
//! What else is said to it is passed over.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mimalloc::MiMalloc;
use rewardanything_core::{Profile, Repeats};
use rewardanything_kernels::counted::{Counted, held};
use rewardanything_remote::{Address, Keys, Pool, Settings as PoolSettings};
use rewardanything_serve::judging::{Limits, Setup};
use rewardanything_serve::{App, CacheSettings, Host, Settings, Store, serve};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: Counted<MiMalloc> = Counted(MiMalloc);

/// The allocator's settings for many threads, as the command has them.
const SETTINGS: [(&str, &str); 2] = [("MIMALLOC_ALLOW_THP", "0"), ("MIMALLOC_PURGE_DELAY", "0")];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().collect();
    #[cfg(unix)]
    if !settled() {
        use std::os::unix::process::CommandExt as _;
        // The allocator reads them when a process begins. It comes back only where it failed.
        let mut again = std::process::Command::new(std::env::current_exe()?);
        return Err(again.args(&words[1..]).envs(SETTINGS).exec().into());
    }
    let text = |flag: &str| {
        let place = words.iter().rposition(|word| word == flag)?;
        words.get(place + 1).cloned()
    };
    let number = |flag: &str, usual: u64| text(flag).map_or(Ok(usual), |value| value.parse::<u64>());
    let model = text("--model").ok_or("expected --model URL,URL")?;
    let store = text("--store").ok_or("expected --store FILE")?;
    let slots = usize::try_from(number("--concurrency", 128)?)?;
    let deadline = Duration::from_secs(number("--deadline", 60)?);
    let addresses = model.split(',').map(Address::parse).collect::<Result<_, _>>()?;
    let pool = PoolSettings {
        concurrency: slots,
        timeout: deadline,
        ..PoolSettings::default()
    };
    let pool = Pool::connect(addresses, &Keys::default(), pool)?;
    let mut settings = Settings {
        limits: Limits {
            slots,
            queue: usize::try_from(number("--queue", 8_192)?)?,
            deadline,
        },
        cache: CacheSettings {
            bytes: number("--cache", 256)? << 20,
            identity: pool.served_model().to_owned(),
            sampled: false,
        },
        ..Settings::default()
    };
    settings.groups.timing.wait = Duration::from_secs(number("--group-wait", 5)?);
    settings.jobs.most = usize::MAX;
    settings.jobs.bytes = u64::MAX;
    let setup = Setup {
        model: Arc::new(pool),
        profile: Profile::rewardanything(),
        seed: 0,
        repeats: Repeats::ONCE,
    };
    let host = Host {
        log: Arc::new(|_| {}),
        extra: Arc::new(memory),
        now: Arc::new(now),
        seed: 1,
    };
    let app = App::new(setup, settings, host, Arc::new(Store::open(Path::new(&store))?));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(slots + 16)
        .build()?;
    let address = (
        text("--host").unwrap_or_else(|| "127.0.0.1".to_owned()),
        u16::try_from(number("--port", 8_000)?)?,
    );
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let ended = async {
            // Without signals there is nothing to wait for.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        serve(listener, app, ended).await
    })?;
    Ok(())
}

#[cfg(unix)]
#[expect(
    clippy::disallowed_methods,
    reason = "they are the allocator's, which looks there"
)]
fn settled() -> bool {
    SETTINGS.iter().all(|(name, _)| std::env::var_os(name).is_some())
}

/// What the program holds, by the size of blocks, for the metrics.
fn memory() -> String {
    let held = held();
    let family = |name: &str, of: &dyn Fn(usize) -> u64| {
        let name = format!("rewardanything_allocated_{name}");
        let lines = held.iter().enumerate();
        let lines = lines.map(|(place, held)| format!("{name}{{up_to=\"{}\"}} {}\n", held.up_to, of(place)));
        format!("# TYPE {name} gauge\n{}", lines.collect::<String>())
    };
    family("bytes", &|place| held[place].bytes) + &family("blocks", &|place| held[place].blocks)
}

/// The time since 1970.
#[expect(clippy::disallowed_methods, reason = "jobs say when they were handed in")]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
