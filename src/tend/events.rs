//! What one slot waits for, in each state of its worker.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::application::Application;
use super::approach::{self, FIRST_LOOK};
use super::life::{Life, ended};
use super::owner::Kin;
use super::state::{Event, Exit, Pressure, StartFailure, WorkerState};
use super::worker::{LAST_WORD, Slot};
use super::{Progress, Readiness, Transport, demand, health, ready, wear};
use crate::pool::Worker;

/// Who starts waits this long for those who start before it; one that hangs must not hold up the others.
const TURN: Duration = Duration::from_secs(2);
/// A process that refuses connections is often about to end; its exit tells more than the refusal.
const EXIT_IS_NEAR: Duration = Duration::from_millis(50);
/// The answer to a request for a goodbye that says that the worker ends by itself.
const AGREED: u16 = 202;

/// What may happen to a ready worker.
enum News {
    Event(Event),
    LeaveRequested,
    /// In words that follow "the worker".
    Worn(String),
    Hangs(String),
    RenewalIsDue,
    HeirIsDue,
    HeirFailed,
    /// It has had no request for long.
    Idle,
    /// It goes on with a request that nobody waits for.
    Abandoned,
}

impl Slot {
    /// Waits for the next thing to happen; None when the slot is to stay empty.
    pub(super) async fn next_event(&mut self) -> Option<Event> {
        match self.state {
            WorkerState::BackingOff { until } => Some(self.turn_to_start(until).await),
            WorkerState::Resting { calls } if self.grows() => Some(self.needed(calls).await),
            WorkerState::Resting { calls } => Some(self.called(calls).await),
            WorkerState::Stopped { .. } | WorkerState::Failed { .. } => self.restart(),
            // The spawn failed without saying so; there is no process and there will be none.
            _ if self.life.is_none() => Some(Event::Exited(Exit::Lost)),
            WorkerState::Starting { since, until, .. } => Some(self.started(since, until).await),
            WorkerState::Ready { .. } => Some(self.served().await),
            WorkerState::Draining { until, pressure, .. } => Some(self.drained(until, pressure).await),
        }
    }

    pub(super) fn drain_requested(&self) -> Event {
        let now = Instant::now();
        let plan = &self.application.plan;
        let grace = now + plan.finishing.unwrap_or(plan.grace);
        // Room for the last word before the host's own deadline, at which everything is killed.
        let deadline = self
            .application
            .drain
            .deadline()
            .map_or(grace, |deadline| deadline.checked_sub(LAST_WORD).unwrap_or(now).max(now));
        Event::DrainRequested { until: grace.min(deadline) }
    }

    async fn turn_to_start(&mut self, until: Instant) -> Event {
        tokio::select! {
            biased;
            () = self.leave_requested() => return self.drain_requested(),
            () = sleep_until(until) => {}
        }
        if let Some(barred) = self.barred() {
            return barred;
        }
        if std::mem::take(&mut self.record.is_barred) && self.record.attempts.is_some() {
            self.refill_attempts();
            if !self.ever_ready {
                return Event::RestPlanned { calls: self.application.pool.calls() };
            }
        }
        let turn = async {
            self.port_is_free().await;
            timeout(TURN, Arc::clone(&self.application.turns).acquire_owned()).await
        };
        let turn = tokio::select! {
            biased;
            () = self.leave_requested() => return self.drain_requested(),
            turn = turn => turn.ok().and_then(Result::ok),
        };
        // It may have been shut while others had their turn.
        if let Some(barred) = self.barred() {
            return barred;
        }
        self.turn = turn;
        Event::Tick
    }

    /// The gate is shut.
    fn barred(&mut self) -> Option<Event> {
        let (_, until) = self.application.closed_gate()?;
        if self.grows() {
            return Some(Event::RestPlanned { calls: self.application.pool.calls() });
        }
        self.record.is_barred = true;
        Some(Event::RestartPlanned { at: until })
    }

