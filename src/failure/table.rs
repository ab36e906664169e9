//! One row a failure: whose it is, its numbers, its word, and what to do about it.
//!
//! `status` is what any application's client gets; `iis`, `internal` and `advice` what an iisnode site's does. Where iisnode
//! has a number for a condition it is kept, however odd; a condition it does not know has the number of its nearest
//! relative. `manner.rs` has what is different for other programs.

use super::{Failure, Side};

pub(super) struct Row {
    pub(super) side: Side,
    pub(super) status: u16,
    pub(super) iis: (u16, u16),
    pub(super) internal: u32,
    pub(super) code: &'static str,
    pub(super) advice: &'static str,
}

// iisnode's and Windows' codes, as its page shows them.
const NONE: u32 = 0;
const NO_FILE: u32 = 2;
const ACCESS_DENIED: u32 = 5;
const BAD_FORMAT: u32 = 11;
const BAD_DATA: u32 = 13;
const NOT_SUPPORTED: u32 = 50;
const BROKEN_PIPE: u32 = 109;
const PIPE_BUSY: u32 = 231;
const PROGRAM_NOT_FOUND: u32 = 1028;
const BAD_SECTION: u32 = 1031;
const BAD_YML: u32 = 1032;
const CLOSING: u32 = 1034;
const WAIT_TIMED_OUT: u32 = 258;
const OVER_QUOTA: u32 = 1816;

const fn downstream(status: u16, code: &'static str, advice: &'static str) -> Row {
    Row { side: Side::Downstream, status, iis: (status, 0), internal: NONE, code, advice }
}

const fn site(status: u16, substatus: u16, internal: u32, code: &'static str, advice: &'static str) -> Row {
    Row { side: Side::Site, status, iis: (status, substatus), internal, code, advice }
}

const fn host(status: u16, substatus: u16, internal: u32, code: &'static str, advice: &'static str) -> Row {
    Row { side: Side::Host, status, iis: (status, substatus), internal, code, advice }
}

const fn upstream(
    status: u16,
    iis: (u16, u16),
    internal: u32,
    code: &'static str,
    advice: &'static str,
) -> Row {
    Row { side: Side::Upstream, status, iis, internal, code, advice }
}

const ITS_REQUEST: &str = "The request has to be changed by the program that sends it.";
const ITS_SPEED: &str = "Nothing is wrong with the site; the client or the network in between is too slow.";
const LISTEN: &str = "Have the program listen on process.env.PORT exactly as it is given, without turning it into a \
    number and without a host name; or set `transport: tcp` in iisnode.yml, and PORT is a TCP port number.";
const WHY_CLOSED: &str = "Look at its output below: an uncaught exception ends the program and everything it was \
    working on. If the output says nothing, the program closed the connection itself: a timeout of its HTTP server \
    (server.requestTimeout, or server.timeout of 2 minutes in old Node versions), or a destroyed socket.";
const SPEAK_HTTP: &str = "Only an HTTP server can answer on PORT, one that keeps to HTTP/1.1. Look for code that \
    writes to the socket itself, and for Content-Length fields that are not true.";

const SPEAK_FASTCGI: &str = "Only a FastCGI responder can answer there. Look for another program on this address, and \
    for options such as -b that have the program listen elsewhere.";

