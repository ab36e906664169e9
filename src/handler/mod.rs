//! What answers a request: one kind of handler a file, chosen by one `match`.

pub(crate) mod app;

use self::app::App;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::upstream::connections::Connections;

pub(crate) enum Handler {
    /// The workers of an application.
    App(App),
}

impl Handler {
    /// Answers the exchange; see each kind for how it fails.
    pub(crate) async fn respond(
        &self,
        exchange: &mut Exchange<'_>,
        connections: &Connections,
    ) -> Result<(), Failure> {
        match self {
            Handler::App(app) => app.respond(exchange, connections).await,
        }
    }
}
