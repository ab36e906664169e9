//! Looks after all applications of a host: starts a generation when one is asked for, and replaces it when what it was
//! started from has changed.
//!
//! One task on the control plane owns everything here. What it is told (calls of requests, changes on the disk, news of
//! workers) is handled one after the other, so that how an application stands is always one consistent value. What an
//! application *is* comes from the [`Planner`]; nothing here reads a configuration.

mod generations;
mod idle;
mod places;
mod tended;
mod terms;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::generations::{Generations, News, What};
use self::places::Places;
use self::tended::Tended;
pub(crate) use self::terms::{Cause, Event, Extent, Found, GenerationPlan, Planner};
use super::Progress;
use super::house::House;
use super::watch::stamps::Stamps;
use super::watch::{Changes, Watch};
use crate::base::drain::Drain;
use crate::config::settings::RecycleMode;
use crate::pool::refusal::Refusal;
use crate::pool::{Application, ApplicationId, Generation, Standing};

/// Editors and deployments write many files in a burst; unless a request is waiting, the new generation waits for the
/// end of it.
const SETTLE: Duration = Duration::from_millis(200);
/// After so long the reason for a refusal is looked at again, in case it has gone without an event.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// More applications at a time are a mistake, or somebody's wish to use up the machine.
const MOST_RUNNING: usize = 1000;

pub(crate) struct Steward<P> {
    planner: P,
    places: Places,
    calls: mpsc::UnboundedReceiver<Arc<Application>>,
    tended: HashMap<ApplicationId, Tended>,
    generations: Generations,
    news: mpsc::Receiver<News>,
    events: mpsc::Sender<Event>,
    drain: Drain,
}

impl<P: Planner> Steward<P> {
    /// Must be called in the runtime that runs it.
    pub(crate) fn new(
        planner: P,
        house: Arc<House>,
        watch: Watch,
        calls: mpsc::UnboundedReceiver<Arc<Application>>,
        events: mpsc::Sender<Event>,
        drain: Drain,
    ) -> Steward<P> {
        let (sender, news) = mpsc::channel(1024);
        let mut steward = Steward {
            planner,
            places: Places::new(watch),
            calls,
            tended: HashMap::new(),
            generations: Generations::new(house, sender),
            news,
            events,
            drain,
        };
        // Watched before any request is served, and only then read for good: nothing is written in between unseen.
        steward.follow();
        steward.find_changes(Vec::new(), Extent::Everything);
        steward
    }

