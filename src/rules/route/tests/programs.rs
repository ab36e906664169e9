//! What a program gets, and what is left to files and scripts: rows of handlers, URLs, decisions.

use std::cell::RefCell;

use super::*;

/// A row: its path, module and resource type, for all methods, at the root.
pub(super) fn row(path: &str, module: Module, resource: Resource) -> Mapped {
    Mapped { resource, ..mapped(path, None, module, "") }
}

fn program(path: &str) -> Mapped {
    row(path, Module::HttpPlatform, Resource::Unspecified)
}

fn files_first() -> Mapped {
    row("*", Module::Static, Resource::File)
}

pub(super) fn tree(rows: Vec<Mapped>) -> Tree<Policy> {
    Tree::new(Arc::new(Policy { mapping: Mapping { mapped: rows }, ..policy() }))
}

/// With the module in front: the way it is told.
pub(super) fn way(policies: &Tree<Policy>, method: &str, target: &str, disk: &dyn Disk) -> String {
    let asked = Asked { method, target: target.as_bytes(), content_length: None };
    let route = decide(policies, asked, &Nothing, disk, None).unwrap();
    match &route.decision {
        Decision::Script { mapped, .. } => format!("{:?} {}", mapped.module, told(&route.decision)),
        decision => told(decision),
    }
}

#[test]
fn rows_are_asked_in_their_order_and_a_program_needs_no_file() {
    use Module::{AspNetCore, FastCgi, HttpPlatform, Iisnode, Static};
    use Resource::{Directory, Either, File};
    for (rows, table) in [
        (
            vec![program("*")],
            &[
                ("/", "HttpPlatform script"),
                ("/empty", "HttpPlatform script empty"),
                ("/sub%20app/?a", "HttpPlatform script sub app"),
                ("/note.txt", "HttpPlatform script note.txt"),
                ("/NOTE.txt/more/", "HttpPlatform script NOTE.txt/more"),
                ("/no/such/thing", "HttpPlatform script no/such/thing"),
                ("/api/one", "HttpPlatform script app.js/one"),
                ("/dir", "HttpPlatform script sub app"),
                ("/gone/a", "302 /new/a"),
                ("/bin/tool.txt", "404.8"),
                ("/tools", "404.8"),
                ("/..", "403.0"),
            ][..],
        ),
        (
            vec![row("page/*", AspNetCore, Resource::Unspecified), program("*")],
            &[
                ("/page/x", "AspNetCore script page/x"),
                ("/page/", "AspNetCore script page"),
                ("/page", "HttpPlatform script page"),
                ("/pages/x", "HttpPlatform script pages/x"),
                ("/note.txt", "HttpPlatform script note.txt"),
            ],
        ),
        (
            vec![program("page/*")],
            &[
                ("/page/x", "HttpPlatform script page/x"),
                ("/note.txt", "file note.txt"),
                ("/empty", "301 /empty/"),
                ("/", "file index.html"),
                ("/none", "404.0"),
            ],
        ),
        // A script keeps its path info, and the program what only looks like it.
        (
            vec![row("app.js", Iisnode, Resource::Unspecified), program("*")],
            &[
                ("/app.js", "Iisnode script app.js"),
                ("/app.js/one", "Iisnode script app.js /one"),
                ("/none/app.js/one", "HttpPlatform script none/app.js/one"),
                ("/note.txt", "HttpPlatform script note.txt"),
                ("/sub%20app", "HttpPlatform script sub app"),
            ],
        ),
        (
            vec![program("*"), row("app.js", Iisnode, Resource::Unspecified)],
            &[("/app.js", "HttpPlatform script app.js")],
        ),
        (
            vec![row("*.txt", Static, Resource::Unspecified), program("*")],
            &[
                ("/note.txt", "file note.txt"),
                ("/none.txt", "404.0"),
                ("/empty", "HttpPlatform script empty"),
                ("/note.txt/more", "HttpPlatform script note.txt/more"),
            ],
        ),
        (
            vec![files_first(), program("*")],
            &[
                ("/note.txt", "file note.txt"),
                ("/none.txt", "HttpPlatform script none.txt"),
                ("/", "HttpPlatform script"),
                ("/empty", "HttpPlatform script empty"),
                ("/note.txt/more", "HttpPlatform script note.txt/more"),
            ],
        ),
        (
            vec![files_first(), row("*", FastCgi, Resource::Unspecified)],
            &[
                ("/note.txt", "file note.txt"),
                ("/none.txt", "FastCgi script  /none.txt"),
                ("/", "FastCgi script  /"),
            ],
        ),
        (
            vec![row("*.txt", HttpPlatform, File)],
            &[
                ("/note.txt", "HttpPlatform script note.txt"),
                ("/note.txt/more", "HttpPlatform script note.txt/more"),
                ("/none.txt", "404.0"),
                ("/app.js", "file app.js"),
            ],
        ),
        (
            vec![row("*", HttpPlatform, Directory), row("*", AspNetCore, File)],
            &[
                ("/empty", "HttpPlatform script empty"),
                ("/note.txt", "AspNetCore script note.txt"),
                ("/none", "404.0"),
            ],
        ),
        (
            vec![row("*", HttpPlatform, Either), row("*", AspNetCore, Resource::Unspecified)],
            &[
                ("/empty/", "HttpPlatform script empty"),
                ("/note.txt", "HttpPlatform script note.txt"),
                ("/none", "AspNetCore script none"),
            ],
        ),
    ] {
        let told = format!("{rows:?}");
        let policies = tree(rows);
        for (target, expected) in table {
            assert_eq!(way(&policies, "GET", target, &Names).trim_end(), *expected, "{target} of {told}");
        }
    }
}