    /// Waits until a port that is set is no other worker's of ours: one that ends may have it for a while.
    async fn port_is_free(&self) {
        let plan = &self.application.plan;
        if let Some(port) = plan.telling.fixed_port {
            // Whoever has it then is named by the start that fails.
            let _ = timeout(plan.grace + LAST_WORD * 2, self.application.house.sockets.returned(port)).await;
        }
    }

    async fn called(&mut self, calls: u64) -> Event {
        let application = Arc::clone(&self.application);
        tokio::select! {
            biased;
            () = self.leave_requested() => self.drain_requested(),
            () = application.pool.called_beyond(calls) => {
                self.refill_attempts();
                Event::Called
            }
            // Requests that somebody serves call for nobody.
            () = sleep(application.plan.restarts.longest_delay) => {
                if application.pool.is_unready() {
                    return Event::Tick;
                }
                // One only: more of them at once would shut the gate, which is shut for those that serve, too.
                self.record.attempts = Some(1);
                Event::Called
            }
            // That it opens again is to be told.
            () = gate_opens(&application) => Event::Tick,
        }
    }

    async fn started(&mut self, since: Instant, until: Instant) -> Event {
        loop {
            let event = self.event_of_start(since, until).await;
            if let Some(event) = event {
                self.note_loss(&event, until - since);
                return event;
            }
        }
    }

    /// Notes why a worker that was ready and is awaited again is given up.
    fn note_loss(&mut self, event: &Event, within: Duration) {
        let Some(life) = self.life.as_mut().filter(|life| life.first_ready.is_some()) else { return };
        life.hangs = match event {
            Event::Tick => Some(format!(
                "refused connections and did not accept any again within {} s",
                within.as_secs_f32()
            )),
            Event::Unfit(failure) => Some(failure.story()),
            _ => None,
        };
    }

    /// None when there is only more to wait for.
    async fn event_of_start(&mut self, since: Instant, until: Instant) -> Option<Event> {
        let application = Arc::clone(&self.application);
        let relieved = self.service.relieved.clone();
        let Some(life) = self.life.as_mut() else { return Some(Event::Exited(Exit::Lost)) };
        let leave = leave_requested(&application, &relieved);
        if application.plan.transport == Transport::Inherited && life.listens_at.is_none() {
            // Its socket has listened since before it was started.
            life.address = life.candidates.first().cloned();
            return Some(Event::Answered);
        }
        let look = since + life.next_look.unwrap_or(FIRST_LOOK);
        let readiness = &application.plan.readiness;
        match life.listens_at.clone() {
            None => tokio::select! {
                biased;
                () = leave => Some(self.drain_requested()),
                exit = ended(&mut life.child) => Some(Event::Exited(exit)),
                address = ready::until_one_answers(&life.candidates) => {
                    if let Some(stranger) = approach::stranger_at(&address, &life.kin) {
                        return Some(Event::Unfit(StartFailure::PortTaken(stranger)));
                    }
                    life.listens_at = Some(address);
                    None
                }
                () = sleep_until(look.min(until)) => {
                    life.next_look = Some((look - since) * 2);
                    life.diagnose();
                    application.pool.journal().diagnose(life.pid, life.suspicion());
                    (Instant::now() >= until).then_some(Event::Tick)
                }
            },
            Some(address) => {
                let mut said = None;
                tokio::select! {
                    biased;
                    () = leave => Some(self.drain_requested()),
                    exit = ended(&mut life.child) => Some(Event::Exited(exit)),
                    () = approach::until_it_answers(readiness, &address, until - since, &mut said) => {
                        life.listens_at = None;
                        // Answers take their time, in which the port may have got another owner.
                        let is_late = *readiness != Readiness::Listening;
                        if is_late && let Some(stranger) = approach::stranger_at(&address, &life.kin) {
                            return Some(Event::Unfit(StartFailure::PortTaken(stranger)));
                        }
                        life.address = Some(address);
                        Some(Event::Answered)
                    }
                    () = sleep_until(until) => {
                        Some(approach::unfit(readiness, until - since, said).map_or(Event::Tick, Event::Unfit))
                    }
                }
            }
        }
    }

