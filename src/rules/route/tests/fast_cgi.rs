//! Scripts of FastCGI: which part of a URL is one, what is path info, and what must not run.

use super::programs::{row, tree, way};
use super::*;

use Module::{FastCgi, HttpPlatform, Static};
use Resource::{Directory, Either, File, Unspecified};

const FILES: &[&str] = &[
    "index.php",
    "a.php",
    "up/img.jpg",
    "blog/index.php",
    "blog/A.PHP",
    "pages/index.html",
    "pages/index.php",
    "odd.php/x.txt",
    "none/x.txt",
];

/// A tree of files without links.
struct Files;

impl Disk for Files {
    fn find(&self, path: &str) -> Option<(Kind, String)> {
        let spelled = |file: &&&str| file.eq_ignore_ascii_case(path);
        if let Some(file) = FILES.iter().find(spelled) {
            return Some((Kind::File, (*file).to_owned()));
        }
        let below = format!("{}/", path.to_lowercase());
        let is_directory =
            path.is_empty() || FILES.iter().any(|file| file.to_lowercase().starts_with(&below));
        is_directory.then(|| (Kind::Directory, path.to_owned()))
    }
}

fn php(resource: Resource) -> Mapped {
    row("*.php", FastCgi, resource)
}

#[track_caller]
fn leads(rows: Vec<Mapped>, table: &[(&str, &str)]) {
    let policies = tree(rows);
    for (target, expected) in table {
        assert_eq!(way(&policies, "GET", target, &Files), *expected, "{target}");
    }
}

#[test]
fn the_script_is_the_shortest_file_with_a_row_and_the_rest_is_path_info() {
    for resource in [File, Either, Unspecified] {
        leads(
            vec![php(resource)],
            &[
                ("/a.php", "FastCgi script a.php"),
                ("/a.php?x=/y.php", "FastCgi script a.php"),
                ("/a.php/", "FastCgi script a.php /"),
                ("/a.php/foo/bar", "FastCgi script a.php /foo/bar"),
                ("/a.php/foo%2Fbar/", "FastCgi script a.php /foo/bar/"),
                ("/a.php/index.php", "FastCgi script a.php /index.php"),
                ("/A.PHP/x", "FastCgi script a.php /x"),
                ("/blog/a.php/x", "FastCgi script blog/A.PHP /x"),
                ("/odd.php/x.txt", "file odd.php/x.txt"),
            ],
        );
    }
}

#[test]
fn a_file_of_another_type_on_the_way_ends_the_search() {
    for resource in [File, Either, Unspecified] {
        leads(
            vec![php(resource)],
            &[
                ("/up/img.jpg", "file up/img.jpg"),
                ("/up/img.jpg/x.php", "404.0"),
                ("/up/img.jpg/x.php/y", "404.0"),
                ("/up/img.jpg/.php", "404.0"),
                ("/up/img.jpg%2Fx.php", "404.0"),
                ("/up/IMG.jpg/a.php", "404.0"),
                ("/pages/index.html/index.php", "404.0"),
            ],
        );
    }
}

#[test]
fn what_is_not_there_reaches_the_program_only_if_it_need_not_be() {
    for resource in [File, Either] {
        leads(
            vec![php(resource)],
            &[
                ("/no.php", "404.0"),
                ("/no.php/x", "404.0"),
                ("/none/no.php", "404.0"),
                ("/x/y.php/z", "404.0"),
            ],
        );
    }
    leads(
        vec![php(Unspecified), row("handler.fcgi", FastCgi, Unspecified)],
        &[
            ("/no.php", "FastCgi script no.php"),
            ("/no.php/", "FastCgi script no.php /"),
            ("/no.php/x/y", "FastCgi script no.php /x/y"),
            ("/none/no.php/b.php", "FastCgi script none/no.php /b.php"),
            ("/x/y.php/z/", "FastCgi script x/y.php /z/"),
            ("/handler.fcgi", "FastCgi script handler.fcgi"),
            ("/handler.fcgi/static/x.css", "FastCgi script handler.fcgi /static/x.css"),
            ("/x/y", "404.0"),
            ("/odd.php/no.txt", "404.0"),
        ],
    );
    let deep = format!("/{}y.php/z", "x/".repeat(1000));
    assert_eq!(way(&tree(vec![php(Unspecified)]), "GET", &deep, &Files), "404.0");
}