impl Failure {
    pub(super) fn row(&self) -> Row {
        match self {
            Failure::Malformed(_) => downstream(400, "bad_request", ITS_REQUEST),
            Failure::HeadTooLarge(_) => downstream(
                431,
                "head_too_large",
                "Large cookies are the usual cause; clear them, or keep less in them.",
            ),
            Failure::TooManyFields(_) => downstream(431, "too_many_fields", ITS_REQUEST),
            Failure::Version => downstream(505, "http_version", ITS_REQUEST),
            Failure::UnknownCoding => downstream(501, "unknown_coding", ITS_REQUEST),
            Failure::Connect => downstream(405, "connect", ITS_REQUEST),
            Failure::BadBody(_) => downstream(400, "bad_body", ITS_REQUEST),
            Failure::HeadTimeout => downstream(408, "head_timeout", ITS_SPEED),
            Failure::BodyTooSlow => downstream(408, "body_too_slow", ITS_SPEED),
            Failure::ClientGone => downstream(400, "client_gone", "Nothing has to be done."),
            Failure::ClientTooSlow => downstream(400, "client_too_slow", ITS_SPEED),

            Failure::ParameterTooLarge(_) => downstream(
                431,
                "parameter_too_large",
                "Large cookies are the usual cause; clear them, or keep less in them.",
            ),
            Failure::BodyTooLarge(_) => downstream(
                413,
                "body_too_large",
                "Raise maxAllowedContentLength, a number of bytes, at security/requestFiltering/requestLimits in \
                 web.config. PHP has limits of its own: post_max_size and upload_max_filesize in php.ini.",
            ),

            Failure::Refused { status, substatus, why } => {
                let internal = if *status == 501 { NOT_SUPPORTED } else { NONE };
                site(*status, *substatus, internal, "refused", refused(*status, *substatus, why))
            }
            Failure::OtherVerbs { numbers: (status, substatus), .. } => site(
                *status,
                *substatus,
                NONE,
                "other_verbs",
                "If the handler should answer, add the method to the `verb` of its row of handlers in web.config, or write \
                 `verb=\"*\"`.",
            ),
            Failure::NotFound(_) => site(
                404,
                0,
                NO_FILE,
                "not_found",
                "Check the spelling of the URL and of the file, and the rewrite rules; `ostler explain URL` shows what \
                 becomes of it.",
            ),
            Failure::Broken { .. } => site(
                500,
                19,
                BAD_DATA,
                "broken_configuration",
                "Correct the file at the place that is named and ask again; `ostler check` lists everything that is \
                 wrong with the site.",
            ),
            Failure::BadSettings { is_yml: true, .. } => site(
                500,
                1000,
                BAD_YML,
                "bad_settings",
                "Each line of iisnode.yml is `name: value` or a comment that begins with #. Correct the file, or \
                 delete it, and ask again; nothing has to be restarted.",
            ),
            Failure::BadSettings { is_yml: false, .. } => site(
                500,
                1000,
                BAD_SECTION,
                "bad_settings",
                "Look at the attributes of system.webServer/iisnode in web.config and at IISNODE_* environment \
                 variables; `ostler check` tells whether they are right. Correct it and ask again; nothing has to be \
                 restarted.",
            ),
            Failure::ProgramNotFound { refilling, .. } => Row {
                side: Side::Site,
                status: if *refilling { 503 } else { 500 },
                iis: if *refilling { (503, 1002) } else { (500, 1000) },
                internal: PROGRAM_NOT_FOUND,
                code: "program_not_found",
                advice: "Set `nodeProcessCommandLine` in web.config or iisnode.yml to a program of this machine, with \
                         its whole path or a name that is found in PATH; or remove the setting, and `node` is taken \
                         from PATH. PATH is the one ostler was started with.",
            },
            Failure::Offline(_) => {
                site(503, 0, NONE, "offline", "Delete app_offline.htm to bring the site back.")
            }
            Failure::LogsClosed => site(
                403,
                6,
                ACCESS_DENIED,
                "logs_closed",
                "Open the page on the machine itself, or set `logAccess: anyone` in iisnode.yml to show logs to \
                 everybody who can reach the site.",
            ),

            Failure::Replaced { status } => site(
                *status,
                0,
                NONE,
                "replaced",
                "To see the application's own answer take `existingResponse=\"Replace\"` out of \
                 system.webServer/httpErrors.",
            ),

            Failure::Overflow { .. } => host(
                503,
                1002,
                OVER_QUOTA,
                "overflow",
                "Find out what the requests wait for. If the workers have time left, raise \
                 maxConcurrentRequestsPerProcess; if the processors have, raise nodeProcessCountPerApplication.",
            ),
            Failure::Stopping => host(
                503,
                1001,
                CLOSING,
                "stopping",
                "Ask again: the application is being stopped or replaced.",
            ),
            Failure::Exhausted(_) => host(
                503,
                1000,
                OVER_QUOTA,
                "exhausted",
                "Raise the limit for the host (of open files `ulimit -n`, LimitNOFILE= of a systemd unit; of bodies \
                 `--limit spooledBytes`), or let fewer connections in.",
            ),
            Failure::NotSpooled(_) => host(
                500,
                0,
                NONE,
                "not_spooled",
                "A body whose length is not known beforehand is kept in the folder for temporary files, TMPDIR or /tmp: \
                 see that ostler may write there and that there is room.",
            ),
            Failure::FileCut => host(
                500,
                0,
                NONE,
                "file_cut",
                "Replace files by renaming a complete new one over them, not by writing into them.",
            ),

            Failure::NotReady { .. } => upstream(504, (500, 1001), NO_FILE, "not_ready", LISTEN),
            Failure::Failing { .. } => upstream(
                503,
                (500, 1002),
                NO_FILE,
                "failing",
                "Look at its output below and run the command by hand in the folder that is named. A syntax the \
                 installed Node version does not know, a module that is not installed, and a port or file that may \
                 not be opened are the usual causes.",
            ),
            Failure::Closed { .. } => upstream(
                503,
                (502, 5),
                NO_FILE,
                "closed",
                "Look at its output below for why it ends; after a minute it is started again. rapidFailsPerMinute says \
                 how many failures are allowed.",
            ),
            Failure::Silent { .. } => upstream(
                504,
                (502, 3),
                NONE,
                "silent",
                "Raise requestTimeout, or have the program send something while it works.",
            ),
            Failure::ConnectRefused(_) => upstream(502, (500, 1001), NO_FILE, "connect_refused", LISTEN),
            Failure::ConnectBusy => upstream(
                502,
                (503, 1003),
                PIPE_BUSY,
                "connect_busy",
                "The program is alive and accepts no connections: it computes without a pause, or waits for something \
                 synchronously. Find that, or raise nodeProcessCountPerApplication.",
            ),
            Failure::ConnectTimeout => upstream(504, (500, 1001), NO_FILE, "connect_timeout", LISTEN),
            Failure::NotSent => upstream(502, (500, 1006), BROKEN_PIPE, "not_sent", WHY_CLOSED),
            Failure::NotRead => upstream(502, (500, 1011), BROKEN_PIPE, "not_read", WHY_CLOSED),
            Failure::ClosedBeforeAnswer => {
                upstream(502, (500, 1013), BROKEN_PIPE, "closed_before_answer", WHY_CLOSED)
            }
            Failure::ClosedInHead => upstream(502, (500, 1014), BROKEN_PIPE, "closed_in_head", WHY_CLOSED),
            Failure::BadAnswer(why) => {
                let substatus = if is_of_status_line(why) { 1013 } else { 1014 };
                upstream(502, (500, substatus), BAD_FORMAT, "bad_answer", SPEAK_HTTP)
            }
            Failure::AnswerHeadTooLarge(_) => upstream(
                502,
                (500, 1012),
                OVER_QUOTA,
                "answer_head_too_large",
                "Send fewer or shorter header fields; cookies that grow are the usual cause.",
            ),
            Failure::Truncated => upstream(502, (500, 1016), BROKEN_PIPE, "truncated", WHY_CLOSED),
            Failure::BadAnswerBody(_) => {
                upstream(502, (500, 1015), BAD_FORMAT, "bad_answer_body", SPEAK_HTTP)
            }

            Failure::Inactive { .. } => upstream(
                504,
                (500, 0),
                WAIT_TIMED_OUT,
                "inactive",
                "Raise activityTimeout of the pool, or have the program send something while it works. The program \
                 has been ended.",
            ),
            Failure::Unfinished { .. } => upstream(
                504,
                (500, 0),
                WAIT_TIMED_OUT,
                "unfinished",
                "Raise requestTimeout of the pool. The program has been ended.",
            ),
            Failure::Rejected(_) => upstream(502, (500, 0), PIPE_BUSY, "rejected", SPEAK_FASTCGI),
            Failure::UnknownRole => upstream(502, (500, 0), NOT_SUPPORTED, "unknown_role", SPEAK_FASTCGI),
            Failure::BadRecord(_) => upstream(502, (500, 0), BAD_FORMAT, "bad_record", SPEAK_FASTCGI),
            Failure::BadCgi(_) => upstream(
                502,
                (502, 2),
                BAD_FORMAT,
                "bad_cgi",
                "A CGI response begins with fields such as Content-Type, and an empty line. Look for what the program \
                 prints before them, an error message for one.",
            ),
            Failure::EndedInHead { .. } => upstream(
                502,
                (502, 2),
                BROKEN_PIPE,
                "ended_in_head",
                "The program printed nothing, or no empty line behind its fields. Look at its error log.",
            ),
            Failure::Shorter => upstream(
                502,
                (502, 2),
                BAD_DATA,
                "shorter",
                "Content-Length says more than the program printed. Leave it out, and the host says how long it is.",
            ),
            Failure::Complained => upstream(
                500,
                (500, 0),
                NONE,
                "complained",
                "Correct what the program complains of; or set stderrMode of the pool to IgnoreAndReturn200.",
            ),
            Failure::Blank { status, .. } => upstream(
                *status,
                (*status, 0),
                NONE,
                "blank",
                "Correct what the program complains of. Others get its answer as it is, without a page; PHP prints one where \
                 display_errors is on.",
            ),
            Failure::RedirectLoop(_) => upstream(
                500,
                (500, 0),
                NONE,
                "redirect_loop",
                "A program that prints a Location without a Status has the host serve that path in its place. Print a \
                 Status, and the client is sent there.",
            ),
        }
    }
}

