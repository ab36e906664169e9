//! The tables of the sections that say how a program is run: what may stand in them. Their attributes are judged by
//! `config::program`.

use super::shape::{Allowed, Kind, Shape};
use super::shape::{CLEAR, attr, needed, shape};

pub(super) const HTTP_PLATFORM: Shape = shape("httpPlatform", Kind::Program, &[], COLLECTIONS);
pub(super) const ASP_NET_CORE: Shape = shape("aspNetCore", Kind::Program, &[], COLLECTIONS);

pub(super) const FAST_CGI: Shape = shape(
    "fastCgi",
    Kind::Program,
    &[],
    &[
        shape(
            "application",
            Kind::Item(&["fullPath", "arguments"]),
            &[
                needed("fullPath", Allowed::Filled),
                attr("arguments", Allowed::Text),
                attr("maxInstances", Allowed::Text),
                attr("instanceMaxRequests", Allowed::Text),
                attr("queueLength", Allowed::Text),
                attr("idleTimeout", Allowed::Text),
                attr("activityTimeout", Allowed::Text),
                attr("requestTimeout", Allowed::Text),
                attr("rapidFailsPerMinute", Allowed::Text),
                attr("protocol", Allowed::Text),
                attr("flushNamedPipe", Allowed::Text),
                attr("monitorChangesTo", Allowed::Text),
                attr("stderrMode", Allowed::Text),
                attr("signalBeforeTerminateSeconds", Allowed::Text),
            ],
            &[VARIABLES],
        ),
        shape(
            "remove",
            Kind::Item(&["fullPath", "arguments"]),
            &[needed("fullPath", Allowed::Filled), attr("arguments", Allowed::Text)],
            &[],
        ),
        CLEAR,
    ],
);

const VARIABLES: Shape = shape(
    "environmentVariables",
    Kind::Part,
    &[],
    &[
        shape(
            "environmentVariable",
            Kind::Item(&["name"]),
            &[needed("name", Allowed::Filled), needed("value", Allowed::Text)],
            &[],
        ),
        CLEAR,
    ],
);

const COLLECTIONS: &[Shape] = &[
    VARIABLES,
    shape(
        "recycleOnFileChange",
        Kind::Part,
        &[],
        &[shape("file", Kind::Item(&["path"]), &[needed("path", Allowed::Filled)], &[]), CLEAR],
    ),
    shape(
        "handlerSettings",
        Kind::Part,
        &[],
        &[
            shape(
                "handlerSetting",
                Kind::Item(&["name"]),
                &[needed("name", Allowed::Filled), attr("value", Allowed::Text)],
                &[],
            ),
            CLEAR,
        ],
    ),
];
