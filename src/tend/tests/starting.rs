//! How workers are told where to listen, when they are ready, and what follows a start that fails.

use std::net::TcpListener;
use std::time::Duration;

use super::super::house::House;
use super::super::{
    ApplicationPlan, Pairing, Progress, Readiness, RestartLimits, Retrying, Telling, Transport,
};
use super::{Application, LISTENS, LONG, eventually};
use crate::logs::console::Console;
use crate::logs::output::Output;
use crate::pool::journal::Cause;
use crate::pool::{ApplicationId, Kind, NoLease};

const TOKEN: &str = "%HTTP_PLATFORM_PORT%";

fn told_by_token(plan: &mut ApplicationPlan) {
    plan.transport = Transport::Tcp;
    plan.telling = Telling {
        variables: vec!["HTTP_PLATFORM_PORT"],
        token: Some(TOKEN),
        fixed_port: None,
        gives_way: true,
    };
}

/// Starts one after the other, without a pause worth mentioning.
fn quickly(plan: &mut ApplicationPlan) {
    plan.restarts = RestartLimits {
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(1),
        failures: 1000,
        ..RestartLimits::default()
    };
}

#[tokio::test]
async fn a_worker_finds_its_port_in_arguments_and_in_its_own_variables() {
    let script = "require('fs').writeFileSync('told', [process.argv[1], process.env.MINE, process.env.HTTP_PLATFORM_PORT] + '\\n');
        require('http').createServer().listen(+process.argv[1], '127.0.0.1')";
    let mut application = Application::start(&["node", "-e", script, TOKEN], 1, |plan| {
        told_by_token(plan);
        plan.environment.push(("MINE".to_owned(), format!("http://127.0.0.1:{TOKEN}")));
    });
    application.ready().await;
    let worker = application.pool.workers().remove(0);
    let port = worker.address().to_string().rsplit(':').next().unwrap().to_owned();
    assert_eq!(application.text_in("told").await, format!("{port},http://127.0.0.1:{port},{port}"));
    application.end().await;
}

#[tokio::test]
async fn a_port_that_is_set_and_taken_is_named_at_once() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let mut application = Application::node(LISTENS, 1, |plan| {
        plan.transport = Transport::Tcp;
        plan.telling.fixed_port = Some(port);
        quickly(plan);
    });
    let why = application.failure().await;
    assert!(why.contains(&format!("already listens on TCP port {port}")), "{why}");
    drop(stranger);
    while let Progress::StartFailed { .. } = application.next().await {}
    assert!(application.pool.workers()[0].address().to_string().ends_with(&format!(":{port}")));
    application.end().await;
}

#[tokio::test]
async fn each_process_has_a_secret_of_its_own_that_requests_carry() {
    let script = format!("require('fs').writeFileSync('secret', process.env.SECRET + '\\n'); {LISTENS}");
    let pairing = Pairing { variable: "SECRET", field: "X-Secret", fixed: None };
    let mut application = Application::node(&script, 1, |plan| plan.pairing = Some(pairing));
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let pid = application.ready().await;
        let secret = application.text_in("secret").await;
        assert_eq!(application.pool.workers()[0].told(), format!("X-Secret: {secret}\r\n"));
        secrets.push(secret);
        super::super::linux::kill_process(pid);
        assert!(matches!(application.next().await, Progress::WorkerEnded { .. }));
    }
    assert_ne!(secrets[0], secrets[1]);
    application.end().await;
}

/// The first attempt leaves its port to a stranger, us; the second gets another and listens.
#[tokio::test]
async fn a_stranger_on_the_workers_port_is_named_and_another_port_is_tried() {
    let script = format!(
        "const fs = require('fs');
        if (fs.existsSync('port')) {LISTENS}; else {{ fs.writeFileSync('port', process.env.PORT + '\\n'); setInterval(() => {{}}, 1e6) }}"
    );
    let mut application = Application::node(&script, 1, |plan| {
        plan.transport = Transport::Tcp;
        quickly(plan);
    });
    let port: u16 = application.text_in("port").await.parse().unwrap();
    let _stranger = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let why = application.failure().await;
    let own = format!("(pid {}) listens on TCP port {port}", std::process::id());
    assert!(why.contains(&own), "{why}");
    application.ready().await;
    let excerpt = application.pool.journal().excerpt();
    assert!(matches!(&excerpt.endings[0].cause, Cause::PortTaken { port: taken, .. } if *taken == port));
    application.end().await;
}

