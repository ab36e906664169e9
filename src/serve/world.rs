//! What a core reads to serve a request: immutable, shared by all cores, swapped whole.

use crate::handler::Handler;

/// For now one site with one handler; bindings, filters, rewriting and mapping come with the configuration of sites.
pub(crate) struct World {
    pub(crate) handler: Handler,
}