    /// Runs until the drain is requested, and then until every worker is gone. `eager` applications start at once.
    pub(crate) async fn run(mut self, eager: Vec<Arc<Application>>) {
        for application in eager {
            self.called(&application);
        }
        let drain = self.drain.clone();
        // Who edits where no events come asks for a look with it.
        let mut hangups = signal(SignalKind::hangup()).ok();
        loop {
            let hung_up = async {
                match &mut hangups {
                    Some(hangups) => drop(hangups.recv().await),
                    None => std::future::pending().await,
                }
            };
            let due = self.tended.values().filter_map(Tended::next_look).min();
            // A pool that opens without all its workers tells nobody.
            let due = if self.generations.are_retiring() { Some(Instant::now() + SETTLE) } else { due };
            let is_due = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = drain.requested() => break,
                changes = self.places.next() => self.look(&changes),
                Some(application) = self.calls.recv() => self.called(&application),
                Some(news) = self.news.recv() => self.heard(news),
                () = self.generations.one_ended() => {}
                () = hung_up => self.reload(),
                () = is_due => {
                    self.start_due();
                    self.end_idle();
                }
            }
            self.generations.settle();
        }
        for tended in self.tended.values() {
            tended.application.stands(Standing::Absent);
        }
        let Steward { generations, mut news, events, .. } = self;
        let mut ending = std::pin::pin!(generations.end(&drain));
        loop {
            tokio::select! {
                biased;
                Some(news) = news.recv() => drop(tell_of_kill(&events, news)),
                () = &mut ending => break,
            }
        }
    }

    fn say(&self, event: Event) {
        // Full or closed: nobody looks, and nobody may make us wait.
        let _ = self.events.try_send(event);
    }

    /// A request needs a generation now.
    fn called(&mut self, application: &Arc<Application>) {
        // It may have been answered before the call arrived.
        if !application.answers_again() {
            self.start(application);
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        let is_due = |tended: &&Tended| tended.due.is_some_and(|due| due <= now);
        let due: Vec<_> =
            self.tended.values().filter(is_due).map(|tended| tended.application.clone()).collect();
        for application in due {
            self.start(&application);
        }
    }

    /// Ends the workers of applications that nobody has used for long; the next request starts them as the first did.
    fn end_idle(&mut self) {
        let now = Instant::now();
        let idle_for =
            |(id, tended): (&ApplicationId, &mut Tended)| Some((id.clone(), tended.idle_for(now)?));
        let idle: Vec<_> = self.tended.iter_mut().filter_map(idle_for).collect();
        for (id, after) in idle {
            let Some(tended) = self.tended.remove(&id) else { continue };
            tended.application.stands(Standing::Absent);
            let Some(current) = tended.current else { continue };
            let application = current.generation.pool.settings().name.clone();
            self.say(Event::Idle { application, after });
            self.generations.retire(current);
        }
    }

    /// Starts a generation that serves from now on; requests wait for its first worker.
    fn start(&mut self, application: &Arc<Application>) {
        for place in self.planner.places(&application.id) {
            self.places.keep(&place);
        }
        let is_new = !self.tended.contains_key(&application.id);
        if is_new && self.tended.len() >= MOST_RUNNING {
            let why = format!("{MOST_RUNNING} applications run already, as many as one host starts");
            let until = std::time::Instant::now() + ASK_AGAIN;
            application.stands(Standing::Refused { why: Arc::new(Refusal::Machine(why)), until });
            return;
        }
        match self.planned(application) {
            Ok((plan, settings)) => {
                let mut tended = self.tend_files(application, &plan, settings);
                let running = self.generations.start(&application.id, plan);
                application.stands(Standing::Running(running.generation.clone()));
                tended.current = Some(running);
                self.replace(tended);
            }
            Err(why) => self.refuse(application, why),
        }
    }

    /// A plan, and what the files of its settings were like before they were read.
    fn planned(&mut self, application: &Arc<Application>) -> Result<(GenerationPlan, Stamps), Refusal> {
        // Which files these are is known only when they have been read once.
        let files = self.planner.plan(application)?.settings_files;
        let settings = Stamps::of(&files);
        Ok((self.planner.plan(application)?, settings))
    }

    fn refuse(&mut self, application: &Arc<Application>, why: Refusal) {
        let name = application.id.name();
        self.say(Event::Refused { application: name, why: why.to_string() });
        let until = std::time::Instant::now() + ASK_AGAIN;
        application.stands(Standing::Refused { why: Arc::new(why), until });
        self.replace(Tended::refused(application.clone()));
    }

    /// Tends an application anew; what ran of it before ends.
    fn replace(&mut self, tended: Tended) {
        if let Some(before) = self.tended.insert(tended.application.id.clone(), tended) {
            before
                .current
                .into_iter()
                .chain(before.next)
                .for_each(|running| self.generations.retire(running));
        }
    }

    /// Watches the files of a plan, and only then takes note of what they are like.
    fn tend_files(
        &mut self,
        application: &Arc<Application>,
        plan: &GenerationPlan,
        settings: Stamps,
    ) -> Tended {
        self.places.keep_list(&plan.watched);
        plan.settings_files.iter().filter_map(|file| file.parent()).for_each(|place| self.places.keep(place));
        Tended::new(application, plan, settings)
    }

    /// Something happened on the disk. What follows is published before `changes` is dropped, as requests wait for that.
    fn look(&mut self, changes: &Changes) {
        let everything = changes.is_everywhere();
        let extent = match (changes.overflow, changes.sweep) {
            (true, _) => Extent::Everything,
            (_, true) => Extent::Known,
            _ => Extent::Paths,
        };
        let stale = self.find_changes(changes.paths.clone(), extent);
        self.recycle_stale(&stale, &changes.paths, everything);
    }

    /// Replaces the generations of applications that lie in stale directories, or whose files are different.
    fn recycle_stale(&mut self, stale: &Found, paths: &[PathBuf], everything: bool) {
        let mut recycled: Vec<(Arc<Application>, Cause)> = Vec::new();
        for (id, tended) in &mut self.tended {
            if let Some(due) = tended.due.as_mut().filter(|_| !paths.is_empty()) {
                *due = Instant::now() + SETTLE;
            }
            let of_configuration = stale.stale.iter().filter(|_| !tended.ignores_configuration());
            let by_directory = stale
                .offline
                .iter()
                .chain(of_configuration)
                .find(|(directory, _)| self.planner.is_below(id, directory))
                .map(|(_, cause)| cause.clone());
            let by_name = stale.applications.iter().find(|(known, _)| known == id);
            let by_name = by_name.map(|(_, cause)| cause.clone());
            let retry = tended.troubled.clone().filter(|_| everything);
            let cause = tended.changed(paths, everything).or(retry);
            if let Some(cause) = by_directory.or(by_name).or(cause) {
                recycled.push((tended.application.clone(), Cause::File(cause)));
            }
        }
        for (application, cause) in recycled {
            self.recycle(&application, cause);
        }
        self.take_over();
    }

    /// Reads everything again and applies what is different.
    fn reload(&mut self) {
        let stale = self.find_changes(Vec::new(), Extent::Everything);
        self.recycle_stale(&stale, &[], true);
    }

    /// Has the planner look, and look again into directories that were not watched before. What is stale by it.
    fn find_changes(&mut self, mut paths: Vec<PathBuf>, mut extent: Extent) -> Found {
        let mut stale = Found::default();
        loop {
            let found = self.planner.changed(&paths, extent);
            stale.stale.extend(found.stale);
            stale.applications.extend(found.applications);
            stale.offline.extend(found.offline);
            if !found.directories {
                return stale;
            }
            paths = self.follow();
            if paths.is_empty() {
                return stale;
            }
            extent = Extent::Paths;
        }
    }

    /// Watches the directories of the sites as they are now; the new ones.
    fn follow(&mut self) -> Vec<PathBuf> {
        let fresh = self.places.follow(self.planner.directories());
        self.planner.watched(self.places.are_trusted());
        fresh
    }

    /// Replaces the generation of an application by one of the present state of its files.
    fn recycle(&mut self, application: &Arc<Application>, cause: Cause) {
        if matches!(cause, Cause::File(_)) {
            self.generations.give_new_chance(&application.id);
        }
        let Some(tended) = self.tended.get(&application.id) else { return };
        let Some(current) = &tended.current else {
            if tended.due.is_none() {
                // It could not run; perhaps it can now. The next request finds out.
                self.tended.remove(&application.id);
                application.stands(Standing::Absent);
            }
            return;
        };
        let name = current.generation.pool.settings().name.clone();
        let generation = current.generation.clone();
        let serves_nobody = generation.pool.is_unready() && generation.pool.is_failing();
        let (plan, settings) = match self.planned(application) {
            Ok(planned) => planned,
            Err(why) if why.is_of_settings() => return self.trouble(application, generation, why, cause),
            Err(why) => return self.refuse(application, why),
        };
        // What serves nobody is not worth keeping until the new one is ready.
        let mode = if serves_nobody { RecycleMode::Strict } else { plan.recycle_mode };
        self.say(Event::Recycling { application: name, cause, mode });
        match mode {
            RecycleMode::Strict => self.stop(application),
            RecycleMode::Safe => self.prepare(application, plan, settings),
        }
    }

    /// What was running stays; who looks at it from this machine is told.
    fn trouble(
        &mut self,
        application: &Arc<Application>,
        generation: Arc<Generation>,
        why: Refusal,
        cause: Cause,
    ) {
        let Some(tended) = self.tended.get_mut(&application.id) else { return };
        let is_news = tended.troubled.is_none();
        tended.troubled = Some(match cause {
            Cause::File(file) => file,
            Cause::Wish => PathBuf::new(),
        });
        let overtaken = tended.next.take();
        overtaken.into_iter().for_each(|running| self.generations.retire(running));
        if is_news {
            let application = generation.pool.settings().name.clone();
            self.say(Event::Kept { application, why: why.to_string() });
        }
        application.stands(Standing::Troubled { generation, why: Arc::new(why) });
    }

    /// From here on every request finds nothing, and asks.
    fn stop(&mut self, application: &Arc<Application>) {
        application.stands(Standing::Absent);
        let Some(tended) = self.tended.get_mut(&application.id) else { return };
        let ending = [tended.current.take(), tended.next.take()];
        tended.due = Some(Instant::now() + SETTLE);
        tended.forget_files();
        ending.into_iter().flatten().for_each(|running| self.generations.retire(running));
    }

    /// Starts a generation that serves once all its workers are ready; until then, and if that never happens, the old
    /// one goes on.
    fn prepare(&mut self, application: &Arc<Application>, plan: GenerationPlan, settings: Stamps) {
        let mut tended = self.tend_files(application, &plan, settings);
        tended.next = Some(self.generations.start(&application.id, plan));
        if let Some(before) = self.tended.get_mut(&application.id) {
            tended.current = before.current.take();
        }
        if let Some(current) = &tended.current {
            application.stands(Standing::Running(current.generation.clone()));
        }
        // One that was being prepared has been overtaken.
        self.replace(tended);
    }

    /// Generations that were being prepared and are complete serve from now on.
    fn take_over(&mut self) {
        for tended in self.tended.values_mut() {
            if let Some(next) = tended.next.take_if(|next| next.is_complete()) {
                tended.application.stands(Standing::Running(next.generation.clone()));
                tended.current.replace(next).into_iter().for_each(|before| self.generations.retire(before));
            }
        }
    }

    fn heard(&mut self, news: News) {
        let Some(News { application: id, generation, what, .. }) = tell_of_kill(&self.events, news) else {
            return;
        };
        let Some(tended) = self.tended.get_mut(&id) else { return };
        let is_it = |running: &&mut generations::Running| running.number == generation;
        let settings = tended
            .current
            .as_mut()
            .filter(is_it)
            .or(tended.next.as_mut().filter(is_it))
            .map(|running| running.generation.pool.settings().clone());
        let progress = match what {
            What::Progress(progress) => progress,
            // Of one that ends already, or is about to be replaced, it is granted.
            What::Wish => {
                let application = tended.application.clone();
                if tended.current.as_ref().is_some_and(|current| current.number == generation) {
                    self.recycle(&application, Cause::Wish);
                }
                return;
            }
        };
        let Some(settings) = settings else { return };
        let is_next = tended.next.as_ref().is_some_and(|next| next.number == generation);
        // Some are tried more than once before they have failed.
        let tries = tended.next.as_ref().is_some_and(|next| next.tries_again);
        if let (true, Progress::StartFailed { why, next_in, .. }) = (is_next, &progress)
            && (next_in.is_none() || !tries)
        {
            let failed = tended.next.take();
            failed.into_iter().for_each(|running| self.generations.retire(running));
            self.say(Event::Kept { application: settings.name, why: why.clone() });
            return;
        }
        self.take_over();
        // Those that may come beyond them are not waited for.
        // Of those that come as they are needed the first is told of.
        let slots = if settings.grows { 1 } else { settings.slots };
        self.say(Event::Worker { application: settings.name, generation, slots, progress });
    }
}

/// Says that a worker was killed, whatever has become of its generation since; other news is given back.
fn tell_of_kill(events: &mpsc::Sender<Event>, news: News) -> Option<News> {
    let What::Progress(progress @ Progress::Killed { .. }) = news.what else { return Some(news) };
    let (application, generation) = (news.name.to_string(), news.generation);
    let _ = events.try_send(Event::Worker { application, generation, slots: 0, progress });
    None
}
