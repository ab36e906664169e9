//! The same requests through nginx, to the same php-fpm: pages see the same `$_SERVER`, but for what is documented.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::Beside;
use super::external::Fpm;
use crate::harness::{PATIENCE, RawClient, Wire, eventually};

/// What only IIS and its kin tell, and what says who serves, by which connection, and when.
const DIFFERS: &[&str] = &[
    "APPL_MD_PATH",
    "APPL_PHYSICAL_PATH",
    "FCGI_ROLE",
    // Fields that have variables of their own, or are of the connection.
    "HTTP_CONTENT_LENGTH",
    "HTTP_CONTENT_TYPE",
    "HTTP_TRANSFER_ENCODING",
    "INSTANCE_ID",
    "INSTANCE_META_PATH",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_PORT",
    "REQUEST_TIME",
    "REQUEST_TIME_FLOAT",
    "SERVER_PORT",
    "SERVER_PORT_SECURE",
    "SERVER_SOFTWARE",
    "UNENCODED_URL",
    "URL",
];

/// As its documentation has PHP with path info.
const NGINX: &str = r#"
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {
    listen unix:{folder}/nginx.sock; root {folder}/public;
    location ~ ^(.+?\.php)(/.*)?$ {
      try_files $1 =404; fastcgi_pass unix:{folder}/fpm.sock;
      fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SCRIPT_FILENAME $document_root$1; fastcgi_param SCRIPT_NAME $1;
      fastcgi_param PATH_INFO $2; fastcgi_param PATH_TRANSLATED $document_root$2;
      fastcgi_param REQUEST_URI $request_uri; fastcgi_param DOCUMENT_URI $1$2; fastcgi_param DOCUMENT_ROOT $document_root;
      fastcgi_param SERVER_PROTOCOL $server_protocol; fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param GATEWAY_INTERFACE CGI/1.1; fastcgi_param SERVER_NAME $host; fastcgi_param REDIRECT_STATUS 200;
      fastcgi_param HTTP_PROXY "";
    }
  }
}
"#;

/// The requests, without their first line's version and their host.
const REQUESTS: &[(&str, &str)] = &[
    ("GET /tells.php", ""),
    ("GET /tells.php?", ""),
    ("GET /tells.php?a=%20b&c%5B%5D=1&c%5B%5D=2&d=/x.php", ""),
    ("GET /tells.php/info/x%20y/%C3%A4?q", ""),
    ("GET /tells.php/", ""),
    ("GET /tells.php/other.php/x", ""),
    ("GET /x/../tells.php?x", ""),
    ("GET /./tell%73.php?x", ""),
    ("GET //tells.php//info", ""),
    ("GET /tells.php/a%2Fb?c=%2F", ""),
    ("GET /tells.php/a+b;c=d", ""),
    (
        "GET /tells.php",
        "Accept: text/html, */*;q=0.1\r\nAccept-Language: de\r\nUser-Agent: a test/1.0 (x)\r\nReferer: /x?y\r\n",
    ),
    ("GET /tells.php", "Cookie: a=1; b=%20; c=\"x y\"\r\nX-One: 1\r\nX_One: 2\r\nX-Empty:\r\n"),
    ("GET /tells.php", "Authorization: Basic YTpi\r\nProxy: http://evil.example\r\n"),
    ("GET /tells.php", "Authorization: Bearer abc.def\r\nIf-None-Match: \"x\"\r\nRange: bytes=0-1\r\n"),
    (
        "POST /tells.php?a=1",
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nb=2&c=3",
    ),
    ("PUT /tells.php", "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Length: 5\r\n\r\nhello"),
    ("POST /tells.php", "Content-Length: 0\r\n"),
    ("DELETE /tells.php/thing", ""),
    ("OPTIONS /tells.php", ""),
    (
        "PATCH /tells.php",
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n",
    ),
];

/// What a page is told, without what differs; what is empty is the same to it as what is not there.
#[track_caller]
fn told(wire: &mut Wire, request: &str, fields: &str) -> BTreeMap<String, Value> {
    let end = if fields.contains("\r\n\r\n") && !fields.contains("chunked") { "" } else { "\r\n" };
    let method = request.split(' ').next().unwrap();
    wire.send(format!("{request} HTTP/1.1\r\nHost: test.example:8080\r\n{fields}{end}"));
    let response = wire.read_response(method);
    assert_eq!(response.status(), 200, "{request}: {}", response.text());
    let told: Value = serde_json::from_slice(&response.body).unwrap();
    let server = told["server"].as_object().unwrap();
    // Only what follows the script can be a file; nginx has no word for that.
    let has_info = server.get("PATH_INFO").is_some_and(|info| *info != "");
    let server = server.iter().filter(|(name, value)| {
        !DIFFERS.contains(&name.as_str()) && **value != "" && (has_info || *name != "PATH_TRANSLATED")
    });
    let own = ["get", "post", "cookies", "length", "hash"].map(|name| (name.to_owned(), told[name].clone()));
    server.map(|(name, value)| (name.clone(), value.clone())).chain(own).collect()
}

fn program() -> &'static str {
    if std::path::Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

// Row 16.
#[test]
fn a_page_sees_the_same_request_as_behind_nginx() {
    let fpm = Fpm::start("unix:{}/fpm.sock");
    let host = fpm.serve();
    let folder = fpm.site.path().canonicalize().unwrap();
    let folder = folder.to_str().unwrap();
    fpm.site.write("nginx.conf", &NGINX.replace("{folder}", folder));
    let (config, log) = (format!("{folder}/nginx.conf"), format!("{folder}/nginx.log"));
    let _nginx = Beside::start(program(), &["-p", folder, "-e", &log, "-c", &config]);
    let socket = format!("{folder}/nginx.sock");
    let stream = || UnixStream::connect(&socket).ok();
    eventually(PATIENCE, "nginx to listen", stream);
    let mut differences = Vec::new();
    for (request, fields) in REQUESTS {
        let theirs = told(&mut Wire::new(stream().unwrap()), request, fields);
        let ours = told(&mut RawClient::connect(&host), request, fields);
        let names = ours.keys().chain(theirs.keys()).collect::<std::collections::BTreeSet<_>>();
        for name in names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name)) {
            differences.push(format!(
                "{request} {fields:?} {name}: {:?}, nginx {:?}",
                ours.get(name),
                theirs.get(name)
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    // What is no script is none to either.
    for target in ["/missing.php", "/up/img.jpg/x.php", "/missing.php/tells.php"] {
        let mut nginx = Wire::new(stream().unwrap());
        nginx.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let theirs = nginx.read_response("GET").status();
        assert_eq!((super::ask(&host, target, &[]).status(), theirs), (404, 404), "{target}");
    }
}
