//! `app_offline.htm`: an application is closed by a file, and opened again when that is gone.

use super::changes::under_load;
use super::{Section, ask, asking, fails, next_pid, pid, plain, text, wait_for_end_of};
use crate::harness::{Host, Message, PATIENCE, Site, eventually, workers_of};

const PAGE: &str = "<h1>We paint the stable äöü</h1>";

#[track_caller]
fn is_closed(answer: &Message, page: &str) {
    assert_eq!((answer.status(), answer.text().as_str()), (503, page));
    let kind = answer.head.field("content-type");
    assert!(kind.is_some_and(|kind| kind.starts_with("text/html")), "{kind:?}");
}

/// Waits for the page; until then only answers of the application may be seen.
#[track_caller]
fn closes(host: &Host, page: &str) {
    eventually(PATIENCE, "the page", || {
        let answer = ask(host, "/pid", &[]);
        assert!([200, 503].contains(&answer.status()), "{:?}", answer.head);
        (answer.status() == 503 && answer.text() == page).then_some(())
    });
}

/// Row 26.
#[test]
fn an_application_that_is_closed_from_the_beginning_is_never_started() {
    let site = Section::new().site().file("app_offline.htm", PAGE);
    let host = site.serve();
    for target in ["/", "/pid", "/app_offline.htm", "/any/where?x"] {
        is_closed(&ask(&host, target, &[]), PAGE);
    }
    is_closed(&super::post(&host, "/echo", "body"), PAGE);
    is_closed(&ask(&host, "/", &[super::FROM_AFAR]), PAGE);
    assert_eq!(workers_of(host.pid()), [] as [u32; 0]);
    site.remove("app_offline.htm");
    eventually(PATIENCE, "an open application", || (ask(&host, "/pid", &[]).status() == 200).then_some(()));
}

/// Rows 26 and 27: by writing and deleting.
#[test]
fn an_application_is_closed_and_opened_five_times_by_a_file_in_any_letter_case() {
    let site = Section::new().site();
    let host = site.serve();
    let mut old = pid(&host, "");
    for name in
        ["app_offline.htm", "App_Offline.htm", "APP_OFFLINE.HTM", "app_offline.Htm", "app_Offline.htm"]
    {
        site.write(name, PAGE);
        closes(&host, PAGE);
        wait_for_end_of(old);
        is_closed(&ask(&host, "/", &[]), PAGE);
        site.remove(name);
        old = next_pid(&host, "", old);
    }
}

/// Row 27: by renaming, and behind a rule.
#[test]
fn a_file_that_gets_the_name_by_renaming_closes_too_also_behind_url_rewriting() {
    let rule = r#"<rewrite><rules><rule name="r"><match url="^old/(.*)"/><action type="Rewrite" url="{R:1}"/></rule></rules></rewrite>"#;
    let site = Section::new().beside(rule).site().file("offline.page", PAGE);
    let host = site.serve();
    let through = || ask(&host, "/old/pid", &[]).head.field("x-pid").map(|pid| pid.parse::<u32>().unwrap());
    let old = through().unwrap();
    let (apart, there) = (site.path().join("offline.page"), site.path().join("app_offline.htm"));
    std::fs::rename(&apart, &there).unwrap();
    closes(&host, PAGE);
    is_closed(&ask(&host, "/old/pid", &[]), PAGE);
    wait_for_end_of(old);
    std::fs::rename(&there, &apart).unwrap();
    next_pid(&host, "", old);
    assert!(through().is_some_and(|pid| pid != old));
}

/// Row 26: nothing to say is no reason to be open.
#[test]
fn an_empty_file_closes_with_an_empty_page() {
    let site = Section::new().site();
    let host = site.serve();
    pid(&host, "");
    site.write("app_offline.htm", "");
    closes(&host, "");
    site.write("app_offline.htm", PAGE);
    closes(&host, PAGE);
    site.write("app_offline.htm", "another page");
    closes(&host, "another page");
}

/// Row 26: the file wins over a start that fails, and its removal is a new try.
#[test]
fn an_application_that_cannot_start_is_closed_by_the_file_and_tried_again_after_it() {
    let site = Section::acting("exits").site();
    let host = site.serve();
    fails(&host, "/pid", (502, "502.5"));
    site.write("app_offline.htm", PAGE);
    eventually(PATIENCE, "the page", || (ask(&host, "/pid", &[]).status() == 503).then_some(()));
    is_closed(&ask(&host, "/pid", &[]), PAGE);
    site.write("web.config", &Section::new().config());
    is_closed(&ask(&host, "/pid", &[]), PAGE);
    site.remove("app_offline.htm");
    eventually(PATIENCE, "an open application", || (ask(&host, "/pid", &[]).status() == 200).then_some(()));
}

