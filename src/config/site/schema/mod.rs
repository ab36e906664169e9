//! What may stand in a `web.config`: every section that is known, its attributes and what they may be. A table.

mod filter;
mod program;
mod rewrite;
mod serving;
mod shape;

pub(super) use shape::{Allowed, Attr, Kind, Shape};

use filter::SECURITY;
use program::{ASP_NET_CORE, FAST_CGI, HTTP_PLATFORM};
use rewrite::REWRITE;
use serving::*;
use shape::{CLEAR, UINT, attr, needed, quiet, shape, unserved};

pub(super) const CONFIGURATION: Shape = shape(
    "configuration",
    Kind::Group,
    &[],
    &[
        SERVER,
        APP_SETTINGS,
        quiet("configSections"),
        quiet("configProtectedData"),
        quiet("connectionStrings"),
        quiet("runtime"),
        quiet("startup"),
        quiet("system.web"),
        quiet("system.diagnostics"),
        quiet("system.serviceModel"),
        quiet("system.codedom"),
        quiet("system.data"),
        quiet("system.net"),
        quiet("system.runtime.serialization"),
        quiet("system.transactions"),
        quiet("system.web.extensions"),
        quiet("system.webServerServices"),
        quiet("entityFramework"),
        quiet("uri"),
    ],
);

const APP_SETTINGS: Shape = shape(
    "appSettings",
    Kind::Section,
    &[attr("file", Allowed::Text)],
    &[
        shape(
            "add",
            Kind::Item(&["key"]),
            &[needed("key", Allowed::Text), attr("value", Allowed::Text)],
            &[],
        ),
        shape("remove", Kind::Item(&["key"]), &[needed("key", Allowed::Text)], &[]),
        CLEAR,
    ],
);

const SERVER: Shape = shape(
    "system.webServer",
    Kind::Group,
    &[],
    &[
        shape("iisnode", Kind::Open, &[], &[]),
        HANDLERS,
        DEFAULT_DOCUMENT,
        REWRITE,
        SECURITY,
        HTTP_ERRORS,
        STATIC_CONTENT,
        HTTP_PROTOCOL,
        shape(
            "webSocket",
            Kind::Section,
            &[
                attr("enabled", Allowed::Bool),
                attr("receiveBufferLimit", UINT),
                attr("pingInterval", Allowed::Text),
            ],
            &[],
        ),
        INITIALIZATION,
        HTTP_PLATFORM,
        ASP_NET_CORE,
        FAST_CGI,
        unserved("cors", "is not served yet: no cross-origin fields are added"),
        unserved("httpRedirect", "is not served yet: write a rewrite rule with a Redirect action"),
        unserved("proxy", "is not served: ostler is no proxy for other servers"),
        unserved("httpCookies", "is no section of system.webServer; it is left out"),
        quiet("asp"),
        quiet("caching"),
        quiet("cgi"),
        quiet("directoryBrowse"),
        quiet("globalModules"),
        quiet("httpCompression"),
        quiet("httpLogging"),
        quiet("httpTracing"),
        quiet("isapiFilters"),
        quiet("management"),
        quiet("modules"),
        quiet("odbcLogging"),
        quiet("serverRuntime"),
        quiet("serverSideInclude"),
        quiet("tracing"),
        quiet("urlCompression"),
        quiet("validation"),
        quiet("webdav"),
    ],
);
