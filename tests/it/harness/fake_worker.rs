//! A worker made of bytes: a Unix socket in the test process that answers by a script, behind `--upstream`.

use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::{Message, Wire};

/// Listens until dropped. Declare it before the host, so that the host goes first.
pub(crate) struct FakeWorker {
    _folder: TempDir,
    path: PathBuf,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Connections on which anything was said; a host may connect just to see whether somebody listens.
    connections: AtomicUsize,
    requests: Mutex<Vec<Message>>,
    failures: AtomicUsize,
    ending: AtomicBool,
}

impl FakeWorker {
    /// Runs `script` for each connection on a thread of its own, with the number of the connection, from 0.
    pub(crate) fn scripted(script: impl Fn(&mut Wire, usize) + Send + Sync + 'static) -> FakeWorker {
        FakeWorker::listening(move |wire, number, _| script(wire, number))
    }

    /// Remembers every request and lets `answer` answer it; false ends the connection.
    pub(crate) fn remembering(
        answer: impl Fn(&mut Wire, &Message) -> bool + Send + Sync + 'static,
    ) -> FakeWorker {
        FakeWorker::listening(move |wire, _, shared| {
            while let Some(request) = wire.try_read_request() {
                shared.requests.lock().unwrap().push(request.clone());
                if !answer(wire, &request) {
                    return;
                }
            }
        })
    }

    /// Answers every request with the same bytes, and remembers the requests.
    pub(crate) fn answering(response: impl Into<Vec<u8>>) -> FakeWorker {
        let response = response.into();
        FakeWorker::remembering(move |wire, _| wire.try_send(&response).is_ok())
    }

    /// Answers every request with `200` and this text.
    pub(crate) fn saying(text: &str) -> FakeWorker {
        FakeWorker::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
    }

    fn listening(script: impl Fn(&mut Wire, usize, &Shared) + Send + Sync + 'static) -> FakeWorker {
        let folder = tempfile::Builder::new().prefix("worker").tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let shared = Arc::new(Shared::default());
        let acceptor = std::thread::spawn({
            let (shared, script) = (shared.clone(), Arc::new(script));
            move || accept(&listener, &shared, &script)
        });
        FakeWorker { _folder: folder, path, shared, acceptor: Some(acceptor) }
    }

    /// What `--upstream` takes.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    /// How many connections something was said on.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The requests remembered so far.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The only request there was.
    #[track_caller]
    pub(crate) fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "expected one request, got {requests:#?}");
        requests.remove(0)
    }
}

fn accept<S>(listener: &UnixListener, shared: &Arc<Shared>, script: &Arc<S>)
where
    S: Fn(&mut Wire, usize, &Shared) + Send + Sync + 'static,
{
    for stream in listener.incoming() {
        if shared.ending.load(Ordering::SeqCst) {
            return;
        }
        let (stream, shared, script) = (stream.unwrap(), shared.clone(), script.clone());
        std::thread::spawn(move || {
            let mut wire = Wire::new(stream);
            if !wire.says_anything() {
                return;
            }
            let number = shared.connections.fetch_add(1, Ordering::SeqCst);
            let outcome = catch_unwind(AssertUnwindSafe(|| script(&mut wire, number, &shared)));
            // A host that ends a connection in the middle of a message is for the test to judge, not for the script.
            let failed = outcome.is_err_and(|why| {
                !why.downcast_ref::<String>().is_some_and(|text| text.starts_with("ended before"))
            });
            shared.failures.fetch_add(usize::from(failed), Ordering::SeqCst);
        });
    }
}

impl Drop for FakeWorker {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(&self.path);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        if !std::thread::panicking() {
            assert_eq!(
                self.shared.failures.load(Ordering::SeqCst),
                0,
                "the script of a worker failed, see above"
            );
        }
    }
}
