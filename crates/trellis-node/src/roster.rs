//! What the servers of a job store last said of themselves, and what follows from it for all of them: one answer to "who
//! has TRELLIS?" ([`Others`]).
//!
//! A server that falls silent counts as starting for a while, so that its jobs wait for it while it is restarted, and then
//! as gone.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use trellis_backend::{Others, Readiness};
use trellis_core::{BackendChoice, Model, Sha256, WorkerStatus};
use trellis_jobs::Ability;
use trellis_store_postgres::Node;

use crate::about::{About, Offer, Standing};
use crate::settings::Role;

/// One that is silent for longer is not taken at its last word.
pub(crate) const SILENT: Duration = Duration::from_secs(20);
/// One that is silent for longer does not come back soon.
const GONE: Duration = Duration::from_secs(120);

/// What is known of the other servers.
pub(crate) struct Roster {
    /// This server's name.
    pub(crate) name: String,
    known: RwLock<Known>,
}

/// What they said last.
struct Known {
    nodes: Vec<Node<About>>,
    read_at: Instant,
    /// The last time that the database could not be reached: for how long, and until when. Nobody could be heard then.
    outage: Option<(Duration, Instant)>,
}

impl Known {
    fn new(nodes: Vec<Node<About>>, now: Instant) -> Self {
        Self {
            nodes,
            read_at: now,
            outage: None,
        }
    }

    fn learn(&mut self, nodes: Vec<Node<About>>, now: Instant) {
        let apart = now.duration_since(self.read_at);
        if apart > SILENT {
            self.outage = Some((apart, now));
        }
        (self.nodes, self.read_at) = (nodes, now);
    }

    /// For how long a server has said nothing although it could have been heard. Until the database is reached again this
    /// does not grow, and after that everybody has a while to speak.
    fn silent_for(&self, node: &Node<About>, now: Instant) -> Duration {
        match self.outage {
            Some((lasted, until)) if now.duration_since(until) < SILENT => {
                node.silent_for.saturating_sub(lasted)
            }
            _ => node.silent_for,
        }
    }
}

impl Roster {
    /// Takes what was read of all servers.
    pub(crate) fn learn(&self, nodes: Vec<Node<About>>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.learn(nodes, Instant::now());
    }

    /// Of servers that say this of themselves.
    pub(crate) fn of(name: &str, nodes: Vec<Node<About>>) -> Self {
        Self {
            name: name.to_owned(),
            known: RwLock::new(Known::new(nodes, Instant::now())),
        }
    }

    /// The others that begin jobs, with how long each has been silent. Whoever is silent for long is none of them.
    fn live<'a>(&self, known: &'a Known) -> impl Iterator<Item = (Duration, &'a Node<About>)> {
        let now = Instant::now();
        let others = known
            .nodes
            .iter()
            .filter(|node| node.name != self.name && !node.drains);
        let heard = others.map(move |node| (known.silent_for(node, now), node));
        heard.filter(|(silent_for, _)| *silent_for < GONE)
    }

    /// Whether any of the others says so.
    fn any(&self, says: impl Fn(Option<&About>) -> bool) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        self.live(&known).any(|(_, node)| says(node.about.as_ref()))
    }

    /// Whether any of the others works on jobs.
    pub(crate) fn works(&self) -> bool {
        self.any(|about| about.is_some_and(|about| about.role != Role::Api))
    }

    /// Whether any of the others says what this version cannot read, so that nobody knows what it can do.
    pub(crate) fn has_strangers(&self) -> bool {
        self.any(|about| about.is_none())
    }

    /// What the others offer of that backend, and for how long they have been silent.
    fn offers(&self, choice: BackendChoice, model: Option<Model>) -> Vec<(Duration, String, Offer)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let offers = self.live(&known).flat_map(|(silent_for, node)| {
            let offers = node.about.iter().flat_map(|about| &about.backends);
            let of_choice = offers.filter(move |offer| (offer.choice, offer.model()) == (choice, model));
            of_choice.map(move |offer| (silent_for, node.name.clone(), offer.clone()))
        });
        offers.collect()
    }

    /// What the others can do that have that backend, and that may work.
    pub(crate) fn abilities(&self, choice: BackendChoice, model: Option<Model>) -> Vec<Ability> {
        let offers = self.offers(choice, model).into_iter();
        let may_work = offers.filter(|(.., offer)| offer.standing != Standing::Unavailable);
        may_work.map(|(.., offer)| offer.whole_ability()).collect()
    }

    /// What all results of that backend elsewhere are made by, where it is the same everywhere.
    pub(crate) fn identity(&self, choice: BackendChoice, model: Option<Model>) -> Option<String> {
        let mut identities = self
            .offers(choice, model)
            .into_iter()
            .map(|(.., offer)| offer.identity);
        let first = identities.next()??;
        identities
            .all(|other| other.as_ref() == Some(&first))
            .then_some(first)
    }

    /// Whether any of the others decodes what `decoder` sampled with that model.
    pub(crate) fn decodes(&self, model: Model, decoder: Sha256) -> bool {
        let offers = self.offers(BackendChoice::Trellis, Some(model));
        offers.iter().any(|(.., offer)| offer.decoder == Some(decoder))
    }
}

