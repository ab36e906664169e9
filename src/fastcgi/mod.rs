//! FastCGI 1.0 as bytes, for the side that asks: records out, records in, and the CGI head of a response.
//!
//! Pure: no socket, no clock. `upstream` moves the bytes and puts what comes back into HTTP/1 form. The role is always the responder,
//! the request's number always 1: a connection carries one request at a time, as most programs understand no more.

pub(crate) mod decoder;
pub(crate) mod head;
pub(crate) mod record;
