//! ostler runs web applications on N worker processes and passes their requests on.

pub mod base;
pub(crate) mod logs;
pub(crate) mod pool;
pub(crate) mod tend;
pub mod cli {
    pub fn main() -> std::process::ExitCode {
        std::process::ExitCode::SUCCESS
    }
}
