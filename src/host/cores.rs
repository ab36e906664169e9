//! The threads of the data plane: one for each core, started together, ended together.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing_appender::non_blocking::NonBlocking;

use super::HostError;
use crate::config::limits::Limits;
use crate::serve::listener::{Bound, Listener};
use crate::serve::spread::Spread;
use crate::serve::world::CurrentWorld;
use crate::serve::{self, CorePlan, Places};
use crate::tend;

/// Descriptors that are not for connections: listeners, pipes, sockets of the control plane.
const RESERVED_DESCRIPTORS: u64 = 64;

/// The threads of the data plane.
pub(super) struct Cores {
    pub(super) drain: CancellationToken,
    pub(super) halt: CancellationToken,
    /// A word from each that ends; closed when all have.
    ended: mpsc::Receiver<()>,
}

impl Cores {
    pub(super) fn start(
        threads: usize,
        limits: &Limits,
        bound: &mut [Bound],
        world: &Arc<CurrentWorld>,
        descriptors: u64,
        access_log: Option<&NonBlocking>,
    ) -> Result<Cores, HostError> {
        // A request in flight takes a second descriptor, for the worker's connection.
        let affordable =
            usize::try_from((descriptors.saturating_sub(RESERVED_DESCRIPTORS)) / 4 * 3).unwrap_or(usize::MAX);
        let places = Places::new(limits.connections.min(affordable.max(1)), limits.connections_per_client);
        let (spread, inboxes) = Spread::new(threads);
        let spread = Arc::new(spread);
        let (running, ended) = mpsc::channel(threads);
        let cores = Cores { drain: CancellationToken::new(), halt: CancellationToken::new(), ended };
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let listeners: Vec<Listener> =
                bound.iter_mut().filter_map(|bound| bound.per_core.pop()).collect();
            let core = CorePlan {
                index,
                listeners,
                world: world.clone(),
                limits: limits.clone(),
                places: places.clone(),
                spread: spread.clone(),
                inbox,
                access_log: access_log.cloned(),
                drain: cores.drain.clone(),
                halt: cores.halt.clone(),
            };
            let running = Running(running.clone());
            let body = move || {
                let _running = running;
                tend::take_short_turns();
                if let Err(error) = serve::run(core) {
                    tracing::error!(%error, index, "a core could not start");
                }
            };
            std::thread::Builder::new()
                .name(format!("core-{index}"))
                .spawn(body)
                .map_err(|cause| HostError::System { what: "cannot start a core's thread", cause })?;
        }
        Ok(cores)
    }

    pub(super) async fn one_ended(&mut self) {
        self.ended.recv().await;
    }

    pub(super) async fn all_ended(&mut self) {
        while self.ended.recv().await.is_some() {}
    }
}

/// Held by a core's thread; tells when that ends, however it does.
struct Running(mpsc::Sender<()>);

impl Drop for Running {
    fn drop(&mut self) {
        // There is room for one word of each core; nobody listens only when the host ends anyway.
        let _ = self.0.try_send(());
    }
}
