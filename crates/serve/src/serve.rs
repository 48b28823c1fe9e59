//! Listening, and ending well.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::app::{App, router};
use crate::{gather, jobs};

/// A caller that has said nothing for so long is asked whether it is there still.
const SILENT: Duration = Duration::from_secs(60);

/// From one such question to the next.
const AGAIN: Duration = Duration::from_secs(15);

/// So many questions without an answer end the connection.
const QUESTIONS: u32 = 4;

/// Sets a connection up. What fails here makes it slower, or kept for longer than need be, and is no reason to refuse it.
fn prepare(stream: &TcpStream) {
    // Answers are small and complete: waiting for more to send with them would only delay them.
    let _ = stream.set_nodelay(true);
    // A machine that loses its power, or its network, closes nothing, and its connections would be kept for ever.
    let ask = TcpKeepalive::new()
        .with_time(SILENT)
        .with_interval(AGAIN)
        .with_retries(QUESTIONS);
    let _ = SockRef::from(stream).set_tcp_keepalive(&ask);
}

/// Serves until `shutdown` is done; then no connection is taken any more, and what has begun may go on for
/// [`Settings::drain`](crate::Settings::drain). True if all of it was answered by then.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<bool> {
    let (tell, mut told) = watch::channel(false);
    let drain = app.settings.drain;
    let listener = listener.tap_io(|stream| prepare(stream));
    let closing = {
        let app = Arc::clone(&app);
        async move {
            shutdown.await;
            app.draining.store(true, Ordering::Relaxed);
            let _ = tell.send(true);
        }
    };
    let clock = tokio::spawn(gather::keep_time(Arc::clone(&app)));
    let jobs = tokio::spawn(jobs::keep(Arc::clone(&app)));
    let served = axum::serve(listener, router(app)).with_graceful_shutdown(closing);
    let over = async move {
        if told.wait_for(|closing| *closing).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(drain).await;
    };
    let ended = tokio::select! {
        result = served => result.map(|()| true),
        () = over => Ok(false),
    };
    clock.abort();
    jobs.abort();
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn callers_that_say_nothing_are_asked_whether_they_are_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (caller, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_caller, (stream, _)) = (caller.unwrap(), accepted.unwrap());
        prepare(&stream);
        let socket = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap() && socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(
            (
                socket.tcp_keepalive_time().unwrap(),
                socket.tcp_keepalive_interval().unwrap(),
                socket.tcp_keepalive_retries().unwrap()
            ),
            (SILENT, AGAIN, QUESTIONS)
        );
    }
}
