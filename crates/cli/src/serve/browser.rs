//! `ui`: the server and its page, for whoever sits before this machine.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::args::{LogForm, UiArgs};
use super::{HOST, PORT};
use crate::Outcome;

/// Runs `ui` until it is told to end.
///
/// # Errors
/// Those of `serve`.
pub(crate) fn run(args: UiArgs) -> Result<Outcome> {
    let mut serve = args.serve;
    if serve.config.is_none() {
        // Where nobody names a port any will do, and whoever looks at a page reads no log.
        let usual_is_taken = || taken(serve.host.as_deref().unwrap_or(HOST));
        serve.port = serve.port.or_else(|| usual_is_taken().then_some(0));
        serve.log = serve.log.or(Some(LogForm::Off));
    }
    super::run(serve, Some(if args.no_browser { said } else { opened }))
}

/// Whether somebody listens on the usual port already.
fn taken(host: &str) -> bool {
    TcpListener::bind((host, PORT)).is_err()
}

fn said(url: &str) {
    eprintln!("the page is {url}/");
}

/// Opens a page in the reader's browser, by the system's own command.
fn opened(url: &str) {
    let (program, before): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/c", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    let started = Command::new(program)
        .args(before)
        .arg(format!("{url}/"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(_) => said(url),
        Err(_) => eprintln!("no browser could be opened by `{program}`: the page is {url}/"),
    }
}
