//! Values as the table's blocks put them down, one by one, and how they become [`Settings`] together.

use std::path::Path;
use std::time::Duration;

use super::expansion::unresolved;
use super::paths::{forward, is_windows_absolute, joined, last_name};
use super::{
    DevErrors, HealthCheck, LoadBalancing, LogAccess, LogSettings, RecycleMode, Settings, Transport,
};

/// One field for each value that has an effect.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(super) node_env: String,
    pub(super) command_line: String,
    pub(super) interceptor: String,
    pub(super) process_count: u32,
    pub(super) sticky: bool,
    pub(super) max_concurrent: u32,
    pub(super) connect_retries: u32,
    pub(super) connect_delay_ms: u32,
    pub(super) watched_files: String,
    pub(super) polling_interval_ms: u32,
    pub(super) grace_ms: u32,
    pub(super) recycle_signal: bool,
    pub(super) recycle_mode: RecycleMode,
    pub(super) transport: Option<Transport>,
    pub(super) forwarded_for: bool,
    pub(super) promoted_variables: String,
    pub(super) dev_errors: bool,
    pub(super) dev_errors_keep_status: bool,
    pub(super) debug_header: bool,
    pub(super) logging: bool,
    pub(super) log_directory: String,
    pub(super) max_file_kb: u32,
    pub(super) max_total_kb: u32,
    pub(super) max_files: u32,
    pub(super) log_access: LogAccess,
    pub(super) balancing: LoadBalancing,
    pub(super) queue_length: Option<u32>,
    pub(super) queue_timeout_ms: Option<u32>,
    pub(super) queue_time_field: String,
    pub(super) request_timeout_s: u32,
    pub(super) start_limit_s: Option<u32>,
    pub(super) ready_path: String,
    pub(super) ready_status: u32,
    pub(super) health_path: String,
    pub(super) health_status: u32,
    pub(super) health_interval_s: u32,
    pub(super) health_timeout_s: u32,
    pub(super) health_failures: u32,
    pub(super) rapid_fails: Option<u32>,
    pub(super) max_requests: u32,
    pub(super) max_age_s: u32,
    pub(super) max_memory_mb: u32,
    pub(super) idle_timeout_s: u32,
}

/// A worker may not take longer than this to start, whatever the retries multiply to.
const LONGEST_START: Duration = Duration::from_secs(24 * 3600);

impl Draft {
    /// The settings, and what to warn of: the name of a setting, and a sentence.
    pub(super) fn finish(self, script_directory: &Path) -> (Settings, Vec<(&'static str, String)>) {
        let mut warnings = Vec::new();
        let logs = self.logging.then(|| self.logs(script_directory, &mut warnings));
        let promoted_variables = promoted(&self.promoted_variables, &mut warnings);
        let mut command_line = self.command_line.trim().to_owned();
        if command_line.is_empty() {
            warnings.push(("nodeProcessCommandLine", "the command line is empty; `node` is used".to_owned()));
            command_line = "node".to_owned();
        }
        let ready = path("readyPath", &self.ready_path, &mut warnings);
        let health = path("healthCheckPath", &self.health_path, &mut warnings);
        let tries = u64::from(self.connect_retries) + 1;
        let by_pipes = Duration::from_millis(tries * u64::from(self.connect_delay_ms)).min(LONGEST_START);
        let start_limit = self.start_limit_s.map(|limit| Duration::from_secs(limit.into()));
        let settings = Settings {
            node_env: Some(self.node_env).filter(|value| !value.is_empty()),
            command_line,
            interceptor: Some(self.interceptor).filter(|interceptor| !runs_script_directly(interceptor)),
            process_count: self.process_count,
            sticky: self.sticky,
            max_concurrent: self.max_concurrent,
            start_timeout: start_limit.unwrap_or(by_pipes),
            start_limit,
            watched_files: self.watched_files,
            polling_interval: Duration::from_millis(self.polling_interval_ms.into()),
            grace: Duration::from_millis(self.grace_ms.into()),
            logs,
            debug_header: self.debug_header,
            dev_errors: match (self.dev_errors, self.dev_errors_keep_status) {
                (false, _) => DevErrors::Off,
                (true, false) => DevErrors::Ok200,
                (true, true) => DevErrors::TrueStatus,
            },
            forwarded_for: self.forwarded_for,
            promoted_variables,
            recycle_signal: self.recycle_signal,
            recycle_mode: self.recycle_mode,
            transport: self.transport,
            log_access: self.log_access,
            balancing: self.balancing,
            queue_length: self.queue_length.map(|length| length as usize),
            queue_timeout: self.queue_timeout_ms.map(|ms| Duration::from_millis(ms.into())),
            queue_time_field: self.queue_time_field,
            request_timeout: seconds(self.request_timeout_s),
            ready: ready.map(|path| (path, status(self.ready_status))),
            health: health.map(|path| HealthCheck {
                path,
                status: status(self.health_status),
                interval: Duration::from_secs(self.health_interval_s.into()),
                timeout: Duration::from_secs(self.health_timeout_s.into()),
                failures: self.health_failures,
            }),
            rapid_fails_per_minute: self.rapid_fails,
            max_requests: Some(u64::from(self.max_requests)).filter(|most| *most > 0),
            max_age: seconds(self.max_age_s),
            max_memory_bytes: Some(u64::from(self.max_memory_mb) << 20).filter(|most| *most > 0),
            idle_timeout: seconds(self.idle_timeout_s),
        };
        (settings, warnings)
    }

    fn logs(&self, script_directory: &Path, warnings: &mut Vec<(&'static str, String)>) -> LogSettings {
        let written = self.log_directory.trim();
        let mut warn = |what: String| warnings.push(("logDirectory", what));
        let name = match last_name(written) {
            "" => "iisnode",
            name => name,
        };
        let directory = if written.is_empty() || is_windows_absolute(written) {
            warn(format!("there is no `{written}` on this system; logs go to `{name}` beside the script"));
            joined(script_directory, name)
        } else if let Some(variable) = unresolved(written) {
            warn(format!("there is no variable `{variable}`; logs go to `{name}` beside the script"));
            joined(script_directory, &name.replace('%', ""))
        } else {
            joined(script_directory, &forward(written))
        };
        LogSettings {
            directory,
            max_file_bytes: u64::from(self.max_file_kb) * 1024,
            max_total_bytes: u64::from(self.max_total_kb) * 1024,
            // iisnode takes 0 for its default, too.
            max_files: if self.max_files == 0 { 20 } else { self.max_files as usize },
        }
    }
}

/// 0 stands for no limit.
fn seconds(number: u32) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(number.into()))
}

