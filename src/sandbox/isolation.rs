//! Isolation: which one the user asks for, and which one workers run in.

use std::fmt;
use std::str::FromStr;

use super::private::PrivatePlan;

/// Which isolation the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationChoice {
    /// `private` where the kernel allows it, `none` elsewhere.
    #[default]
    Auto,
    /// Namespaces, or an error.
    Private,
    /// The ambient surroundings.
    None,
}

impl IsolationChoice {
    const ALL: [Self; 3] = [IsolationChoice::Auto, IsolationChoice::Private, IsolationChoice::None];
}

impl fmt::Display for IsolationChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IsolationChoice::Auto => "auto",
            IsolationChoice::Private => "private",
            IsolationChoice::None => "none",
        })
    }
}

impl FromStr for IsolationChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = IsolationChoice::ALL.into_iter().find(|choice| choice.to_string() == text);
        known.ok_or_else(|| {
            format!("{text} is no isolation; known are {}", IsolationChoice::ALL.map(|choice| choice.to_string()).join(", "))
        })
    }
}

/// What workers run in.
#[derive(Clone, Debug)]
pub enum Isolation {
    /// Namespaces of their own, entered as planned.
    Private(PrivatePlan),
    /// The ambient surroundings.
    None {
        /// Why, in a sentence fragment.
        why: String,
    },
}

impl Isolation {
    /// Whether workers have namespaces of their own.
    pub fn is_private(&self) -> bool {
        matches!(self, Isolation::Private(_))
    }

    /// In one line: `private`, or `none` and why.
    pub fn describe(&self) -> String {
        match self {
            Isolation::Private(plan) => format!("private ({})", plan.description()),
            Isolation::None { why } => format!("none ({why})"),
        }
    }

    /// What it lacks by its nature, a sentence each; the rest is known once a worker stands.
    pub fn remarks(&self) -> Vec<String> {
        match self {
            Isolation::Private(_) => Vec::new(),
            Isolation::None { .. } => {
                vec!["without isolation, only objects that cases announce are looked for after each case".to_owned()]
            }
        }
    }

    /// What the command line shows about it: name and value of each property.
    pub fn facts(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self {
            Isolation::Private(plan) => {
                let mut facts = vec![row("isolation", "private")];
                facts.extend(plan.surroundings().facts());
                facts
            }
            Isolation::None { why } => vec![row("isolation", "none"), row("reason", why)],
        }
    }
}
