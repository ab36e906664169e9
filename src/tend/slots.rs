//! The slots of one application, each tended by its own task, from the first start to the last end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::application::Application;
use super::further::Further;
use super::gate::Gate;
use super::house::House;
use super::succession::Succession;
use super::upstreams::watch_server;
use super::worker::Slot;
use super::{ApplicationPlan, Progress};
use crate::base::drain::Drain;
use crate::logs::Stream;
use crate::pool::Pool;

/// When one worker is ready, so long the others may still take before requests are served without them.
const OPENING: Duration = Duration::from_secs(1);

/// Runs the application until the drain is requested; returns when every worker is gone.
///
/// For the one thread that lives as long as the host. `progress` is told how it goes, and may not wait.
pub(crate) async fn tend(
    plan: ApplicationPlan,
    pool: Arc<Pool>,
    house: Arc<House>,
    gate: Option<Arc<Gate>>,
    drain: Drain,
    progress: Box<dyn Fn(Progress) + Send + Sync>,
) {
    if let Some(server) = plan.server {
        pool.speak_with(house.console.voice(&plan.name, 0, Stream::Err));
        return watch_server(server, pool, drain).await;
    }
    let slots = pool.settings().eager();
    let (sender, mut successions) = mpsc::unbounded_channel();
    let application = Arc::new(Application::new(plan, pool, house, gate, drain, sender, progress));
    let mut tasks = JoinSet::new();
    let mut further = Further::new(&application);
    for slot in 0..slots {
        tasks.spawn(Slot::new(Arc::clone(&application), slot).run());
    }
    let all_ended = async {
        while !tasks.is_empty() {
            tokio::select! {
                biased;
                Some(Succession { slot, forebear }) = successions.recv() => {
                    tasks.spawn(Slot::heir(Arc::clone(&application), slot, forebear).run());
                }
                ended = tasks.join_next() => {
                    if let Some(Err(error)) = ended {
                        let application = &application.plan.name;
                        tracing::error!(%error, application, "a slot is lost; its worker was killed and is not replaced");
                    }
                }
                slot = further.slot_wanted() => {
                    tasks.spawn(slot.run());
                }
            }
        }
    };
    let opening = async {
        application.first_ready.notified().await;
        tokio::time::sleep(OPENING).await;
        application.pool.open();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = all_ended => {}
        () = opening => {}
    }
}
