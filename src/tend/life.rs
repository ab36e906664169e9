//! One process from spawn to the last trace of it: its group, its output, its address, and what it leaves behind.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::house::House;
use super::owner::Kin;
use super::place::{Place, Secret};
use super::proc::Process;
use super::spawn::{Spawned, Start, spawn};
use super::state::Exit;
use super::{ApplicationPlan, linux, proc, ready};
use crate::base::address::Address;
use crate::base::drain::Drain;
use crate::logs::Stream;
use crate::logs::capture::{Capture, Source};
use crate::logs::output::Output;
use crate::pool::Worker;

/// After the exit whoever has the pipes open still is a stranger, or hidden; we do not wait for it.
const OUTPUT_LIMIT: Duration = Duration::from_millis(500);
/// What a disk may take beyond that for the last of an ended worker's output.
const DISK_LIMIT: Duration = Duration::from_secs(2);
/// Looks for processes that were sent SIGKILL; each is followed by a pause of [`LONGEST_LOOK`] at most.
const KILL_ROUNDS: u32 = 50;
const LONGEST_LOOK: Duration = Duration::from_millis(50);

pub(super) struct Life {
    house: Arc<House>,
    pub(super) child: Child,
    pub(super) pid: u32,
    pub(super) kin: Kin,
    /// Field lines that every request to it carries.
    pub(super) told: String,
    place: Place,
    /// By which it was told its place.
    variable: &'static str,
    pub(super) begun: Instant,
    pub(super) first_ready: Option<Instant>,
    pub(super) candidates: Vec<Address>,
    /// The candidate that accepts connections, while it is not known yet whether the worker is ready.
    pub(super) listens_at: Option<Address>,
    /// Where it was ready last.
    pub(super) address: Option<Address>,
    /// What the pool knew this process as, one after the other; the last one is the one it knows now, if any.
    pub(super) workers: Vec<Arc<Worker>>,
    pub(super) output: Arc<Output>,
    captures: JoinSet<std::io::Result<()>>,
    /// Ends the reading of the output, not its writing.
    stop_reading: CancellationToken,
    /// Its descendants, as they were when it was to end: some have left its group and cleared their environment.
    family: Vec<Process>,
    /// Until when the rest of the group may finish by itself once its leader has ended.
    patience: Option<Instant>,
    /// The age at which it is looked at again while it does not answer.
    pub(super) next_look: Option<Duration>,
    /// The TCP ports it was seen listening on, other than the one it was given.
    pub(super) elsewhere: Vec<u16>,
    /// Why it is taken for hanging, in words that follow "the worker".
    pub(super) hangs: Option<String>,
    /// The request that asks it to end by itself, while it is under way; its answer.
    pub(super) goodbye: JoinSet<Result<u16, String>>,
    /// What came of that, in words that follow "the worker".
    pub(super) asked: Option<String>,
    /// Since when it is to end.
    pub(super) unwanted: Option<Instant>,
    settled: bool,
}

impl Life {
    /// Starts a process for this slot.
    ///
    /// # Errors
    /// Why it could not be started, as a whole sentence.
    pub(super) fn begin(plan: &ApplicationPlan, house: &Arc<House>, slot: usize) -> Result<Life, String> {
        let secret = plan.pairing.as_ref().map(Secret::new).transpose()?;
        let place = Place::take(plan, &house.sockets)?;
        let tag = house.next_tag();
        let begun = Instant::now();
        let start = Start { place: &place, tag: &tag, secret: secret.as_ref() };
        let Spawned { child, pid, started, outputs } =
            spawn(plan, slot, &start).inspect_err(|_| place.give_back(&house.sockets))?;
        house.group_started(pid);
        let stop_reading = CancellationToken::new();
        let (output, captures) = match outputs {
            Some(outputs) => capture(plan, house, slot, pid, outputs, &stop_reading),
            None => (Output::silent(), JoinSet::new()),
        };
        Ok(Life {
            house: Arc::clone(house),
            child,
            pid,
            kin: Kin { leader: pid, started, tag },
            told: secret.map(|secret| secret.line).unwrap_or_default(),
            candidates: ready::candidates(&place),
            place,
            variable: plan.telling.variables.first().copied().unwrap_or("PORT"),
            begun,
            first_ready: None,
            listens_at: None,
            address: None,
            workers: Vec::new(),
            output,
            captures,
            stop_reading,
            family: Vec::new(),
            patience: None,
            next_look: None,
            elsewhere: Vec::new(),
            hangs: None,
            goodbye: JoinSet::new(),
            asked: None,
            unwanted: None,
            settled: false,
        })
    }

    /// Notes who descends from it while that can be seen.
    pub(super) fn note_family(&mut self) {
        self.family.retain(proc::is_alive);
        for process in proc::family(self.pid) {
            if !self.family.iter().any(|known| known.pid == process.pid) {
                self.family.push(process);
            }
        }
    }

    /// Asks the whole group to end; what is left of it when the leader has ended may use the time until then.
    pub(super) fn ask(&mut self, until: Instant) {
        self.note_family();
        self.patience = Some(until);
        linux::ask_group(self.pid);
    }

    pub(super) fn kill(&mut self) {
        self.note_family();
        self.patience = None;
        linux::kill_group(self.pid);
    }

