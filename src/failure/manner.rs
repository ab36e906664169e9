//! In whose numbers and names a failure is told: the same trouble is `500.1002` and PORT for who knows iisnode, and `502.5`
//! and HTTP_PLATFORM_PORT for who knows HttpPlatformHandler.

use std::borrow::Cow;
use std::io::ErrorKind;

use super::{Failure, Side};

/// Whose site it is that fails, by what people know it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Iisnode,
    HttpPlatform,
    AspNetCore,
    FastCgi,
    /// FastCGI that runs already, and is none of ours to start.
    FastCgiServer,
    /// A program that no section of a `web.config` asks for.
    Command,
}

// Windows' codes for what goes wrong with a server that is asked.
const TIMED_OUT: u32 = 0x8007_2ee2;
const CANNOT_CONNECT: u32 = 0x8007_2efd;
const CONNECTION_LOST: u32 = 0x8007_2efe;
const BAD_RESPONSE: u32 = 0x8007_2f78;
const TOO_MANY_CRASHES: u32 = 0x8007_053d;
const NO_FILE: u32 = 0x8007_0002;

/// How the system says it, in words for people.
const DENIED: &str = "Permission denied";

const START_SERVER: &str = "Start the server (php-fpm) and compare its `listen` with `server` in ostler.yml, which names this \
    address; requests are passed to it as soon as it answers.";
const MAY_CONNECT: &str = "The user ostler runs as may not connect to this socket: give it to that user or its group with \
    `listen.owner`, `listen.group` and `listen.mode` of php-fpm, and see that the folders above it may be entered.";

impl Manner {
    /// The variable that tells a worker where to listen.
    pub fn port_variable(self) -> &'static str {
        match self {
            // Its programs listen on a descriptor, which no variable names.
            Manner::Iisnode | Manner::FastCgi | Manner::FastCgiServer | Manner::Command => "PORT",
            Manner::HttpPlatform => "HTTP_PLATFORM_PORT",
            Manner::AspNetCore => "ASPNETCORE_PORT",
        }
    }

    /// Where in a `web.config` such an application is declared.
    fn section(self) -> Option<&'static str> {
        match self {
            Manner::Iisnode => Some("system.webServer/iisnode"),
            Manner::HttpPlatform => Some("system.webServer/httpPlatform"),
            Manner::AspNetCore => Some("system.webServer/aspNetCore"),
            // A pool may be said in three files.
            Manner::FastCgi | Manner::FastCgiServer | Manner::Command => None,
        }
    }

    /// What to do about a program that listens elsewhere.
    pub fn listening_advice(self) -> &'static str {
        match self {
            Manner::Iisnode => {
                "Have it listen on process.env.PORT, or set `transport: tcp` in iisnode.yml if it can only listen on \
                 a TCP port: PORT is a number then."
            }
            Manner::HttpPlatform => {
                "Have the program listen on 127.0.0.1 and the port that the variable HTTP_PLATFORM_PORT names; \
                 %HTTP_PLATFORM_PORT% in `arguments` and in environmentVariables stands for it. A port that is \
                 written into the program or its settings is not looked for."
            }
            Manner::AspNetCore => {
                "Have the program listen on 127.0.0.1 and the port that the variable ASPNETCORE_PORT names. The \
                 default builder of ASP.NET Core does that by itself, unless UseUrls, --urls or a Kestrel endpoint in \
                 the settings says otherwise; take that out."
            }
            Manner::FastCgi => {
                "Have the program accept FastCGI connections on descriptor 0, its standard input, as php-cgi and the \
                 FastCGI libraries do by themselves; a program that is started for each request does not."
            }
            Manner::FastCgiServer => START_SERVER,
            Manner::Command => {
                "Have the program listen where the variable PORT says, the path of a Unix socket or a TCP port; with \
                 {port} in its arguments it is a TCP port, and {port} stands for it."
            }
        }
    }
}

impl Failure {
    /// Whether there is no worker to ask, because none starts.
    pub fn is_of_start(&self) -> bool {
        matches!(
            self,
            Failure::ProgramNotFound { .. }
                | Failure::NotReady { .. }
                | Failure::Failing { .. }
                | Failure::Closed { .. }
        )
    }