/// Row 26: a client that already waits for the start.
#[test]
fn a_file_that_comes_during_a_start_that_fails_is_what_its_client_sees() {
    let site = Section::acting("never-listens").set("startupTimeLimit", 3).site();
    let host = site.serve();
    let mut client = asking(&host, "/pid");
    eventually(PATIENCE, "a start", || (super::starts(&site) > 0).then_some(()));
    site.write("app_offline.htm", PAGE);
    is_closed(&client.read_response("GET"), PAGE);
    eventually(PATIENCE, "the end of the start", || workers_of(host.pid()).is_empty().then_some(()));
}

/// Section 8.1 of the reference: the file is looked at first.
#[test]
fn a_section_that_cannot_be_used_is_closed_like_any_other() {
    let site = Section::new().set("hostingModel", "nonsense").site().file("app_offline.htm", PAGE);
    let host = site.serve();
    is_closed(&ask(&host, "/", &[]), PAGE);
    site.remove("app_offline.htm");
    eventually(PATIENCE, "the error", || (ask(&host, "/", &[]).status() == 500).then_some(()));
}

/// Section 8.1 of the reference: pages for errors do not replace it.
#[test]
fn the_page_is_not_replaced_by_the_pages_of_the_site() {
    let errors = r#"<httpErrors errorMode="Custom" existingResponse="Replace"><error statusCode="503" path="errors\503.html"/></httpErrors>"#;
    let site =
        Section::new().beside(errors).site().file("errors/503.html", "no").file("app_offline.htm", PAGE);
    let host = site.serve();
    is_closed(&ask(&host, "/", &[super::FROM_AFAR]), PAGE);
}

/// The file is the application's own, and not the site's.
#[test]
fn a_closed_application_closes_no_other() {
    let site = Section::new().below(plain(), "one");
    let site = Section::new().below(site, "two");
    let host = site.serve();
    let (one, two) = (pid(&host, "/one"), pid(&host, "/two"));
    site.write("one/app_offline.htm", PAGE);
    eventually(PATIENCE, "the page", || (ask(&host, "/one/pid", &[]).status() == 503).then_some(()));
    wait_for_end_of(one);
    assert_eq!(pid(&host, "/two"), two);
    assert_eq!(text(&host, "/ping.txt"), "pong");
    // Deeper than the root of an application it is a file like any other.
    site.write("two/below/app_offline.htm", PAGE);
    assert_eq!(pid(&host, "/two"), two);
}

/// Section 8.1 of the reference: the application's root directory only.
#[test]
fn a_closed_parent_closes_no_application_below_it_but_its_own_folders() {
    let site = Section::new().below(Section::new().site(), "one");
    let site = site.file("static/page.txt", "part of the parent");
    let host = site.serve();
    let (root, one) = (pid(&host, ""), pid(&host, "/one"));
    site.write("app_offline.htm", PAGE);
    closes(&host, PAGE);
    wait_for_end_of(root);
    is_closed(&ask(&host, "/static/page.txt", &[]), PAGE);
    assert_eq!(pid(&host, "/one"), one, "neither closed nor started anew");
    site.write("one/app_offline.htm", "another page");
    eventually(PATIENCE, "the page", || (ask(&host, "/one/pid", &[]).status() == 503).then_some(()));
    is_closed(&ask(&host, "/one/pid", &[]), "another page");
    site.remove("app_offline.htm");
    next_pid(&host, "", root);
    is_closed(&ask(&host, "/one/pid", &[]), "another page");
}

/// Row 28.
#[test]
fn while_the_file_comes_and_goes_under_load_only_answers_and_503_are_seen() {
    let site = Section::new().site();
    let host = site.serve();
    pid(&host, "");
    let (served, refused) = under_load(&host, |round| toggle(&site, round));
    assert!(served > 0 && refused > 0, "{served} and {refused}");
    if site.path().join("app_offline.htm").exists() {
        site.remove("app_offline.htm");
    }
    eventually(PATIENCE, "an open application", || (ask(&host, "/pid", &[]).status() == 200).then_some(()));
}

fn toggle(site: &Site, round: usize) {
    if round.is_multiple_of(2) {
        site.write("app_offline.htm", PAGE);
    } else {
        site.remove("app_offline.htm");
    }
}