impl Others for Roster {
    fn readiness(&self, choice: BackendChoice, model: Option<Model>) -> Option<Readiness> {
        let all = self
            .offers(choice, model)
            .into_iter()
            .map(|(silent_for, name, offer)| {
                let standing = if silent_for < SILENT {
                    offer.standing
                } else {
                    Standing::Starting
                };
                (standing, name, offer)
            });
        let (standing, name, offer) = all.min_by_key(|(standing, ..)| *standing as u8)?;
        Some(match (standing, offer.failure) {
            (Standing::Ready, _) => Readiness::Ready,
            (Standing::Unavailable, Some(failure)) => Readiness::Unavailable { failure },
            _ => Readiness::Starting {
                reason: format!("on {name}: {}", offer.reason),
            },
        })
    }

    fn workers(&self, choice: BackendChoice, model: Option<Model>) -> Vec<WorkerStatus> {
        let live = self.offers(choice, model).into_iter();
        let live = live.filter(|(silent_for, ..)| *silent_for < SILENT);
        let workers = live.flat_map(|(_, name, offer)| {
            offer.workers.into_iter().map(move |worker| WorkerStatus {
                name: format!("{name}/{}", worker.name),
                ..worker
            })
        });
        workers.collect()
    }

    fn textures_meshes(&self, choice: BackendChoice, model: Option<Model>) -> bool {
        let abilities = self.abilities(choice, model);
        abilities.iter().any(|ability| ability.meshes == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{Failure, FailureKind};

    use super::*;

    fn node(name: &str, silent_for: u64, standing: Standing, drains: bool) -> Node<About> {
        let offer = Offer {
            choice: BackendChoice::Trellis,
            model: None,
            standing,
            reason: String::new(),
            failure: (standing == Standing::Unavailable)
                .then(|| Failure::new(FailureKind::DriverMissing, "there is no driver")),
            identity: Some("trellis 1".to_owned()),
            ability: Ability::default(),
            later_formats: Vec::new(),
            decoder: Some(Sha256::of(name)),
            workers: Vec::new(),
        };
        Node {
            name: name.to_owned(),
            about: Some(About {
                role: Role::Worker,
                version: "1".to_owned(),
                host: "studio".to_owned(),
                rests: false,
                backends: vec![offer],
            }),
            silent_for: Duration::from_secs(silent_for),
            drains,
            jobs: 0,
        }
    }

    fn says(nodes: Vec<Node<About>>) -> &'static str {
        let roster = Roster::of("me", nodes);
        match roster.readiness(BackendChoice::Trellis, Some(Model::DEFAULT)) {
            None => "nobody",
            Some(Readiness::Ready) => "ready",
            Some(Readiness::Starting { .. }) => "starting",
            Some(Readiness::Unavailable { .. }) => "unavailable",
            Some(Readiness::Absent { .. }) => "absent",
        }
    }

    #[test]
    fn the_best_of_those_who_are_heard_of_counts() {
        use Standing::{Ready, Starting, Unavailable};
        for (nodes, says_so) in [
            (vec![], "nobody"),
            (vec![node("me", 1, Ready, false)], "nobody"),
            (vec![node("a", 1, Ready, true)], "nobody"),
            (
                vec![node("a", 1, Unavailable, false), node("b", 1, Starting, false)],
                "starting",
            ),
            (
                vec![node("a", 1, Unavailable, false), node("b", 1, Ready, false)],
                "ready",
            ),
            (vec![node("a", 1, Unavailable, false)], "unavailable"),
            // Silent: restarted, say; and gone.
            (vec![node("a", 30, Ready, false)], "starting"),
            (vec![node("a", 130, Ready, false)], "nobody"),
        ] {
            let text = format!("{nodes:?}");
            assert_eq!(says(nodes), says_so, "{text}");
        }
    }

    #[test]
    fn that_the_database_is_out_of_reach_says_nothing_of_the_others() {
        let a = |silent_for| vec![node("a", silent_for, Standing::Ready, false)];
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut known = Known::new(a(1), begun);
        let silent_for = |known: &Known, seconds| known.silent_for(&known.nodes[0], after(seconds)).as_secs();
        assert_eq!(silent_for(&known, 299), 1, "nobody can be heard");
        // It is back, and this server is the first to look.
        known.learn(a(301), after(300));
        assert_eq!(silent_for(&known, 300), 1);
        known.learn(a(305), after(304));
        assert_eq!(silent_for(&known, 304), 5);
        // Whoever says nothing for a while after that is gone.
        known.learn(a(325), after(324));
        assert_eq!(silent_for(&known, 324), 325);
    }

    #[test]
    fn results_are_taken_for_the_same_where_all_make_them_alike() {
        let other = |identity: Option<&str>| {
            let mut other = node("b", 1, Standing::Ready, false);
            other.about.as_mut().unwrap().backends[0].identity = identity.map(str::to_owned);
            other
        };
        for (second, same) in [
            (other(Some("trellis 1")), true),
            (other(Some("trellis 2")), false),
            (other(None), false),
        ] {
            let nodes = vec![node("a", 1, Standing::Ready, false), second];
            let roster = Roster::of("me", nodes);
            assert_eq!(
                roster
                    .identity(BackendChoice::Trellis, Some(Model::DEFAULT))
                    .is_some(),
                same
            );
        }
    }

    #[test]
    fn meshes_are_textured_by_others_that_say_so_and_may_work() {
        for (meshes, standing, can) in [
            (Some(true), Standing::Starting, true),
            (Some(true), Standing::Unavailable, false),
            (Some(false), Standing::Ready, false),
            // An earlier version.
            (None, Standing::Ready, false),
        ] {
            let mut other = node("a", 1, standing, false);
            other.about.as_mut().unwrap().backends[0].ability.meshes = meshes;
            let roster = Roster::of("me", vec![other]);
            let textures = |model| roster.textures_meshes(BackendChoice::Trellis, Some(model));
            assert_eq!(textures(Model::DEFAULT), can, "{meshes:?} {standing:?}");
            assert!(!textures(Model::Trellis2), "it has the other model");
        }
    }

    #[test]
    fn what_was_sampled_is_decoded_where_any_of_the_others_can() {
        let nodes = vec![
            node("a", 1, Standing::Ready, false),
            node("b", 130, Standing::Ready, false),
        ];
        let roster = Roster::of("me", nodes);
        let decodes = |name| roster.decodes(Model::DEFAULT, Sha256::of(name));
        assert!(decodes("a"));
        assert!(!decodes("b"), "it is gone");
        assert!(!decodes("me"), "it decodes nothing");
        assert!(
            !roster.decodes(Model::Trellis2, Sha256::of("a")),
            "it has the other model"
        );
    }
}
