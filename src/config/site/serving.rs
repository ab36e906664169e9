//! How paths are served: `handlers`, `defaultDocument`, `staticContent`, `httpProtocol`, to the types of the rules.

use std::time::Duration;

use super::collection::Collection;
use super::findings::Findings;
use crate::config::source::{Located, Note};
use crate::config::xml::Element;
use crate::rules::documents::Documents;
use crate::rules::files::{ClientCache, FilePolicy};
use crate::rules::mapping::{Mapped, Module, Resource};

const DOCUMENTS: [&str; 6] =
    ["Default.htm", "Default.asp", "index.htm", "index.html", "iisstart.htm", "default.aspx"];

/// Fields that the host itself says; a second one would break the message.
const OF_THE_HOST: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

pub(super) fn default_documents() -> Documents {
    Documents { enabled: true, names: DOCUMENTS.map(Box::from).to_vec() }
}

pub(super) fn handlers(section: &Element, base: &str, mapped: &mut Vec<Mapped>, findings: &mut Findings) {
    let mut mappings = Collection::prepended(mapped, |mapped| mapped.name.to_string());
    for element in &section.children {
        let name = element.value("name").unwrap_or_default();
        match &*element.name {
            "clear" => mappings.clear(),
            "remove" => {
                mappings.remove(name);
            }
            _ => {
                let module = module(element, findings);
                let verb = element.value("verb").unwrap_or("*");
                let path = element.value("path").unwrap_or_default().trim().replace('\\', "/");
                let verbs = verb.split(',').map(str::trim).filter(|verb| !verb.is_empty());
                let verbs: Vec<Box<str>> = verbs.map(Box::from).collect();
                let mapping = Mapped {
                    name: name.into(),
                    path: path.trim_start_matches('/').into(),
                    verbs: (!verbs.iter().any(|verb| &**verb == "*")).then_some(verbs),
                    module,
                    processor: element.value("scriptProcessor").map(Box::from),
                    base: base.into(),
                    resource: resource(element),
                };
                mappings.add(mapping, &element.source, findings);
            }
        }
    }
}

fn resource(handler: &Element) -> Resource {
    match handler.value("resourceType") {
        Some("File") => Resource::File,
        Some("Directory") => Resource::Directory,
        Some("Either") => Resource::Either,
        _ => Resource::Unspecified,
    }
}

/// The handlers of applications that this section leaves in place, each with where its path is written.
pub(super) fn places(section: &Element, base: &str, mapped: &[Mapped]) -> Vec<Located<Mapped>> {
    let added = section.children.iter().filter(|element| &*element.name == "add");
    let places = added.filter_map(|element| {
        let name = element.value("name").unwrap_or_default();
        let own = |mapped: &&Mapped| {
            (mapped.module == Module::Iisnode || mapped.module.is_program())
                && *mapped.base == *base
                && mapped.name.eq_ignore_ascii_case(name)
        };
        let own = mapped.iter().find(own).cloned()?;
        Some(Located::new(own, element.place("path")))
    });
    places.collect()
}

fn module(element: &Element, findings: &mut Findings) -> Module {
    let modules = element.value("modules").filter(|modules| !modules.trim().is_empty());
    let Some(modules) = modules.or(element.value("type")) else {
        findings.error(
            &element.source,
            "`add` names no module that handles the requests",
            "it needs modules, such as modules=\"iisnode\"",
        );
        return Module::Other("".into());
    };
    let module = named(modules);
    match &module {
        Module::FastCgi => {
            if element.value("scriptProcessor").is_none_or(|processor| processor.trim().is_empty()) {
                let name = element.value("name").unwrap_or_default();
                let what = format!("handler `{name}` names no `scriptProcessor`, so no program runs for it");
                let note = Note::warning(element.source.clone(), what);
                findings.push(note.with_help(r"it is a program, as C:\PHP\php-cgi.exe"));
            }
        }
        Module::Other(name) => {
            let what = format!("there is no module `{name}`; what it would handle is answered with an error");
            findings.warn(&element.place("modules"), what);
        }
        Module::Iisnode | Module::HttpPlatform | Module::AspNetCore | Module::Static => {}
    }
    module
}

/// The first module of a list that we know, in any case.
pub(super) fn named(modules: &str) -> Module {
    let known = modules.split(',').find_map(|name| match name.trim().to_ascii_lowercase().as_str() {
        "iisnode" => Some(Module::Iisnode),
        "httpplatformhandler" => Some(Module::HttpPlatform),
        "aspnetcoremodule" | "aspnetcoremodulev2" => Some(Module::AspNetCore),
        "fastcgimodule" => Some(Module::FastCgi),
        "staticfilemodule" | "defaultdocumentmodule" | "directorylistingmodule" => Some(Module::Static),
        _ => None,
    });
    known.unwrap_or_else(|| Module::Other(modules.trim().into()))
}

