//! What rules ask of a request beyond its URL.

use std::borrow::Cow;

pub(crate) trait Facts {
    /// The value of an IIS server variable (`HTTPS`, `HTTP_HOST`, `REQUEST_METHOD`, `HTTP_<FIELD>` ...), in upper case;
    /// None if there is no such variable. Variables of the URL itself are not asked here.
    fn variable(&self, name: &str) -> Option<Cow<'_, str>>;
}
