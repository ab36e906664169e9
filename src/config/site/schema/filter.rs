//! The table of `security`.

use super::shape::{Allowed, Kind, Shape};
use super::shape::{CLEAR, NOT_ENFORCED, UINT, attr, needed, quiet, shape, unserved};

const FILTERING: Shape = shape(
    "requestFiltering",
    Kind::Section,
    &[
        attr("allowDoubleEscaping", Allowed::Bool),
        attr("allowHighBitCharacters", Allowed::Bool),
        attr("removeServerHeader", Allowed::Bool),
        attr("unescapeQueryString", Allowed::Bool),
    ],
    &[
        shape(
            "hiddenSegments",
            Kind::Part,
            &[attr("applyToWebDAV", Allowed::Bool)],
            &[
                shape("add", Kind::Item(&["segment"]), &[needed("segment", Allowed::Text)], &[]),
                shape("remove", Kind::Item(&["segment"]), &[needed("segment", Allowed::Text)], &[]),
                CLEAR,
            ],
        ),
        shape(
            "requestLimits",
            Kind::Part,
            &[attr("maxAllowedContentLength", UINT), attr("maxUrl", UINT), attr("maxQueryString", UINT)],
            &[unserved("headerLimits", NOT_ENFORCED)],
        ),
        shape(
            "verbs",
            Kind::Part,
            &[attr("allowUnlisted", Allowed::Bool), attr("applyToWebDAV", Allowed::Bool)],
            &[
                shape(
                    "add",
                    Kind::Item(&["verb"]),
                    &[needed("verb", Allowed::Text), needed("allowed", Allowed::Bool)],
                    &[],
                ),
                shape("remove", Kind::Item(&["verb"]), &[needed("verb", Allowed::Text)], &[]),
                CLEAR,
            ],
        ),
        shape(
            "fileExtensions",
            Kind::Part,
            &[attr("allowUnlisted", Allowed::Bool), attr("applyToWebDAV", Allowed::Bool)],
            &[
                shape(
                    "add",
                    Kind::Item(&["fileExtension"]),
                    &[needed("fileExtension", Allowed::Text), needed("allowed", Allowed::Bool)],
                    &[],
                ),
                shape(
                    "remove",
                    Kind::Item(&["fileExtension"]),
                    &[needed("fileExtension", Allowed::Text)],
                    &[],
                ),
                CLEAR,
            ],
        ),
        unserved("denyUrlSequences", NOT_ENFORCED),
        unserved("denyQueryStringSequences", NOT_ENFORCED),
        unserved("filteringRules", NOT_ENFORCED),
        quiet("alwaysAllowedUrls"),
        quiet("alwaysAllowedQueryStrings"),
    ],
);

pub(super) const SECURITY: Shape = shape(
    "security",
    Kind::Group,
    &[],
    &[
        FILTERING,
        unserved("authentication", "is not served: ostler authenticates nobody"),
        unserved("authorization", NOT_ENFORCED),
        unserved("access", NOT_ENFORCED),
        unserved("ipSecurity", NOT_ENFORCED),
        unserved("dynamicIpSecurity", NOT_ENFORCED),
        quiet("applicationDependencies"),
        quiet("isapiCgiRestriction"),
    ],
);
