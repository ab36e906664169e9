//! `aspNetCore`, of the ASP.NET Core Module, both versions; always out of process.

use std::time::Duration;

use super::attributes::shortened;
use super::section::{Flavour, read, without_ports};
use super::{ResolvedProgram, Surroundings};
use crate::config::settings::expansion::variable;
use crate::config::site::Section;
use crate::config::source::{Located, Note};

const FLAVOUR: Flavour = Flavour {
    known: &[
        "processPath",
        "arguments",
        "startupTimeLimit",
        "shutdownTimeLimit",
        "rapidFailsPerMinute",
        "requestTimeout",
        "stdoutLogEnabled",
        "stdoutLogFile",
        "processesPerApplication",
        "forwardWindowsAuthToken",
        "disableStartUpErrorPage",
        "hostingModel",
    ],
    port: "ASPNETCORE_PORT",
    token: "ASPNETCORE_TOKEN",
    prefers_host: &["ANCM_PREFER_ENVIRONMENT_VARIABLES"],
    launcher: Some(("ANCM_LAUNCHER_PATH", "ANCM_LAUNCHER_ARGS")),
    log_file: r".\aspnetcore-stdout",
    longest_request: Duration::from_secs(360 * 3600),
    facts: super::variables::of_asp_net_core,
};

/// The module tries twice, each time with a port of its own.
const ATTEMPTS: u32 = 2;

/// The program of an `aspNetCore` section. A start may take 120 s if nothing is said; 0 is no time at all.
///
/// # Errors
/// Everything that is to be said, if an error is among it.
pub(crate) fn asp_net_core(
    section: &Section,
    surroundings: &Surroundings<'_>,
) -> Result<ResolvedProgram, Vec<Note>> {
    let environment = without_ports(surroundings.environment);
    let surroundings = &Surroundings { environment: &environment, ..*surroundings };
    let mut reading = read(section, surroundings, &FLAVOUR);
    reading.program.start_attempts = ATTEMPTS;
    // Without an effect here, and true unless said otherwise, so that nobody asked for it by writing it.
    reading.attributes.switch("forwardWindowsAuthToken", true);
    let model = reading.attributes.text("hostingModel", "outofprocess");
    reading.attributes.notes.extend(remark(&model));
    reading.program.shows_details = is_in_development(&reading.program.variables, surroundings.environment);
    let link = variable("ANCM_ADDITIONAL_ERROR_PAGE_LINK", surroundings.environment);
    reading.program.help_link = link.map(str::trim).filter(|link| !link.is_empty()).map(str::to_owned);
    reading.finish()
}

fn remark(model: &Located<String>) -> Option<Note> {
    let written = model.value.trim();
    match written {
        "" => None,
        _ if written.eq_ignore_ascii_case("outofprocess") => None,
        _ if written.eq_ignore_ascii_case("inprocess") => {
            let what =
                "`hostingModel` is inprocess, which needs IIS itself; the application is run out of process";
            Some(Note::warning(model.source.clone(), what))
        }
        _ => {
            let what = format!(
                "`{}` is not a value for `hostingModel`; the application does not run with it",
                shortened(written)
            );
            let help = "allowed is outofprocess, or inprocess, which is run out of process as well";
            Some(Note::error(model.source.clone(), what).with_help(help))
        }
    }
}

/// What is set for the child counts before what it inherits.
fn is_in_development(variables: &[(String, String)], host: &crate::config::settings::Environment) -> bool {
    let value = |name: &str| {
        let set = variables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        set.map(|(_, value)| value.as_str()).or_else(|| variable(name, host)).unwrap_or_default().trim()
    };
    let details = value("ASPNETCORE_DETAILEDERRORS");
    let is_development = |name| value(name).eq_ignore_ascii_case("Development");
    details == "1"
        || details.eq_ignore_ascii_case("true")
        || is_development("ASPNETCORE_ENVIRONMENT")
        || is_development("DOTNET_ENVIRONMENT")
}
