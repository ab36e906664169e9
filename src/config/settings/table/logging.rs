//! Settings of the logs: whether, where, how much, and who may read them.

use super::{Effect, Expands, Kind, Setting, When};
use crate::config::settings::LogAccess;

/// Larger than any disk; keeps sums of bytes far from the end of their type.
const MOST_KB: u32 = u32::MAX;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "loggingEnabled",
        kind: Kind::Switch(|draft, value| draft.logging = value),
        default: "true",
        expands: Expands::No,
        when: When::Worker,
        effect: Effect::Works,
        doc: "Keeps what workers print in files.",
    },
    Setting {
        name: "logDirectory",
        kind: Kind::Text(|draft, value| value.clone_into(&mut draft.log_directory)),
        default: "iisnode",
        expands: Expands::Files,
        when: When::Worker,
        effect: Effect::Works,
        doc: "The folder of these files, relative to the script's. Of an absolute Windows path only the last name is used.",
    },
    Setting {
        name: "maxLogFileSizeInKB",
        kind: Kind::Number {
            unit: "KiB",
            least: 1,
            most: MOST_KB,
            infinite: false,
            set: |draft, value| draft.max_file_kb = value,
        },
        default: "128",
        expands: Expands::No,
        when: When::Worker,
        effect: Effect::Works,
        doc: "A log file that has grown beyond this is followed by a new one.",
    },
    Setting {
        name: "maxTotalLogFileSizeInKB",
        kind: Kind::Number {
            unit: "KiB",
            least: 0,
            most: MOST_KB,
            infinite: false,
            set: |draft, value| draft.max_total_kb = value,
        },
        default: "1024",
        expands: Expands::No,
        when: When::Worker,
        effect: Effect::Works,
        doc: "With more than this in the folder, the oldest log files are removed.",
    },
    Setting {
        name: "maxLogFiles",
        kind: Kind::Number {
            unit: "files",
            least: 0,
            most: 1_000_000,
            infinite: false,
            set: |draft, value| draft.max_files = value,
        },
        default: "20",
        expands: Expands::No,
        when: When::Worker,
        effect: Effect::Works,
        doc: "With more log files than this in the folder, the oldest are removed; 0 means 20.",
    },
    Setting {
        name: "logAccess",
        kind: Kind::Choice(&["local", "anyone"], |draft, value| {
            draft.log_access = if value == "anyone" { LogAccess::Anyone } else { LogAccess::Local };
        }),
        default: "local",
        expands: Expands::No,
        when: When::Request,
        effect: Effect::Works,
        doc: "ostler's own. Who may read the logs over HTTP: clients on this machine, or anyone. A `logDirectory` that holds a GUID is open to anyone who knows it.",
    },
];
