//! How the workers of a site are started: environment, command line, interceptor.

use super::{app, json, says, text};
use crate::harness::{Host, Site};

#[test]
fn each_variable_has_one_value_and_the_hosts_own_win() {
    let reads = app(
        "const { PORT, NODE_ENV, KEPT, OURS, IISNODE_VERSION } = process.env; r.end(JSON.stringify({ PORT, NODE_ENV, KEPT, OURS, IISNODE_VERSION }))",
    );
    let settings = [("PORT", "3000"), ("NODE_ENV", "from appSettings"), ("OURS", "from appSettings")];
    let site = Site::iisnode("hello.js", &reads).app_settings(&settings).set(r#"node_env="production""#);
    let host = ["PORT", "NODE_ENV", "KEPT", "OURS"]
        .into_iter()
        .fold(Host::of(site.path()).without_waiting(), |setup, name| setup.env(name, "inherited"))
        .start();
    let seen = json(&host, "/hello.js");
    assert!(seen["PORT"].as_str().is_some_and(|port| port.starts_with('/')), "{seen}");
    assert_eq!(seen["NODE_ENV"], "production");
    assert_eq!((&seen["KEPT"], &seen["OURS"]), (&"inherited".into(), &"from appSettings".into()));
    assert!(seen["IISNODE_VERSION"].is_string(), "{seen}");
}

#[test]
fn app_settings_may_continue_in_another_file_and_that_one_wins() {
    let reads = app("r.end(JSON.stringify([process.env.HERE, process.env.BOTH, process.env.THERE]))");
    let config = r#"<configuration><appSettings file="more.config"><add key="HERE" value="1"/><add key="BOTH" value="1"/></appSettings>
        <system.webServer><handlers><add name="n" path="hello.js" verb="*" modules="iisnode"/></handlers></system.webServer></configuration>"#;
    let more = r#"<appSettings><add key="BOTH" value="2"/><add key="THERE" value="%HERE%"/></appSettings>"#;
    let site = Site::named("site").file("hello.js", &reads).web_config(config).file("more.config", more);
    assert_eq!(json(&site.serve(), "/hello.js"), serde_json::json!(["1", "2", "%HERE%"]));
}

#[test]
fn workers_learn_where_their_logs_are() {
    let reads = app("r.end(`${process.env.IISNODE_LOGGINGENABLED} ${process.env.IISNODE_MAXLOGFILES}`)");
    for (attributes, found) in
        [(r#"maxLogFiles="7""#, "1 7"), (r#"loggingEnabled="false" maxLogFiles="7""#, "undefined undefined")]
    {
        let site = Site::iisnode("hello.js", &reads).set(attributes);
        assert_eq!(text(&site.serve(), "/hello.js"), found, "{attributes}");
    }
}

/// Paths of a machine that is no more lead to the node of this one; options stay.
#[test]
fn command_lines_of_windows_start_the_node_that_is_here() {
    let shows = app("r.end(process.execArgv.join(' ') + ' ' + require('path').basename(process.argv[1]))");
    for (line, options) in [
        ("node", ""),
        ("node.exe --max-old-space-size=64", "--max-old-space-size=64"),
        (r#""C:\Program Files\nodejs\node.exe" --harmony"#, "--harmony"),
        (r"C:\Program Files\nodejs\node.exe", ""),
        (r"D:\Program Files (x86)\nodejs\8.9.4\node.exe --stack-trace-limit=7", "--stack-trace-limit=7"),
        (r#""%programfiles%\nodejs\node.exe""#, ""),
        (r"%ProgramFiles(x86)%/nodejs/10/node.exe", ""),
        (r".\node.exe", ""),
    ] {
        let yml = format!("nodeProcessCommandLine: {line}\n");
        let site = Site::iisnode("hello.js", &shows).yml(&yml);
        assert_eq!(text(&site.serve(), "/hello.js"), format!("{options} hello.js"), "{line}");
    }
}

#[test]
fn the_stock_interceptor_is_left_out_wherever_it_is_said_to_be() {
    let main = "if (require.main === module) require('http').createServer((q, r) => r.end('main')).listen(process.env.PORT)";
    for interceptor in [
        r#""%programfiles%\iisnode\interceptor.js""#,
        r#""C:\Program Files (x86)\iisnode-express\interceptor.js""#,
        r"D:\iisnode-dev\release\x64\interceptor.js",
    ] {
        let site = Site::iisnode("hello.js", main).yml(&format!("interceptor: {interceptor}\n"));
        assert_eq!(text(&site.serve(), "/hello.js"), "main", "{interceptor}");
    }
}

#[test]
fn an_interceptor_of_ones_own_is_run_with_the_script_as_its_argument() {
    let wrapper = "process.argv.splice(1, 1); globalThis.wrapped = 'wrapped'; require(process.argv[1]);";
    let site = Site::iisnode("hello.js", &app("r.end(globalThis.wrapped)"))
        .file("wrapper.js", wrapper)
        .yml("interceptor: wrapper.js\n");
    assert_eq!(text(&site.serve(), "/hello.js"), "wrapped");
}

#[test]
fn an_es_module_is_an_application_too() {
    let module = "import { createServer } from 'node:http';\ncreateServer((q, r) => r.end('module')).listen(process.env.PORT);";
    let site = Site::iisnode("hello.mjs", module);
    assert_eq!(text(&site.serve(), "/hello.mjs"), "module");
    let site = Site::iisnode("hello.js", module).file("package.json", r#"{ "type": "module" }"#);
    assert_eq!(text(&site.serve(), "/hello.js"), "module");
}

/// Relative programs are those of the site, not of the folder the host was started in.
#[test]
fn a_program_of_the_site_is_found_beside_the_web_config() {
    let wrapper = "#!/bin/sh\nWRAPPED=yes exec node \"$@\"\n";
    let site = Site::iisnode("hello.js", &app("r.end(process.env.WRAPPED ?? 'no')"))
        .file("tools/node-here", wrapper)
        .yml("nodeProcessCommandLine: ./tools/node-here\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(site.path().join("tools/node-here"), executable).unwrap();
    assert_eq!(text(&site.serve(), "/hello.js"), "yes");
}

#[test]
fn a_script_with_blanks_and_letters_of_all_kinds_in_its_path_starts() {
    let site = Site::iisnode("my app/sérver one.js", &says("found"));
    assert_eq!(text(&site.serve(), "/my%20app/s%C3%A9rver%20one.js"), "found");
}
