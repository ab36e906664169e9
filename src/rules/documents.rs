//! Default documents: what stands for a directory.

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Documents {
    pub(crate) enabled: bool,
    /// In the order of preference.
    pub(crate) names: Vec<Box<str>>,
}
