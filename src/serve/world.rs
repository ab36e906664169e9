//! What a core reads to serve a request: immutable, shared by all cores, swapped whole.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::routes::Routes;
use super::site::Sites;
use crate::base::sentinel::Sentinel;
use crate::pool::Application;

pub(crate) struct World {
    pub(crate) serving: Serving,
    /// Says whether something has happened on the disk that nobody has looked at yet.
    pub(crate) sentinel: Option<Arc<Sentinel>>,
}

pub(crate) enum Serving {
    /// Everything goes to one application.
    One(Arc<Application>),
    Sites(Sites),
}

impl World {
    /// A world that serves nothing yet.
    pub(crate) fn empty() -> World {
        World { serving: Serving::Sites(Sites { list: Vec::new() }), sentinel: None }
    }
}

/// The world as it is now; what the control plane publishes into.
pub(crate) struct CurrentWorld {
    world: ArcSwap<World>,
    /// Grows whenever something is different: another world, or another state of the disk.
    version: AtomicU64,
}

/// What one core knows of one version of the world; dropped with the next.
pub(crate) struct View {
    version: u64,
    pub(crate) world: Arc<World>,
    /// Decisions that hold as long as the version does.
    pub(crate) routes: Routes,
}

impl CurrentWorld {
    pub(crate) fn new(world: World) -> Arc<CurrentWorld> {
        Arc::new(CurrentWorld { world: ArcSwap::from_pointee(world), version: AtomicU64::new(0) })
    }

    pub(crate) fn publish(&self, world: World) {
        self.world.store(Arc::new(world));
        self.touch();
    }

    /// Something on the disk is different: what cores remember of it is void.
    pub(crate) fn touch(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    fn view(&self) -> View {
        // The version first: a world published in between is then looked at once more.
        let version = self.version.load(Ordering::SeqCst);
        View { version, world: self.world.load_full(), routes: Routes::default() }
    }
}

/// One core's view, renewed when the world has changed.
pub(crate) struct Viewer {
    current: Arc<CurrentWorld>,
    view: RefCell<Rc<View>>,
}

impl Viewer {
    pub(crate) fn new(current: Arc<CurrentWorld>) -> Viewer {
        let view = RefCell::new(Rc::new(current.view()));
        Viewer { current, view }
    }

    pub(crate) fn view(&self) -> Rc<View> {
        let mut view = self.view.borrow_mut();
        if view.version != self.current.version.load(Ordering::SeqCst) {
            *view = Rc::new(self.current.view());
        }
        view.clone()
    }
}
