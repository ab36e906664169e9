//! Real processes: what only they can show.

mod growing;
mod leaving;
mod losing;
mod replacing;
mod starting;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::gate::Gate;
use super::house::House;
use super::{
    ApplicationPlan, CommandLine, CommandNotFound, Exit, Progress, RestartLimits, proc, tend, watch_upstreams,
};
use crate::base::address::Address;
use crate::base::drain::Drain;
use crate::logs::console::Console;
use crate::logs::{LogNaming, LogPlan};
use crate::pool::{NoLease, Pool, PoolSettings};

/// Far longer than anything here takes; reached only when it fails.
const LONG: Duration = Duration::from_secs(20);

/// A worker in one line of Node: listens on PORT.
const LISTENS: &str = "require('http').createServer((q,r)=>r.end('ok')).listen(process.env.PORT)";

fn settings(slots: usize, queue_length: usize) -> PoolSettings {
    PoolSettings {
        name: "app".to_owned(),
        slots,
        max_concurrent: 10,
        queue_length,
        queue_timeout: LONG,
        start_timeout: LONG,
        opens_complete: false,
        grows: false,
        eager: None,
        balancing: crate::pool::LoadBalancing::default(),
    }
}

struct Application {
    pool: Arc<Pool>,
    drain: Drain,
    progress: mpsc::Receiver<Progress>,
    task: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Application {
    fn node(script: &str, workers: usize, change: impl FnOnce(&mut ApplicationPlan)) -> Application {
        Application::start(&["node", "-e", script], workers, change)
    }

    fn start(words: &[&str], workers: usize, change: impl FnOnce(&mut ApplicationPlan)) -> Application {
        Application::in_pool(words, settings(workers, 10), change)
    }

    fn in_pool(
        words: &[&str],
        settings: PoolSettings,
        change: impl FnOnce(&mut ApplicationPlan),
    ) -> Application {
        let folder = tempfile::tempdir().unwrap();
        let mut words = words.iter().map(ToString::to_string);
        let command = CommandLine { program: words.next().unwrap(), args: words.collect() };
        let mut plan = ApplicationPlan::new("app".to_owned(), command, folder.path().to_owned());
        plan.environment.push(("FOLDER".to_owned(), folder.path().display().to_string()));
        change(&mut plan);
        let pool = Pool::new(settings);
        let console = Console::new(std::io::sink(), std::io::sink(), [false; 2]);
        let house = Arc::new(House::without_keeper(console).unwrap());
        let gate = plan.rapid_fails_per_minute.map(|limit| Arc::new(Gate::new(limit)));
        let drain = Drain::new(Duration::from_secs(30));
        let (sender, progress) = mpsc::channel(100);
        let tell = move |progress| sender.try_send(progress).expect("somebody listens");
        #[expect(clippy::disallowed_methods, reason = "the test is the owner and ends it in `end`")]
        let task = tokio::spawn(tend(plan, Arc::clone(&pool), house, gate, drain.clone(), Box::new(tell)));
        Application { pool, drain, progress, task, folder }
    }

    async fn next(&mut self) -> Progress {
        tokio::time::timeout(LONG, self.progress.recv())
            .await
            .expect("no progress")
            .expect("tending has ended")
    }

    async fn ready(&mut self) -> u32 {
        match self.next().await {
            Progress::WorkerReady { pid, .. } => pid,
            other => panic!("not ready: {other:?}"),
        }
    }

    async fn failure(&mut self) -> String {
        match self.next().await {
            Progress::StartFailed { why, .. } => why,
            other => panic!("not failed: {other:?}"),
        }
    }

    /// Ends the application and waits until it is gone; says how long that took.
    async fn end(self) -> Duration {
        let begun = Instant::now();
        self.drain.request();
        tokio::time::timeout(LONG, self.task).await.expect("it does not end").unwrap();
        assert!(matches!(self.pool.lease().await, Err(NoLease::Stopping)));
        begun.elapsed()
    }

    /// What a worker has written into a file of its folder.
    async fn text_in(&self, file: &str) -> String {
        let path = self.path(file);
        eventually(|| std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')))
            .await
            .trim()
            .to_owned()
    }

    /// How many lines a file of the folder has.
    fn lines_in(&self, file: &str) -> usize {
        std::fs::read_to_string(self.path(file)).map_or(0, |text| text.lines().count())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn touch(&self, file: &str) {
        std::fs::write(self.path(file), "").unwrap();
    }

    /// The number a worker has written into a file of its folder.
    async fn number_in(&self, file: &str) -> u32 {
        let path = self.folder.path().join(file);
        eventually(|| std::fs::read_to_string(&path).ok()?.trim().parse().ok()).await
    }
}

async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not happen in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_alive(pid: u32) -> bool {
    proc::process(pid).is_some_and(|process| !process.zombie)
}

async fn connects(address: &Address) -> bool {
    let Address::Unix(path) = address else { return false };
    UnixStream::connect(path).await.is_ok()
}

#[tokio::test]
async fn workers_become_ready_and_leave_nothing_behind() {
    let mut application = Application::node(LISTENS, 2, |_| {});
    let pids = [application.ready().await, application.ready().await];
    let workers = application.pool.workers();
    assert_eq!(workers.len(), 2);
    let mut sockets = Vec::new();
    for worker in &workers {
        assert!(pids.contains(&worker.pid().unwrap()));
        assert!(connects(worker.address()).await);
        let Address::Unix(path) = worker.address() else { panic!("{worker:?}") };
        sockets.push(path.clone());
    }
    application.end().await;
    assert!(!pids.into_iter().any(is_alive));
    assert!(!sockets.iter().any(|path| path.exists() || path.parent().is_some_and(Path::exists)));
}

#[tokio::test]
async fn a_worker_may_listen_on_a_tcp_port_instead() {
    let script = "require('http').createServer().listen(+process.argv[1], 'localhost')";
    let mut application = Application::start(&["node", "-e", script, "{port}"], 1, |_| {});
    application.ready().await;
    assert!(matches!(application.pool.workers()[0].address(), Address::Tcp(_)));
    application.end().await;
}

/// Requests that come between the death of all workers and the next ready one wait for it.
#[tokio::test]
async fn a_worker_that_was_killed_is_replaced_while_requests_wait() {
    let mut application = Application::node(LISTENS, 1, |_| {});
    let first = application.ready().await;
    super::linux::kill_process(first);
    eventually(|| application.pool.workers().is_empty().then_some(())).await;
    let lease = application.pool.lease().await.expect("requests wait");
    assert!(matches!(application.next().await, Progress::WorkerEnded { exit: Exit::Signal(9), .. }));
    let second = application.ready().await;
    assert_ne!(first, second);
    assert_eq!(lease.worker().pid(), Some(second));
    drop(lease);
    application.end().await;
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_is_tried_again() {
    let script =
        "const fs=require('fs'); if (!fs.existsSync('fixed')) throw new Error('no database');".to_owned();
    let mut application = Application::node(&(script + LISTENS), 1, |_| {});
    let why = application.failure().await;
    assert_eq!(why, "the worker exited with code 1 before it accepted a connection: Error: no database");
    match application.pool.lease().await {
        Err(NoLease::Failing(told)) => assert_eq!(*told, *why),
        other => panic!("{other:?}"),
    }
    std::fs::write(application.folder.path().join("fixed"), "").unwrap();
    while let Progress::StartFailed { .. } = application.next().await {}
    assert!(application.pool.lease().await.is_ok());
    application.end().await;
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let mut application = Application::start(&["no-such-program-of-ours"], 1, |plan| {
        assert!(matches!(plan.find_program(), Err(CommandNotFound::NotInPath { .. })));
    });
    let why = application.failure().await;
    assert!(why.contains("`no-such-program-of-ours`"), "{why}");
    application.end().await;
}

#[tokio::test]
async fn a_worker_that_listens_elsewhere_is_told_so() {
    let script = "require('http').createServer().listen(0, '127.0.0.1', function () {
        require('fs').writeFileSync('port', String(this.address().port)) })";
    let mut application = Application::node(script, 1, |plan| {
        plan.start_timeout = Duration::from_secs(3);
        plan.restarts = RestartLimits { first_delay: LONG, ..RestartLimits::default() };
    });
    let port = application.number_in("port").await;
    let why = application.failure().await;
    assert!(why.contains(&format!("it is alive but listens on TCP {port}, not on PORT=")), "{why}");
    application.end().await;
}

#[tokio::test]
async fn a_worker_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let grace = Duration::from_millis(300);
    let script = format!("process.on('SIGTERM', () => {{}}); {LISTENS}");
    let mut application = Application::node(&script, 1, |plan| plan.grace = grace);
    let pid = application.ready().await;
    let took = application.end().await;
    assert!(took >= grace, "{took:?}");
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_request_in_flight_is_waited_for_and_a_second_wish_waits_no_longer() {
    let mut application = Application::node(LISTENS, 1, |_| {});
    let pid = application.ready().await;
    let lease = application.pool.lease().await.unwrap();
    application.drain.request();
    eventually(|| application.pool.workers().is_empty().then_some(())).await;
    // Long enough for a worker that was asked to be gone.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(is_alive(pid), "its request is still in flight");
    application.end().await;
    assert!(!is_alive(pid));
    drop(lease);
}

/// The shell starts two: one in the group, one that has left group and session and has a pipe open.
#[tokio::test]
async fn grandchildren_end_with_the_worker_wherever_they_hide() {
    let script = format!(
        "sleep 1000 & echo $! >near; setsid sh -c 'echo $$ >far; sleep 1000' & node -e \"{LISTENS}\""
    );
    let mut application = Application::start(&["sh", "-c", &script], 1, |_| {});
    let leader = application.ready().await;
    let (near, far) = (application.number_in("near").await, application.number_in("far").await);
    assert!(is_alive(near) && is_alive(far));
    super::linux::kill_process(leader);
    assert!(matches!(application.next().await, Progress::WorkerEnded { .. }));
    assert!(!is_alive(near) && !is_alive(far));
    application.ready().await;
    application.end().await;
}

/// A leader that is gone at once gives those it has started the rest of the grace period to end in order.
#[tokio::test]
async fn what_a_shell_has_started_may_end_in_order() {
    let script = format!(
        "process.on('SIGTERM', () => setTimeout(() => {{ require('fs').writeFileSync('bye', '1'); process.exit() }}, 300)); {LISTENS}"
    );
    let mut application =
        Application::start(&["sh", "-c", &format!("node -e \"{script}\"; true")], 1, |_| {});
    application.ready().await;
    let bye = application.folder.path().join("bye");
    application.drain.request();
    tokio::time::timeout(LONG, &mut application.task).await.unwrap().unwrap();
    assert!(bye.exists());
}

#[tokio::test]
async fn ten_megabytes_of_output_block_nobody() {
    let script = format!(
        "const s='x'.repeat(99)+'\\n', fs=require('fs'); for (let i=0;i<100000;i++) fs.writeSync(1+i%2, s); {LISTENS}"
    );
    let mut application = Application::node(&script, 1, |_| {});
    application.ready().await;
    application.end().await;
}

/// The process lives on, closes its listener and opens it again: left out meanwhile, never restarted.
#[tokio::test]
async fn a_worker_that_refuses_connections_is_left_out_until_it_answers_again() {
    let script = "const s=require('http').createServer(), go=()=>s.listen(process.env.PORT);
        process.on('SIGUSR2', () => s.close(() => setTimeout(go, 300))); go()";
    let mut application = Application::node(script, 1, |_| {});
    let pid = application.ready().await;
    let first = application.pool.workers().remove(0);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGUSR2)
        .unwrap();
    eventually(|| {
        first.report_unreachable();
        application.pool.workers().is_empty().then_some(())
    })
    .await;
    let lease = application.pool.lease().await.expect("requests wait");
    assert_eq!(lease.worker().pid(), Some(pid));
    assert_ne!(lease.worker().id(), first.id());
    drop(lease);
    application.end().await;
}

#[tokio::test]
async fn a_server_that_already_runs_is_used_while_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let pool = Pool::new(settings(1, 0));
    let drain = Drain::new(LONG);
    let mut task = tokio::task::JoinSet::new();
    task.spawn(watch_upstreams(vec![Address::Unix(path.clone())], Arc::clone(&pool), drain.clone()));
    match pool.lease().await {
        Err(NoLease::Failing(why)) => assert!(why.contains("does not answer"), "{why}"),
        other => panic!("{other:?}"),
    }
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let worker = eventually(|| pool.workers().pop()).await;
    assert_eq!(worker.pid(), None);
    worker.report_unreachable();
    drop(listener);
    worker.report_unreachable();
    eventually(|| pool.workers().is_empty().then_some(())).await;
    std::fs::remove_file(&path).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(pool.lease().await.is_ok(), "requests wait for one that was there until now");
    drain.request();
    tokio::time::timeout(LONG, task.join_all()).await.expect("it does not end");
    assert!(pool.workers().is_empty());
}