#[test]
fn a_directory_gets_its_document_first() {
    let rows = || vec![php(Either), row("*", FastCgi, Directory)];
    leads(
        vec![php(Either)],
        &[
            ("/", "FastCgi script index.php"),
            ("/blog/", "FastCgi script blog/index.php"),
            ("/blog", "301 /blog/"),
            ("/pages/", "file pages/index.html"),
            ("/none/", "403.14"),
            ("/odd.php/", "FastCgi script odd.php"),
        ],
    );
    leads(vec![row("*.php", FastCgi, File)], &[("/odd.php/", "403.14"), ("/", "FastCgi script index.php")]);
    leads(vec![row("*.cgi", FastCgi, File)], &[("/", "403.14")]);
    leads(rows(), &[("/none/", "FastCgi script  /none/"), ("/none/x.txt", "file none/x.txt")]);
}

#[test]
fn fast_cgi_for_all_paths_is_asked_for_urls() {
    let all = |resource| row("*", FastCgi, resource);
    leads(
        vec![all(Unspecified)],
        &[
            ("/", "FastCgi script  /"),
            ("/x/y", "FastCgi script  /x/y"),
            ("/x/y/", "FastCgi script  /x/y/"),
            ("/up/img.jpg", "FastCgi script  /up/img.jpg"),
        ],
    );
    leads(
        vec![row("*", Static, File), all(Unspecified)],
        &[
            ("/up/img.jpg", "file up/img.jpg"),
            ("/up/img.jpg/x.php", "404.0"),
            ("/", "FastCgi script  /"),
            ("/x", "FastCgi script  /x"),
        ],
    );
    leads(
        vec![row("*", Static, Directory), all(Unspecified)],
        &[("/pages/", "FastCgi script  /pages/index.html"), ("/up/img.jpg", "FastCgi script  /up/img.jpg")],
    );
    leads(
        vec![row("*", Static, Either), all(Unspecified)],
        &[("/pages/", "file pages/index.html"), ("/a.php", "file a.php"), ("/x", "FastCgi script  /x")],
    );
    leads(
        vec![all(File)],
        &[
            ("/up/img.jpg", "FastCgi script  /up/img.jpg"),
            ("/x", "404.0"),
            ("/pages/", "FastCgi script  /pages/index.html"),
        ],
    );
    leads(
        vec![row("app/*", FastCgi, Unspecified)],
        &[("/app/x/y", "FastCgi script app /x/y"), ("/app/", "FastCgi script app /"), ("/x", "404.0")],
    );
    let below = Mapped { base: "blog".into(), ..all(Unspecified) };
    leads(vec![below], &[("/blog/x", "FastCgi script blog /x"), ("/Blog", "FastCgi script Blog")]);
}

#[test]
fn rows_are_asked_in_their_order() {
    leads(
        vec![php(Unspecified), row("*", HttpPlatform, Unspecified)],
        &[
            ("/a.php/x", "FastCgi script a.php /x"),
            ("/no.php/x", "FastCgi script no.php /x"),
            ("/x/y", "HttpPlatform script x/y"),
            ("/up/img.jpg/x.php", "HttpPlatform script up/img.jpg/x.php"),
        ],
    );
    leads(vec![row("*", HttpPlatform, Unspecified), php(Either)], &[("/a.php", "HttpPlatform script a.php")]);
    let get = Mapped { verbs: Some(vec!["GET".into()]), ..php(Either) };
    assert_eq!(way(&tree(vec![get.clone()]), "HEAD", "/a.php", &Files), "file a.php");
    assert_eq!(way(&tree(vec![get]), "get", "/a.php", &Files), "FastCgi script a.php");
}