#[tokio::test]
async fn a_listener_of_a_grandchild_that_left_the_group_is_the_workers() {
    let script =
        "setsid node -e \"require('http').createServer().listen(+process.env.PORT, '127.0.0.1')\" & wait";
    let mut application =
        Application::start(&["sh", "-c", script], 1, |plan| plan.transport = Transport::Tcp);
    application.ready().await;
    application.end().await;
}

const ANSWERS: &str = "const fs=require('fs');
    require('http').createServer((q,r)=>{ r.statusCode = fs.existsSync('up') && q.url === '/up' ? 204 : 503; r.end() })
    .listen(process.env.PORT, () => fs.writeFileSync('listens', 'yes\\n'))";

fn answering(plan: &mut ApplicationPlan) {
    plan.readiness = Readiness::Answering { path: "/up".to_owned(), status: 204 };
}

#[tokio::test]
async fn a_worker_is_ready_when_it_answers_as_it_should() {
    let mut application = Application::node(ANSWERS, 1, answering);
    application.text_in("listens").await;
    assert!(application.pool.workers().is_empty());
    application.touch("up");
    application.ready().await;
    application.end().await;
}

#[tokio::test]
async fn a_worker_that_answers_otherwise_is_told_what_it_answered() {
    let mut application = Application::node(ANSWERS, 1, |plan| {
        answering(plan);
        plan.start_timeout = Duration::from_secs(3);
    });
    let why = application.failure().await;
    assert!(
        why.ends_with("did not answer GET /up with 204 within 3 s; at the last it answered 503"),
        "{why}"
    );
    assert_eq!(application.pool.journal().excerpt().endings[0].cause, Cause::Unfit);
    application.end().await;
}

const COUNTS: &str = "require('fs').appendFileSync('starts', 'x\\n'); console.log('begun');
    if (!require('fs').existsSync('fixed')) process.exit(3);";

#[tokio::test]
async fn requests_wait_for_all_attempts_and_then_the_application_rests_until_the_next() {
    let mut application = Application::node(&format!("{COUNTS} {LISTENS}"), 1, |plan| {
        plan.retrying = Retrying::OnDemand { attempts: 3 };
    });
    for round in 1..=2 {
        let Err(NoLease::Failing(why)) = application.pool.lease().await else { panic!("round {round}") };
        assert!(why.contains("exited with code 3"), "{why}");
        assert_eq!(application.lines_in("starts"), 3 * round);
        for left in (0..3).rev() {
            let Progress::StartFailed { next_in, .. } = application.next().await else { panic!("{left}") };
            assert_eq!(next_in, (left > 0).then_some(Duration::ZERO));
        }
        let ending = application.pool.journal().excerpt().endings[0].clone();
        assert_eq!((ending.cause.clone(), &*ending.output), (Cause::Exited, &b"begun\n"[..]));
    }
    application.touch("fixed");
    assert!(application.pool.lease().await.is_ok());
    let pid = application.ready().await;
    super::super::linux::kill_process(pid);
    assert!(matches!(application.next().await, Progress::WorkerEnded { next_in: Some(_), .. }));
    application.ready().await;
    assert_eq!(application.lines_in("starts"), 8, "one that was ready is replaced without a request");
    application.end().await;
}

#[tokio::test]
async fn a_slot_that_rests_comes_back_while_another_is_ready() {
    let script = format!(
        "if (process.env.OSTLER_WORKER === '1' && require('fs').existsSync('broken')) process.exit(3); {LISTENS}"
    );
    let delay = Duration::from_millis(200);
    let mut application = Application::node(&script, 2, |plan| {
        plan.retrying = Retrying::OnDemand { attempts: 2 };
        plan.restarts.longest_delay = delay;
    });
    application.ready().await;
    application.ready().await;
    eventually(|| (!application.pool.is_unready()).then_some(())).await;
    application.touch("broken");
    let workers = application.pool.workers();
    let second = workers.iter().find(|worker| worker.slot() == 1).and_then(|worker| worker.pid()).unwrap();
    super::super::linux::kill_process(second);
    assert!(matches!(application.next().await, Progress::WorkerEnded { pid, .. } if pid == second));
    // All attempts, and then one at a time.
    for expected in [Duration::ZERO, delay, delay] {
        let Progress::StartFailed { next_in, .. } = application.next().await else { panic!("{expected:?}") };
        assert_eq!(next_in, Some(expected));
    }
    std::fs::remove_file(application.path("broken")).unwrap();
    while !matches!(application.next().await, Progress::WorkerReady { slot: 1, .. }) {}
    assert_eq!(application.pool.workers().len(), 2);
    application.end().await;
}

