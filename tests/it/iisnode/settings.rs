//! Where settings come from, which source wins, and how forgiving iisnode.yml is read.

use super::{app, ask, counts, says, text, texts};
use crate::harness::{Host, PATIENCE, Site, eventually, workers_of};

fn shows_node_env() -> String {
    app("r.end(process.env.NODE_ENV ?? 'not set')")
}

#[test]
fn iisnode_yml_wins_over_web_config() {
    let site = Site::iisnode("hello.js", &counts())
        .set(r#"nodeProcessCountPerApplication="2""#)
        .yml("nodeProcessCountPerApplication: 4\n");
    assert_eq!(texts(&site.serve(), "/hello.js", 8), ["1", "1", "1", "1", "2", "2", "2", "2"]);
}

#[test]
fn iisnode_yml_wins_over_the_environment_which_wins_over_web_config() {
    let plain = || Site::iisnode("hello.js", &shows_node_env());
    let configured = || plain().set(r#"node_env="from web.config""#);
    for (site, variable, found) in [
        (plain(), None, "not set"),
        (configured(), None, "from web.config"),
        (configured(), Some("IISNODE_node_env"), "from the environment"),
        (configured(), Some("IISNODE_NODE_ENV"), "from the environment"),
        (configured().yml("node_env: from yml"), Some("IISNODE_node_env"), "from yml"),
    ] {
        let setup = Host::of(site.path()).without_waiting();
        let setup = match variable {
            Some(name) => setup.env(name, "from the environment"),
            None => setup,
        };
        assert_eq!(text(&setup.start(), "/hello.js"), found, "{variable:?}");
    }
}

#[test]
fn iisnode_yml_is_looked_for_beside_the_script_and_then_beside_the_web_config() {
    let site = Site::iisnode("dist/index.js", &shows_node_env()).yml("node_env: at the top");
    assert_eq!(text(&site.serve(), "/dist/index.js"), "at the top");
    let site = site.file("dist/iisnode.yml", "node_env: beside the script");
    assert_eq!(text(&site.serve(), "/dist/index.js"), "beside the script");
}

#[test]
fn another_name_for_iisnode_yml_can_be_set_and_none_at_all() {
    for (name, found) in [("other.yml", "other"), ("", "not set")] {
        let site = Site::iisnode("hello.js", &shows_node_env())
            .set(&format!("configOverrides=\"{name}\""))
            .yml("node_env: usual")
            .file("other.yml", "node_env: other");
        assert_eq!(text(&site.serve(), "/hello.js"), found, "{name}");
    }
}

/// A line format and not YAML: real files would not parse as that.
#[test]
fn iisnode_yml_is_read_line_by_line_and_forgives_what_people_write() {
    for yml in [
        "node_env: tea",
        "NODE_ENV : tea   # green\r\n",
        "\u{feff}node_env: tea",
        "\tnode_env\t: tea",
        "node_env: \"tea\"",
        "node_env: coffee\rnode_env: tea\r",
        "node_env: tea\nnode_env:\n",
        "http://foo.com/bar\nunknown: [1, 2\nnode_env:tea",
        "node_env: %TEA%",
    ] {
        let site = Site::iisnode("hello.js", &shows_node_env()).yml(yml);
        let host = Host::of(site.path()).without_waiting().env("TEA", "tea").start();
        assert_eq!(text(&host, "/hello.js"), "tea", "{yml:?}");
    }
}

#[test]
fn numbers_in_quotes_are_numbers_and_zero_workers_are_one_for_each_core() {
    let cores = std::thread::available_parallelism().unwrap().get();
    for (yml, workers) in
        [("nodeProcessCountPerApplication: \"3\"", 3), ("nodeProcessCountPerApplication: 0", cores)]
    {
        let site = Site::iisnode("hello.js", &says("here")).yml(yml);
        let host = site.serve();
        assert_eq!(text(&host, "/hello.js"), "here");
        eventually(PATIENCE, yml, || (workers_of(host.pid()).len() == workers).then_some(()));
    }
}

#[test]
fn names_that_are_no_longer_used_are_accepted() {
    let retired = r#"maxProcessCountPerApplication="2" maxPendingRequestsPerApplication="9" logFileFlushInterval="5000" appendToExistingLog="false" namedPipeConnectionTimeout="1" logDirectoryNameSuffix="logs""#;
    let site = Site::iisnode("hello.js", &counts()).set(retired);
    let host = site.serve();
    assert_eq!(texts(&host, "/hello.js", 4), ["1", "1", "2", "2"]);
    host.wait_for_line("maxPendingRequestsPerApplication");
}

/// Every other setting with the value the original gave it, as the documentation had people paste them.
#[test]
fn a_file_with_every_setting_at_its_default_changes_nothing() {
    let defaults = r#"node_env="%node_env%" nodeProcessCountPerApplication="1" maxConcurrentRequestsPerProcess="infinite"
        maxNamedPipeConnectionRetry="100" namedPipeConnectionRetryDelay="250" maxNamedPipeConnectionPoolSize="512"
        maxNamedPipePooledConnectionAge="30000" asyncCompletionThreadCount="0" initialRequestBufferSize="4096"
        maxRequestBufferSize="65536" watchedFiles="*.js;iisnode.yml" uncFileChangesPollingInterval="5000"
        gracefulShutdownTimeout="60000" loggingEnabled="true" logDirectory="iisnode" debuggingEnabled="true"
        debugHeaderEnabled="false" debuggerPortRange="5058-6058" debuggerPathSegment="debug" debuggerVirtualDir=""
        debuggerExtensionDll="iisnode-inspector-0.7.3.dll" maxLogFileSizeInKB="128" maxTotalLogFileSizeInKB="1024"
        maxLogFiles="20" devErrorsEnabled="true" flushResponse="false" enableXFF="false" promoteServerVars=""
        configOverrides="iisnode.yml" recycleSignalEnabled="false" idlePageOutTimePeriod="0" nodeProcessStickySessions="false"
        nodeProcessCommandLine="&quot;%programfiles%\nodejs\node.exe&quot;"
        interceptor="&quot;%programfiles%\iisnode\interceptor.js&quot;""#;
    let site = Site::iisnode("hello.js", &shows_node_env()).set(defaults);
    assert_eq!(text(&site.serve(), "/hello.js"), "not set");
}

#[test]
fn the_debug_header_tells_what_the_host_knows() {
    let site = Site::iisnode("hello.js", &says("here")).set(r#"debugHeaderEnabled="true""#);
    let response = ask(&site.serve(), "/hello.js", &[]);
    let header = response.head.field("iisnode-debug").unwrap_or_default().to_owned();
    assert!(header.starts_with("http://bit.ly/NsU2nd#iisnode_ver="), "{header}");
    for key in ["&node=", "&node_pid=", "&app_processes=1", "&np_retry=", "&req_time=", "&hresult=0"] {
        assert!(header.contains(key), "{key} is missing in {header}");
    }
}

#[test]
fn a_sticky_session_stays_with_its_worker() {
    let site = Site::iisnode("hello.js", &app("r.end(String(process.pid))"))
        .set(r#"nodeProcessStickySessions="true" nodeProcessCountPerApplication="3""#);
    let host = site.serve();
    let first = ask(&host, "/hello.js", &[]);
    let cookie = first.head.field("set-cookie").unwrap_or_default().to_owned();
    assert!(cookie.starts_with("iisnode.session.cookie="), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let kept = format!("Cookie: other=1; {}", cookie.split(';').next().unwrap());
    for _ in 0..4 {
        let again = ask(&host, "/hello.js", &[&kept]);
        assert_eq!((again.text(), again.head.has("set-cookie")), (first.text(), false));
    }
    assert_ne!(ask(&host, "/hello.js", &[]).text(), first.text(), "without the cookie the next one answers");
    assert_eq!(ask(&host, "/hello.js", &["Cookie: iisnode.session.cookie=tea"]).status(), 200);
}

#[test]
fn with_transport_tcp_the_worker_is_given_a_number() {
    let site = Site::iisnode("hello.js", &app("r.end(process.env.PORT)")).yml("transport: tcp");
    let port = text(&site.serve(), "/hello.js");
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{port}");
    let site = site.yml("transport: unix");
    let port = text(&site.serve(), "/hello.js");
    assert!(port.starts_with('/'), "{port}");
}
