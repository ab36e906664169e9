//! Values as the table's blocks put them down, one by one, and how they become [`Settings`] together.

use std::path::Path;
use std::time::Duration;

use super::expansion::unresolved;
use super::paths::{forward, is_windows_absolute, joined, last_name};
use super::{DevErrors, LogAccess, LogSettings, RecycleMode, Settings, Transport};

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
        let tries = u64::from(self.connect_retries) + 1;
        let start_timeout =
            Duration::from_millis(tries * u64::from(self.connect_delay_ms)).min(LONGEST_START);
        let settings = Settings {
            node_env: Some(self.node_env).filter(|value| !value.is_empty()),
            command_line,
            interceptor: Some(self.interceptor).filter(|interceptor| !runs_script_directly(interceptor)),
            process_count: self.process_count,
            sticky: self.sticky,
            max_concurrent: self.max_concurrent,
            start_timeout,
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

    use super::{Draft, promoted, runs_script_directly};

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
    fn promoted_names_are_names_and_stand_once() {
        let mut warnings = Vec::new();
        let names = promoted(" LOGON_USER, ,auth_type,bad name,LOGON_user,", &mut warnings);
        assert_eq!(names, ["LOGON_USER".into(), "auth_type".into()]);
        assert_eq!(warnings.len(), 1);
    }
}