#[tokio::test]
async fn more_ends_than_allowed_shut_the_gate_for_all_slots() {
    let mut application = Application::node(&format!("{COUNTS} {LISTENS}"), 1, |plan| {
        plan.rapid_fails_per_minute = Some(2);
        quickly(plan);
    });
    loop {
        match application.next().await {
            Progress::StartFailed { .. } => {}
            Progress::GateClosed { limit, opens_in } => {
                assert_eq!(limit, 2);
                assert!(opens_in > Duration::from_secs(30), "{opens_in:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    eventually(|| application.pool.is_failing().then_some(())).await;
    assert!(
        matches!(application.next().await, Progress::StartFailed { next_in: Some(next), .. } if next > Duration::from_secs(30))
    );
    match application.pool.lease().await {
        Err(NoLease::Closed { limit: 2, until }) => assert!(until > std::time::Instant::now()),
        other => panic!("{other:?}"),
    }
    assert_eq!(application.lines_in("starts"), 3);
    application.end().await;
}

/// A start without a process takes no time, so that the clock may jump.
#[tokio::test(start_paused = true)]
async fn when_the_gate_opens_only_a_request_starts_what_never_ran() {
    let attempts = 2;
    for (retrying, starts_by_itself) in [(Retrying::OnDemand { attempts }, false), (Retrying::BackOff, true)]
    {
        let mut application = Application::start(&["no-such-program-of-ours"], 1, |plan| {
            plan.rapid_fails_per_minute = Some(2);
            plan.retrying = retrying;
            quickly(plan);
        });
        let closed = async {
            // The first call may be told of the failures before the gate has shut.
            while !matches!(application.pool.lease().await, Err(NoLease::Closed { limit: 2, .. })) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LONG, closed).await.expect("it does not shut");
        let failures = |application: &mut Application| {
            let mut failures = 0;
            while let Ok(progress) = application.progress.try_recv() {
                failures += usize::from(matches!(progress, Progress::StartFailed { .. }));
            }
            failures
        };
        assert_eq!(failures(&mut application), 3, "{retrying:?}");
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(failures(&mut application), 0, "{retrying:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(failures(&mut application) > 0, starts_by_itself, "{retrying:?}");
        if !starts_by_itself {
            assert!(matches!(application.pool.lease().await, Err(NoLease::Failing(_))));
            assert_eq!(failures(&mut application), 2);
        }
        application.end().await;
    }
}

#[tokio::test]
async fn a_gate_is_shared_by_all_generations_of_an_application() {
    let console = Console::new(std::io::sink(), std::io::sink(), [false; 2]);
    let house = House::without_keeper(console).unwrap();
    let id = |path: &str| ApplicationId { site: 0, kind: Kind::HttpPlatform, path: path.into() };
    let now = tokio::time::Instant::now();
    house.gate(&id("/a"), 0).count(now);
    assert!(house.gate(&id("/a"), 0).closed_until(now).is_some());
    assert!(house.gate(&id("/b"), 0).closed_until(now).is_none());
    house.open_gate(&id("/a"));
    assert!(house.gate(&id("/a"), 0).closed_until(now).is_none());
    house.gate(&id("/a"), 0).count(now);
    assert!(house.gate(&id("/a"), 1).closed_until(now).is_none(), "another limit, another count");
}

/// Nothing is opened for a mute worker after its process has begun, so nothing can fail that would have to be undone.
#[test]
fn a_mute_output_is_closed_and_on_disk_without_a_descriptor() {
    let output = Output::silent();
    assert!(!output.is_open() && output.is_settled() && !output.is_on_disk());
}

#[tokio::test]
async fn a_mute_worker_has_no_outputs() {
    let script = format!(
        "console.log('x'); console.error('y'); require('fs').writeFileSync('outputs', [1, 2].map(n => require('fs').readlinkSync('/proc/self/fd/' + n)) + '\\n'); {LISTENS}"
    );
    let mut application = Application::node(&script, 1, |plan| plan.is_mute = true);
    application.ready().await;
    assert_eq!(application.text_in("outputs").await, "/dev/null,/dev/null");
    let worker = application.pool.workers().remove(0);
    assert!(worker.output().unwrap().last_words().is_empty());
    assert!(application.end().await < LONG);
}
