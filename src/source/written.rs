//! A text of a source's own (an expression, a definition) in the two forms that PostgreSQL has for one.
//! Must not know: who may read it.

use std::ops::Deref;

/// An expression or definition under the names that things have at its source. Read as a text it is the plain form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// With all its parentheses.
    pub plain: String,
    /// As it is written for people.
    pub pretty: String,
}

impl Written {
    /// Of a source that has one form alone.
    #[must_use]
    pub fn once(text: String) -> Self {
        Written { pretty: text.clone(), plain: text }
    }

    /// Both forms, where the source has said both.
    #[must_use]
    pub fn of(plain: Option<String>, pretty: Option<String>) -> Option<Self> {
        plain.map(|plain| Written { pretty: pretty.unwrap_or_else(|| plain.clone()), plain })
    }

    /// One of the forms.
    #[must_use]
    pub fn form(&self, pretty: bool) -> &str {
        if pretty { &self.pretty } else { &self.plain }
    }

    /// Both forms, each made another.
    #[must_use]
    pub fn map(&self, of: impl Fn(&str) -> String) -> Self {
        Written { plain: of(&self.plain), pretty: of(&self.pretty) }
    }
}

impl Deref for Written {
    type Target = str;

    fn deref(&self) -> &str {
        &self.plain
    }
}
