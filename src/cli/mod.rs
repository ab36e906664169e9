//! The commands: one file each. Arguments are only read here; what they mean is decided below.

mod applications;
mod check;
mod dev;
mod explain;
mod explain_application;
mod fast_cgi;
mod placeholders;
mod programs;
mod run;
mod show;
mod sites;
mod url_facts;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tend;

/// Wrong usage or configuration, as opposed to a failure while running.
const USAGE: u8 = 2;

/// Runs web applications on N worker processes and passes their requests on.
#[derive(Parser)]
#[command(name = "ostler", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a site's folder, or the application in it
    Run(run::Run),
    /// The same for development: restarts on save, tells all about errors
    Dev(dev::Dev),
    /// Read every configuration file of a site, and say what is wrong
    Check(check::Check),
    /// Say how a URL would be served, and which file says so
    Explain(explain::Explain),
}

const EXAMPLES: &str = "\
Examples:
  ostler run                                the site or application in this folder, on http://127.0.0.1:8080/
  ostler dev                                the same, restarted whenever a file is saved
  ostler check                              what is wrong in its web.config and iisnode.yml files
  ostler explain /api/users                 how a URL would be served, and why
  ostler run shop --instances 4             four workers of it
  ostler run --help                         all that can be set";

/// What `main` does; the exit code is 0 when all went well, 1 after a failure while running, 2 for wrong usage.
pub fn main() -> ExitCode {
    // Not a command for people: the watchdog that outlives a host that is killed.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == tend::KEEPER_SUBCOMMAND) {
        tend::keeper_main();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return fail(&in_one_sentence(&error), USAGE),
        // Help and version are errors to the parser only.
        Err(help) => help.exit(),
    };
    let _log = log();
    match arguments.command {
        Command::Run(run) => run.execute(run::Mode::Production),
        Command::Dev(dev) => dev.execute(),
        Command::Check(check) => check.execute(),
        Command::Explain(explain) => explain.execute(),
    }
}

/// What is wrong and what is allowed, without the pages that `--help` is for.
fn in_one_sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = said.trim_start_matches("error: ").split_whitespace().collect();
    format!("{}; --help shows what there is", words.join(" "))
}

/// ostler's own log, on stderr, without any thread waiting for it. `OSTLER_LOG` sets how much is said.
fn log() -> tracing_appender::non_blocking::WorkerGuard {
    use tracing_subscriber::filter::LevelFilter;
    let level =
        std::env::var("OSTLER_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::ERROR);
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let in_colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer)
        .with_target(false)
        .with_ansi(in_colour)
        .init();
    guard
}

/// One sentence on stderr, and the exit code that goes with it.
fn fail(sentence: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("ostler: {sentence}");
    ExitCode::from(code)
}

/// Output for a person or a program, all at once. A reader that has seen enough is no failure.
fn print(text: &str) -> ExitCode {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => fail(&error, 1),
        _ => ExitCode::SUCCESS,
    }
}
