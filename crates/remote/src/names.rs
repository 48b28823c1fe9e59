//! From names to addresses, without a thread for each request.
//!
//! The client's own resolver starts a thread whenever a request has a time limit, also for an address in numbers and for
//! a connection that is kept. With a thousand requests at a time that is most of what a request costs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer is kept. A name that moves is followed within this.
const KEEP: Duration = Duration::from_secs(5);

/// Names kept at a time. A pool asks few; a hub may send on to many.
const MOST: usize = 256;

/// Addresses in numbers are read, others are asked for and kept for a while.
#[derive(Debug, Default)]
pub(crate) struct Names {
    slow: DefaultResolver,
    kept: Mutex<HashMap<String, (Instant, Vec<SocketAddr>)>>,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let name = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let Some(name) = name else {
            return self.slow.resolve(uri, config, timeout);
        };
        let mut found = self.empty();
        if let Ok(address) = name.parse::<SocketAddr>() {
            found.push(address);
            return Ok(found);
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, addresses)) = kept.get(&name)
            && since.elapsed() < KEEP
        {
            addresses.iter().for_each(|&address| found.push(address));
            return Ok(found);
        }
        drop(kept);
        let found = self.slow.resolve(uri, config, timeout)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(name, (Instant::now(), found.iter().copied().collect()));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use crate::http::{Ask, Http};

    /// Numbers and names lead to the same place.
    #[test]
    fn numbers_and_names_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            for stream in listener.incoming().take(3) {
                use std::io::{Read as _, Write as _};
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 1024]).unwrap();
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
                    .unwrap();
            }
        });
        let http = Http::new(1);
        for host in ["127.0.0.1", "localhost", "localhost"] {
            let url = format!("http://{host}:{port}/");
            assert_eq!(http.send(Ask::get(&url)).unwrap().body, b"ok", "{host}");
        }
        server.join().unwrap();
        assert!(http.send(Ask::get("http://no.such.host.invalid/")).is_err());
    }
}
