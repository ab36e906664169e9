//! ostler runs web applications on N worker processes and passes their requests on.

pub mod base;
pub mod config;
pub(crate) mod exchange;
pub mod failure;
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod handler;
pub(crate) mod host;
pub(crate) mod http1;
pub(crate) mod pool;
pub(crate) mod serve;
pub(crate) mod upstream;
pub mod cli {
    pub fn main() -> std::process::ExitCode {
        let mut listen = None;
        let mut ups = vec![];
        let mut threads = 1;
        let mut args = std::env::args().skip(1);
        while let Some(a) = args.next() {
            match a.as_str() {
                "--listen" => listen = args.next().and_then(|a| a.parse().ok()),
                "--up" | "--upstream" => ups.push(args.next().unwrap().parse().unwrap()),
                "--threads" => threads = args.next().unwrap().parse().unwrap(),
                _ => {}
            }
        }
        crate::host::bench(listen.unwrap(), ups, threads);
        std::process::ExitCode::SUCCESS
    }
}
