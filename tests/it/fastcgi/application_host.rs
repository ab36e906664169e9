//! `ostler run --config applicationHost.config`: the FastCGI of an IIS server for the sites whose folders are here.

use super::{PHP, ask, of_apps, pool, programs, row};
use crate::harness::{Host, RawClient, Site, ostler, web_config};

/// A site of IIS with this number, folder and name.
fn site(number: u32, folder: &str, name: &str) -> String {
    format!(
        "<site name=\"{folder}\" id=\"{number}\"><application path=\"/\" applicationPool=\"DefaultAppPool\">\
         <virtualDirectory path=\"/\" physicalPath=\"{folder}\"/></application><bindings>\
         <binding protocol=\"http\" bindingInformation=\"*:80:{name}\"/></bindings></site>"
    )
}

/// An applicationHost.config as IIS has it, in the folder of these sites: `one.test` in `one`, `two.test` in `two`. Its
/// `handlers` stand in a `location` for the whole server.
fn application_host(sites: &Site, pools: &str, rows: &str) {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n\
         <configSections><sectionGroup name=\"system.webServer\"><section name=\"fastCgi\" allowDefinition=\"AppHostOnly\"/>\
         </sectionGroup></configSections>\n\
         <system.applicationHost><applicationPools><add name=\"DefaultAppPool\"/></applicationPools><sites>{}{}{}</sites>\
         </system.applicationHost>\n\
         <system.webServer>{pools}<globalModules><add name=\"FastCgiModule\" image=\"%windir%\\iisfcgi.dll\"/></globalModules>\
         </system.webServer>\n\
         <location path=\"\" overrideMode=\"Allow\"><system.webServer><handlers accessPolicy=\"Read, Script\">{rows}\
         <add name=\"TRACE\" path=\"*\" verb=\"TRACE\" modules=\"ProtocolSupportModule\"/>\
         <add name=\"StaticFile\" path=\"*\" verb=\"*\" modules=\"StaticFileModule,DefaultDocumentModule\" resourceType=\"Either\"/>\
         </handlers></system.webServer></location>\n</configuration>\n",
        site(1, "one", "one.test"),
        site(2, "two", "two.test"),
        site(3, r"C:\inetpub\elsewhere", "elsewhere.test"),
    );
    sites.write("applicationHost.config", &text);
}

fn sites() -> Site {
    ["one", "two"].into_iter().fold(Site::named("sites"), |site, root| {
        site.file(&format!("{root}/tells.php"), &of_apps("php/tells.php"))
            .file(&format!("{root}/a.txt"), "a file")
            .file(&format!("{root}/env.php"), "<?php header('Content-Type: application/json'); echo json_encode(['pid' => getmypid(), 'user' => ini_get('user_agent')] + getenv());")
    })
}

fn config(sites: &Site) -> String {
    sites.path().join("applicationHost.config").to_str().unwrap().to_owned()
}

#[track_caller]
fn serve(sites: &Site) -> Host {
    Host::run(["--config", &config(sites), "--listen", "127.0.0.1:0"]).start()
}

