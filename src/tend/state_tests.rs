//! The table of `step`: every state times every event.

use std::time::Duration;

use tokio::time::Instant;

use super::Effect::{Ask, Diagnose, Kill, Publish, SayGoodbye, Settle, Spawn, Withdraw};
use super::{Bounds, DrainCause, Effect, Event, Exit, Pressure, StartFailure, Stranger, WorkerState, step};

const BOUNDS: Bounds = Bounds {
    after_requests: None,
    start_timeout: Duration::from_secs(25),
    return_timeout: Duration::from_secs(10),
    grace: Duration::from_secs(20),
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

fn events(clock: &Clock) -> [Event; 14] {
    [
        Event::Tick,
        Event::SpawnFailed("no".to_owned()),
        Event::Answered,
        Event::Unfit(taken()),
        Event::Unreachable,
        Event::Hangs,
        Event::Agreed,
        Event::Exited(Exit::Code(1)),
        Event::Idle,
        Event::DrainRequested { until: clock.later },
        Event::Hurried,
        Event::RestartPlanned { at: clock.later },
        Event::RestPlanned { calls: 7 },
        Event::Called,
    ]
}

fn taken() -> StartFailure {
    StartFailure::PortTaken(Stranger { port: 80, program: None })
}

/// A state, and what changes it: the event, the next state and what is to be done. No other event changes anything.
type Row = (WorkerState, Vec<(Event, WorkerState, &'static [Effect])>);

fn table(clock: &Clock) -> Vec<Row> {
    let mut rows = without_process(clock);
    rows.extend(with_process(clock));
    rows.extend(on_the_way_back(clock));
    rows.extend(on_the_way_out(clock));
    rows
}

fn without_process(clock: &Clock) -> Vec<Row> {
    let &Clock { past, now, later } = clock;
    let starting = WorkerState::Starting { since: now, until: now + BOUNDS.start_timeout, was_ready: false };
    let gone = WorkerState::Stopped { exit: None, served: None };
    let again = WorkerState::BackingOff { until: later };
    let resting = WorkerState::Resting { calls: 7 };
    let plans = || {
        vec![
            (Event::RestartPlanned { at: later }, again.clone(), &[] as &[Effect]),
            (Event::RestPlanned { calls: 7 }, resting.clone(), &[]),
        ]
    };
    let leaves = || {
        [
            (Event::DrainRequested { until: later }, gone.clone(), &[] as &[Effect]),
            (Event::Hurried, gone.clone(), &[]),
        ]
    };
    let mut due = plans();
    due.extend(leaves());
    let early = due.clone();
    due.push((Event::Tick, starting, &[Spawn]));
    let mut called = leaves().to_vec();
    called.push((Event::Called, WorkerState::BackingOff { until: now }, &[]));
    let exit = Some(Exit::Code(1));
    vec![
        (WorkerState::BackingOff { until: past }, due),
        (WorkerState::BackingOff { until: later + BOUNDS.reap }, early),
        (resting.clone(), called),
        (WorkerState::Stopped { exit, served: None }, plans()),
        (WorkerState::Failed { cause: taken() }, plans()),
    ]
}

fn with_process(clock: &Clock) -> Vec<Row> {
    let &Clock { past, now, later } = clock;
    let exit = Exit::Code(1);
    let killed = |why| WorkerState::Draining { until: now + BOUNDS.reap, pressure: Pressure::Killed, why };
    let failed = |cause| WorkerState::Failed { cause };
    let until = |until| Event::DrainRequested { until };
    let started = || {
        vec![
            (
                Event::SpawnFailed("no".to_owned()),
                failed(StartFailure::Spawn("no".to_owned())),
                &[] as &[Effect],
            ),
            (Event::Answered, WorkerState::Ready { since: now }, &[Publish]),
            (Event::Unfit(taken()), killed(DrainCause::Failed(taken())), &[Kill]),
            (Event::Exited(exit), failed(StartFailure::Exited(exit)), &[Settle]),
            (until(later), draining(later, Pressure::Asked), &[Ask]),
            (Event::Hurried, killed(DrainCause::Told), &[Kill]),
        ]
    };
    let mut due = started();
    let too_slow = DrainCause::Failed(StartFailure::TooSlow { after: now - past });
    due.push((Event::Tick, killed(too_slow), &[Diagnose, Kill]));
    let returning = WorkerState::Starting { since: now, until: now + BOUNDS.return_timeout, was_ready: true };
    let hung = WorkerState::Draining {
        until: now + BOUNDS.last_word,
        pressure: Pressure::Asked,
        why: DrainCause::Hung,
    };
    let stopped = WorkerState::Stopped { exit: Some(exit), served: Some(now - past) };
    vec![
        (WorkerState::Starting { since: past, until: now, was_ready: false }, due),
        (WorkerState::Starting { since: past, until: later, was_ready: false }, started()),
        (
            WorkerState::Ready { since: past },
            vec![
                (Event::Unreachable, returning, &[Withdraw]),
                (Event::Hangs, hung, &[Withdraw, Ask]),
                (Event::Exited(exit), stopped, &[Withdraw, Settle]),
                (until(later), draining(later, Pressure::Waiting), &[Withdraw, SayGoodbye]),
                (Event::Hurried, killed(DrainCause::Told), &[Withdraw, Kill]),
            ],
        ),
    ]
}

/// Nothing ends its requests in flight before their time.
fn on_the_way_back(clock: &Clock) -> Vec<Row> {
    let &Clock { past, now, later } = clock;
    let exit = Exit::Code(1);
    let killed =
        WorkerState::Draining { until: now + BOUNDS.reap, pressure: Pressure::Killed, why: DrainCause::Told };
    let lost = WorkerState::Draining {
        until: now + BOUNDS.grace,
        pressure: Pressure::Waiting,
        why: DrainCause::Hung,
    };
    let returning = || {
        vec![
            (
                Event::SpawnFailed("no".to_owned()),
                WorkerState::Failed { cause: StartFailure::Spawn("no".to_owned()) },
                &[] as &[Effect],
            ),
            (Event::Answered, WorkerState::Ready { since: now }, &[Publish]),
            (Event::Unfit(taken()), lost.clone(), &[]),
            (Event::Exited(exit), WorkerState::Stopped { exit: Some(exit), served: None }, &[Settle]),
            (Event::DrainRequested { until: later }, draining(later, Pressure::Waiting), &[]),
            (Event::Hurried, killed.clone(), &[Kill]),
        ]
    };
    let mut due = returning();
    due.push((Event::Tick, lost.clone(), &[]));
    vec![
        (WorkerState::Starting { since: past, until: now, was_ready: true }, due),
        (WorkerState::Starting { since: past, until: later, was_ready: true }, returning()),
    ]
}

fn on_the_way_out(clock: &Clock) -> Vec<Row> {
    let &Clock { past, now, later } = clock;
    let far = later + BOUNDS.reap;
    let exit = Exit::Code(1);
    let killed = draining(now + BOUNDS.reap, Pressure::Killed);
    let last_word = draining(now + BOUNDS.last_word, Pressure::Asked);
    let stopped = |exit| WorkerState::Stopped { exit: Some(exit), served: None };
    let ends = (Event::Exited(exit), stopped(exit), &[Settle] as &[Effect]);
    let hurries = (Event::Hurried, killed.clone(), &[Kill] as &[Effect]);
    let sooner =
        |pressure| (Event::DrainRequested { until: later }, draining(later, pressure), &[] as &[Effect]);
    let whatever_it_does = |why, pressure| WorkerState::Draining { until: past, pressure, why };
    let failed = WorkerState::Failed { cause: taken() };
    vec![
        (
            draining(past, Pressure::Waiting),
            vec![
                (Event::Tick, last_word.clone(), &[Ask]),
                (Event::Idle, last_word.clone(), &[Ask]),
                (Event::Agreed, draining(past, Pressure::Leaving), &[]),
                ends.clone(),
                hurries.clone(),
            ],
        ),
        (
            draining(far, Pressure::Waiting),
            vec![
                (Event::Idle, draining(far, Pressure::Asked), &[Ask]),
                (Event::Agreed, draining(far, Pressure::Leaving), &[]),
                sooner(Pressure::Waiting),
                ends.clone(),
                hurries.clone(),
            ],
        ),
        (
            draining(past, Pressure::Leaving),
            vec![(Event::Tick, last_word, &[Ask]), ends.clone(), hurries.clone()],
        ),
        (draining(far, Pressure::Leaving), vec![sooner(Pressure::Leaving), ends.clone(), hurries.clone()]),
        (
            draining(past, Pressure::Asked),
            vec![(Event::Tick, killed, &[Kill]), ends.clone(), hurries.clone()],
        ),
        (draining(later, Pressure::Asked), vec![ends.clone(), hurries]),
        (draining(past, Pressure::Killed), vec![(Event::Tick, stopped(Exit::Lost), &[Settle]), ends.clone()]),
        (draining(later, Pressure::Killed), vec![ends]),
        (
            whatever_it_does(DrainCause::Failed(taken()), Pressure::Killed),
            vec![(Event::Tick, failed.clone(), &[Settle]), (Event::Exited(exit), failed, &[Settle])],
        ),
        (
            whatever_it_does(DrainCause::Hung, Pressure::Killed),
            vec![
                (Event::Tick, stopped(Exit::Lost), &[Settle]),
                (Event::Exited(exit), stopped(exit), &[Settle]),
            ],
        ),
    ]
}

#[test]
fn every_state_knows_what_every_event_means() {
    let past = Instant::now();
    let now = past + Duration::from_secs(100);
    let clock = Clock { past, now, later: now + Duration::from_secs(3) };
    for (state, changes) in table(&clock) {
        for event in events(&clock) {
            let change = changes.iter().find(|(at, _, _)| *at == event);
            let expected = change
                .map_or((state.clone(), &[] as &[Effect]), |(_, next, effects)| (next.clone(), effects));
            let got = step(state.clone(), event.clone(), now, &BOUNDS);
            assert_eq!(got, expected, "{state:?} on {event:?}");
        }
        let known = events(&clock);
        assert!(changes.iter().all(|(event, _, _)| known.contains(event)), "{state:?}");
    }
}

#[test]
fn a_failed_start_is_told_in_one_sentence() {
    let after = Duration::from_secs(3);
    let unfit = |said: Option<&str>| StartFailure::Unfit {
        path: "/up".to_owned(),
        status: 200,
        after,
        said: said.map(str::to_owned),
    };
    let stranger = Stranger { port: 80, program: Some("nginx (pid 7)".to_owned()) };
    for (failure, sentence) in [
        (StartFailure::Spawn("there is no program".to_owned()), "there is no program"),
        (
            StartFailure::Exited(Exit::Code(3)),
            "the worker exited with code 3 before it accepted a connection",
        ),
        (StartFailure::TooSlow { after }, "the worker did not accept a connection within 3 s"),
        (
            taken(),
            "the worker cannot be reached, as another program listens on TCP port 80, which it was given",
        ),
        (
            StartFailure::PortTaken(stranger),
            "the worker cannot be reached, as nginx (pid 7) listens on TCP port 80, which it was given",
        ),
        (
            unfit(Some("answered 503")),
            "the worker did not answer GET /up with 200 within 3 s; at the last it answered 503",
        ),
        (unfit(None), "the worker did not answer GET /up with 200 within 3 s; at the last it said nothing"),
    ] {
        assert_eq!(failure.to_string(), sentence);
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

#[test]
fn where_requests_have_their_own_time_the_grace_begins_after_them() {
    let now = Instant::now();
    let waiting = draining(now + Duration::from_secs(90), Pressure::Waiting);
    for (grace, expected, effect) in [
        (0, draining(now + BOUNDS.reap, Pressure::Killed), Kill),
        (2, draining(now + Duration::from_secs(2), Pressure::Asked), Ask),
    ] {
        let bounds = Bounds { after_requests: Some(Duration::from_secs(grace)), ..BOUNDS };
        let (state, effects) = step(waiting.clone(), Event::Idle, now, &bounds);
        assert_eq!((state, effects), (expected, &[effect] as &[Effect]), "{grace} s");
    }
}
