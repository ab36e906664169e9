//! `ostler dev`: the same as `run`, with settings for those who are changing the program.

use std::process::ExitCode;

use clap::Args;

use super::run::{Mode, Run};

const EXAMPLES: &str = "\
Examples:
  ostler dev                    what is in this folder; a saved file restarts it
  ostler dev site --listen 3000

What differs from run: NODE_ENV is development, error pages tell everything, and scripts in all folders but
node_modules are watched. What a site's own files say still holds, but for
devErrorsEnabled.";

#[derive(Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Dev {
    #[command(flatten)]
    run: Run,
}

impl Dev {
    pub(super) fn execute(self) -> ExitCode {
        self.run.execute(Mode::Development)
    }
}