    async fn served(&mut self) -> Event {
        let application = Arc::clone(&self.application);
        let plan = &application.plan;
        let Some(life) = &self.life else { return Event::Exited(Exit::Lost) };
        let Some(worker) = life.workers.last().cloned() else { return Event::Unreachable };
        let (pid, begun) = (life.pid, life.begun);
        // These count over time: what happens meanwhile must not make them begin anew.
        let mut hangs = pin!(async {
            match &plan.health {
                Some(check) => health::hangs(check, worker.address()).await,
                None => std::future::pending().await,
            }
        });
        // Workers of a pool that grows began one by one.
        let spread = if self.grows() { 0 } else { self.number };
        let mut worn = pin!(wear::worn(&plan.wear, &worker, spread, pid, begun));
        loop {
            match self.news(&worker, hangs.as_mut(), worn.as_mut()).await {
                News::Event(event) => return event,
                News::LeaveRequested => return self.drain_requested(),
                News::Hangs(why) => {
                    if let Some(life) = &mut self.life {
                        life.hangs = Some(why);
                    }
                    return Event::Hangs;
                }
                News::Worn(why) => {
                    if let Some(life) = self.life.as_ref().filter(|_| !self.grows()) {
                        let (slot, pid) = (self.number, life.pid);
                        self.application.report(Progress::Worn { slot, pid, why });
                    }
                    if self.grows() {
                        self.is_retiring = true;
                        return self.drain_requested();
                    }
                    self.succession.is_worn = true;
                    // Two cannot have one port: the old one ends first.
                    if plan.telling.fixed_port.is_some() {
                        self.succession.renew_by = Some(Instant::now() + wear::LONGEST_WAIT);
                    }
                }
                News::RenewalIsDue => {
                    self.succession.is_renewing = true;
                    return self.drain_requested();
                }
                News::HeirIsDue => self.ask_for_heir(),
                News::HeirFailed => self.succession.heir = None,
                News::Idle | News::Abandoned => {
                    self.is_retiring = true;
                    return self.drain_requested();
                }
            }
        }
    }

    /// `worn` is not asked again once it has answered.
    async fn news(
        &mut self,
        worker: &Worker,
        hangs: Pin<&mut impl Future<Output = String>>,
        worn: Pin<&mut impl Future<Output = String>>,
    ) -> News {
        let plan = &self.application.plan;
        let grows = self.grows();
        let is_alone = plan.transport == Transport::Inherited;
        let Some(Life { child, kin, .. }) = &mut self.life else {
            return News::Event(Event::Exited(Exit::Lost));
        };
        let line = &mut self.succession;
        let is_worn = line.is_worn;
        let wants_heir = is_worn && line.heir.is_none() && line.renew_by.is_none();
        let renew_by = line.renew_by;
        let renewal_is_due = async {
            match renew_by {
                Some(latest) => wear::is_free(worker, latest).await,
                None => std::future::pending().await,
            }
        };
        let heir_failed = async {
            match &mut line.heir {
                Some(heir) => heir.failed().await,
                None => std::future::pending().await,
            }
        };
        let heir_is_due = async {
            if let Some(predecessor) = &self.predecessor {
                predecessor.cancelled().await;
            }
            if let Some(at) = line.not_before {
                sleep_until(at).await;
            }
            gate_is_open(&self.application).await;
        };
        tokio::select! {
            biased;
            () = leave_requested(&self.application, &self.service.relieved) => News::LeaveRequested,
            exit = ended(child) => News::Event(Event::Exited(exit)),
            why = worker.reported_stuck() => News::Hangs(why),
            () = worker.was_abandoned() => News::Abandoned,
            () = is_lost(worker, kin, is_alone) => tokio::select! {
                biased;
                exit = ended(child) => News::Event(Event::Exited(exit)),
                () = sleep(EXIT_IS_NEAR) => match is_alone {
                    true => News::Hangs("has closed the socket it was given".to_owned()),
                    false => News::Event(Event::Unreachable),
                },
            },
            why = hangs => News::Hangs(why),
            () = heir_failed => News::HeirFailed,
            why = worn, if !is_worn => News::Worn(why),
            () = renewal_is_due => News::RenewalIsDue,
            () = heir_is_due, if wants_heir => News::HeirIsDue,
            () = demand::ceased(plan.worker_idle_timeout, worker), if grows => News::Idle,
        }
    }

