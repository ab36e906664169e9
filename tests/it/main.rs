//! What ostler promises, shown with the real binary, real Node.js workers and real sockets.
//!
//! One test crate; the module list is the table of contents of the promises, `harness` the words they are written in.
//! Every test starts its own host on a free port and ends what it started, so all of them run side by side.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod harness;

// The way of a request and its answer: heads,
mod requests;

// bodies,
mod bodies;

// what comes before the answer,
mod interim;

// what comes in the place of one,
mod tunnels;

// and the same over HTTP/2.
mod http2;

// What is refused because it can be read in two ways.
mod http2_strictness;
mod strictness;

// What is bounded.
mod http2_abuse;
mod limits;

// Who gets a request, and what happens when there is no place for it.
mod balancing;
mod pool;

// The processes that answer: their life,
mod workers;

// what their death and their sleep may cost,
mod faults;

// and their end.
mod ending;

// The sites of iisnode: rewriting, static files, many applications, recycling, logs.
mod iisnode;

// The programs of HttpPlatformHandler: any server that takes a port.
mod http_platform;
// The sites of the ASP.NET Core Module, whose workers are programs that listen on a port.
mod asp_net_core;

// The sites of FastCgiModule: PHP and whatever else speaks FastCGI, beside all of the above.
mod fastcgi;

// The same for configuration that others wrote, for other hosts,
mod corpus;

// for the file that says what a host serves,
mod host_file;

// and for programs that no web.config describes.
mod application_block;

// What people type and read.
mod access_log;
mod cli;
mod cli_site;

// What they start with.
mod samples;
mod samples_iisnode;
mod samples_programs;

// And what they use that others wrote.
mod clients;

// The documents and the tree keep their word too.
mod readme;
mod tidy;
