//! The settings of a pool as a table: names, defaults, ranges. The names are those of the `fastCgi` section.

use super::StderrMode;

/// One that is a whole number.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) name: &'static str,
    pub(crate) default: u32,
    /// What holds for a section of `fcgiext.ini` that does not say it.
    pub(crate) ini_default: u32,
    pub(crate) least: u32,
    pub(crate) most: u32,
    pub(crate) unit: &'static str,
}

const fn number(name: &'static str, default: u32, least: u32, most: u32, unit: &'static str) -> Number {
    Number { name, default, ini_default: default, least, most, unit }
}

pub(super) const MAX_INSTANCES: Number = number("maxInstances", 0, 0, 10_000, "programs");
pub(super) const INSTANCE_MAX_REQUESTS: Number =
    Number { ini_default: 1000, ..number("instanceMaxRequests", 200, 1, 10_000_000, "requests") };
pub(super) const QUEUE_LENGTH: Number = number("queueLength", 1000, 1, 10_000_000, "requests");
pub(super) const IDLE_TIMEOUT: Number = number("idleTimeout", 300, 10, 604_800, "seconds");
pub(super) const ACTIVITY_TIMEOUT: Number = number("activityTimeout", 70, 10, 3600, "seconds");
pub(super) const REQUEST_TIMEOUT: Number = number("requestTimeout", 90, 10, 604_800, "seconds");
pub(super) const RAPID_FAILS: Number = number("rapidFailsPerMinute", 10, 1, 100, "crashes");
pub(super) const SIGNAL_BEFORE: Number =
    number("signalBeforeTerminateSeconds", 0, 0, 4_294_967_295, "seconds");
/// Not of IIS, which has no such limit.
pub(super) const RESPONSE_HEAD: Number = number("responseHeadBytes", 65_536, 1024, 1_048_576, "bytes");
/// Accepted, and without effect: what a program writes is passed on as it comes.
pub(super) const RESPONSE_BUFFER: Number =
    number("responseBufferLimit", 4_194_304, 0, 4_294_967_295, "bytes");

pub(crate) const NUMBERS: &[Number] = &[
    MAX_INSTANCES,
    INSTANCE_MAX_REQUESTS,
    QUEUE_LENGTH,
    IDLE_TIMEOUT,
    ACTIVITY_TIMEOUT,
    REQUEST_TIMEOUT,
    RAPID_FAILS,
    SIGNAL_BEFORE,
    RESPONSE_BUFFER,
    RESPONSE_HEAD,
];

/// True or false; 1 or 0 in an ini file.
pub(crate) const SWITCHES: &[&str] = &[
    "flushNamedPipe",
    "unhealthyOnQueueFull",
    "ignoreExistingFiles",
    "ignoreDirectories",
    "httpsOff",
    "localRedirect",
];

/// The names of [`StderrMode`], those of IIS by their numbers first.
const STDERR_MODES: &[(&str, StderrMode)] = &[
    ("ReturnStdErrIn500", StderrMode::ReturnIn500),
    ("ReturnGeneric500", StderrMode::Generic500),
    ("IgnoreAndReturn200", StderrMode::Ignore),
    ("TerminateProcess", StderrMode::Terminate),
    ("Pass", StderrMode::Pass),
];

/// What a value is not, and what is allowed.
pub(crate) type Wrong = (String, String);

impl Number {
    /// # Errors
    /// It is no number of this range.
    pub(crate) fn read(&self, text: &str) -> Result<u32, Wrong> {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.filter(|number| (self.least..=self.most).contains(number)).ok_or_else(|| {
            (
                no_value(text, self.name),
                format!("allowed is a whole number of {} from {} to {}", self.unit, self.least, self.most),
            )
        })
    }
}

/// # Errors
/// It is neither true nor false.
pub(crate) fn switch(name: &str, text: &str) -> Result<bool, Wrong> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err((no_value(text, name), "allowed is true or false".to_owned())),
    }
}

