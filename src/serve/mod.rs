//! The data plane: one thread per core, each with its own runtime, its share of the connections, and its own idle
//! connections to workers. What the cores share is small and atomic.

pub(crate) mod access_log;
mod complaints;
mod connection;
mod h2;
pub(crate) mod listener;
mod own_pages;
mod pages;
mod places;
mod request;
mod respond;
mod routes;
pub(crate) mod site;
mod site_files;
pub(crate) mod spread;
pub(crate) mod world;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_appender::non_blocking::NonBlocking;

use self::access_log::AccessLog;
use self::complaints::Complaints;
use self::listener::Listener;
pub(crate) use self::places::Places;
use self::spread::{Arrival, Inbox, Spread};
use self::world::{CurrentWorld, Viewer};
use crate::base::local::Local;
use crate::config::limits::Limits;
use crate::upstream::connections::Connections;

/// What a core is told once, when it is started.
pub(crate) struct CorePlan {
    pub(crate) index: usize,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) world: Arc<CurrentWorld>,
    pub(crate) limits: Limits,
    pub(crate) places: Arc<Places>,
    pub(crate) spread: Arc<Spread>,
    pub(crate) inbox: Inbox,
    /// Takes the lines of the access log, if there is one.
    pub(crate) access_log: Option<NonBlocking>,
    /// Accept no more, let what is in flight end.
    pub(crate) drain: CancellationToken,
    /// Stop now.
    pub(crate) halt: CancellationToken,
}

/// What every connection of a core works with.
pub(crate) struct Core {
    pub(crate) local: Rc<Local>,
    pub(crate) connections: Connections,
    pub(crate) viewer: Viewer,
    pub(crate) limits: Rc<Limits>,
    pub(crate) access_log: Option<Rc<AccessLog>>,
    pub(crate) complaints: Complaints,
    /// Counts the connections, so that the core can wait for their end. Owns their tasks together with the runtime.
    pub(crate) tasks: TaskTracker,
}

/// Runs one core until it has drained or is halted. Blocks its thread.
///
/// # Errors
/// The runtime could not be made: the process has no descriptors left.
pub(crate) fn run(plan: CorePlan) -> std::io::Result<()> {
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?;
    runtime.block_on(core(plan));
    // Whatever is still running is stopped, its connections closed.
    runtime.shutdown_timeout(Duration::ZERO);
    Ok(())
}

async fn core(plan: CorePlan) {
    let local = Rc::new(Local::default());
    let core = Rc::new(Core {
        connections: Connections::new(local.clock.clone()),
        local,
        viewer: Viewer::new(plan.world),
        limits: Rc::new(plan.limits),
        access_log: plan.access_log.map(|sink| Rc::new(AccessLog::new(sink))),
        complaints: Complaints::default(),
        tasks: TaskTracker::new(),
    });
    let (drain, halt) = (plan.drain.clone(), plan.halt.clone());
    let accepting = TaskTracker::new();
    for listener in plan.listeners {
        let (core, places, spread) = (core.clone(), plan.places.clone(), plan.spread.clone());
        let index = plan.index;
        let stop = drain.clone();
        accepting.spawn_local(async move {
            let accept = listener.accept_for_ever(index, &places, &spread, |arrival| start(&core, arrival));
            stop.run_until_cancelled(accept).await;
        });
    }
    let inbox_core = core.clone();
    let mut inbox = plan.inbox;
    accepting.spawn_local(async move {
        while let Some(arrival) = inbox.next().await {
            start(&inbox_core, arrival);
        }
    });
    let housekeeping = core.local.clock.run(|| core.connections.sweep());
    let until_drained = async {
        drain.cancelled().await;
        core.local.drain();
        core.tasks.close();
        core.tasks.wait().await;
        core.connections.left_alone().await;
    };
    tokio::select! {
        () = housekeeping => {}
        () = until_drained => {}
        () = halt.cancelled() => {}
    }
}

/// Gives a connection that has arrived its task.
fn start(core: &Rc<Core>, arrival: Arrival) {
    if core.local.is_draining() {
        return;
    }
    match arrival.into_stream() {
        Ok((stream, peer, guard)) => {
            core.tasks.spawn_local(connection::run(core.clone(), stream, peer, guard));
        }
        Err(error) => tracing::debug!(%error, "a connection was gone before it began"),
    }
}
