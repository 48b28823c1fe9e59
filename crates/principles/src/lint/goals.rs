//! Which goals a principle names, and whether it can hold all of them at once.

use super::words::Words;
use super::{Fault, Finding};
use crate::Category;
use crate::text::is_in;

/// A quality that adjectives and nouns demand more or less of.
struct Dimension {
    /// What it is called.
    name: &'static str,
    category: Category,
    /// Words that demand one end, and words that demand the other.
    ends: [&'static str; 2],
}

const LENGTH: usize = 0;
const DETAIL: usize = 1;
const FORMALITY: usize = 2;
const WARMTH: usize = 3;
const SIMPLICITY: usize = 4;
const GRAVITY: usize = 6;
const INVENTION: usize = 7;
const ACCURACY: usize = 8;
const ENTERTAINMENT: usize = 12;
const SAFETY: usize = 13;
const HELP: usize = 14;

const DIMENSIONS: [Dimension; 16] = [
    Dimension {
        name: "length",
        category: Category::Structure,
        ends: [
            "short shorter shortest brief briefer briefest concise succinct terse brevity conciseness \
             compact",
            "long longer longest lengthy verbose",
        ],
    },
    Dimension {
        name: "completeness",
        category: Category::Content,
        ends: [
            "detailed thorough complete comprehensive exhaustive completeness thoroughness",
            "superficial sketchy",
        ],
    },
    Dimension {
        name: "formality",
        category: Category::Tone,
        ends: [
            "formal formality",
            "casual informal chatty colloquial informality",
        ],
    },
    Dimension {
        name: "warmth",
        category: Category::Tone,
        ends: [
            "warm friendly kind kindness warmth empathetic gentle polite courteous politeness friendliness",
            "blunt harsh stern rude bluntness impolite unfriendly",
        ],
    },
    Dimension {
        name: "simplicity",
        category: Category::Style,
        ends: [
            "simple simplicity simpler simplest",
            "technical academic sophisticated complex elaborate complexity sophistication",
        ],
    },
    Dimension {
        name: "caution",
        category: Category::Logic,
        ends: [
            "cautious hedged tentative caution",
            "confident decisive assertive confidence decisiveness",
        ],
    },
    Dimension {
        name: "gravity",
        category: Category::Tone,
        ends: [
            "serious sober solemn seriousness",
            "funny humorous playful witty humour humor",
        ],
    },
    Dimension {
        name: "invention",
        category: Category::Content,
        ends: [
            "creative imaginative original creativity originality",
            "conventional unoriginal",
        ],
    },
    Dimension {
        name: "accuracy",
        category: Category::Content,
        ends: [
            "accurate correct factual accuracy correctness truthful",
            "inaccurate incorrect false",
        ],
    },
    Dimension {
        name: "clear order",
        category: Category::Structure,
        ends: [
            "structured organised organized",
            "unstructured disorganised disorganized",
        ],
    },
    Dimension {
        name: "clarity",
        category: Category::Style,
        ends: ["clear clarity readable", "obscure unclear cryptic"],
    },
    Dimension {
        name: "neutrality",
        category: Category::Logic,
        ends: [
            "neutral objective impartial neutrality objectivity",
            "partisan opinionated biased persuasive one-sided",
        ],
    },
    Dimension {
        name: "entertainment",
        category: Category::Style,
        ends: ["engaging entertaining vivid exciting", "dry boring dull"],
    },
    Dimension {
        name: "safety",
        category: Category::Content,
        ends: ["safe harmless safety harmlessness", "dangerous harmful"],
    },
    Dimension {
        name: "help",
        category: Category::Content,
        ends: ["helpful useful helpfulness usefulness", "useless unhelpful"],
    },
    Dimension {
        name: "honesty",
        category: Category::Content,
        ends: ["honest honesty", "dishonest deceptive"],
    },
];

/// Ends that draw a response in different directions: more of one usually costs some of the other.
const TENSIONS: &[[(usize, usize); 2]] = &[
    [(LENGTH, 0), (DETAIL, 0)],
    [(LENGTH, 0), (ENTERTAINMENT, 0)],
    [(SIMPLICITY, 0), (DETAIL, 0)],
    [(INVENTION, 0), (ACCURACY, 0)],
    [(FORMALITY, 0), (WARMTH, 0)],
    [(FORMALITY, 0), (GRAVITY, 1)],
    [(LENGTH, 0), (WARMTH, 0)],
    [(SAFETY, 0), (HELP, 0)],
];

/// Words with which a text puts its goals in an order or weighs them.
const ORDERING: &str = "first firstly second secondly third then before after above over outrank outranks outweigh outweighs beat \
    beats priority priorities primarily secondary mainly foremost weigh weighs weight weights weighted point \
    points tie ties tied equal equals equally only last than win wins never unless even sacrificing losing \
    expense cost precedence trumps matters matter";

/// Words that say for what a demand holds, so that opposite ones can both stand.
const SCOPE: &str = "when whenever if unless until except depending where wherever otherwise or whether either neither nor \
    sometimes while at then after before for to match mirror during once alternately balance between";

/// Words that turn a sentence into a comparison, a refusal or a description of what is worse.
const TURNING: &str = "ahead not no never without avoid avoids less least lower lowest worse worst penalise penalize fault instead \
    than rather over beats beat lose loses last bottom drop down below behind beneath neither nor dislike \
    hate too don't doesn't isn't aren't cannot can't against ignore fewer few weakness bad off minus costs \
    cost regardless irrelevant makes stop remove 1 5";

/// A demand that the text makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Demand {
    dimension: usize,
    /// Which of the dimension's ends.
    end: usize,
    /// The place of the word.
    at: usize,
}

