//! The table of `rewrite`.

use super::shape::{Allowed, Attr, Kind, Shape};
use super::shape::{CLEAR, attr, needed, quiet, shape, unserved};

const CASE_AND_NEGATE: [Attr; 2] = [attr("ignoreCase", Allowed::Bool), attr("negate", Allowed::Bool)];

const RULE: Shape = shape(
    "rule",
    Kind::Item(&["name"]),
    &[
        needed("name", Allowed::Text),
        attr("enabled", Allowed::Bool),
        attr("stopProcessing", Allowed::Bool),
        attr("patternSyntax", Allowed::OneOf(&["ECMAScript", "Wildcard", "ExactMatch"])),
    ],
    &[
        shape(
            "match",
            Kind::Part,
            &[needed("url", Allowed::Text), CASE_AND_NEGATE[0], CASE_AND_NEGATE[1]],
            &[],
        ),
        shape(
            "conditions",
            Kind::Part,
            &[
                attr("logicalGrouping", Allowed::OneOf(&["MatchAll", "MatchAny"])),
                attr("trackAllCaptures", Allowed::Bool),
            ],
            &[
                shape(
                    "add",
                    Kind::Part,
                    &[
                        needed("input", Allowed::Text),
                        attr("matchType", Allowed::OneOf(&["Pattern", "IsFile", "IsDirectory"])),
                        attr("pattern", Allowed::Text),
                        CASE_AND_NEGATE[0],
                        CASE_AND_NEGATE[1],
                    ],
                    &[],
                ),
                CLEAR,
            ],
        ),
        shape(
            "serverVariables",
            Kind::Part,
            &[],
            &[
                shape(
                    "set",
                    Kind::Part,
                    &[
                        needed("name", Allowed::Text),
                        needed("value", Allowed::Text),
                        attr("replace", Allowed::Bool),
                    ],
                    &[],
                ),
                CLEAR,
            ],
        ),
        shape(
            "action",
            Kind::Part,
            &[
                needed(
                    "type",
                    Allowed::OneOf(&["Rewrite", "Redirect", "CustomResponse", "AbortRequest", "None"]),
                ),
                attr("url", Allowed::Text),
                attr("appendQueryString", Allowed::Bool),
                attr("logRewrittenUrl", Allowed::Bool),
                attr(
                    "redirectType",
                    Allowed::OneOf(&[
                        "Permanent",
                        "Found",
                        "SeeOther",
                        "Temporary",
                        "301",
                        "302",
                        "303",
                        "307",
                    ]),
                ),
                attr("statusCode", Allowed::Number(100, 999)),
                attr("subStatusCode", Allowed::Number(0, 999)),
                attr("statusReason", Allowed::Text),
                attr("statusDescription", Allowed::Text),
            ],
            &[],
        ),
    ],
);

pub(super) const REWRITE: Shape = shape(
    "rewrite",
    Kind::Group,
    &[],
    &[
        shape(
            "rules",
            Kind::Section,
            &[attr("useOriginalURLEncoding", Allowed::Bool)],
            &[RULE, shape("remove", Kind::Item(&["name"]), &[needed("name", Allowed::Text)], &[]), CLEAR],
        ),
        shape(
            "rewriteMaps",
            Kind::Section,
            &[],
            &[
                shape(
                    "rewriteMap",
                    Kind::Item(&["name"]),
                    &[
                        needed("name", Allowed::Text),
                        attr("defaultValue", Allowed::Text),
                        attr("ignoreCase", Allowed::Bool),
                    ],
                    &[
                        shape(
                            "add",
                            Kind::Part,
                            &[needed("key", Allowed::Text), attr("value", Allowed::Text)],
                            &[],
                        ),
                        shape("remove", Kind::Part, &[needed("key", Allowed::Text)], &[]),
                        CLEAR,
                    ],
                ),
                shape("remove", Kind::Item(&["name"]), &[needed("name", Allowed::Text)], &[]),
                CLEAR,
            ],
        ),
        unserved("outboundRules", "is not served yet: responses are not rewritten"),
        unserved("globalRules", "has a place only in the configuration of a whole server; it is left out"),
        unserved("providers", "is not served: there are no rewrite providers"),
        quiet("allowedServerVariables"),
    ],
);
