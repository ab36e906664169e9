//! One core's connections to workers: kept alive, last in first out, checked before use.
//!
//! A kept connection must be younger than the worker's own keep-alive time-out (Node closes after 5 s), or a request
//! would race with the close. The runtime notices a close as it happens, so the check before use costs no system call.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::base::clock::{Clock, Tick};
use crate::base::stream::Stream;
use crate::failure::Failure;
use crate::pool::{Worker, WorkerId};

/// Below Node's 5 s with a second to spare; a worker may promise more or less in `Keep-Alive: timeout=N`.
const DEFAULT_IDLE_AGE: Duration = Duration::from_secs(4);
const MAX_IDLE_AGE: Duration = Duration::from_secs(55);
/// Idle connections kept to one worker, on one core.
const MAX_IDLE_PER_WORKER: usize = 256;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

struct Idle {
    stream: Stream,
    expires: Tick,
}

struct Kept {
    worker: Arc<Worker>,
    idle: Vec<Idle>,
}

pub(crate) struct Connections {
    clock: Rc<Clock>,
    kept: RefCell<HashMap<WorkerId, Kept>>,
    /// What is still to come from workers whose clients have all they get.
    afterwards: RefCell<JoinSet<()>>,
}

impl Connections {
    pub(crate) fn new(clock: Rc<Clock>) -> Connections {
        Connections { clock, kept: RefCell::default(), afterwards: RefCell::default() }
    }

    /// A new connection, or, where that will do, the one used last that is still good.
    pub(crate) async fn connect(&self, worker: &Arc<Worker>, reuse: bool) -> Result<Stream, Failure> {
        if reuse && let Some(stream) = self.take_idle(worker.id()) {
            return Ok(stream);
        }
        Connections::connect_anew(worker).await
    }

    pub(super) async fn connect_anew(worker: &Worker) -> Result<Stream, Failure> {
        match tokio::time::timeout(CONNECT_TIMEOUT, Stream::connect(worker.address())).await {
            Ok(connected) => connected.map_err(|error| cause(error, worker)),
            Err(_) => Err(Failure::ConnectTimeout),
        }
    }

    /// Has `work` done while the client goes on; it ends with the core at the latest.
    pub(super) fn go_on(&self, work: impl Future<Output = ()> + 'static) {
        let mut afterwards = self.afterwards.borrow_mut();
        while afterwards.try_join_next().is_some() {}
        afterwards.spawn_local(work);
    }

    /// Waits until all that was to go on is done.
    pub(crate) async fn left_alone(&self) {
        let mut afterwards = self.afterwards.take();
        while afterwards.join_next().await.is_some() {}
    }

    fn take_idle(&self, worker: WorkerId) -> Option<Stream> {
        let mut kept = self.kept.borrow_mut();
        let idle = &mut kept.get_mut(&worker)?.idle;
        let now = self.clock.now();
        while let Some(mut connection) = idle.pop() {
            if connection.expires > now && is_quiet(&mut connection.stream) {
                return Some(connection.stream);
            }
        }
        None
    }

    /// Keeps a connection whose response is complete. `promised` is the worker's `Keep-Alive: timeout`, in seconds.
    pub(crate) fn keep(&self, worker: &Arc<Worker>, stream: Stream, promised: Option<u32>) {
        if worker.is_withdrawn() {
            return;
        }
        let age = match promised {
            Some(seconds) => Duration::from_secs(u64::from(seconds.saturating_sub(1))).min(MAX_IDLE_AGE),
            None => DEFAULT_IDLE_AGE,
        };
        let mut kept = self.kept.borrow_mut();
        let kept =
            kept.entry(worker.id()).or_insert_with(|| Kept { worker: worker.clone(), idle: Vec::new() });
        if kept.idle.len() < MAX_IDLE_PER_WORKER {
            kept.idle.push(Idle { stream, expires: self.clock.now().plus(age) });
        }
    }

    /// Closes what is too old, what the worker has closed, and all connections to workers that were withdrawn.
    ///
    /// Says whether any are left.
    pub(crate) fn sweep(&self) -> bool {
        let now = self.clock.now();
        self.kept.borrow_mut().retain(|_, kept| {
            if kept.worker.is_withdrawn() {
                return false;
            }
            kept.idle.retain_mut(|connection| connection.expires > now && is_quiet(&mut connection.stream));
            !kept.idle.is_empty()
        });
        !self.kept.borrow().is_empty()
    }
}

/// Whether nothing has come on a connection that is to be silent, the end of the stream included.
pub(super) fn is_quiet(stream: &mut Stream) -> bool {
    let mut unexpected = [0];
    stream.poll_read(&mut Context::from_waker(Waker::noop()), &mut unexpected).is_pending()
}

fn cause(error: io::Error, worker: &Worker) -> Failure {
    match error.kind() {
        io::ErrorKind::WouldBlock => Failure::ConnectBusy,
        _ if is_exhaustion(&error) => Failure::Exhausted("open files"),
        _ => {
            worker.report_unreachable();
            Failure::ConnectRefused(error)
        }
    }
}

/// Whether the process or the machine ran out of what a socket needs.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let exhausted = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    error.raw_os_error().is_some_and(|code| exhausted.contains(&Errno::from_raw(code)))
}
