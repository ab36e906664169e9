//! Which of the workers with room gets the next request.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Balancing {
    /// The next in turn.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight; of several the next in turn.
    LeastRequests,
    /// The less busy of two picked at random.
    PowerOfTwo,
}
