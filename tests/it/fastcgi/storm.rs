//! Two thousand mixed requests on four programs that are replaced by count and killed at random: every answer that is
//! whole is right, no program is ever given a second request, none is left. `benches/fastcgi/storm` is the large one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use super::{
    Exchange, all_end, exchange, fnv, notes, nothing_violated, of_apps, php_config, programs, scripted,
    starts,
};
use crate::harness::{Host, PATIENCE, Site, alive, eventually};

const REQUESTS: usize = 2_000;
const CLIENTS: usize = 16;

/// Whatever happens to be next; the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// How the requests of a storm ended.
#[derive(Debug, Default)]
struct Tally {
    whole: AtomicUsize,
    cut: AtomicUsize,
    refused: AtomicUsize,
    left: AtomicUsize,
}

/// `storm.php` says what it got and the hash of what it sends: both must be true of every whole answer.
#[track_caller]
fn is_right(answer: &Exchange, method: &str, seed: usize, body: &[u8], tally: &Tally) {
    match answer.status {
        200 if answer.whole => {
            assert_eq!(answer.field("x-seed"), Some(seed.to_string().as_str()), "somebody else's answer");
            assert_eq!(
                answer.field("x-got"),
                Some(format!("{} {}", body.len(), fnv(body)).as_str()),
                "seed {seed}"
            );
            if method != "HEAD" {
                assert_eq!(answer.field("x-hash"), Some(fnv(&answer.body).as_str()), "seed {seed}");
            }
            tally.whole.fetch_add(1, Ordering::Relaxed);
        }
        // Its worker was killed: a page of the host, or half an answer that nobody takes for a whole one.
        500..=504 => {
            assert!(answer.field(super::ERROR).is_some(), "{answer:?}");
            tally.refused.fetch_add(1, Ordering::Relaxed);
        }
        200 | 0 => {
            tally.cut.fetch_add(1, Ordering::Relaxed);
        }
        _ => panic!("{} {}", answer.status, answer.head),
    }
}

/// One request of the mix.
fn one(host: &Host, number: usize, dice: &mut Dice, tally: &Tally) {
    let seed = number + 1;
    let size = [10, 1_000, 30_000, 200_000][dice.roll(4)];
    let counted = ["", "&counted"][dice.roll(2)];
    let target = format!("/storm.php?seed={seed}&size={size}{counted}");
    match dice.roll(100) {
        0..50 => is_right(&exchange(host, "GET", &target, b""), "GET", seed, b"", tally),
        50..60 => is_right(&exchange(host, "HEAD", &target, b""), "HEAD", seed, b"", tally),
        60..88 => {
            let length = [0, 7, 20_000, 65_529][dice.roll(4)];
            post(host, &target, seed, length, tally);
        }
        // One in two hundred is large.
        88 if dice.roll(2) == 0 => post(host, &target, seed, 5 << 20, tally),
        88..94 => leaves(host, &target, dice, tally),
        _ => slow(host, &target, seed, tally),
    }
}

fn post(host: &Host, target: &str, seed: usize, length: usize, tally: &Tally) {
    let body = (0..length).map(|at| (at * 31 + seed) as u8).collect::<Vec<_>>();
    is_right(&exchange(host, "POST", target, &body), "POST", seed, &body, tally);
}

/// A client that goes away: within its request, or within the answer.
fn leaves(host: &Host, target: &str, dice: &mut Dice, tally: &Tally) {
    use std::io::{Read, Write};
    let mut stream = exchange::connect(host);
    let sent = match dice.roll(3) {
        0 => format!("POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 50000\r\n\r\nhalf of it"),
        _ => format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"),
    };
    stream.write_all(sent.as_bytes()).unwrap();
    if dice.roll(2) == 0 && sent.starts_with("GET") {
        let _ = stream.read(&mut [0; 100]);
    }
    tally.left.fetch_add(1, Ordering::Relaxed);
}

/// A client that sends its request and takes its answer in small pieces.
fn slow(host: &Host, target: &str, seed: usize, tally: &Tally) {
    use std::io::Write;
    let mut stream = exchange::connect(host);
    let body = vec![b's'; 3000];
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 3000\r\n\r\n");
    let all = [head.as_bytes(), &body].concat();
    for part in all.chunks(400) {
        if stream.write_all(part).is_err() {
            break;
        }
        std::thread::yield_now();
    }
    is_right(&exchange::read(&mut stream, "POST"), "POST", seed, &body, tally);
}

