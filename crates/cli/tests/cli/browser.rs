//! A browser that tests drive: Chromium, over the pipes that it offers for that.
//!
//! It says and hears JSON between zero bytes, by its DevTools protocol. A shell connects its third and fourth file to
//! named pipes, so nothing here needs more than the standard library.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take: this machine may be busy with much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Width and height of the window, in CSS pixels.
const DESK: (u32, u32) = (1280, 900);

pub(crate) struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    last: u64,
    session: Option<String>,
    /// What pages complained of: exceptions that nobody caught, and what the browser refused.
    pub(crate) complaints: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Browser {
    /// A browser without a page, or `None` where there is no Chromium.
    pub(crate) fn start() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let program = names.into_iter().find(|name| {
            let asked = Command::new(name).arg("--version").output();
            asked.is_ok_and(|ran| ran.status.success())
        })?;
        let folder = tempfile::tempdir().expect("a scratch folder");
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
            assert!(made.success());
            path
        };
        let (to, from) = (pipe("to"), pipe("from"));
        let child = Command::new("sh")
            .arg("-c")
            .arg(
                "exec \"$0\" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe \
                 --user-data-dir=\"$3\" 3<\"$1\" 4>\"$2\"",
            )
            .arg(program)
            .args([&to, &from, &folder.path().join("profile")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell starts");
        // In this order the shell opens them too.
        let to = OpenOptions::new().write(true).open(to).expect("the shell reads");
        let from = File::open(from).expect("the shell writes");
        Some(Self {
            child,
            to,
            from: BufReader::new(from),
            last: 0,
            session: None,
            complaints: Vec::new(),
            _folder: folder,
        })
    }

    /// Opens a page in a new tab, which is then the one that is driven, and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        self.session = None;
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = self.call(
            "Target.attachToTarget",
            json!({"targetId": target, "flatten": true}),
        );
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.call(domain, json!({}));
        }
        self.resize(DESK);
        self.call("Page.navigate", json!({"url": url}));
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    pub(crate) fn resize(&mut self, (width, height): (u32, u32)) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", screen);
    }

    /// What an expression of JavaScript gives.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        match self.try_value(expression) {
            Ok(value) => value,
            Err(why) => panic!("{expression}: {why}"),
        }
    }

    /// What it gives, or why nothing; a page that is just going away, for one, has no answer.
    fn try_value(&mut self, expression: &str) -> Result<Value, Value> {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.try_call("Runtime.evaluate", asked)?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            thrown => Err(thrown.clone()),
        }
    }

    /// What an expression gives, as text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{expression} gives {value}"))
            .to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        let began = Instant::now();
        while self.try_value(&format!("Boolean({expression})")) != Ok(json!(true)) {
            assert!(
                began.elapsed() < PATIENCE,
                "never true: {expression}\n{}",
                self.text("document.body.innerText")
            );
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Puts the cursor into what a selector finds.
    pub(crate) fn focus(&mut self, selector: &str) {
        let focused = format!(
            "(() => {{ const it = document.querySelector({}); it.focus(); it.select?.(); return document.activeElement === it; }})()",
            json!(selector)
        );
        assert_eq!(self.value(&focused), json!(true), "{selector} takes no focus");
    }

    /// Types a text where the cursor is, over what is selected.
    pub(crate) fn type_in(&mut self, selector: &str, text: &str) {
        self.focus(selector);
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses a key, with Ctrl or alone.
    pub(crate) fn press(&mut self, key: &str, ctrl: bool) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            other => panic!("no key is known as {other}"),
        };
        let mut event = json!({"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": if ctrl { 2 } else { 0 }});
        // With Ctrl it is a command, and writes nothing.
        if !text.is_empty() && !ctrl {
            event["text"] = json!(text);
        }
        for kind in ["keyDown", "keyUp"] {
            event["type"] = json!(kind);
            self.call("Input.dispatchKeyEvent", event.clone());
        }
    }

    /// Calls a method of the protocol, and gives its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        match self.try_call(method, params) {
            Ok(result) => result,
            Err(why) => panic!("{method}: {why}"),
        }
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let id = self.last;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser listens");
        loop {
            let mut heard = Vec::new();
            self.from.read_until(0, &mut heard).expect("the browser speaks");
            assert_eq!(heard.pop(), Some(0), "the browser is gone");
            let heard: Value = serde_json::from_slice(&heard).expect("it speaks JSON");
            if heard["id"] == json!(id) {
                return match &heard["error"] {
                    Value::Null => Ok(heard["result"].clone()),
                    why => Err(why.clone()),
                };
            }
            if matches!(
                heard["method"].as_str(),
                Some("Runtime.exceptionThrown" | "Log.entryAdded")
            ) {
                self.complaints.push(heard["params"].to_string());
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone already; what matters is that it does not stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
