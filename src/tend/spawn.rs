//! From a command, a folder and an address to a process: which program, with which environment, in a group of its own.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use parking_lot::Mutex;
use tokio::process::{Child, Command};

use super::place::{Place, Secret};
use super::{ApplicationPlan, Transport, linux, proc};
use crate::config::settings::Environment;

/// A program and its arguments, already split; no shell is involved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandNotFound {
    #[error("the program `{program}` is in none of the folders of PATH, nor in {}", local.display())]
    NotInPath { program: String, local: PathBuf },
    #[error("the program `{}` does not exist", _0.display())]
    NoFile(PathBuf),
    #[error("the program `{}` is not executable", _0.display())]
    NotExecutable(PathBuf),
    #[error("the folder `{}` does not exist", _0.display())]
    NoFolder(PathBuf),
}

/// Where programs are looked for when nobody says.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The file of a program as [`CommandLine::find`] finds it, with the PATH of `environment`.
pub(crate) fn look_up(name: &str, folder: &Path, environment: &Environment) -> Option<PathBuf> {
    let command = CommandLine { program: name.to_owned(), args: Vec::new() };
    let search = environment.get("PATH").map_or(USUAL_PATH, String::as_str);
    command.find(folder, search.as_ref()).ok()
}

impl CommandLine {
    /// What the placeholders in the arguments ask for: `{port}` a TCP port, `{socket}` a Unix socket.
    pub(crate) fn implied_transport(&self) -> Option<Transport> {
        let mentions = |what| self.args.iter().any(|argument| argument.contains(what));
        if mentions("{port}") {
            Some(Transport::Tcp)
        } else if mentions("{socket}") {
            Some(Transport::Unix)
        } else {
            None
        }
    }

    /// The file that is run: an absolute path, relative to `folder` if it has a slash, else looked up in
    /// `node_modules/.bin` of the folder and in `search`.
    pub(crate) fn find(&self, folder: &Path, search: &OsStr) -> Result<PathBuf, CommandNotFound> {
        if self.program.contains('/') {
            let file = folder.join(&self.program);
            return match file.metadata() {
                Err(_) => Err(CommandNotFound::NoFile(file)),
                Ok(_) if !is_executable(&file) => Err(CommandNotFound::NotExecutable(file)),
                Ok(_) => Ok(file),
            };
        }
        let local = local_programs(folder);
        std::iter::once(local.clone())
            .chain(std::env::split_paths(search).map(|place| folder.join(place)))
            .map(|place| place.join(&self.program))
            .find(|file| is_executable(file))
            .ok_or_else(|| CommandNotFound::NotInPath { program: self.program.clone(), local })
    }
}

impl std::fmt::Display for CommandLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = std::iter::once(&self.program).chain(&self.args);
        f.write_str(&shell_words::join(words))
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn local_programs(folder: &Path) -> PathBuf {
    folder.join("node_modules/.bin")
}

impl ApplicationPlan {
    /// Whether there is a program to run, before anything is started.
    pub(crate) fn find_program(&self) -> Result<PathBuf, CommandNotFound> {
        let folder = std::path::absolute(&self.working_directory)
            .map_err(|_| CommandNotFound::NoFolder(self.working_directory.clone()))?;
        if !folder.is_dir() {
            return Err(CommandNotFound::NoFolder(folder));
        }
        self.command.find(&folder, &self.search_path())
    }

    fn search_path(&self) -> OsString {
        match self.environment.iter().rev().find(|(name, _)| name == "PATH") {
            Some((_, path)) => path.into(),
            None => std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into()),
        }
    }

    /// After how many requests PHP ends by itself, unless somebody has said so: later than it is ended by us, since it
    /// tells nobody.
    fn php_limit(&self) -> String {
        self.wear.requests.map_or(0, |requests| requests.saturating_add(1000)).to_string()
    }

    /// What is set for a worker beyond the environment of the host; later entries win.
    fn variables(&self, slot: usize, start: &Start<'_>) -> Vec<(OsString, OsString)> {
        let mut variables = match self.transport {
            Transport::Inherited => vec![(PHP_LIMIT.into(), self.php_limit().into())],
            Transport::Unix | Transport::Tcp => Vec::new(),
        };
        variables.extend(start.place.configured(&self.environment, &self.telling));
        let local = local_programs(&self.working_directory);
        let path = self.search_path();
        let folders = std::iter::once(local.clone()).chain(std::env::split_paths(&path));
        // A folder with a colon in its name cannot be in PATH; then its programs are not found by name.
        if local.is_dir()
            && let Ok(path) = std::env::join_paths(folders)
        {
            variables.push(("PATH".into(), path));
        }
        if self.transport != Transport::Inherited {
            variables.extend(start.place.told(&self.environment, &self.telling));
        }
        variables.extend(start.secret.map(|secret| (secret.variable.into(), secret.value.clone().into())));
        variables.extend([
            ("OSTLER_VERSION".into(), env!("CARGO_PKG_VERSION").into()),
            ("OSTLER_WORKER".into(), slot.to_string().into()),
            (proc::TAG.into(), start.tag.into()),
        ]);
        variables
    }
}