/// Runs the mix while somebody kills programs, and returns how it ended.
fn storm(
    host: &Host,
    requests: usize,
    kills: usize,
    program: &str,
    each: impl Fn(usize, &mut Dice, &Tally) + Sync,
) -> Tally {
    let (next, tally, done) = (AtomicUsize::new(0), Tally::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|client| {
            let (next, tally, each) = (&next, &tally, &each);
            scope.spawn(move || {
                let mut dice = Dice(client as u64 + 1);
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= requests {
                        return;
                    }
                    each(number, &mut dice, tally);
                }
            })
        });
        let clients = clients.collect::<Vec<_>>();
        scope.spawn(|| {
            let mut dice = Dice(99);
            for kill in 1..=kills {
                // Spread over the storm, by its own progress.
                eventually(PATIENCE * 4, "the next moment to kill", || {
                    (done.load(Ordering::SeqCst)
                        || next.load(Ordering::SeqCst) >= kill * requests / (kills + 1))
                        .then_some(())
                });
                let living = programs(host, program);
                if let Some(&victim) = living.get(dice.roll(living.len().max(1))) {
                    let pid = nix::unistd::Pid::from_raw(i32::try_from(victim).unwrap());
                    let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
                }
            }
        });
        for client in clients {
            let outcome = client.join();
            if outcome.is_err() {
                next.store(requests, Ordering::SeqCst);
                done.store(true, Ordering::SeqCst);
            }
            outcome.unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    tally
}

#[test]
fn two_thousand_mixed_requests_on_four_phps_that_are_replaced_and_killed() {
    let config = php_config(r#"maxInstances="4" instanceMaxRequests="100" rapidFailsPerMinute="100""#);
    let site = Site::named("site")
        .web_config(&config)
        .file("storm.php", &of_apps("php/storm.php"))
        .file("notes/here", "");
    let mut host = site.serve();
    let kills = 12;
    let tally =
        storm(&host, REQUESTS, kills, "php-cgi", |number, dice, tally| one(&host, number, dice, tally));
    let broken = tally.cut.load(Ordering::SeqCst) + tally.refused.load(Ordering::SeqCst);
    // A kill can cost the one request its program has, and nothing else can.
    assert!(broken <= kills, "{broken} of {tally:?}");
    assert!(tally.whole.load(Ordering::SeqCst) >= REQUESTS * 8 / 10, "{tally:?}");
    assert!(programs(&host, "php-cgi").len() <= 4);
    assert_eq!(notes(&site, "violations.log"), Vec::<String>::new());
    let mut served = BTreeMap::new();
    for pid in notes(&site, "requests.log") {
        *served.entry(pid.parse::<u32>().unwrap()).or_insert(0) += 1;
    }
    assert!(served.len() >= REQUESTS * 8 / 10 / 100, "{served:?}");
    assert!(served.values().all(|&requests| requests <= 100), "{served:?}");
    host.stop();
    all_end(&served.into_keys().collect::<Vec<_>>(), "every program");
}

/// The same with a worker that looks, at the end of each request, whether another one waits already.
#[test]
fn no_program_is_given_a_request_while_it_has_one() {
    let site = scripted(r#"maxInstances="4" instanceMaxRequests="50" rapidFailsPerMinute="100""#);
    let mut host = site.serve();
    storm(&host, 600, 4, "fcgi.py", |number, dice, tally| match dice.roll(10) {
        0 => leaves(&host, "/act.fcgi?takes=0.01", dice, tally),
        1 => leaves(&host, "/act.fcgi?drips", dice, tally),
        2 => drop(exchange(&host, "POST", "/act.fcgi?early", &[b'x'; 5000])),
        3 => drop(exchange(&host, "POST", "/act.fcgi?both-ways", &[b'x'; 50_000])),
        _ => {
            let answer = exchange(&host, "GET", &format!("/act.fcgi?header=X-Number:{number}"), b"");
            if answer.whole && answer.status == 200 {
                assert_eq!(answer.field("x-number"), Some(number.to_string().as_str()));
            }
        }
    });
    nothing_violated(&site);
    let all = starts(&site);
    assert!(all.iter().filter(|&&pid| alive(pid)).count() <= 4);
    host.stop();
    all_end(&all, "every program");
}
