//! The way of one request: each line hands one value to the next.

use super::{Core, respond};
use crate::exchange::Exchange;
use crate::failure::Failure;

/// Has the request answered, by whoever is to answer it or, where that fails, by us.
pub(super) async fn serve(core: &Core, exchange: &mut Exchange<'_>) {
    if let Err(failure) = route(core, exchange).await {
        respond::explain(exchange, failure).await;
    }
}

async fn route(core: &Core, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
    let handler = &core.world.handler;
    handler.respond(exchange, &core.connections).await
}
