//! Listening, and ending well.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{App, router};
use crate::{gather, jobs};

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
    // Answers are small and complete: waiting for more to send with them would only delay them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
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
