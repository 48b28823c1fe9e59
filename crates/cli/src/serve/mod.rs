//! `serve`: a judge for many callers, over HTTP.

pub(crate) mod args;
pub(crate) mod browser;
mod config;
mod runs;
#[cfg(feature = "otel")]
mod traces;

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use rewardanything_engine::LocalModel;
use rewardanything_remote::{Backend, Circuit};
use rewardanything_serve::watch::{Event, Log};
use rewardanything_serve::{
    App, CacheSettings, Host, Limits, Policy, RewardSettings, Settings, Store, serve,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::Outcome;
use crate::align::policy;
use crate::args::ServerArgs;
use crate::hub;
use crate::models::{self, Speaker};
use crate::serve::args::{LogForm, ServeArgs};
use crate::table;
use crate::value::Text;

/// Judged at a time by a model on this machine: more rows than a pass has use for.
const LOCAL_SLOTS: usize = 64;

/// Where nobody says.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 8000;

/// The allocator's own variables, and what they are for a server before other servers: no large pages, and what is free goes
/// back to the system at once.
#[cfg(target_os = "linux")]
const ALLOCATOR: [(&str, &str); 2] = [("MIMALLOC_ALLOW_THP", "0"), ("MIMALLOC_PURGE_DELAY", "0")];

/// Told of the address once the server listens there.
pub(crate) type Tell = fn(&str);

/// Runs `serve` until it is told to end.
///
/// # Errors
/// The model, a file or the address is unusable.
pub(crate) fn run(args: ServeArgs, tell: Option<Tell>) -> Result<Outcome> {
    let (args, notes) = config::applied(args)?;
    if args.model.model.contains("://") {
        begin_for_many_threads();
    }
    for note in notes {
        eprintln!("note: {note}");
    }
    let tokens = tokens(args.token_file.as_deref())?;
    let host = args.host.as_deref().unwrap_or(HOST).to_owned();
    let port = args.port.unwrap_or(PORT);
    if tokens.is_empty() && !is_local(&host) {
        eprintln!(
            "warning: {host} may be reached from other machines, and there is no token: whoever reaches it is let in \
             (--token-file FILE)"
        );
    }
    let speaker = models::resolve(&args.model)?;
    let slots = args.slots.map_or_else(|| speaker.slots(LOCAL_SLOTS), usize::from);
    let mut settings = Settings {
        tokens,
        limits: Limits {
            slots,
            queue: args.queue.unwrap_or(1_024) as usize,
            deadline: Duration::from_secs(u64::from(args.deadline.unwrap_or(300))),
        },
        ..Settings::default()
    };
    settings.neutral = args.neutral;
    settings.groups.timing.wait = args.group_wait.map_or(settings.groups.timing.wait, |seconds| {
        Duration::from_secs(u64::from(seconds))
    });
    settings.rewards = RewardSettings {
        principle: args.principle.as_ref().map(Text::read).transpose()?,
        principles: library(),
        samples: args.samples_per_prompt.map_or(1, usize::from),
    };
    settings.policy = match &args.policy {
        None => None,
        Some(name) => {
            let server = ServerArgs {
                served_model: args.policy_model.clone(),
                ..args.model.server.clone()
            };
            let policy = policy::policy(name, None, (&args.model.local, &server)).context("--policy")?;
            Some(Policy(policy.model))
        }
    };
    settings.max_body = args
        .max_body
        .map_or(settings.max_body, |mib| (mib as usize) << 20);
    settings.drain = args
        .drain
        .map_or(settings.drain, |seconds| Duration::from_secs(u64::from(seconds)));
    settings.rate = args.rate_limit;
    settings.jobs.keep = args.keep.unwrap_or(settings.jobs.keep);
    if args.store.is_some() {
        // On a disk there is room, and what is too old goes by itself.
        settings.jobs.most = usize::MAX;
        settings.jobs.bytes = u64::MAX;
    }
    settings.cache = remembering(&args, &speaker)?;
    let extra = extra(&speaker);
    #[cfg(feature = "otel")]
    let traces = traces::Traces::start()?;
    #[cfg(feature = "otel")]
    let extra = traces.beside(extra);
    let around = Host {
        log: log(args.log.unwrap_or(LogForm::Json)),
        extra,
        now: Arc::new(now),
        // Ids of jobs are not to be told from outside.
        seed: (now().as_nanos() as u64) ^ u64::from(std::process::id()).rotate_left(40),
    };
    let store = match &args.store {
        Some(file) => Store::open(file)?,
        None => Store::in_memory()?,
    };
    let app = App::new(speaker.setup(), settings, around, Arc::new(store));
    if let Some(folder) = &args.runs {
        app.show_runs(runs::page_of(folder)?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .enable_time()
        // One for each request that is judged, and some for whatever else blocks.
        .max_blocking_threads(slots + 16)
        .build()
        .context("cannot start the server's threads")?;
    let drained = runtime.block_on(listen(&host, port, app, tell))?;
    // What blocks a thread and did not end in time is not waited for either.
    runtime.shutdown_background();
    speaker.report_notes();
    #[cfg(feature = "otel")]
    traces.end();
    if !drained {
        eprintln!("some requests were not answered in time and were dropped");
    }
    Ok(Outcome::of(drained))
}

/// Begins anew with settings of the allocator that suit a server of many threads, as it reads them when a process begins.
/// With large pages each of a thousand waiting threads takes megabytes to keep a few kilobytes, and most of the time goes
/// into clearing them; what a thread has given back stays its own for as long as the allocator waits before it passes it on.
/// A model in the process has few threads and large arrays, and does better as it is. What somebody has set stays.
fn begin_for_many_threads() {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt as _;
        let unset = ALLOCATOR
            .into_iter()
            .filter(|(name, _)| hub::variable(name).is_none());
        let unset: Vec<(&str, &str)> = unset.collect();
        if unset.is_empty() {
            return;
        }
        let Ok(program) = std::env::current_exe() else {
            return;
        };
        let mut words = std::env::args_os();
        let mut again = std::process::Command::new(program);
        if let Some(name) = words.next() {
            again.arg0(name);
        }
        // It comes back only where it failed, and then the server is larger than it need be.
        let _ = again.args(words).envs(unset).exec();
    }
}

/// What is remembered of verdicts, and of whom.
fn remembering(args: &ServeArgs, speaker: &Speaker) -> Result<CacheSettings> {
    let mib = args.cache.unwrap_or(if args.store.is_some() { 256 } else { 0 });
    if mib == 0 {
        return Ok(CacheSettings::default());
    }
    let model = &args.model;
    let identity = match speaker.pool() {
        // What a server serves under a name is its own affair.
        Some(pool) => format!("server {}", pool.served_model()),
        None => {
            let weights = models::revision(&model.model)?.unwrap_or_default();
            let template = speaker.template_sample().unwrap_or_default();
            let local = &model.local;
            let how = format!("{:?} {}", local.device, local.exact);
            format!("{} {weights} {how} {template}", env!("CARGO_PKG_VERSION"))
        }
    };
    Ok(CacheSettings {
        bytes: u64::from(mib) << 20,
        identity,
        sampled: model.seed.is_some(),
    })
}

async fn listen(host: &str, port: u16, app: Arc<App>, tell: Option<Tell>) -> Result<bool> {
    // Before the address is announced, so that whoever reads it can already end the server.
    let ended = ended()?;
    let listener = TcpListener::bind((host, port))
        .await
        .with_context(|| format!("cannot listen on {host}:{port}"))?;
    let url = format!("http://{}", listener.local_addr()?);
    eprintln!("{} listens on {url}", app.model());
    if let Some(tell) = tell {
        tell(&url);
    }
    Ok(serve(listener, app, ended).await?)
}

/// Done at the first interrupt or request to terminate.
fn ended() -> Result<impl Future<Output = ()> + Send + 'static> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without signals there is nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// The principles of the library by their ids.
fn library() -> BTreeMap<String, String> {
    rewardanything_principles::library()
        .iter()
        .map(|principle| (principle.id.to_owned(), principle.text.to_owned()))
        .collect()
}

fn is_local(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// The tokens of a file, one a line, and that of the environment.
fn tokens(file: Option<&Path>) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    if let Some(file) = file {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        tokens.extend(
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned),
        );
        ensure!(!tokens.is_empty(), "{} holds no token", file.display());
    }
    tokens.extend(hub::variable("REWARDANYTHING_SERVER_TOKEN").map(|token| token.trim().to_owned()));
    if let Some(short) = tokens.iter().find(|token| token.len() < 8) {
        bail!("a token has {} characters: expected 8 or more", short.len());
    }
    Ok(tokens)
}

fn log(form: LogForm) -> Log {
    let say = |line: String| {
        // Nobody who reads the log is no reason to end.
        let _ = writeln!(io::stderr().lock(), "{line}");
    };
    match form {
        LogForm::Off => Arc::new(|_: &Event<'_>| {}),
        LogForm::Text => Arc::new(move |event: &Event<'_>| {
            say(format!(
                "{} {} {} {:.1} ms {}",
                event.status,
                event.method,
                table::plain(event.path),
                event.seconds * 1e3,
                event.request_id
            ));
        }),
        LogForm::Json => Arc::new(move |event: &Event<'_>| {
            let mut line = json!({"time": (now().as_secs_f64() * 1e3).round() / 1e3, "level": "info", "event": "request"});
            if let (Some(line), Ok(serde_json::Value::Object(event))) =
                (line.as_object_mut(), serde_json::to_value(event))
            {
                line.extend(event);
            }
            say(line.to_string());
        }),
    }
}