/// The demands made outright: comparisons and refusals make none.
fn demands(words: &Words<'_>) -> Vec<Demand> {
    let mut found = Vec::new();
    for (at, word) in words.all().iter().enumerate() {
        for (dimension, known) in DIMENSIONS.iter().enumerate() {
            let end = known.ends.iter().position(|end| is_in(end, &word.text));
            if let Some(end) = end
                && !words.sentence_of(at).any(|other| is_in(TURNING, other))
                && speaks_of_the_response(words, at)
            {
                found.push(Demand { dimension, end, at });
            }
        }
    }
    found
}

/// "Short" of "short words" is no wish about the response; of "short and warm" or "short answers" it is.
fn speaks_of_the_response(words: &Words<'_>, at: usize) -> bool {
    const NEXT: &str = "and but yet as response responses answer answers reply replies text texts output outputs at while enough \
    is in tone possible manner";
    words.ends_clause(at) || is_in(NEXT, words.text(at + 1)) || is_demand(words.text(at + 1))
}

fn is_demand(word: &str) -> bool {
    DIMENSIONS
        .iter()
        .any(|known| known.ends.iter().any(|end| is_in(end, word)))
}

/// Opposite demands on one quality, or a thing that is both wanted and refused.
pub(super) fn contradiction(words: &Words<'_>) -> Option<Finding> {
    if words.has_of(SCOPE) {
        return None;
    }
    let demands = demands(words);
    let pair = demands.iter().enumerate().find_map(|(at, a)| {
        demands[at + 1..]
            .iter()
            .find(|b| a.dimension == b.dimension && a.end != b.end)
            .map(|b| (*a, *b))
    });
    if let Some((a, b)) = pair {
        let (one, other) = (words.text(a.at), words.text(b.at));
        return Some(Finding {
            fault: Fault::Contradiction,
            reason: format!(
                "\u{201c}{one}\u{201d} and \u{201c}{other}\u{201d} are opposite ends of one quality, \
                 {}: what meets the one fails the other.",
                DIMENSIONS[a.dimension].name
            ),
            better: format!(
                "Keep one of the two, or say for what each holds: \u{201c}{} for simple questions, {} for the rest.\u{201d}",
                capital(one),
                other
            ),
            evidence: vec![words.evidence(a.at, a.at), words.evidence(b.at, b.at)],
        });
    }
    wanted_and_refused(words)
}

/// The thing that a quantity or a verb speaks about, and whether it is wanted.
fn things(words: &Words<'_>) -> Vec<(String, bool, usize, usize)> {
    const WANT: &str = "more many use include reward add prefer most plenty";
    const REFUSE: &str = "fewer no avoid without fewest penalise penalize omit few";
    const COMPARING: &str = "first place than beats beat over rather instead better worse worst best rank ranks last bottom lower loses lose not \
    don't never score 5 1 point points the have has lack deserve should";
    let all = words.all();
    (0..all.len().saturating_sub(1))
        .filter_map(|at| {
            let wanted = is_in(WANT, words.text(at));
            if !wanted && !is_in(REFUSE, words.text(at)) {
                return None;
            }
            let same_clause = all[at].clause == all[at + 1].clause;
            let ends = words.ends_clause(at + 1) || matches!(words.text(at + 2), "and" | "but" | "yet");
            let verb_before =
                at > 0 && all[at - 1].clause == all[at].clause && is_in(REFUSE, words.text(at - 1));
            let plain = !words.sentence_of(at).any(|word| is_in(COMPARING, word));
            (same_clause && ends && plain && !verb_before).then(|| {
                (
                    words.text(at + 1).trim_end_matches('s').to_owned(),
                    wanted,
                    at,
                    at + 1,
                )
            })
        })
        .filter(|(thing, ..)| thing.len() > 2)
        .collect()
}

fn wanted_and_refused(words: &Words<'_>) -> Option<Finding> {
    let things = things(words);
    let (first, second) = things.iter().enumerate().find_map(|(at, a)| {
        things[at + 1..]
            .iter()
            .find(|b| a.0 == b.0 && a.1 != b.1)
            .map(|b| (a, b))
    })?;
    let evidence = vec![
        words.evidence(first.2, first.3),
        words.evidence(second.2, second.3),
    ];
    Some(Finding {
        fault: Fault::Contradiction,
        reason: format!(
            "It asks for \u{201c}{}\u{201d} and for \u{201c}{}\u{201d}: no response can meet both.",
            evidence[0].text, evidence[1].text
        ),
        better: format!(
            "Keep one of them, or give a limit: \u{201c}At least one {0}, and no more than three.\u{201d}",
            first.0
        ),
        evidence,
    })
}