/// What to do about a refusal, by the number IIS has for it.
fn refused(status: u16, substatus: u16, why: &str) -> &'static str {
    match (status, substatus) {
        (403, 14) => {
            "Add the file that is meant to defaultDocument/files in web.config, or a rewrite rule for the folder; the \
             entry script of an application is no default document unless it is named there."
        }
        (403, 0) => {
            "A file of the site has to be readable for the user ostler runs as, and a URL never leads out of its site."
        }
        (404, 3) if is_of_script(why) => {
            "This is the source of a program, and a row of handlers has to say what runs it: `<add name=\"PHP\" \
             path=\"*.php\" verb=\"*\" modules=\"FastCgiModule\" scriptProcessor=\"php-cgi\" resourceType=\"Either\" />` is that \
             of PHP."
        }
        (404, 3) => {
            "If the file itself is to be sent, add its extension to staticContent in web.config: `<mimeMap \
             fileExtension=\".ext\" mimeType=\"type/subtype\" />`. If it is a script, it needs a row of handlers: `<add \
             name=\"PHP\" path=\"*.php\" verb=\"*\" modules=\"FastCgiModule\" scriptProcessor=\"php-cgi\" \
             resourceType=\"Either\" />`."
        }
        (404, 8) => {
            "If it should be seen, take the name out of security/requestFiltering/hiddenSegments in web.config: \
             `<remove segment=\"name\" />`. The folder bin is hidden by default."
        }
        (413, _) => {
            "Raise maxAllowedContentLength, a number of bytes, at security/requestFiltering/requestLimits in \
             web.config."
        }
        (404, 5..=19) => {
            "If it should be allowed, change security/requestFiltering in web.config; `ostler explain URL` names the \
             file that decides."
        }
        (405, _) => {
            "The URL leads to a file. If an application should answer, look at the path and verb of its handler and at \
             the rewrite rules; `ostler explain URL` shows what becomes of it."
        }
        (400 | 412 | 416, _) => "Nothing is wrong with the site; it is the request that has to be changed.",
        _ => {
            "If it should be allowed, look at the handlers and the rewrite rules in web.config; `ostler explain URL` \
             shows which of them decides."
        }
    }
}

/// Whether the path that a refusal begins with is that of a program's source, which nobody is to be told to publish.
fn is_of_script(why: &str) -> bool {
    const EXTENSIONS: [&str; 16] = [
        "php", "php3", "php4", "php5", "php6", "php7", "php8", "phtml", "phar", "pl", "py", "rb", "cgi",
        "fcgi", "asp", "aspx",
    ];
    let path = why.split(": ").next().unwrap_or_default();
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&&*extension))
}

/// iisnode has one number for answers that do not begin as one, another for a bad line after that.
fn is_of_status_line(why: &str) -> bool {
    why.contains("status") || why.contains("response head")
}

#[cfg(test)]
mod tests;
