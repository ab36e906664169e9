//! `httpPlatform`, of HttpPlatformHandler 1.x and of its successors; what either of them knows is accepted.

use std::time::Duration;

use super::section::{Flavour, read, without_ports};
use super::{ResolvedProgram, Surroundings};
use crate::config::site::Section;
use crate::config::source::Note;

const FLAVOUR: Flavour = Flavour {
    known: &[
        "processPath",
        "arguments",
        "startupTimeLimit",
        "startupRetryCount",
        "shutdownTimeLimit",
        "rapidFailsPerMinute",
        "requestTimeout",
        "stdoutLogEnabled",
        "stdoutLogFile",
        "processesPerApplication",
        "forwardWindowsAuthToken",
        "disableStartUpErrorPage",
    ],
    port: "HTTP_PLATFORM_PORT",
    token: "HTTP_PLATFORM_TOKEN",
    prefers_host: &["HTTP_PLATFORM_PREFER_ENVIRONMENT_VARIABLES", "ANCM_PREFER_ENVIRONMENT_VARIABLES"],
    launcher: None,
    log_file: r".\httpplatform-stdout",
    // 30 days; whole minutes in 1.x, seconds in its successors.
    longest_request: Duration::from_secs(2_592_000),
    facts: super::variables::of_http_platform,
};

/// The program of an `httpPlatform` section.
///
/// A start may take 120 s if nothing is said. Version 1.0 allowed 10, and killed slow applications in a loop, which was
/// what people complained of most; its last release allowed 120. 0 is no time at all, not all the time there is.
///
/// # Errors
/// Everything that is to be said, if an error is among it.
pub(crate) fn http_platform(
    section: &Section,
    surroundings: &Surroundings<'_>,
) -> Result<ResolvedProgram, Vec<Note>> {
    let environment = without_ports(surroundings.environment);
    let surroundings = &Surroundings { environment: &environment, ..*surroundings };
    let mut reading = read(section, surroundings, &FLAVOUR);
    let retries = reading.attributes.number("startupRetryCount", 10, 0..=100, "starts");
    // No start at all would be no application.
    reading.program.start_attempts = retries.max(1);
    if reading.attributes.switch("forwardWindowsAuthToken", false) {
        let place = reading.attributes.place("forwardWindowsAuthToken");
        let what = "`forwardWindowsAuthToken` has no effect: there are no Windows accounts on this system";
        reading.attributes.notes.push(Note::warning(place, what));
    }
    reading.finish()
}