#[test]
fn rows_that_do_not_take_a_method_or_lie_elsewhere_are_passed_over() {
    let get = mapped("*", Some(&["GET"]), Module::AspNetCore, "");
    let below = mapped("*", None, Module::Iisnode, "sub");
    let policies = tree(vec![below, get, program("*")]);
    assert_eq!(way(&policies, "GET", "/x", &Names), "AspNetCore script x");
    assert_eq!(way(&policies, "POST", "/x", &Names), "HttpPlatform script x");
    assert_eq!(way(&policies, "POST", "/Sub/Own.txt", &Names), "Iisnode script Sub/Own.txt");
}

/// A disk that counts the questions.
#[derive(Default)]
struct Asks(RefCell<usize>);

impl Disk for Asks {
    fn find(&self, path: &str) -> Option<(Kind, String)> {
        *self.0.borrow_mut() += 1;
        Names.find(path)
    }
}

#[test]
fn the_disk_is_not_asked_where_a_program_comes_first() {
    let script = || row("app.js", Module::Iisnode, Resource::Unspecified);
    for (rows, target, asks) in [
        (vec![program("*")], "/note.txt", false),
        (vec![program("page/*"), program("*")], "/sub%20app", false),
        (vec![script(), program("*")], "/note.txt", false),
        (vec![script(), program("*")], "/none/app.js/one", true),
        (vec![files_first(), program("*")], "/note.txt", true),
        (vec![row("*", Module::HttpPlatform, Resource::Either)], "/note.txt", true),
    ] {
        let told = format!("{rows:?}");
        let disk = Asks::default();
        way(&tree(rows), "GET", target, &disk);
        assert_eq!(disk.0.take() > 0, asks, "{target} of {told}");
    }
}

#[test]
fn a_program_s_route_is_as_repeatable_as_the_rules_before_it() {
    let policies = tree(vec![program("*")]);
    let route = |content_length, target: &str| {
        let asked = Asked { method: "POST", target: target.as_bytes(), content_length };
        decide(&policies, asked, &Nothing, &Names, None).unwrap()
    };
    assert!(route(Some(1), "/x").is_repeatable);
    assert_eq!(route(Some(1), "/x/y/").url, "/x/y/");
    assert_eq!(told(&route(Some(30_000_001), "/x").decision), "413.1");
    assert_eq!(told(&route(None, &format!("/{}", "x".repeat(5000))).decision), "404.14");
}