    /// Status and substatus, by which monitoring and people know a trouble.
    pub fn numbers(&self, manner: Manner) -> (u16, u16) {
        match manner {
            Manner::Iisnode => self.row().iis,
            Manner::HttpPlatform | Manner::AspNetCore => self.numbers_of_programs(),
            Manner::FastCgi | Manner::FastCgiServer => self.numbers_of_fast_cgi(),
            Manner::Command => (self.status(), 0),
        }
    }

    fn numbers_of_programs(&self) -> (u16, u16) {
        match self {
            failure if failure.is_of_start() => (502, 5),
            Failure::BadSettings { .. } => (500, 0),
            Failure::Overflow { .. } => (503, 2),
            Failure::Stopping | Failure::Exhausted(_) => (503, 0),
            failure if failure.side() == Side::Upstream => (502, 3),
            failure => failure.row().iis,
        }
    }

    /// IIS answers nearly everything with 500.0; the true status says more to proxies and monitoring.
    fn numbers_of_fast_cgi(&self) -> (u16, u16) {
        match self {
            Failure::Overflow { .. } => (503, 4),
            Failure::Closed { .. } | Failure::Stopping | Failure::Exhausted(_) => (503, 0),
            failure if failure.is_of_start() => (502, 0),
            Failure::BadSettings { .. } => (500, 0),
            Failure::BadCgi(_) | Failure::EndedInHead { .. } | Failure::Shorter => (502, 2),
            failure if failure.side() == Side::Upstream => (failure.status(), 0),
            failure => failure.row().iis,
        }
    }

    /// The code that is shown as `HRESULT`.
    pub fn internal_code(&self, manner: Manner) -> u32 {
        match (manner, self) {
            (Manner::Iisnode | Manner::FastCgi | Manner::FastCgiServer, _) => self.row().internal,
            (_, Failure::Silent { .. } | Failure::ConnectTimeout) => TIMED_OUT,
            (_, Failure::ConnectRefused(_) | Failure::ConnectBusy) => CANNOT_CONNECT,
            (_, Failure::BadAnswer(_) | Failure::BadAnswerBody(_) | Failure::AnswerHeadTooLarge(_)) => {
                BAD_RESPONSE
            }
            (_, Failure::Closed { .. }) => TOO_MANY_CRASHES,
            (_, Failure::ProgramNotFound { .. }) => NO_FILE,
            (_, failure) if failure.side() == Side::Upstream && !failure.is_of_start() => CONNECTION_LOST,
            _ => 0,
        }
    }

    /// What happened, as part of a sentence.
    pub fn in_words(&self, manner: Manner) -> String {
        match (self, manner) {
            (Failure::BadSettings { is_yml: false, .. }, Manner::Iisnode) => {
                "the iisnode settings of this application cannot be used".to_owned()
            }
            (Failure::Failing { why, .. }, Manner::FastCgiServer) => why.to_string(),
            (Failure::NotReady { application, after }, Manner::FastCgiServer) => {
                format!("the server at {application} did not answer in {} s", after.as_secs())
            }
            (Failure::BadSettings { .. }, Manner::FastCgi | Manner::FastCgiServer) => {
                "the settings of this FastCGI pool cannot be used".to_owned()
            }
            (Failure::BadSettings { .. }, Manner::HttpPlatform | Manner::AspNetCore) => {
                let section = manner.section().unwrap_or_default();
                format!("the settings of this application in {section} cannot be used")
            }
            _ => self.to_string(),
        }
    }