/// A path of a URL, with its slash; what cannot stand in a request is left out.
fn path(setting: &'static str, text: &str, warnings: &mut Vec<(&'static str, String)>) -> Option<String> {
    let text = text.trim();
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = format!("`{}` is not the path of a URL; it is not used", text.escape_debug());
        warnings.push((setting, what));
        return None;
    }
    match text {
        "" => None,
        path if path.starts_with('/') => Some(path.to_owned()),
        path => Some(format!("/{path}")),
    }
}

fn status(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(200)
}

/// Empty, or the interceptor that comes with iisnode, wherever that is installed: it captures what a worker prints, which
/// the host does itself.
fn runs_script_directly(interceptor: &str) -> bool {
    let path = forward(interceptor.trim().trim_matches('"')).to_ascii_lowercase();
    let mut names = path.rsplit('/');
    path.is_empty()
        || names.next() == Some("interceptor.js") && names.any(|folder| folder.starts_with("iisnode"))
}

/// The names in a list such as `LOGON_USER, AUTH_TYPE`.
fn promoted(list: &str, warnings: &mut Vec<(&'static str, String)>) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
            warnings
                .push(("promoteServerVars", format!("`{name}` is not a server variable; it is left out")));
        } else if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.into());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{Draft, path, promoted, runs_script_directly};

    #[test]
    fn logs_lie_beside_the_script_or_where_the_path_leads() {
        for (written, directory, warned) in [
            ("iisnode", "/site/bin/iisnode", false),
            (r"..\logs", "/site/logs", false),
            (r"log\iisnode", "/site/bin/log/iisnode", false),
            ("/var/log/app", "/var/log/app", false),
            (r"D:\home\LogFiles", "/site/bin/LogFiles", true),
            (r"%HOME%\LogFiles", "/site/bin/LogFiles", true),
            ("%LOGS%", "/site/bin/LOGS", true),
            ("", "/site/bin/iisnode", true),
        ] {
            let draft = Draft { logging: true, log_directory: written.to_owned(), ..Draft::default() };
            let (settings, warnings) = draft.finish(Path::new("/site/bin"));
            assert_eq!(settings.logs.unwrap().directory, Path::new(directory), "{written}");
            assert_eq!(warnings.iter().any(|(name, _)| *name == "logDirectory"), warned, "{written}");
        }
    }

    #[test]
    fn the_interceptor_of_iisnode_is_not_run() {
        for (interceptor, direct) in [
            ("", true),
            (r#""%programfiles%\iisnode\interceptor.js""#, true),
            (r"C:\Program Files\iisnode-express\Interceptor.js", true),
            ("iisnode/interceptor.js", true),
            ("interceptor.js", false),
            (r"lib\interceptor.js", false),
            (r"C:\iisnode\mine.js", false),
        ] {
            assert_eq!(runs_script_directly(interceptor), direct, "{interceptor}");
        }
    }

    #[test]
    fn the_patience_with_a_start_is_the_product_and_never_more_than_a_day() {
        for (connect_retries, connect_delay_ms, seconds) in
            [(99, 250, 25), (0, 0, 0), (1_000_000, u32::MAX, 24 * 3600)]
        {
            let (settings, _) =
                Draft { connect_retries, connect_delay_ms, ..Draft::default() }.finish(Path::new("/"));
            assert_eq!(settings.start_timeout, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn a_limit_for_the_start_wins_over_what_pipes_would_allow() {
        let draft = Draft { start_limit_s: Some(7), connect_delay_ms: 1, ..Draft::default() };
        let (settings, _) = draft.finish(Path::new("/"));
        assert_eq!(settings.start_timeout, Duration::from_secs(7));
        assert_eq!(settings.start_limit, Some(Duration::from_secs(7)));
    }

    #[test]
    fn promoted_names_are_names_and_stand_once() {
        let mut warnings = Vec::new();
        let names = promoted(" LOGON_USER, ,auth_type,bad name,LOGON_user,", &mut warnings);
        assert_eq!(names, ["LOGON_USER".into(), "auth_type".into()]);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_not_used() {
        for (text, expected) in [
            ("", None),
            (" /ok ", Some("/ok")),
            ("ok?a=b", Some("/ok?a=b")),
            ("/a b", None),
            ("/a\r\nb", None),
        ] {
            let mut warnings = Vec::new();
            assert_eq!(path("readyPath", text, &mut warnings).as_deref(), expected, "{text}");
            assert_eq!(warnings.len(), usize::from(expected.is_none() && !text.is_empty()), "{text}");
        }
    }
}
