//! Settings of iisnode's debugger, which ostler does not have yet.

use super::{Effect, Expands, Kind, Setting, When};

const NO_DEBUGGER: &str = "ostler has no debugger under the application's URL yet";

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "debuggingEnabled",
        kind: Kind::Switch(|_, _| {}),
        default: "true",
        expands: Expands::No,
        when: When::Request,
        effect: Effect::Moot(NO_DEBUGGER),
        doc: "Whether the debugger's URLs are answered.",
    },
    Setting {
        name: "debuggerPathSegment",
        kind: Kind::Text(|_, _| {}),
        default: "debug",
        expands: Expands::WebConfig,
        when: When::Request,
        effect: Effect::Missing(NO_DEBUGGER),
        doc: "The part of the URL that selects the debugger.",
    },
    Setting {
        name: "debuggerPortRange",
        kind: Kind::Text(|_, _| {}),
        default: "5058-6058",
        expands: Expands::WebConfig,
        when: When::Worker,
        effect: Effect::Missing(NO_DEBUGGER),
        doc: "The ports the debugger may use. iisnode.yml may also spell it `debugPortRange`.",
    },
    Setting {
        name: "debuggerVirtualDir",
        kind: Kind::Text(|_, _| {}),
        default: "",
        expands: Expands::No,
        when: When::Request,
        effect: Effect::Moot("no files of a debugger are unpacked"),
        doc: "The virtual directory for the debugger's files.",
    },
    Setting {
        name: "debuggerExtensionDll",
        kind: Kind::Text(|_, _| {}),
        default: "iisnode-inspector-0.7.3.dll",
        expands: Expands::No,
        when: When::Worker,
        effect: Effect::Moot("no files of a debugger are unpacked"),
        doc: "The library that holds the debugger's files.",
    },
];
