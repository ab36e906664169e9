//! Programs as people write them, in the languages they write them in.

use super::{PORT, app, ask, executable, of_apps, site, text};

#[test]
fn the_server_of_pythons_library_serves_its_folder() {
    let attributes =
        r#"processPath="python3" arguments="-u -m http.server %HTTP_PLATFORM_PORT% --bind 127.0.0.1""#;
    let site = site(attributes, "").file("tea.txt", "from Python");
    let host = site.serve();
    assert_eq!(text(&host, "/tea.txt"), "from Python");
    assert_eq!(ask(&host, "/none", &[]).status(), 404);
}

#[test]
fn the_server_of_rubys_library_serves_its_folder() {
    let attributes =
        r#"processPath="ruby" arguments="-run -e httpd -- . -p %HTTP_PLATFORM_PORT% -b 127.0.0.1""#;
    let site = site(attributes, "").file("tea.txt", "from Ruby");
    let host = site.serve();
    assert_eq!(text(&host, "/tea.txt"), "from Ruby");
    assert_eq!(ask(&host, "/none", &[]).status(), 404);
}

/// It listens on IPv4 and IPv6 through one socket, unless told otherwise.
#[test]
fn the_server_of_the_jdk_answers_with_and_without_ipv6() {
    for option in ["", "-Djava.net.preferIPv4Stack=true "] {
        let attributes =
            format!("processPath=\"java\" arguments=\"-Xmx128m {option}Hello.java %HTTP_PLATFORM_PORT%\"");
        let site = site(&attributes, "").file("Hello.java", &of_apps("Hello.java"));
        assert_eq!(text(&site.serve(), "/tea?x"), "Hello from Java, /tea?x", "{option}");
    }
}

#[test]
fn a_node_program_started_by_a_shell_gets_its_port_as_a_number() {
    let shows = app(
        "r.end(String(Number.isInteger(Number(process.env.PORT)) && Number(process.argv[2]) === Number(process.env.PORT)))",
    );
    let command = site(
        r#"processPath="sh" arguments="-c &quot;echo starting; node app.js $PORT; echo ended&quot;""#,
        PORT,
    )
    .file("app.js", &shows);
    assert_eq!(text(&command.serve(), "/"), "true");
    let script = "#!/bin/sh\necho starting\nnode app.js \"$1\"\necho ended\n";
    let script = executable(
        site(r#"processPath=".\start.sh" arguments="%HTTP_PLATFORM_PORT%""#, PORT).file("app.js", &shows),
        "start.sh",
        script,
    );
    assert_eq!(text(&script.serve(), "/"), "true");
}

#[test]
fn npm_start_is_a_program_like_any_other() {
    let site = site(r#"processPath="npm" arguments="start --silent""#, PORT)
        .file("app.js", &app("r.end('started by npm')"))
        .file("package.json", r#"{ "private": true, "scripts": { "start": "node app.js" } }"#);
    assert_eq!(text(&site.serve(), "/"), "started by npm");
}
