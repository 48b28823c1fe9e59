//! What is wrong with a principle, in plain words: rules that cite the words they rest on, and no model.
//!
//! A rule speaks only where the words leave little doubt, since a warning about a good principle is worse than silence
//! about a poor one. So nothing is concluded from what a text fails to say, except where all of it says nothing; and
//! conditions, comparisons and negations silence the rules that they could mislead.

mod goals;
mod terms;
mod words;

use serde::Serialize;

use words::Words;

/// What can be wrong with a principle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// It praises, and names nothing that can be seen in a response.
    Vague,
    /// Two of its goals pull in different directions and it does not say which wins.
    NoPriority,
    /// It demands opposites of one quality, or its order of priority runs in a circle.
    Contradiction,
    /// It lists goals that have nothing to do with each other, without an order.
    UnrelatedGoals,
    /// It asks for what is not in the texts that a judge reads.
    UnseenFacts,
    /// It uses a term that depends on a yardstick it does not give.
    RelativeTerm,
    /// Its shares do not add up to the whole.
    Weights,
}

impl Fault {
    /// Its name in snake case, equal to the serialised form.
    pub fn id(self) -> &'static str {
        match self {
            Self::Vague => "vague",
            Self::NoPriority => "no_priority",
            Self::Contradiction => "contradiction",
            Self::UnrelatedGoals => "unrelated_goals",
            Self::UnseenFacts => "unseen_facts",
            Self::RelativeTerm => "relative_term",
            Self::Weights => "weights",
        }
    }
}

/// Words of the principle that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Where they begin, in bytes.
    pub start: usize,
    /// Where they end, in bytes.
    pub end: usize,
    /// The words as they stand there.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// The words that say so, in the order of the text; never empty.
    pub evidence: Vec<Evidence>,
    /// Why it matters, in a sentence.
    pub reason: String,
    /// A wording that would not have the fault, or how to get one.
    pub better: String,
}

/// Everything that is wrong with a principle, by fault; empty when nothing is.
///
/// ```
/// use rewardanything_principles::lint::{Fault, lint};
/// let findings = lint("Prefer responses that are brief and detailed.");
/// assert_eq!(findings[0].fault, Fault::NoPriority);
/// assert_eq!(findings[0].evidence[1].text, "detailed");
/// assert!(lint("Brevity first; among equally brief responses the more detailed one wins.").is_empty());
/// ```
pub fn lint(principle: &str) -> Vec<Finding> {
    let words = Words::of(principle);
    let mut findings = Vec::new();
    findings.extend(terms::vague(&words));
    findings.extend(goals::contradiction(&words));
    findings.extend(goals::circle(&words));
    findings.extend(goals::no_order(&words));
    findings.extend(terms::unseen(&words));
    findings.extend(terms::relative(&words));
    findings.extend(terms::weights(&words));
    findings.sort_by_key(|finding| finding.fault);
    findings
}
