//! The words the tests are written in: a host, a raw client, a scripted worker, a site, and patience.

mod client;
mod command;
mod eventually;
mod fake_worker;
pub(crate) mod frames;
mod host;
mod npm;
mod processes;
mod site;
mod wire;

pub(crate) use self::client::RawClient;
pub(crate) use self::command::{Outcome, command, curl, node, ostler};
pub(crate) use self::eventually::{PATIENCE, eventually, holds_for};
pub(crate) use self::fake_worker::FakeWorker;
pub(crate) use self::host::{Host, Setup};
pub(crate) use self::npm::{repository, with_packages};
pub(crate) use self::processes::{alive, children_of, signal, workers_of};
pub(crate) use self::site::{Site, handlers, web_config};
pub(crate) use self::wire::{Body, Message, Wire};
