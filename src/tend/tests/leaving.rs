//! How workers leave that are asked by a request before they get a signal.

use std::time::Duration;

use super::super::{ApplicationPlan, Goodbye, Pairing, Progress};
use super::{Application, eventually, is_alive};

/// A worker that writes down how it was asked to end, and answers the request for that with the given status.
fn worker(status: u16, after: &str) -> String {
    format!(
        "const fs = require('fs'), note = what => fs.appendFileSync('notes', what + '\\n');
        process.on('SIGTERM', () => {{ note('SIGTERM'); process.exit() }});
        const server = require('http').createServer((q, r) => {{
            note([q.method, q.url, q.headers['ms-aspnetcore-event'], q.headers['x-secret']].join(' '));
            r.statusCode = {status}; r.setHeader('Connection', 'close'); r.end(); {after}
        }}).listen(process.env.PORT)"
    )
}

fn says_goodbye(plan: &mut ApplicationPlan) {
    plan.goodbye = Some(Goodbye { path: "/app/iisintegration".to_owned() });
    plan.pairing = Some(Pairing { variable: "S", field: "X-Secret", fixed: Some("s3".to_owned()) });
}

const ASKED: &str = "POST /app/iisintegration shutdown s3";

/// Starts such a worker, ends it, and says what it noted and how long its end took.
async fn ended(script: &str, grace: Duration) -> (Vec<String>, Duration) {
    let mut application = Application::node(script, 1, |plan| {
        says_goodbye(plan);
        plan.grace = grace;
    });
    let pid = application.ready().await;
    let notes = application.path("notes");
    let begun = std::time::Instant::now();
    application.drain.request();
    tokio::time::timeout(super::LONG, &mut application.task).await.unwrap().unwrap();
    let took = begun.elapsed();
    assert!(!is_alive(pid));
    let text = std::fs::read_to_string(notes).unwrap_or_default();
    (text.lines().map(str::to_owned).collect(), took)
}

#[tokio::test]
async fn a_worker_that_agrees_to_end_gets_no_signal() {
    let script = worker(202, "setTimeout(() => process.exit(), 200)");
    let (notes, took) = ended(&script, Duration::from_secs(15)).await;
    assert_eq!(notes, [ASKED]);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_worker_that_does_not_understand_is_asked_by_a_signal_at_once() {
    let (notes, took) = ended(&worker(404, ""), Duration::from_secs(15)).await;
    assert_eq!(notes, [ASKED, "SIGTERM"]);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_worker_that_agrees_and_stays_is_killed_in_time() {
    let script = worker(202, "").replace("process.exit()", "");
    let grace = Duration::from_secs(2);
    let (notes, took) = ended(&script, grace).await;
    assert_eq!(notes, [ASKED, "SIGTERM"]);
    assert!(took >= grace, "{took:?}");
    // Half a second for its last word, the rest for a machine that is busy.
    assert!(took < grace + Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn that_a_worker_was_killed_is_told_with_how_long_it_had_and_what_it_answered() {
    let stays = worker(202, "").replace("process.exit()", "");
    let deaf = worker(404, "").replace("process.exit()", "");
    let mute = deaf.replace("r.end()", "");
    let grace = Duration::from_secs(1);
    for (script, is_asked, answer) in [
        (&stays, true, Some("was asked to end, answered 202")),
        (&deaf, true, Some("was asked to end, answered 404")),
        (&mute, true, Some("was asked to end, gave no answer")),
        (&deaf, false, None),
    ] {
        let mut application = Application::node(script, 1, |plan| {
            plan.grace = grace;
            if is_asked {
                says_goodbye(plan);
            }
        });
        let ready = application.ready().await;
        application.drain.request();
        let Progress::Killed { slot: 0, pid, within, asked } = application.next().await else { panic!() };
        assert_eq!((pid, within, asked.as_deref()), (ready, grace, answer));
        tokio::time::timeout(super::LONG, &mut application.task).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_request_goes_out_while_others_are_in_flight() {
    let mut application = Application::node(&worker(404, ""), 1, says_goodbye);
    let pid = application.ready().await;
    let lease = application.pool.lease().await.unwrap();
    application.drain.request();
    eventually(|| (application.lines_in("notes") == 1).then_some(())).await;
    assert!(is_alive(pid), "its request is still in flight");
    drop(lease);
    tokio::time::timeout(super::LONG, &mut application.task).await.unwrap().unwrap();
    assert_eq!(application.lines_in("notes"), 2);
}

/// It has left the group and the session, and nothing in its environment says whose it is.
#[tokio::test]
async fn a_grandchild_that_hides_from_everybody_ends_with_its_worker() {
    let hidden = |worker: &str| {
        format!(
            "require('child_process').spawn('env', ['-i', 'sh', '-c', 'echo $$ >far; sleep 100; true'],
                {{ detached: true, stdio: 'ignore' }}); {worker}"
        )
    };
    for (script, is_agreed) in [(super::LISTENS.to_owned(), false), (worker(202, "process.exit()"), true)] {
        let mut application = Application::node(&hidden(&script), 1, |plan| {
            if is_agreed {
                says_goodbye(plan);
            }
            plan.grace = Duration::from_secs(2);
        });
        application.ready().await;
        let far = application.number_in("far").await;
        assert!(is_alive(far));
        application.end().await;
        assert!(!is_alive(far), "{is_agreed}");
    }
}
