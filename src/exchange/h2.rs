//! The client's end of one HTTP/2 stream.
use std::convert::Infallible;
use std::io;
use std::task::{Context, Poll};

use super::Peer;
use super::reply::Reply;
use crate::base::buffers::Block;
use crate::base::clock::Timer;
use crate::failure::Failure;
use crate::http1::request::RequestHead;
use crate::http1::response::ResponseHead;

pub(crate) struct H2 { never: Infallible }
impl H2 {
    pub(crate) fn head(&self) -> &RequestHead { match self.never {} }
    pub(crate) fn head_bytes(&self) -> &[u8] { match self.never {} }
    pub(crate) fn peer(&self) -> &Peer { match self.never {} }
    pub(crate) fn timer(&self) -> &Timer { match self.never {} }
    pub(crate) fn take_received_body(&mut self, _: &mut Block) -> Result<(), Failure> { match self.never {} }
    pub(crate) fn poll_body(&mut self, _: &mut Context<'_>) -> Poll<Result<Block, Failure>> { match self.never {} }
    pub(crate) fn body_is_done(&self) -> bool { match self.never {} }
    pub(crate) fn rewind(&mut self) -> bool { match self.never {} }
    pub(crate) fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<Failure> { match self.never {} }
    pub(crate) fn begin(&mut self, _: &mut Block, _: &ResponseHead) -> Result<(), Failure> { match self.never {} }
    pub(crate) fn poll_send(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> { match self.never {} }
    pub(crate) fn complete(&mut self) { match self.never {} }
    pub(crate) fn has_begun(&self) -> bool { match self.never {} }
    pub(crate) fn abort(&mut self) { match self.never {} }
    pub(crate) async fn reply(&mut self, _: Reply) -> Result<(), Failure> { match self.never {} }
    pub(crate) fn needs_continue(&self) -> bool { false }
}
