//! Arguments, command, exit code.

fn main() -> std::process::ExitCode {
    ostler::cli::main()
}