/// How PHP is told after how many requests it ends by itself.
const PHP_LIMIT: &str = "PHP_FCGI_MAX_REQUESTS";
/// What programs that answer requests get of the host's environment: what says who and where they are. What they know of
/// requests comes with requests, and nothing else may look like that.
const INHERITED: [&str; 13] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "PERL5LIB",
    "LD_LIBRARY_PATH",
];

fn is_inherited(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| INHERITED.contains(&name) || name.starts_with("LC_"))
}

/// What is one process's own.
pub(super) struct Start<'a> {
    pub(super) place: &'a Place,
    pub(super) tag: &'a str,
    pub(super) secret: Option<&'a Secret>,
}

/// A process that was just started, leader of a group with its own pid as number.
pub(super) struct Spawned {
    pub(super) child: Child,
    pub(super) pid: u32,
    /// As in [`proc::Process`].
    pub(super) started: u64,
    /// None if it has none.
    pub(super) outputs: Option<[OwnedFd; 2]>,
}

/// Starts a worker. For the one thread that lives as long as the host: the worker dies with it.
///
/// # Errors
/// If there is no such program or it cannot be started; the text is a whole sentence.
pub(super) fn spawn(plan: &ApplicationPlan, slot: usize, its: &Start<'_>) -> Result<Spawned, String> {
    let program = plan.find_program().map_err(|error| error.to_string())?;
    let mut command = Command::new(&program);
    command
        .args(plan.command.args.iter().map(|argument| its.place.fill_in(argument, &plan.telling)))
        .current_dir(&plan.working_directory);
    if !plan.telling.gives_way {
        command.env_remove("PORT");
    }
    // What another host tells its workers is not for ours.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"IISNODE_")) {
            command.env_remove(name);
        }
    }
    let stdin = if plan.transport == Transport::Inherited {
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_inherited(name)));
        let listening = its.place.listen();
        // Our copy goes with the command: who connects when the worker is gone is to be refused.
        Stdio::from(listening.map_err(|error| format!("a socket for the worker cannot be made: {error}"))?)
    } else {
        Stdio::null()
    };
    let output = || if plan.is_mute { Stdio::null() } else { Stdio::piped() };
    command
        .envs(plan.variables(slot, its))
        .stdin(stdin)
        .stdout(output())
        .stderr(output())
        .process_group(0)
        .kill_on_drop(true);
    linux::die_with_parent(&mut command);
    start(&mut command)
        .map_err(|error| format!("the program `{}` cannot be started: {error}", program.display()))
}

fn start(command: &mut Command) -> io::Result<Spawned> {
    // Held over the spawn: the child may end before it is in the set, and must not be taken for an adopted one.
    let mut ours = OURS.lock();
    let mut child = command.spawn()?;
    let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
    ours.insert(pid);
    drop(ours);
    let started = proc::process(pid).map_or(0, |process| process.started);
    let outputs = take_outputs(&mut child).or_else(|error| give_up(pid, error))?;
    Ok(Spawned { child, pid, started, outputs })
}

fn take_outputs(child: &mut Child) -> io::Result<Option<[OwnedFd; 2]>> {
    match (child.stdout.take(), child.stderr.take()) {
        (Some(out), Some(err)) => Ok(Some([out.into_owned_fd()?, err.into_owned_fd()?])),
        _ => Ok(None),
    }
}

/// Ends a process that nobody will hear of.
fn give_up<T>(pid: u32, why: io::Error) -> io::Result<T> {
    linux::kill_group(pid);
    forget(pid);
    Err(why)
}

/// Starts this program again as the keeper, with a pipe to tell it things.
pub(super) fn spawn_keeper(program: &Path, argument: &str) -> io::Result<Child> {
    let mut ours = OURS.lock();
    let child = Command::new(program)
        .arg0("ostler")
        .arg(argument)
        // A keeper is no worker, and must not be taken for one, not even by the host of a host.
        .env_remove(proc::TAG)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(false)
        .spawn()?;
    ours.extend(child.id());
    Ok(child)
}

/// The children that are waited for by who started them.
static OURS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Forgets a child that has been waited for.
pub(super) fn forget(pid: u32) {
    OURS.lock().remove(&pid);
}

