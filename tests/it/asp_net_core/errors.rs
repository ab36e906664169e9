//! What goes wrong has its number, and a page that helps who may see it.

use super::{FROM_AFAR, Section, ask, fails, failure, pid, plain, post, text};
use crate::harness::{Host, Site};

/// A path nobody has a program at.
const MISSING: &str = r".\no\such\program.exe";

/// As browsers ask.
const HTML: &str = "Accept: text/html";

fn missing() -> Section {
    Section::new().set("processPath", MISSING)
}

/// Row 29.
#[test]
fn a_start_that_fails_has_the_page_of_the_module_and_a_line_that_names_the_program() {
    let site = missing().site();
    let host = site.serve();
    let answer = ask(&host, "/", &[]);
    assert_eq!(failure(&answer), (502, "502.5"));
    assert!(answer.head.field("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let page = answer.text();
    for word in ["502.5", "808681", "program.exe"] {
        assert!(page.contains(word), "`{word}` is missing in {page}");
    }
    host.wait_for_line("program.exe");
}

/// Row 29.
#[test]
fn with_the_page_disabled_the_error_is_bare_and_the_site_may_have_its_own() {
    let bare = missing().set("disableStartUpErrorPage", true);
    let page = fails(&bare.site().serve(), "/", (502, "502.3"));
    assert!(!page.contains("808681") && !page.contains("program.exe"), "{page}");
    let errors = r#"<httpErrors errorMode="Custom"><remove statusCode="502" subStatusCode="-1"/><error statusCode="502" subStatusCode="3" path="errors\502.htm"/></httpErrors>"#;
    let site = bare.beside(errors).site().file("errors/502.htm", "we are sorry");
    let host = site.serve();
    for from in [FROM_AFAR, "Via: nobody"] {
        let answer = ask(&host, "/", &[from]);
        assert_eq!((failure(&answer), answer.text().as_str()), ((502, "502.3"), "we are sorry"), "{from}");
    }
}

/// Row 31.
#[test]
fn one_more_link_may_be_on_the_page() {
    let link = "http://help.example/stable";
    let site = missing().site();
    let host = Host::of(site.path()).without_waiting().env("ANCM_ADDITIONAL_ERROR_PAGE_LINK", link).start();
    for from in [FROM_AFAR, "Via: nobody"] {
        let page = ask(&host, "/", &[from, HTML]).text();
        assert!(page.contains(link) && page.contains("808681"), "{from}: {page}");
        assert!(page.trim_end().ends_with("</html>") && !page.contains('\0'), "{from}: {page}");
    }
}

/// Section 10 of the reference.
#[test]
fn what_a_worker_printed_is_for_clients_at_the_machine() {
    let site = Section::acting("says-why exits").site();
    let host = site.serve();
    let here = fails(&host, "/", (502, "502.5"));
    assert!(here.contains("the database is asleep") && here.contains("worker.mjs"), "{here}");
    assert!(here.contains("code 7"), "the exit code is missing in {here}");
    let afar = ask(&host, "/", &[FROM_AFAR]);
    assert_eq!(failure(&afar), (502, "502.5"));
    let afar = afar.text();
    assert!(afar.contains("808681") && !afar.contains("asleep") && !afar.contains("worker.mjs"), "{afar}");
}

/// Section 10 of the reference.
#[test]
fn what_a_worker_printed_is_for_everybody_while_details_are_switched_on() {
    for (name, value, shown) in [
        ("ASPNETCORE_DETAILEDERRORS", "1", true),
        ("ASPNETCORE_DETAILEDERRORS", "true", true),
        ("ASPNETCORE_DETAILEDERRORS", "0", false),
        ("ASPNETCORE_ENVIRONMENT", "Development", true),
        ("ASPNETCORE_ENVIRONMENT", "Production", false),
    ] {
        let site = Section::acting("says-why exits").variable(name, value).site();
        let afar = ask(&site.serve(), "/", &[FROM_AFAR]);
        assert_eq!(failure(&afar), (502, "502.5"));
        assert_eq!(afar.text().contains("the database is asleep"), shown, "{name}={value}: {}", afar.text());
    }
}

/// What a worker prints is text, and no part of the page.
#[test]
fn what_a_worker_printed_is_escaped() {
    let site = Section::acting("says-why exits").variable("SAYS", "<script>alert('tea')</script>").site();
    let page = ask(&site.serve(), "/", &[HTML]).text();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>alert"), "{page}");
}

/// Each of them with an application beside it that does not care.
#[track_caller]
fn cannot_be_used(section: &str, reason: &str) {
    let site = Section::new().below(plain(), "fine");
    let site = site
        .file("broken/worker.mjs", super::IMITATION)
        .file("broken/web.config", &crate::harness::web_config(&format!("{}{section}", super::HANDLERS)));
    let host = site.serve();
    let page = fails(&host, "/broken/", (500, "500.0"));
    assert!(page.contains(reason), "`{reason}` is missing in {page}");
    host.wait_for_line(reason);
    fails(&host, "/broken/again", (500, "500.0"));
    let afar = ask(&host, "/broken/", &[FROM_AFAR]);
    assert_eq!(failure(&afar), (500, "500.0"));
    assert!(!afar.text().contains(reason) && !afar.text().contains("web.config"), "{}", afar.text());
    pid(&host, "/fine");
    assert_eq!(text(&host, "/ping.txt"), "pong");
    site.write("broken/web.config", &Section::new().config());
    crate::harness::eventually(crate::harness::PATIENCE, "a mended application", || {
        (ask(&host, "/broken/pid", &[]).status() == 200).then_some(())
    });
}

/// Row 30.
#[test]
fn a_section_without_a_program_is_told_and_harms_no_other_application() {
    cannot_be_used(r#"<aspNetCore processPath="" arguments=".\worker.mjs"/>"#, "processPath");
    cannot_be_used(r#"<aspNetCore arguments=".\worker.mjs"/>"#, "processPath");
}

/// Row 30.
#[test]
fn a_hosting_model_nobody_knows_is_told_and_harms_no_other_application() {
    let section =
        r#"<aspNetCore processPath="node" arguments=".\worker.mjs" hostingModel="beside-process"/>"#;
    cannot_be_used(section, "beside-process");
}

/// Row 30.
#[test]
fn an_add_among_the_variables_is_told_and_harms_no_other_application() {
    let section = r#"<aspNetCore processPath="node"><environmentVariables><add name="a" value="b"/></environmentVariables></aspNetCore>"#;
    cannot_be_used(section, "environmentVariables");
}

/// Section 2 of the reference.
#[test]
fn sixty_minutes_or_seconds_in_a_timeout_are_told_and_harm_no_other_application() {
    for value in ["00:60:00", "00:00:60"] {
        let section =
            format!(r#"<aspNetCore processPath="node" arguments=".\worker.mjs" requestTimeout="{value}"/>"#);
        cannot_be_used(&section, "requestTimeout");
    }
}

/// Section 2 of the reference.
#[test]
fn numbers_out_of_their_range_are_told_and_harm_no_other_application() {
    for (name, value) in [
        ("startupTimeLimit", "3601"),
        ("shutdownTimeLimit", "601"),
        ("processesPerApplication", "0"),
        ("requestTimeout", "361:00:00"),
    ] {
        let section =
            format!(r#"<aspNetCore processPath="node" arguments=".\worker.mjs" {name}="{value}"/>"#);
        cannot_be_used(&section, name);
    }
}

/// Row 40.
#[test]
fn a_worker_that_aborts_is_a_502_and_in_the_middle_of_its_answer_the_end_of_the_connection() {
    let site = Section::new().site();
    let host = site.serve();
    let first = pid(&host, "");
    fails(&host, "/abort", (502, "502.3"));
    assert_eq!(failure(&post(&host, "/abort", "body")), (502, "502.3"));
    fails(&host, "/nonsense", (502, "502.3"));
    let mut client = super::asking(&host, "/abort?part");
    assert_eq!(client.read_head().field("content-length"), Some("100"));
    assert_eq!(client.read_to_end(), b"the beginning");
    assert_eq!(pid(&host, ""), first, "the worker has not ended");
}

/// Who was reached is told apart from who never started, also in what is shown to whom.
#[test]
fn a_502_of_a_worker_that_was_reached_tells_details_to_clients_at_the_machine_only() {
    let site: Site = Section::new().set("requestTimeout", "00:00:01").site();
    let host = site.serve();
    pid(&host, "");
    let here = fails(&host, "/sleep?20000", (502, "502.3"));
    assert!(here.contains("requestTimeout") || here.contains("1 s"), "the limit is missing in {here}");
    let afar = ask(&host, "/sleep?20000", &[FROM_AFAR]);
    assert_eq!(failure(&afar), (502, "502.3"));
    assert!(!afar.text().contains("worker.mjs"), "{}", afar.text());
}
