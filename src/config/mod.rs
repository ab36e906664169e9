//! What was asked for, validated: files, environment and command line to types that everything else trusts. Touches no
//! process.

pub(crate) mod detect;
pub(crate) mod fastcgi;
pub(crate) mod host_file;

pub mod limits;
pub(crate) mod program;
pub(crate) mod settings;
pub(crate) mod site;
pub(crate) mod source;
pub(crate) mod xml;
