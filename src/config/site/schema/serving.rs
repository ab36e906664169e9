//! The tables of what decides how paths are served: handlers, documents, files, errors, fields, warming up.

use super::shape::{Allowed, Kind, Shape};
use super::shape::{CLEAR, UINT, attr, needed, quiet, shape};

pub(super) const HANDLERS: Shape = shape(
    "handlers",
    Kind::Section,
    &[attr("accessPolicy", Allowed::Text)],
    &[
        shape(
            "add",
            Kind::Item(&["name"]),
            &[
                needed("name", Allowed::Text),
                needed("path", Allowed::Text),
                needed("verb", Allowed::Text),
                attr("modules", Allowed::Text),
                attr("type", Allowed::Text),
                attr("scriptProcessor", Allowed::Text),
                attr("resourceType", Allowed::OneOf(&["Unspecified", "File", "Directory", "Either"])),
                attr("requireAccess", Allowed::OneOf(&["None", "Read", "Write", "Script", "Execute"])),
                attr("allowPathInfo", Allowed::Bool),
                attr("preCondition", Allowed::Text),
                attr("responseBufferLimit", UINT),
            ],
            &[],
        ),
        shape("remove", Kind::Item(&["name"]), &[needed("name", Allowed::Text)], &[]),
        CLEAR,
    ],
);

pub(super) const DEFAULT_DOCUMENT: Shape = shape(
    "defaultDocument",
    Kind::Section,
    &[attr("enabled", Allowed::Bool)],
    &[shape(
        "files",
        Kind::Part,
        &[],
        &[
            shape("add", Kind::Item(&["value"]), &[needed("value", Allowed::Text)], &[]),
            shape("remove", Kind::Item(&["value"]), &[needed("value", Allowed::Text)], &[]),
            CLEAR,
        ],
    )],
);

pub(super) const HTTP_ERRORS: Shape = shape(
    "httpErrors",
    Kind::Section,
    &[
        attr("existingResponse", Allowed::OneOf(&["Auto", "Replace", "PassThrough"])),
        attr("errorMode", Allowed::OneOf(&["DetailedLocalOnly", "Custom", "Detailed"])),
        attr("defaultPath", Allowed::Text),
        attr("defaultResponseMode", Allowed::OneOf(&["File", "ExecuteURL", "Redirect"])),
        attr("detailedMoreInformationLink", Allowed::Text),
        attr("allowAbsolutePathsWhenDelegated", Allowed::Bool),
    ],
    &[
        shape(
            "error",
            Kind::Item(&["statusCode", "subStatusCode"]),
            &[
                needed("statusCode", Allowed::Number(400, 999)),
                attr("subStatusCode", Allowed::Number(-1, 999)),
                attr("prefixLanguageFilePath", Allowed::Text),
                needed("path", Allowed::Text),
                attr("responseMode", Allowed::OneOf(&["File", "ExecuteURL", "Redirect"])),
            ],
            &[],
        ),
        shape(
            "remove",
            Kind::Item(&["statusCode", "subStatusCode"]),
            &[
                needed("statusCode", Allowed::Number(400, 999)),
                attr("subStatusCode", Allowed::Number(-1, 999)),
            ],
            &[],
        ),
        CLEAR,
    ],
);

pub(super) const STATIC_CONTENT: Shape = shape(
    "staticContent",
    Kind::Section,
    &[
        attr("defaultDocFooter", Allowed::Text),
        attr("isDocFooterFileName", Allowed::Bool),
        attr("enableDocFooter", Allowed::Bool),
    ],
    &[
        shape(
            "mimeMap",
            Kind::Item(&["fileExtension"]),
            &[needed("fileExtension", Allowed::Text), needed("mimeType", Allowed::Text)],
            &[],
        ),
        shape("remove", Kind::Item(&["fileExtension"]), &[needed("fileExtension", Allowed::Text)], &[]),
        CLEAR,
        shape(
            "clientCache",
            Kind::Part,
            &[
                attr(
                    "cacheControlMode",
                    Allowed::OneOf(&["NoControl", "DisableCache", "UseMaxAge", "UseExpires"]),
                ),
                attr("cacheControlMaxAge", Allowed::Span),
                attr("httpExpires", Allowed::Text),
                attr("cacheControlCustom", Allowed::Text),
                attr("setEtag", Allowed::Bool),
            ],
            &[],
        ),
    ],
);

pub(super) const HTTP_PROTOCOL: Shape = shape(
    "httpProtocol",
    Kind::Section,
    &[attr("allowKeepAlive", Allowed::Bool)],
    &[
        shape(
            "customHeaders",
            Kind::Part,
            &[],
            &[
                shape(
                    "add",
                    Kind::Item(&["name"]),
                    &[needed("name", Allowed::Text), attr("value", Allowed::Text)],
                    &[],
                ),
                shape("remove", Kind::Item(&["name"]), &[needed("name", Allowed::Text)], &[]),
                CLEAR,
            ],
        ),
        quiet("redirectHeaders"),
    ],
);

pub(super) const INITIALIZATION: Shape = shape(
    "applicationInitialization",
    Kind::Section,
    &[
        attr("doAppInitAfterRestart", Allowed::Bool),
        attr("skipManagedModules", Allowed::Bool),
        attr("remapManagedRequestsTo", Allowed::Text),
    ],
    &[
        shape(
            "add",
            Kind::Item(&["initializationPage"]),
            &[needed("initializationPage", Allowed::Text), attr("hostName", Allowed::Text)],
            &[],
        ),
        shape(
            "remove",
            Kind::Item(&["initializationPage"]),
            &[attr("initializationPage", Allowed::Text)],
            &[],
        ),
        CLEAR,
    ],
);