/// # Errors
/// There is no such mode.
pub(crate) fn stderr_mode(text: &str) -> Result<StderrMode, Wrong> {
    let text = text.trim();
    let by_number = text.parse().ok().filter(|number: &usize| *number < 4);
    let found = match by_number {
        Some(number) => STDERR_MODES.get(number),
        None => STDERR_MODES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)),
    };
    found.map(|(_, mode)| *mode).ok_or_else(|| {
        let names: Vec<&str> = STDERR_MODES.iter().map(|(name, _)| *name).collect();
        (no_value(text, "stderrMode"), format!("allowed is {}", names.join(", ")))
    })
}

pub(crate) fn stderr_name(mode: StderrMode) -> &'static str {
    STDERR_MODES.iter().find(|(_, known)| *known == mode).map_or("Pass", |(name, _)| name)
}

/// # Errors
/// It is neither of the two.
pub(crate) fn protocol(text: &str) -> Result<&'static str, Wrong> {
    let known = ["NamedPipe", "Tcp"].into_iter().find(|known| known.eq_ignore_ascii_case(text.trim()));
    known.ok_or_else(|| (no_value(text, "protocol"), "allowed is NamedPipe or Tcp".to_owned()))
}

/// The name of a setting in any case, with its value judged.
///
/// # Errors
/// The value is not allowed; None if there is no such setting.
pub(crate) fn check(name: &str, text: &str) -> Result<&'static str, Option<Wrong>> {
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    if let Some(number) = NUMBERS.iter().find(|number| same(number.name)) {
        return number.read(text).map(|_| number.name).map_err(Some);
    }
    if let Some(known) = SWITCHES.iter().find(|known| same(known)) {
        return switch(known, text).map(|_| *known).map_err(Some);
    }
    match () {
        () if same("stderrMode") => stderr_mode(text).map(|_| "stderrMode").map_err(Some),
        () if same("protocol") => protocol(text).map(|_| "protocol").map_err(Some),
        () if same("monitorChangesTo") => Ok("monitorChangesTo"),
        () => Err(None),
    }
}

fn no_value(text: &str, name: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    format!("`{shown}` is not a value for `{name}`; the pool does not run with it")
}

#[cfg(test)]
mod tests {
    use super::{NUMBERS, StderrMode, check, stderr_mode};

    #[test]
    fn every_number_holds_at_its_limits_and_not_beyond() {
        for number in NUMBERS {
            assert!(number.read(&number.least.to_string()).is_ok(), "{}", number.name);
            assert!(number.read(&format!(" {} ", number.most)).is_ok(), "{}", number.name);
            assert_eq!(number.read(&number.default.to_string()), Ok(number.default), "{}", number.name);
            for wrong in ["", "-1", "x", "1.5", "+1", "99999999999"] {
                assert!(number.read(wrong).is_err(), "{} {wrong}", number.name);
            }
            let above = u64::from(number.most) + 1;
            assert!(number.read(&above.to_string()).is_err(), "{}", number.name);
        }
    }

    #[test]
    fn modes_have_names_and_numbers() {
        for (text, mode) in [
            ("0", Some(StderrMode::ReturnIn500)),
            ("returnstderrin500", Some(StderrMode::ReturnIn500)),
            ("ReturnGeneric500", Some(StderrMode::Generic500)),
            ("2", Some(StderrMode::Ignore)),
            ("TerminateProcess", Some(StderrMode::Terminate)),
            ("pass", Some(StderrMode::Pass)),
            ("4", None),
            ("", None),
        ] {
            assert_eq!(stderr_mode(text).ok(), mode, "{text}");
        }
        assert_eq!(check("MAXINSTANCES", "4"), Ok("maxInstances"));
        assert!(matches!(check("maxInstances", "10001"), Err(Some(_))));
        assert_eq!(check("nothing", "4"), Err(None));
    }
}
