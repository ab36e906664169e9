//! The table of `step`: every state times every event.

use std::time::Duration;

use tokio::time::Instant;

use super::Effect::{Ask, Diagnose, Kill, Publish, Settle, Spawn, Withdraw};
use super::{Bounds, DrainCause, Effect, Event, Exit, Pressure, StartFailure, WorkerState, step};

const BOUNDS: Bounds = Bounds {
    start_timeout: Duration::from_secs(25),
    last_word: Duration::from_millis(500),
    reap: Duration::from_secs(5),
};

/// The moments the table speaks of: `now`, one that has passed, one to come.
struct Clock {
    past: Instant,
    now: Instant,
    later: Instant,
}

fn draining(until: Instant, pressure: Pressure) -> WorkerState {
    WorkerState::Draining { until, pressure, why: DrainCause::Told }
}

fn events(clock: &Clock) -> [Event; 9] {
    [
        Event::Tick,
        Event::SpawnFailed("no".to_owned()),
        Event::Answered,
        Event::Unreachable,
        Event::Exited(Exit::Code(1)),
        Event::Idle,
        Event::DrainRequested { until: clock.later },
        Event::Hurried,
        Event::RestartPlanned { at: clock.later },
    ]
}

type Row = (WorkerState, [Option<(WorkerState, &'static [Effect])>; 9]);

/// One row per state, one column per event in the order of [`events`]; `None` says that nothing changes.
fn table(clock: &Clock) -> Vec<Row> {
    let &Clock { past, now, later } = clock;
    let exit = Exit::Code(1);
    let starting = WorkerState::Starting { since: now, until: now + BOUNDS.start_timeout };
    let killed = draining(now + BOUNDS.reap, Pressure::Killed);
    let stopped = WorkerState::Stopped { exit: Some(exit), served: None };
    let unasked = WorkerState::Stopped { exit: None, served: None };
    let lost = WorkerState::Stopped { exit: Some(Exit::Lost), served: None };
    let again = WorkerState::BackingOff { until: later };
    let failed = |cause| WorkerState::Failed { cause };
    let too_slow = failed(StartFailure::TooSlow { after: BOUNDS.start_timeout });
    let killed_slow = WorkerState::Draining {
        until: now + BOUNDS.reap,
        pressure: Pressure::Killed,
        why: DrainCause::TooSlow,
    };
    let last_word = draining(now + BOUNDS.last_word, Pressure::Asked);
    // The columns of a state whose start has been or can be reached by the same events, due or not.
    let started = |tick| {
        [
            tick,
            Some((failed(StartFailure::Spawn("no".to_owned())), &[] as &[Effect])),
            Some((WorkerState::Ready { since: now }, &[Publish] as _)),
            None,
            Some((failed(StartFailure::Exited(exit)), &[Settle] as _)),
            None,
            Some((draining(later, Pressure::Asked), &[Ask] as _)),
            Some((killed.clone(), &[Kill] as _)),
            None,
        ]
    };
    let ends = Some((stopped.clone(), &[Settle] as &[Effect]));
    let kills = Some((killed.clone(), &[Kill] as &[Effect]));
    let restarts = || [None, None, None, None, None, None, None, None, Some((again.clone(), &[] as _))];
    let gone = Some((unasked.clone(), &[] as &[Effect]));
    let retimed = |tick| {
        [tick, None, None, None, None, None, gone.clone(), gone.clone(), Some((again.clone(), &[] as _))]
    };
    vec![
        (WorkerState::BackingOff { until: past }, retimed(Some((starting.clone(), &[Spawn])))),
        (WorkerState::BackingOff { until: later + BOUNDS.reap }, retimed(None)),
        (
            WorkerState::Starting { since: past, until: past },
            started(Some((killed_slow.clone(), &[Diagnose, Kill]))),
        ),
        (WorkerState::Starting { since: past, until: later }, started(None)),
        (
            WorkerState::Ready { since: past },
            [
                None,
                None,
                None,
                Some((starting.clone(), &[Withdraw])),
                Some((
                    WorkerState::Stopped { exit: Some(exit), served: Some(now - past) },
                    &[Withdraw, Settle],
                )),
                None,
                Some((draining(later, Pressure::Waiting), &[Withdraw])),
                Some((killed.clone(), &[Withdraw, Kill])),
                None,
            ],
        ),
        (
            draining(past, Pressure::Waiting),
            [
                Some((last_word.clone(), &[Ask])),
                None,
                None,
                None,
                ends.clone(),
                Some((last_word.clone(), &[Ask])),
                None,
                kills.clone(),
                None,
            ],
        ),
        (
            draining(later + BOUNDS.reap, Pressure::Waiting),
            [
                None,
                None,
                None,
                None,
                ends.clone(),
                Some((draining(later + BOUNDS.reap, Pressure::Asked), &[Ask])),
                Some((draining(later, Pressure::Waiting), &[])),
                kills.clone(),
                None,
            ],
        ),
        (
            draining(past, Pressure::Asked),
            [kills.clone(), None, None, None, ends.clone(), None, None, kills.clone(), None],
        ),
        (
            draining(later, Pressure::Asked),
            [None, None, None, None, ends.clone(), None, None, kills.clone(), None],
        ),
        (
            draining(past, Pressure::Killed),
            [Some((lost, &[Settle])), None, None, None, ends.clone(), None, None, None, None],
        ),
        (draining(later, Pressure::Killed), [None, None, None, None, ends.clone(), None, None, None, None]),
        (
            WorkerState::Draining { until: past, pressure: Pressure::Killed, why: DrainCause::TooSlow },
            [
                Some((too_slow.clone(), &[Settle])),
                None,
                None,
                None,
                Some((too_slow.clone(), &[Settle])),
                None,
                None,
                None,
                None,
            ],
        ),
        (stopped, restarts()),
        (too_slow, restarts()),
    ]
}

#[test]
fn every_state_knows_what_every_event_means() {
    let past = Instant::now();
    let now = past + Duration::from_secs(100);
    let clock = Clock { past, now, later: now + Duration::from_secs(3) };
    for (state, columns) in table(&clock) {
        for (event, expected) in events(&clock).into_iter().zip(columns) {
            let expected = expected.unwrap_or_else(|| (state.clone(), &[]));
            let got = step(state.clone(), event.clone(), now, &BOUNDS);
            assert_eq!(got, expected, "{state:?} on {event:?}");
        }
    }
}

#[test]
fn an_end_is_told_in_words() {
    for (exit, words) in [
        (Exit::Code(1), "exited with code 1"),
        (Exit::Signal(9), "was ended by SIGKILL"),
        (Exit::Signal(40), "was ended by signal 40"),
    ] {
        assert_eq!(exit.to_string(), words);
    }
}
