//! What a site decides about a request: compiled, pure, and without a word about where a rule was written.
//!
//! The configuration parses into these types, so nothing on the way of a request can fail for a reason that lies in a
//! configuration file. What the rules must know of the world they ask for: of the disk through [`disk::Disk`], of the
//! request through [`facts::Facts`].

pub(crate) mod bindings;
pub(crate) mod disk;
pub(crate) mod documents;
pub(crate) mod encode;
pub(crate) mod facts;
pub(crate) mod files;
pub(crate) mod filter;
pub(crate) mod mapping;
mod media;
pub(crate) mod path;
pub(crate) mod policy;
pub(crate) mod rewrite;
pub(crate) mod route;