#[track_caller]
fn get(host: &Host, name: &str, target: &str) -> serde_json::Value {
    let mut client = RawClient::connect(host);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {name}\r\n\r\n"));
    let response = client.read_response("GET");
    assert_eq!(response.status(), 200, "{name}{target}: {}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

#[test]
fn its_pools_and_its_handlers_are_those_of_every_site() {
    let sites = sites();
    let variables =
        "<environmentVariables><environmentVariable name=\"POOL\" value=\"server\"/></environmentVariables>";
    let pools = pool(PHP, "", r#"instanceMaxRequests="9" maxInstances="1""#, variables);
    application_host(&sites, &pools, &row("*.php", PHP, "Either"));
    let mut host = serve(&sites);
    for name in ["one.test", "two.test"] {
        let told = get(&host, name, "/env.php");
        assert_eq!([&told["POOL"], &told["PHP_FCGI_MAX_REQUESTS"]], ["server", "1009"], "{name}");
        let told = get(&host, name, "/tells.php/info?a=b");
        let server = &told["server"];
        assert_eq!([&server["PATH_INFO"], &server["SERVER_NAME"]], ["/info", name], "{name}");
    }
    // Each site has its own programs, and a name that no site has leads to none.
    assert_eq!(programs(&host, "php-cgi").len(), 2);
    assert!(ask(&host, "/tells.php", &[]).status() >= 400);
    let workers = programs(&host, "php-cgi");
    host.stop();
    super::all_end(&workers, "php-cgi");
}

/// As hosters do it: a pool for each site, by arguments that differ.
#[test]
fn pools_for_each_site_differ_by_their_arguments() {
    let sites = sites();
    let arguments = ["-d user_agent=first", "-d user_agent=second"];
    let variable = |name: &str| {
        format!(
            "<environmentVariables><environmentVariable name=\"POOL\" value=\"{name}\"/></environmentVariables>"
        )
    };
    let pools = arguments.map(|arguments| pool(PHP, arguments, r#"maxInstances="1""#, &variable(arguments)));
    application_host(&sites, &pools.concat().replace("</fastCgi><fastCgi>", ""), "");
    for (folder, arguments) in [("one", arguments[0]), ("two", arguments[1])] {
        let row = row("*.php", &format!("{PHP}|{arguments}"), "Either");
        sites.write(&format!("{folder}/web.config"), &web_config(&format!("<handlers>{row}</handlers>")));
    }
    let host = serve(&sites);
    let told = ["one.test", "two.test"].map(|name| get(&host, name, "/env.php"));
    assert_eq!([&told[0]["user"], &told[1]["user"]], ["first", "second"]);
    assert_eq!([&told[0]["POOL"], &told[1]["POOL"]], arguments);
    assert_ne!(told[0]["pid"], told[1]["pid"]);
    assert_eq!(get(&host, "one.test", "/env.php")["pid"], told[0]["pid"]);
}

/// A web.config stands above the server's file: it takes a handler away, or has its own pool.
#[test]
fn a_site_may_change_what_the_server_says() {
    let sites = sites();
    let pools = pool(PHP, "", r#"instanceMaxRequests="9""#, "");
    application_host(&sites, &pools, &row("*.php", PHP, "Either"));
    sites.write("one/web.config", &web_config("<handlers><remove name=\"*.php\"/></handlers>"));
    let own = pool(PHP, "", r#"instanceMaxRequests="5""#, "");
    sites.write("two/web.config", &web_config(&own.replace("<application", "<clear/><application")));
    let host = serve(&sites);
    assert_eq!(get(&host, "two.test", "/env.php")["PHP_FCGI_MAX_REQUESTS"], "1005");
    let mut client = RawClient::connect(&host);
    client.send("GET /env.php HTTP/1.1\r\nHost: one.test\r\n\r\n");
    let response = client.read_response("GET");
    assert!(response.status() >= 400 && !response.text().contains("getenv"), "{}", response.status());
}

/// A mistake in it is told with its line, as in a site's own file.
#[test]
fn what_is_wrong_in_it_is_told_with_its_place() {
    let sites = sites();
    application_host(&sites, &pool(PHP, "", r#"maxInstances="many""#, ""), &row("*.php", PHP, "Either"));
    let checked = ostler(["check", "--config", &config(&sites)]);
    let said = format!("{}{}", checked.text(), checked.stderr);
    assert!(checked.status.code() == Some(2) && said.contains("applicationHost.config:5:"), "{said}");
    let host = serve(&sites);
    let mut client = RawClient::connect(&host);
    // Who knows the site by a name that others may own is a stranger, and is told no more than that.
    client.send("GET /env.php HTTP/1.1\r\nHost: one.test\r\n\r\n");
    assert_eq!(client.read_response("GET").status(), 500);
    let line = host.wait_for_line("maxInstances");
    assert!(line.contains("applicationHost.config:5:"), "{line}");
}

/// `ostler explain` names the server's file for what stands in it.
#[test]
fn explain_names_it() {
    let sites = sites();
    application_host(&sites, &pool(PHP, "", r#"queueLength="77""#, ""), &row("*.php", PHP, "Either"));
    let outcome = ostler(["explain", "http://one.test/tells.php/info", "--config", &config(&sites)]);
    let said = outcome.success().text();
    let line = said.lines().find(|line| line.contains("queueLength")).unwrap_or_default();
    assert!(line.contains("77") && line.contains("applicationHost.config:5"), "{said}");
    assert!(said.contains("PATH_INFO=/info"), "{said}");
}

/// What stays of IIS in it harms nothing: files are served, and other methods are not PHP's.
#[test]
fn files_beside_are_served_by_the_host() {
    let sites = sites();
    application_host(&sites, "", &row("*.php", PHP, "Either"));
    let host = serve(&sites);
    let mut client = RawClient::connect(&host);
    client.send("GET /a.txt HTTP/1.1\r\nHost: two.test\r\n\r\n");
    assert_eq!(client.read_response("GET").text(), "a file");
    let _: serde_json::Value = get(&host, "two.test", "/tells.php");
    assert_eq!(programs(&host, "php-cgi").len(), 1);
}

/// What a fcgiext.ini says of a site by its number, and what programs are told of that.
#[test]
fn the_number_of_a_site_is_the_one_it_has_in_iis() {
    let sites = sites();
    application_host(&sites, "", "");
    let config = sites.read("applicationHost.config").replace("id=\"2\"", "id=\"123154536\"");
    sites.write("applicationHost.config", &config);
    let ini = "[Types]\nphp=Any\nphp:123154536=Own\n[Any]\nExePath=php-cgi\nEnvironmentVars=POOL:any\n[Own]\nExePath=php-cgi\nEnvironmentVars=POOL:own\n";
    sites.write("two/fcgiext.ini", ini);
    let host = serve(&sites);
    assert_eq!(get(&host, "two.test", "/env.php")["POOL"], "own");
    let server = get(&host, "two.test", "/tells.php")["server"].clone();
    assert_eq!([&server["INSTANCE_ID"], &server["APPL_MD_PATH"]], ["123154536", "/LM/W3SVC/123154536/ROOT"]);
}
