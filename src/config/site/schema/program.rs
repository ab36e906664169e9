//! The tables of the sections that say how a program is run: what may stand in them. Their attributes are judged by
//! `config::program`.

use super::shape::{Allowed, Kind, Shape};
use super::shape::{CLEAR, attr, needed, shape};

pub(super) const HTTP_PLATFORM: Shape = shape("httpPlatform", Kind::Program, &[], COLLECTIONS);
pub(super) const ASP_NET_CORE: Shape = shape("aspNetCore", Kind::Program, &[], COLLECTIONS);

const COLLECTIONS: &[Shape] = &[
    shape(
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
    ),
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