/// "A beats B, B beats C, C beats A".
pub(super) fn circle(words: &Words<'_>) -> Option<Finding> {
    const ABOVE: &str = "beats outranks trumps outweighs before over";
    let all = words.all();
    let edges: Vec<(&str, &str, usize)> = (1..all.len().saturating_sub(1))
        .filter(|&at| is_in(ABOVE, words.text(at)))
        .filter(|&at| all[at - 1].clause == all[at].clause && all[at + 1].clause == all[at].clause)
        .map(|at| (words.text(at - 1), words.text(at + 1), at))
        .collect();
    let reaches = |from: &str, to: &str| {
        let mut seen = vec![from];
        let mut next = 0;
        while next < seen.len() {
            let here = seen[next];
            for (above, below, _) in &edges {
                if *above == here && !seen.contains(below) {
                    seen.push(below);
                }
            }
            next += 1;
        }
        from != to && seen.contains(&to)
    };
    let on_circle: Vec<usize> = edges
        .iter()
        .filter(|(above, below, _)| reaches(below, above))
        .map(|(_, _, at)| *at)
        .collect();
    let first = *on_circle.first()?;
    Some(Finding {
        fault: Fault::Contradiction,
        evidence: on_circle
            .iter()
            .map(|&at| words.evidence(at - 1, at + 1))
            .collect(),
        reason: "The order runs in a circle: each of these goals would stand above itself.".to_owned(),
        better: format!(
            "Name an order with a top and a bottom: \u{201c}{} first; the others decide only between responses that are \
             equal in it.\u{201d}",
            capital(words.text(first - 1))
        ),
    })
}

/// Goals in tension, or a list of many, and nothing that orders them.
pub(super) fn no_order(words: &Words<'_>) -> Option<Finding> {
    let numbered = words.all().iter().any(|word| word.text == "1");
    if numbered || words.has_of(ORDERING) || words.has(&["if", "when", "whenever", "where", "or", "whether"])
    {
        return None;
    }
    let mut goals: Vec<Demand> = Vec::new();
    for demand in demands(words) {
        if goals.iter().all(|goal| goal.dimension != demand.dimension) {
            goals.push(demand);
        } else if goals
            .iter()
            .any(|goal| goal.dimension == demand.dimension && goal.end != demand.end)
        {
            // A contradiction has been said already.
            return None;
        }
    }
    let mut categories: Vec<Category> = goals
        .iter()
        .map(|goal| DIMENSIONS[goal.dimension].category)
        .collect();
    categories.sort_unstable();
    categories.dedup();
    if goals.len() >= 3 {
        let names: Vec<&str> = goals.iter().map(|goal| words.text(goal.at)).collect();
        let unrelated = categories.len() >= 3;
        return Some(Finding {
            fault: if unrelated {
                Fault::UnrelatedGoals
            } else {
                Fault::NoPriority
            },
            evidence: goals
                .iter()
                .map(|goal| words.evidence(goal.at, goal.at))
                .collect(),
            reason: format!(
                "It names {} goals{} and no order among them; two judges will weigh them differently.",
                goals.len(),
                if unrelated {
                    " that have little to do with each other"
                } else {
                    ""
                }
            ),
            better: format!(
                "Judge by one of them, or order them: \u{201c}1. {}. 2. Among equals, {}. 3. Among those that are still equal, \
                 {}.\u{201d}",
                capital(names[0]),
                names[1],
                names[2]
            ),
        });
    }
    let tense = |a: &Demand, b: &Demand| {
        let (a, b) = ((a.dimension, a.end), (b.dimension, b.end));
        TENSIONS.contains(&[a, b]) || TENSIONS.contains(&[b, a])
    };
    let [a, b] = goals[..] else { return None };
    tense(&a, &b).then(|| {
        let (one, other) = (words.text(a.at), words.text(b.at));
        Finding {
            fault: Fault::NoPriority,
            evidence: vec![words.evidence(a.at, a.at), words.evidence(b.at, b.at)],
            reason: format!(
                "\u{201c}{one}\u{201d} and \u{201c}{other}\u{201d} pull in different directions, and it does not say \
                 which wins when a response cannot be both."
            ),
            better: format!(
                "Say which comes first: \u{201c}{} comes first; among responses that are equal in this, prefer the one that \
                 does better in {}.\u{201d}",
                capital(name(&a)),
                name(&b)
            ),
        }
    })
}

/// What a demand is called in a proposal.
fn name(demand: &Demand) -> &'static str {
    match (demand.dimension, demand.end) {
        (LENGTH, 0) => "brevity",
        (GRAVITY, 1) => "humour",
        (dimension, _) => DIMENSIONS[dimension].name,
    }
}

fn capital(word: &str) -> String {
    crate::compose::upper_first(word)
}