/// Reaps ended children that were not started but adopted: orphans of workers.
pub(super) fn reap_adopted() {
    let ours = OURS.lock();
    for pid in proc::ended_children() {
        if !ours.contains(&pid) {
            linux::reap(pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::{Path, PathBuf};

    use super::super::{ApplicationPlan, Transport};
    use super::{CommandLine, CommandNotFound, OURS, Place, Secret, Spawned, Start, give_up, io, start};

    fn command(words: &[&str]) -> CommandLine {
        let mut words = words.iter().map(ToString::to_string);
        CommandLine { program: words.next().unwrap(), args: words.collect() }
    }

    #[tokio::test]
    async fn a_start_that_is_given_up_leaves_no_process_and_no_note_of_it() {
        let mut command = tokio::process::Command::new("sleep");
        command.arg("100").process_group(0).kill_on_drop(true);
        let Spawned { mut child, pid, .. } = start(&mut command).unwrap();
        assert!(OURS.lock().contains(&pid));
        let outcome: io::Result<()> = give_up(pid, io::ErrorKind::Other.into());
        assert!(outcome.is_err() && !OURS.lock().contains(&pid));
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), child.wait()).await;
        assert!(ended.is_ok_and(|ended| !ended.unwrap().success()));
    }

    #[test]
    fn placeholders_say_where_a_command_wants_to_listen() {
        for (words, transport) in [
            (["serve", "--port={port}"], Some(Transport::Tcp)),
            (["serve", "{socket}"], Some(Transport::Unix)),
            (["serve", "."], None),
        ] {
            assert_eq!(command(&words).implied_transport(), transport);
        }
    }

    #[test]
    fn programs_are_found_where_a_shell_would_and_in_the_applications_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("node_modules/.bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(folder.path().join("plain"), "").unwrap();
        std::os::unix::fs::symlink("/bin/sh", bin.join("tool")).unwrap();
        let find = |program: &str| command(&[program]).find(folder.path(), OsStr::new("/nowhere:/bin"));
        assert_eq!(find("tool"), Ok(bin.join("tool")));
        assert_eq!(find("sh"), Ok(PathBuf::from("/bin/sh")));
        assert_eq!(find("/bin/sh"), Ok(PathBuf::from("/bin/sh")));
        assert_eq!(find("node_modules/.bin/tool"), Ok(bin.join("tool")));
        assert_eq!(find("./plain"), Err(CommandNotFound::NotExecutable(folder.path().join("./plain"))));
        assert_eq!(find("./none"), Err(CommandNotFound::NoFile(folder.path().join("./none"))));
        let missing = find("none").unwrap_err().to_string();
        assert!(missing.contains("`none`") && missing.contains("node_modules/.bin"), "{missing}");
    }

    #[test]
    fn a_worker_is_told_its_address_its_number_and_its_host() {
        let mut plan = ApplicationPlan::new("a".to_owned(), command(&["x"]), Path::new("/none").to_owned());
        plan.environment = vec![("PORT".to_owned(), "80".to_owned()), ("A".to_owned(), "b".to_owned())];
        let secret = Secret { variable: "TOKEN", value: "s".to_owned(), line: "X-Token: s\r\n".to_owned() };
        let start = Start { place: &Place::Port(81), tag: "tag/1", secret: Some(&secret) };
        let variables = plan.variables(3, &start);
        let value = |name: &str| {
            variables.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.to_str().unwrap())
        };
        assert_eq!(value("PORT"), Some("81"));
        assert_eq!(value("A"), Some("b"));
        assert_eq!(value("TOKEN"), Some("s"));
        assert_eq!(value("OSTLER_WORKER"), Some("3"));
        assert_eq!(value("OSTLER_HOST"), Some("tag/1"));
        assert_eq!(value("OSTLER_VERSION"), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(value("NODE_ENV"), None);
    }

    #[test]
    fn of_the_environment_only_what_says_who_and_where_is_inherited_with_a_socket() {
        for (name, is) in [
            ("PATH", true),
            ("LC_ALL", true),
            ("PORT", false),
            ("HTTP_PROXY", false),
            ("FCGI_WEB_SERVER_ADDRS", false),
            ("PHP_FCGI_CHILDREN", false),
        ] {
            assert_eq!(super::is_inherited(OsStr::new(name)), is, "{name}");
        }
    }

    #[test]
    fn php_ends_later_than_it_is_ended_unless_somebody_says_otherwise() {
        let limit = |requests: Option<u64>, own: &[(&str, &str)]| {
            let mut plan =
                ApplicationPlan::new("a".to_owned(), command(&["x"]), Path::new("/none").to_owned());
            plan.transport = Transport::Inherited;
            plan.wear.requests = requests;
            plan.environment = own.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            let place = Place::Socket("/s".into());
            let variables = plan.variables(0, &Start { place: &place, tag: "t", secret: None });
            assert!(!variables.iter().any(|(name, _)| name == "PORT"), "nobody is told");
            let limit = variables.into_iter().rfind(|(name, _)| name == "PHP_FCGI_MAX_REQUESTS");
            limit.unwrap().1.into_string().unwrap()
        };
        for (requests, own, expected) in [
            (Some(200), &[] as &[_], "1200"),
            (None, &[], "0"),
            (Some(200), &[("PHP_FCGI_MAX_REQUESTS", "500")], "500"),
        ] {
            assert_eq!(limit(requests, own), expected, "{requests:?} {own:?}");
        }
    }
}
