//! What the tasks of one core share: its free lists, its clock, and whether it drains.

use std::cell::Cell;
use std::rc::Rc;

use super::buffers::Buffers;
use super::clock::Clock;
use super::pipe::Pipes;

#[derive(Default)]
pub(crate) struct Local {
    pub(crate) buffers: Rc<Buffers>,
    pub(crate) clock: Rc<Clock>,
    pub(crate) pipes: Rc<Pipes>,
    draining: Cell<bool>,
}

impl Local {
    /// Connections that are idle close, the others close after the response they are at.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
        self.clock.wake_all();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }
}
