//! FastCGI libraries others wrote: the original one through Perl, and Ruby's, which is a protocol of its own.

use super::{all_end, ask, pool, programs, row, text};
use crate::harness::{Host, RawClient, Site, repository, web_config};

/// A site whose `app.lib` is answered by this worker of `tests/apps`.
fn site(program: &str, worker: &str, more: &str, attributes: &str) -> Site {
    let arguments = format!("{}{more}", repository("tests/apps").join(worker).display());
    let row = row("*.lib", &format!("{program}|{arguments}"), "Either");
    let pool = pool(program, &arguments, attributes, "");
    Site::named("site")
        .web_config(&web_config(&format!("<handlers>{row}</handlers>{pool}")))
        .file("app.lib", "")
}

const BOTH: [(&str, &str); 2] = [("perl", "fcgi.pl"), ("ruby", "fcgi.rb")];

#[track_caller]
fn post(host: &Host, length: usize) -> String {
    let mut client = RawClient::connect(host);
    client.send(format!("POST /app.lib HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n"));
    client.send(vec![b'a'; length]);
    client.read_response("POST").text()
}

#[test]
fn bodies_and_answers_of_all_sizes_pass_in_both_directions() {
    for (program, worker) in BOTH {
        let site = site(program, worker, "", r#"maxInstances="1""#);
        let mut host = site.serve();
        for length in [0_usize, 1, 8183, 8184, 65_528, 65_529, 300_000] {
            let said = post(&host, length);
            let sum = (length * usize::from(b'a')) as u64 % (1 << 32);
            assert_eq!(said, format!("{program} read {length} bytes, sum {sum}\n"));
        }
        for size in [0, 10, 8180, 65_530, 3_000_000] {
            let response = ask(&host, &format!("/app.lib?size={size}"), &[]);
            assert_eq!((response.status(), response.body.len()), (200, size), "{program}");
            assert!(response.head.has("x-pid"), "{program}: {:?}", response.head.fields);
        }
        let workers = programs(&host, worker);
        assert_eq!(workers.len(), 1, "{program}: {workers:?}");
        host.stop();
        all_end(&workers, program);
    }
}

#[test]
fn the_original_library_gets_the_variables_and_its_status_passes() {
    let site = site("perl", "fcgi.pl", "", "");
    let host = site.serve();
    let told = text(&host, "/app.lib/info?variables&a=b");
    for line in
        ["QUERY_STRING=variables&a=b", "PATH_INFO=/info", "SCRIPT_NAME=/app.lib", "FCGI_ROLE=RESPONDER"]
    {
        assert!(told.lines().any(|said| said == line), "{line} is missing in\n{told}");
    }
    assert_eq!(ask(&host, "/app.lib?status=404", &[]).status(), 404);
    assert!(text(&host, "/app.lib?stderr").starts_with("perl read 0"));
    host.wait_for_line("perl heard of stderr");
}

/// It ends by itself every three requests, which no client notices.
#[test]
fn a_library_that_ends_after_its_number_of_requests_costs_none() {
    let site = site("perl", "fcgi.pl", " 3", r#"maxInstances="2" rapidFailsPerMinute="3""#);
    let host = site.serve();
    let mut client = RawClient::connect(&host);
    for number in 0..40 {
        let response = client.get("/app.lib?size=100");
        assert_eq!(response.status(), 200, "request {number}: {}", response.text());
    }
}

#[test]
fn many_clients_at_once_each_get_their_own_answer() {
    for (program, worker) in BOTH {
        let site = site(program, worker, "", r#"maxInstances="3""#);
        let host = site.serve();
        std::thread::scope(|scope| {
            for client in 1..=6 {
                let host = &host;
                scope.spawn(move || {
                    for round in 0..20 {
                        let length = client * 1000 + round;
                        assert!(post(host, length).starts_with(&format!("{program} read {length} bytes")));
                    }
                });
            }
        });
        assert!(programs(&host, worker).len() <= 3);
    }
}