    fn ask_for_heir(&mut self) {
        let limits = &self.application.plan.restarts;
        let line = &mut self.succession;
        let pause = limits.first_delay.saturating_mul(1 << line.failures.min(20)).min(limits.longest_delay);
        line.failures = line.failures.saturating_add(1);
        line.not_before = Some(Instant::now() + pause);
        let (heir, request) = self.service.ask_for_heir(self.number, pause);
        line.heir = self.application.successions.send(request).is_ok().then_some(heir);
    }

    async fn drained(&mut self, until: Instant, pressure: Pressure) -> Event {
        let drain = self.application.drain.clone();
        let Some(life) = &mut self.life else { return Event::Exited(Exit::Lost) };
        let workers = life.workers.clone();
        let idle = async {
            for worker in &workers {
                worker.drained().await;
            }
        };
        let is_waiting = pressure == Pressure::Waiting;
        let is_asking = is_waiting && !life.goodbye.is_empty();
        tokio::select! {
            biased;
            exit = ended(&mut life.child) => Event::Exited(exit),
            Some(answer) = life.goodbye.join_next(), if is_asking => {
                let (application, pid) = (&self.application.plan.name, life.pid);
                let answer = answer.unwrap_or_else(|error| Err(error.to_string()));
                if let Ok(status) = &answer {
                    life.asked = Some(format!("was asked to end, answered {status}"));
                }
                match answer {
                    Ok(AGREED) => {
                        tracing::info!(application, pid, "the worker was asked to end by itself, and does");
                        return Event::Agreed;
                    }
                    Ok(status) => {
                        tracing::info!(application, pid, status, "the worker was asked to end by itself, and does not");
                    }
                    Err(why) => {
                        tracing::info!(application, pid, why, "the worker could not be asked to end by itself");
                    }
                }
                Event::Tick
            }
            () = idle, if is_waiting && !is_asking => Event::Idle,
            () = sleep_until(until) => Event::Tick,
            () = drain.overdue(), if pressure != Pressure::Killed => Event::Hurried,
        }
    }

    async fn leave_requested(&self) {
        leave_requested(&self.application, &self.service.relieved).await;
    }
}

/// Waits until the worker is to go for good.
async fn leave_requested(application: &Application, relieved: &tokio_util::sync::CancellationToken) {
    tokio::select! {
        () = application.drain.requested() => {}
        () = relieved.cancelled() => {}
    }
}

/// Waits until a shut gate opens; for ever if it is open.
async fn gate_opens(application: &Application) {
    match application.closed_gate() {
        Some((_, until)) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

async fn gate_is_open(application: &Application) {
    while let Some((_, until)) = application.closed_gate() {
        sleep_until(until).await;
    }
}

/// Waits until a core could not connect to the worker, and neither could we, or it is another who answers there now.
async fn is_lost(worker: &Worker, kin: &Kin, listens_alone: bool) {
    loop {
        worker.reported_unreachable().await;
        let address = worker.address();
        // Where nobody else can accept, who was refused knows.
        if listens_alone
            || ready::probe(address).await.is_err()
            || approach::stranger_at(address, kin).is_some()
        {
            return;
        }
    }
}
