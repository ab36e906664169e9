//! What a host says on the terminal: where to look, what is run, and how that goes.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::base::address::Address;
use crate::config::settings::RecycleMode;
use crate::logs::Stream;
use crate::logs::console::Console;
use crate::serve::listener::Bound;
use crate::tend::Progress;
use crate::tend::steward::Event;

/// The first lines: where to look, and what is run.
pub(super) fn introduce(console: &Console, bound: &[Bound], lines: &[String]) {
    for (index, bound) in bound.iter().enumerate() {
        let label =
            if index == 0 { concat!("ostler ", env!("CARGO_PKG_VERSION"), "  ") } else { "         and  " };
        console.say(Stream::Out, &format!("{label}{}", url(&bound.address)));
    }
    for line in lines {
        console.say(Stream::Out, line);
    }
}

/// What a person would type to reach an address.
pub(super) fn url(address: &Address) -> String {
    match address {
        Address::Tcp(address) => format!("http://{address}/"),
        unix @ Address::Unix(_) => unix.to_string(),
    }
}

pub(super) fn nice_path(path: &Path) -> String {
    path.canonicalize().as_deref().unwrap_or(path).display().to_string()
}

/// Says how it goes, for ever. `several`: applications are told apart by their names.
pub(super) async fn report(
    console: &Console,
    mut events: mpsc::Receiver<Event>,
    several: bool,
    started: Instant,
) -> std::convert::Infallible {
    let mut generations = HashMap::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Worker { application, generation, slots, progress } => {
                let name = if several { format!("{application} ") } else { String::new() };
                // Those that are gone are not remembered for ever.
                if generations.len() > 1024 {
                    generations.clear();
                }
                let seen: &mut Seen = generations.entry(generation).or_insert_with(|| Seen::new(started));
                worker(console, &name, seen, slots, progress);
            }
            Event::Recycling { application, cause, mode } => {
                let how = match mode {
                    RecycleMode::Strict => "",
                    RecycleMode::Safe => ", when the new workers are ready",
                };
                console.say(Stream::Out, &format!("recycle  {application}: {cause}{how}"));
            }
            Event::Kept { application, why } => {
                console.say(
                    Stream::Err,
                    &format!("ostler: {application} goes on as it was; the new one does not start: {why}"),
                );
            }
            Event::Idle { application, after } => {
                let after = after.as_secs_f32();
                console.say(
                    Stream::Out,
                    &format!(
                        "idle     {application}: no request for {after} s; the next one starts it again"
                    ),
                );
            }
            Event::Refused { application, why } => {
                console.say(Stream::Err, &format!("ostler: {application} cannot run: {why}"));
            }
        }
    }
    std::future::pending().await
}

/// The workers of one generation that have been ready, by slot.
struct Seen {
    since: Instant,
    slots: Vec<bool>,
    told: bool,
}

impl Seen {
    fn new(host_started: Instant) -> Seen {
        // The first generation of an application that starts with its host counts from there.
        let since =
            if host_started.elapsed() < Duration::from_secs(1) { host_started } else { Instant::now() };
        Seen { since, slots: Vec::new(), told: false }
    }
}

fn worker(console: &Console, name: &str, seen: &mut Seen, slots: usize, progress: Progress) {
    match progress {
        Progress::WorkerReady { slot, pid, after } => {
            seen.slots.resize(slots.max(slot + 1).max(seen.slots.len()), false);
            let back = std::mem::replace(&mut seen.slots[slot], true);
            let all = seen.slots.iter().filter(|ready| **ready).count();
            if back {
                let ms = after.as_millis();
                console.say(
                    Stream::Out,
                    &format!("workers  {name}worker {slot} is back after {ms} ms (pid {pid})"),
                );
            } else if all >= slots.max(1) && !seen.told {
                seen.told = true;
                // A generation first heard of when its first worker is ready has taken that long at least.
                let ms = seen.since.elapsed().max(after).as_millis();
                console.say(Stream::Out, &format!("workers  {name}{all} ready in {ms} ms"));
            }
        }
        Progress::StartFailed { slot, why, next_in } => {
            let next = next_in.map_or_else(
                || "; the next request starts another".to_owned(),
                |next_in| next(Some(next_in)),
            );
            console.say(Stream::Err, &format!("ostler: {name}worker {slot} did not start: {why}{next}"));
        }
        Progress::WorkerHung { slot, pid, why, next_in } => {
            let next = next(next_in);
            console.say(Stream::Err, &format!("ostler: {name}worker {slot} (pid {pid}) {why}{next}"));
        }
        Progress::Killed { slot, pid, within, asked } => {
            let asked = asked.map(|asked| format!("{asked}, ")).unwrap_or_default();
            let within = in_words(within);
            let line = format!(
                "ostler: {name}worker {slot} (pid {pid}) {asked}did not end within {within} and was killed"
            );
            console.say(Stream::Err, &line);
        }
        Progress::Worn { slot, pid, why } => {
            let line = format!("workers  {name}worker {slot} (pid {pid}) {why}; another takes its place");
            console.say(Stream::Out, &line);
        }
        Progress::GateClosed { limit, opens_in } => {
            let seconds = opens_in.as_secs_f32().ceil();
            let who = if name.is_empty() { "the application " } else { name };
            let line = format!(
                "ostler: {who}has failed more than {limit} times within a minute; nothing is started for {seconds} s"
            );
            console.say(Stream::Err, &line);
        }
        Progress::WorkerEnded { slot, pid, exit, next_in } => {
            let next = next(next_in);
            console.say(Stream::Err, &format!("ostler: {name}worker {slot} (pid {pid}) {exit}{next}"));
        }
    }
}

fn next(delay: Option<Duration>) -> String {
    match delay {
        None => String::new(),
        Some(Duration::ZERO) => "; a new one is started".to_owned(),
        Some(delay) => format!("; the next attempt is in {}", in_words(delay)),
    }
}

/// Short times to the millisecond, others in whole seconds, as they are counted.
fn in_words(time: Duration) -> String {
    match time {
        short if short < Duration::from_secs(1) => format!("{} ms", short.as_millis()),
        long => format!("{} s", long.as_secs_f32().round()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{in_words, next};

    #[test]
    fn long_waits_are_told_in_seconds() {
        for (milliseconds, words) in
            [(0, "0 ms"), (250, "250 ms"), (999, "999 ms"), (1_000, "1 s"), (58_898, "59 s")]
        {
            assert_eq!(in_words(Duration::from_millis(milliseconds)), words);
        }
        assert_eq!(next(Some(Duration::from_millis(58_898))), "; the next attempt is in 59 s");
        assert_eq!(next(Some(Duration::ZERO)), "; a new one is started");
        assert_eq!(next(None), "");
    }
}