    /// Looks where the process listens, if not where it was told to.
    pub(super) fn diagnose(&mut self) {
        let mut processes = proc::descendants(self.pid);
        processes.push(self.pid);
        self.elsewhere = proc::listening_ports(&processes);
        if let Place::Port(port) = self.place {
            self.elsewhere.retain(|&elsewhere| elsewhere != port);
        }
    }

    /// What follows "the worker did not accept a connection within 30 s".
    pub(super) fn diagnosis(&self) -> String {
        let told = format!("{}={}", self.variable, self.place.as_text().to_string_lossy());
        if self.elsewhere.is_empty() {
            return format!(" on {told}");
        }
        let ports = self.elsewhere.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        format!("; it is alive but listens on TCP {ports}, not on {told}")
    }

    /// What is wrong with a process that is alive and does not answer, if that was seen.
    pub(super) fn suspicion(&self) -> Option<String> {
        let told = match &self.place {
            Place::Socket(_) => "the path of a Unix socket",
            Place::Port(_) => "another TCP port",
        };
        let ports = self.elsewhere.iter().map(u16::to_string).collect::<Vec<_>>();
        let noun = match ports.len() {
            0 => return None,
            1 => "port",
            _ => "ports",
        };
        let ports = ports.join(", ");
        Some(format!(
            "your program is alive but listens on TCP {noun} {ports}, not on {} ({told})",
            self.variable
        ))
    }

    /// Ends what an ended process has left: the rest of its group, its other descendants, its output, its address.
    pub(super) async fn settle(&mut self, drain: &Drain) {
        self.end_those_left(drain).await;
        if !self.is_captured(OUTPUT_LIMIT).await {
            if self.output.is_open() {
                tracing::warn!(
                    pid = self.pid,
                    "the output of an ended worker is still held open by another process"
                );
            }
            self.stop_reading.cancel();
            if !self.is_captured(DISK_LIMIT).await {
                tracing::warn!(pid = self.pid, "the disk is too slow for the last output of an ended worker");
                self.captures.shutdown().await;
            }
        }
        self.finish();
    }

    /// Whether all output has been read, and written, within this time.
    async fn is_captured(&mut self, within: Duration) -> bool {
        let captured = async { while self.captures.join_next().await.is_some() {} };
        timeout(within, captured).await.is_ok()
    }

    /// What it has started and is alive.
    fn left_behind(&self) -> Vec<Process> {
        let mut left = proc::left_behind(&self.kin.tag, self.pid, self.kin.started);
        for process in self.family.iter().filter(|process| proc::is_alive(process)) {
            if !left.iter().any(|found| found.pid == process.pid) {
                left.push(*process);
            }
        }
        left
    }

    async fn end_those_left(&self, drain: &Drain) {
        let mut pause = Duration::from_millis(1);
        let mut kills = 0;
        let mut asked = false;
        loop {
            let left = self.left_behind();
            if left.is_empty() {
                return;
            }
            let now = Instant::now();
            let patient = self.patience.is_some_and(|until| now < until)
                && drain.deadline().is_none_or(|deadline| now < deadline);
            if patient && !asked {
                // The group was asked with its leader; who has left the group was not.
                let outside = left.iter().filter(|process| process.group != self.pid);
                outside.for_each(|process| linux::ask_process(process.pid));
                asked = true;
            }
            if !patient {
                left.iter().for_each(|process| linux::kill_process(process.pid));
                kills += 1;
                if kills > KILL_ROUNDS {
                    tracing::warn!(
                        pid = self.pid,
                        "processes a worker has left do not end, not even on SIGKILL"
                    );
                    return;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    fn finish(&mut self) {
        self.place.give_back(&self.house.sockets);
        self.house.group_ended(self.pid);
        super::spawn::forget(self.pid);
        self.settled = true;
    }
}

impl Drop for Life {
    /// The last resort, when the slot's task is dropped in the middle of a life.
    fn drop(&mut self) {
        if !self.settled {
            self.kill();
            self.left_behind().iter().for_each(|process| linux::kill_process(process.pid));
            self.finish();
        }
    }
}

/// Waits for the exit of a process.
pub(super) async fn ended(child: &mut Child) -> Exit {
    // It fails only if somebody else has reaped the process, which then is as gone as it gets.
    child.wait().await.map_or(Exit::Lost, Exit::from)
}

/// Begins to read what a process prints.
fn capture(
    plan: &ApplicationPlan,
    house: &House,
    slot: usize,
    pid: u32,
    outputs: [OwnedFd; 2],
    stop: &CancellationToken,
) -> (Arc<Output>, JoinSet<std::io::Result<()>>) {
    let pipes = outputs.map(Arc::new);
    let output = Output::new([&pipes[0], &pipes[1]], plan.logs.is_some());
    let [out, err] = pipes;
    let voice = |stream| house.console.voice(&format!("{}.{slot}", plan.name), slot, stream);
    output.speak_with(voice(Stream::Err));
    let sources = [(out, Stream::Out), (err, Stream::Err)].map(|(pipe, stream)| Source {
        pipe,
        stream,
        voice: voice(stream),
    });
    let logs = plan.logs.as_ref().map(|logs| (logs, &house.logs));
    let mut captures = JoinSet::new();
    for capture in Capture::all(sources, &output, logs, pid, stop) {
        captures.spawn(capture.run());
    }
    (output, captures)
}