    /// What to do next, in a sentence or two, for who runs the site.
    pub fn advice(&self, manner: Manner) -> Cow<'static, str> {
        match manner {
            Manner::Iisnode => Cow::Borrowed(self.row().advice),
            _ => self.advice_for_programs(manner).unwrap_or(Cow::Borrowed(self.row().advice)),
        }
    }

    /// Where what is right for iisnode is not for any program.
    fn advice_for_programs(&self, manner: Manner) -> Option<Cow<'static, str>> {
        let is_command = manner == Manner::Command;
        let is_server = manner == Manner::FastCgiServer;
        let is_fast_cgi = is_server || manner == Manner::FastCgi;
        Some(Cow::Borrowed(match self {
            Failure::BadSettings { .. } => {
                let place = manner
                    .section()
                    .map(|section| format!("Look at the attributes of {section} in web.config. "));
                return Some(Cow::Owned(format!(
                    "{}`ostler check` lists everything that is wrong. Correct it and ask again; nothing has to be \
                     restarted.",
                    place.unwrap_or_default()
                )));
            }
            Failure::ProgramNotFound { .. } if is_command => {
                "Name a program of this machine, with its whole path or a name that is found in PATH. PATH is the one \
                 ostler was started with."
            }
            Failure::ProgramNotFound { .. } if is_fast_cgi => {
                "Install it, or name another with `programs` in ostler.yml, which stands in for the path in \
                 `scriptProcessor` and `fullPath`. PATH is the one ostler was started with."
            }
            Failure::ProgramNotFound { .. } => {
                "Set `processPath` in web.config to a program of this machine: its whole path, a path from the folder \
                 of that web.config, or a name that is found in PATH. PATH is the one ostler was started with."
            }
            Failure::Failing { why, .. } if is_server && why.contains(DENIED) => MAY_CONNECT,
            Failure::ConnectRefused(error) if is_server && error.kind() == ErrorKind::PermissionDenied => {
                MAY_CONNECT
            }
            Failure::Failing { .. } if is_server => START_SERVER,
            Failure::Overflow { .. } if is_server => {
                "Find out what the server's programs wait for. If it has more of them than maxInstances of the pool says, raise \
                 that; queueLength says how many requests may wait."
            }
            Failure::LogsClosed => "Open the page on the machine itself.",
            Failure::Overflow { .. } if is_command => {
                "Find out what the requests wait for. If the workers have time left, allow each of them more requests \
                 at once; if the processors have, run more workers."
            }
            Failure::Overflow { .. } if is_fast_cgi => {
                "Find out what the programs wait for. If the machine has time and memory left, raise maxInstances of the \
                 pool; queueLength says how many requests may wait."
            }
            Failure::Overflow { .. } => {
                "Find out what the requests wait for. If the workers have time left, raise \
                 maxConcurrentRequestsPerProcess; if the processors have, raise processesPerApplication."
            }
            Failure::NotReady { after, .. } if after.is_zero() => {
                "A limit of 0 s gives a program no time to start, so no request waits for it. Set startupTimeLimit to \
                 what the program needs, or take it out: it has 120 s then."
            }
            Failure::NotReady { .. } | Failure::ConnectRefused(_) | Failure::ConnectTimeout => {
                manner.listening_advice()
            }
            Failure::Failing { .. } => {
                "Look at its output and run the command by hand in the folder that is named. Something that is not \
                 installed, a variable that is missing, and a file or port that may not be opened are the usual causes."
            }
            Failure::Closed { .. } if !is_command => {
                "Look at its output for why it ends; after a minute it is started again. rapidFailsPerMinute says how \
                 many failures are allowed."
            }
            Failure::Closed { .. } => {
                "Look at its output for why it ends; after a minute it is started again."
            }
            Failure::ConnectBusy => {
                "The program is alive and accepts no connections: it computes without a pause, or all its threads \
                 wait for something. Find that, or run more workers."
            }
            Failure::NotSent
            | Failure::NotRead
            | Failure::ClosedBeforeAnswer
            | Failure::ClosedInHead
            | Failure::Truncated => {
                "Look at its output: an error that nobody handles ends the program and everything it was working on. If \
                 it says nothing, the program closed the connection itself: a time limit or another limit of its HTTP \
                 server."
            }
            Failure::BadAnswer(_) | Failure::BadAnswerBody(_) => {
                "Only an HTTP server can answer there, one that keeps to HTTP/1.1 and speaks it without TLS. Look for a \
                 program that speaks HTTPS or HTTP/2 on this port, and for Content-Length fields that are not true."
            }
            _ => return None,
        }))
    }
}

#[cfg(test)]
mod tests;