pub(super) fn documents(section: &Element, documents: &mut Documents, findings: &mut Findings) {
    if let Some(enabled) = section.value("enabled") {
        documents.enabled = enabled == "true";
    }
    let mut names = Collection::prepended(&mut documents.names, |name| name.to_string());
    for element in section.children.iter().flat_map(|files| &files.children) {
        let name = element.value("value").unwrap_or_default().replace('\\', "/");
        match &*element.name {
            "clear" => names.clear(),
            "remove" => {
                names.remove(&name);
            }
            _ if name.split('/').any(|part| part == "..") || name.trim().is_empty() => {
                let what = format!("`{name}` is no document of the directory and is left out");
                findings.warn(&element.place("value"), what);
            }
            // A site that names index.html again wants it first; IIS refuses that for no reason.
            _ => {
                names.set(name.into());
            }
        }
    }
}

pub(super) fn files(section: &Element, files: &mut FilePolicy, findings: &mut Findings) {
    for element in &section.children {
        let extension = extension(element, findings);
        match &*element.name {
            "clear" => {
                files.types.clear();
                let what =
                    "the types that IIS knows by itself stay; only those of files above are taken away";
                findings.warn(&element.source, what);
            }
            "remove" => {
                files.types.insert(extension, None);
            }
            "mimeMap" => {
                let media_type = element.value("mimeType").unwrap_or_default().trim();
                if !is_field_value(media_type) || !media_type.contains('/') {
                    findings.error(
                        &element.place("mimeType"),
                        format!("`{media_type}` is no media type"),
                        "one looks like image/svg+xml",
                    );
                    continue;
                }
                let known = files.types.insert(extension, Some(media_type.into()));
                if let Some(Some(known)) = known.filter(|known| known.as_deref() != Some(media_type)) {
                    let what =
                        format!("the type was {known} above; this one holds, where IIS refuses the file");
                    findings.warn(&element.source, what);
                }
            }
            _ => client_cache(element, files, findings),
        }
    }
}

/// In lower case, with its dot.
fn extension(element: &Element, findings: &mut Findings) -> Box<str> {
    let Some(given) = element.value("fileExtension") else { return "".into() };
    let given = given.trim().to_lowercase();
    if given.starts_with('.') {
        return given.into();
    }
    let what = format!("`{given}` is read as `.{given}`");
    findings.warn(&element.place("fileExtension"), what);
    format!(".{given}").into()
}

fn client_cache(element: &Element, files: &mut FilePolicy, findings: &mut Findings) {
    if let Some(custom) = element.attribute("cacheControlCustom").filter(|custom| !custom.value.is_empty()) {
        findings.warn(&custom.source, "`cacheControlCustom` is not served; write it as a custom header");
    }
    let seconds = element.value("cacheControlMaxAge").and_then(|value| value.parse().ok());
    match element.value("cacheControlMode") {
        Some("DisableCache") => files.client_cache = ClientCache::Disable,
        Some("UseMaxAge") => {
            files.client_cache = ClientCache::MaxAge(Duration::from_secs(seconds.unwrap_or(24 * 3600)));
        }
        Some("UseExpires") => {
            let given = element.value("httpExpires").unwrap_or_default();
            match httpdate::parse_http_date(given) {
                Ok(time) => files.client_cache = ClientCache::Expires(time),
                Err(_) => findings.error(
                    &element.place("httpExpires"),
                    format!("`{given}` is no date"),
                    "one looks like Tue, 19 Jan 2038 03:14:07 GMT",
                ),
            }
        }
        Some(_) => files.client_cache = ClientCache::Unset,
        None => {
            if let (Some(seconds), ClientCache::MaxAge(age)) = (seconds, &mut files.client_cache) {
                *age = Duration::from_secs(seconds);
            }
        }
    }
}

pub(super) fn fields(section: &Element, fields: &mut Vec<(Box<str>, Box<str>)>, findings: &mut Findings) {
    let mut collection = Collection::appended(fields, |field| field.0.to_string());
    for element in section.children.iter().flat_map(|headers| &headers.children) {
        let name = element.value("name").unwrap_or_default();
        let value = element.value("value").unwrap_or_default().trim();
        match &*element.name {
            "clear" => collection.clear(),
            "remove" => {
                collection.remove(name);
            }
            _ if !is_token(name) => findings.error(
                &element.place("name"),
                format!("`{}` is no name of a header", name.escape_debug()),
                "a name has letters, digits and signs such as - and _, and no blanks",
            ),
            _ if !is_field_value(value) => findings.error(
                &element.place("value"),
                format!("the value of `{name}` holds what no header may hold"),
                "line ends and control characters are not allowed",
            ),
            _ if OF_THE_HOST.iter().any(|own| own.eq_ignore_ascii_case(name)) => {
                let what = format!("`{name}` is left out, as the host says it itself");
                findings.warn(&element.place("name"), what);
            }
            _ => collection.add((name.into(), value.into()), &element.source, findings),
        }
    }
}

fn is_token(text: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(sign)
}

fn is_field_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}