/// A worker that prints as its last act, and one that is killed: all of it is on disk when the worker counts as ended.
#[tokio::test]
async fn what_a_worker_printed_is_in_its_log_files_when_it_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let logs = LogPlan {
        naming: LogNaming::Iisnode,
        directory: directory.path().join("logs"),
        max_file_bytes: 128 * 1024,
        max_total_bytes: 1024 * 1024,
        max_files: 20,
    };
    let script = format!(
        "process.on('SIGTERM', () => {{ console.log('bye'); process.exit() }}); console.error('up'); {LISTENS}"
    );
    let mut application = Application::node(&script, 1, |plan| plan.logs = Some(logs.clone()));
    let pid = application.ready().await;
    let worker = application.pool.workers().remove(0);
    let output = worker.output().expect("it is one of ours");
    output.settled().await;
    assert!(output.is_on_disk());
    assert_eq!(output.last_words(), b"up\n");
    application.end().await;
    let text = |stream: &str| {
        let mut found = std::fs::read_dir(&logs.directory).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |path: &PathBuf| path.to_string_lossy().contains(&format!("-{pid}-{stream}-"));
        std::fs::read_to_string(found.find(is_it).expect("there is a file")).unwrap()
    };
    assert_eq!(text("stderr"), "up\n");
    assert_eq!(text("stdout"), "bye\n");
}