/// The time since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "lines of a log and lists of jobs say when"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// What the engine, or the servers that are asked, say of themselves, for `/metrics`.
fn extra(speaker: &Speaker) -> Arc<dyn Fn() -> String + Send + Sync> {
    if let Some(pool) = speaker.pool() {
        return Arc::new(move || backend_metrics(&pool.backends()));
    }
    let Some(model) = speaker.local() else {
        return Arc::new(String::new);
    };
    Arc::new(move || engine_metrics(&model))
}

fn backend_metrics(backends: &[Backend]) -> String {
    let circuit = |backend: &Backend| match backend.circuit {
        Circuit::Closed => 0,
        Circuit::HalfOpen => 1,
        Circuit::Open => 2,
    };
    type Number<'a> = &'a dyn Fn(&Backend) -> u64;
    let families: [(&str, &str, &str, Number<'_>); 5] = [
        ("circuit", "gauge", "0 closed, 1 half-open, 2 open.", &circuit),
        ("in_flight", "gauge", "Requests under way.", &|backend| {
            backend.in_flight as u64
        }),
        (
            "answered_total",
            "counter",
            "Requests that it answered.",
            &|backend| backend.answered,
        ),
        (
            "failed_total",
            "counter",
            "Requests that it failed or did not answer.",
            &|backend| backend.failed,
        ),
        (
            "opened_total",
            "counter",
            "How often its circuit opened.",
            &|backend| backend.opened,
        ),
    ];
    let mut out = String::new();
    for (name, kind, help, number) in families {
        let name = format!("rewardanything_backend_{name}");
        out += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for backend in backends {
            out += &format!("{name}{{backend=\"{}\"}} {}\n", backend.name, number(backend));
        }
    }
    out
}

fn engine_metrics(model: &LocalModel) -> String {
    let Some(worker) = model.worker() else {
        return String::new();
    };
    let activity = worker.activity();
    let lines = [
        ("rows_waiting", "gauge", activity.waiting() as u64),
        ("rows_running", "gauge", activity.running() as u64),
        ("prefix_cache_bytes", "gauge", activity.cached_bytes() as u64),
        ("reused_tokens_total", "counter", activity.reused_tokens()),
        ("computed_tokens_total", "counter", activity.computed_tokens()),
    ];
    lines
        .iter()
        .map(|(name, kind, value)| {
            format!("# TYPE rewardanything_engine_{name} {kind}\nrewardanything_engine_{name} {value}\n")
        })
        .collect()
}
