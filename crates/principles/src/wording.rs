//! Ways to say a rule: hand-written phrasings where there are some, frames around its goals elsewhere.
//!
//! The frames state priorities and points as people do: lists, orders, tie-breaks, score sheets. Every frame takes
//! whole clauses, so that what fills it stays grammatical. The last four ways of every rule are held out.

use crate::compose::frames::fill;
use crate::{Direction, Goal, Rule, phrasings};

/// One way to say a verifiable principle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The principle as a person would write it.
    pub text: String,
    /// True when it is kept for evaluation and never trained on.
    pub held_out: bool,
}

/// Ways to say one amount of a quality without hand-written phrasings, in the slots of the composed phrases.
const AMOUNT: [&str; 17] = [
    "Prefer the response with {more} {n}.",
    "The response with the {most} {n} is the best.",
    "Compare the {amount} of {n}: the {highest} comes first.",
    "When it comes to {n}, the {more} the better.",
    "The best answer has the {most} {n}, the worst has the {least}.",
    "Do not reward an answer with {less} {n} over an answer with {more}.",
    "Answers with {lots} {n} deserve a 5, answers with {few} {n} deserve a 1.",
    "Choose the reply whose {amount} of {n} is {highest}.",
    "If two answers differ in {n}, take the one with {more}.",
    "We had complaints about too {unmuch} {n}; choose the answer with {more}.",
    "Look at nothing but {n}, and put the text with {more} of {them} further up.",
    "Of two answers the one with {less} {n} loses.",
    "please, {more} {n}, that is all I ask for",
    "The winner is whoever manages the {most} {n}.",
    "Responses ought to be judged on {n}, where a {higher} {amount} is preferable.",
    "One thing separates good from bad replies: good ones have {more} {n}.",
    "First place: {most} {n}. Last place: {least} {n}.",
];

/// How many ways of each rule are held out; they stand last.
const HELD_OUT: usize = 4;

/// All ways to say a rule: at least sixteen where frames say it, at least fourteen where people wrote them.
pub(crate) fn wordings(rule: Rule) -> Vec<Wording> {
    if let Some((measure, direction)) = rule.as_measure() {
        return phrasings(measure, direction)
            .iter()
            .map(|phrasing| Wording {
                text: phrasing.text.to_owned(),
                held_out: phrasing.held_out,
            })
            .collect();
    }
    let texts = match rule {
        Rule::Order([Goal::Amount(quality, direction)]) => AMOUNT
            .iter()
            .map(|frame| fill(frame, quality.noun(), *direction))
            .collect(),
        Rule::Order([goal]) => single(*goal),
        Rule::Order(goals) => order(goals),
        Rule::Points(terms) => points(terms),
    };
    let train = texts.len() - HELD_OUT;
    texts
        .into_iter()
        .enumerate()
        .map(|(at, text)| Wording {
            text,
            held_out: at >= train,
        })
        .collect()
}

/// A few words for a rule, as `principle show` prints them.
pub(crate) fn describe(rule: Rule) -> String {
    match rule {
        Rule::Order(goals) => goals
            .iter()
            .map(|&goal| want(goal))
            .collect::<Vec<_>>()
            .join("; then "),
        Rule::Points(terms) => terms
            .iter()
            .map(|&(points, goal)| format!("{points:+} for {}", unit(goal)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn single(goal: Goal) -> Vec<String> {
    let w = want(goal);
    vec![
        format!("Prefer responses with {w}."),
        format!("{}.", upper(&beats(goal))),
        format!("What we are looking for is {w}."),
        format!("A good response has {w}."),
        format!("Full marks for {w}, low marks otherwise."),
        format!("Our readers expect {w}, so rank accordingly."),
        format!("Please put the responses with {w} on top."),
        format!("My one rule: {w}."),
        format!("I want {w}; nothing else counts."),
        format!("Apply a single test: does the response have {w}?"),
        format!("The house rule asks for {w}. Whoever keeps it comes first."),
        format!("Where a response does not have {w}, mark it down."),
        format!("Everything hangs on {w}."),
        format!("Whoever manages {w} is ahead."),
        format!("Favour {w} over all that a response may offer besides."),
        format!("To win, a response needs {w}."),
    ]
}

fn order(goals: &[Goal]) -> Vec<String> {
    let wants: Vec<String> = goals.iter().map(|&goal| want(goal)).collect();
    let clauses: Vec<String> = goals.iter().map(|&goal| beats(goal)).collect();
    let (first, rest) = (&wants[0], &wants[1..]);
    let ties: String = clauses[2..]
        .iter()
        .map(|clause| format!(" If that is equal too, {clause}."))
        .collect();
    let (b1, b2) = (&clauses[0], &clauses[1]);
    let numbered: Vec<String> = wants
        .iter()
        .enumerate()
        .map(|(at, w)| format!("({}) {w}", at + 1))
        .collect();
    let rules: String = clauses[1..]
        .iter()
        .enumerate()
        .map(|(at, clause)| format!(" Rule {}, for ties alone: {clause}.", at + 2))
        .collect();
    let never: String = wants
        .windows(2)
        .map(|pair| format!("{} for {}", pair[0], pair[1]))
        .collect::<Vec<_>>()
        .join(", nor ");
    vec![
        format!(
            "{}. Among responses that are equal in this, {b2}.{ties}",
            upper(b1)
        ),
        format!(
            "Look for {first} first, and let ties go to {}.",
            rest.join(", remaining ones to ")
        ),
        format!("My priorities, in this order: {}.", numbered.join("; ")),
        format!(
            "What matters most is {first}; between equals, look for {}.",
            rest.join(", and after that for ")
        ),
        format!(
            "Go for {first}. Wherever that leaves a tie, go for {}.",
            rest.join(", and in a tie again for ")
        ),
        format!(
            "{} before {}: a later wish only counts where the earlier ones cannot decide.",
            upper(first),
            rest.join(" before ")
        ),
        format!("Rule 1: {b1}.{rules}"),
        format!(
            "The first question is which response has {first}. Only where they are level there, ask which has {}.",
            rest.join(", and after that which has ")
        ),
        format!(
            "On our pile the responses with {first} lie on top, and inside each group those with {}.",
            rest.join(", inside that again those with ")
        ),
        format!(
            "Nothing outranks {first}; after that I want {}.",
            rest.join(", and last ")
        ),
        format!(
            "The best place goes to the response with {first}; where several share it, to the one with {}.",
            rest.join(", then to the one with ")
        ),
        format!(
            "Checks, where an earlier one always decides: {}.",
            wants.join("; ")
        ),
        format!(
            "please put answers with {first} on top. if they are level there, look for {}",
            rest.join(", then for ")
        ),
        format!("Compare two responses like this: {b1}. Only when they do not differ there, {b2}.{ties}"),
        format!("Never trade {never}: the later wish is there for ties."),
        format!(
            "Those with {first} lead. Inside a group of equals the lead goes to those with {}.",
            rest.join(", and inside that to those with ")
        ),
        format!("Wishes, the strongest at the left: {}.", wants.join(" > ")),
    ]
}

fn points(terms: &[(i8, Goal)]) -> Vec<String> {
    let phrases: Vec<String> = terms.iter().map(|&(n, goal)| term(n, goal)).collect();
    let orders: Vec<String> = terms.iter().map(|&(n, goal)| command(n, goal)).collect();
    let signed: Vec<String> = terms
        .iter()
        .map(|&(n, goal)| format!("{} {n:+}", unit(goal)))
        .collect();
    let numbered: Vec<String> = orders
        .iter()
        .enumerate()
        .map(|(at, o)| format!("{}. {o}.", at + 1))
        .collect();
    let lettered: Vec<String> = phrases
        .iter()
        .zip('a'..='z')
        .map(|(phrase, letter)| format!("({letter}) {phrase}"))
        .collect();
    let all = listed(&phrases);
    let sum: Vec<String> = terms
        .iter()
        .map(|&(n, goal)| match goal {
            Goal::Amount(quality, _) => format!("{n:+} x {}", quality.noun().text),
            gate => format!("{n:+} if it has {}", want(gate)),
        })
        .collect();
    vec![
        format!("Start at zero: {all}. The highest total wins."),
        format!("Count points. {}. Rank by the sum.", upper(&phrases.join("; "))),
        format!("{} Best total first.", numbered.join(" ")),
        format!("Score sheet: {}. More points, better place.", signed.join(", ")),
        format!(
            "Weigh it like this: {}. Then compare the totals.",
            lettered.join("; ")
        ),
        format!("We grade by a tally, {all}. Whoever ends up with the most points comes first."),
        format!(
            "Let each response collect points ({}) and put the richest on top.",
            phrases.join("; ")
        ),
        format!("please tally {all}, highest sum on top"),
        format!("Points decide and nothing else: {all}."),
        format!(
            "This is my key for grading. {}. Sort by the total, largest first.",
            orders.join(". ")
        ),
        format!("The rank follows from a sum, with {all}."),
        format!(
            "For our scoreboard: {}. The leader of the board is the best response.",
            phrases.join(", ")
        ),
        format!("A referee would note {all}, and so should you. Most points wins."),
        format!(
            "Keep an account for each response: {}. The fullest account wins.",
            phrases.join("; ")
        ),
        format!("Judge by arithmetic: the total is {}.", sum.join(", ")),
        format!("{}. Nothing else moves a response up or down.", orders.join(". ")),
        format!("Reckon up {all}, then list the responses from the largest result to the smallest."),
    ]
}

/// A goal as what a response should have: "fewer commas", "at least one list item", "about 50 words".
pub(crate) fn want(goal: Goal) -> String {
    let quality = goal.quality();
    let noun = quality.noun();
    match goal {
        Goal::Amount(_, Direction::More) => format!("more {}", noun.text),
        Goal::Amount(_, Direction::Fewer) if noun.counted => format!("fewer {}", noun.text),
        Goal::Amount(_, Direction::Fewer) => format!("less {}", noun.text),
        Goal::AtLeast(_, 1) if quality.is_yes_or_no() => with_article(noun.one),
        Goal::AtLeast(_, 1) => format!("at least one {}", noun.one),
        Goal::AtLeast(_, least) => format!("at least {} {}", number(least), noun.text),
        Goal::AtMost(_, 0) if quality.is_yes_or_no() => format!("no {}", noun.one),
        Goal::AtMost(_, 0) => format!("no {}", noun.text),
        Goal::AtMost(_, 1) => format!("at most one {}", noun.one),
        Goal::AtMost(_, most) => format!("at most {} {}", number(most), noun.text),
        Goal::Near(_, wanted) => format!("about {} {}", number(wanted), noun.text),
    }
}

/// A goal as a clause that says who is ahead.
fn beats(goal: Goal) -> String {
    let (w, noun) = (want(goal), goal.quality().noun());
    match goal {
        Goal::Amount(_, direction) => {
            let other = match (direction, noun.counted) {
                (Direction::Fewer, _) => "more",
                (Direction::More, true) => "fewer",
                (Direction::More, false) => "less",
            };
            format!("a response with {w} beats one with {other}")
        }
        Goal::AtLeast(_, 1) => format!("a response with {w} beats one without"),
        Goal::AtLeast(..) => format!("a response with {w} beats one with fewer"),
        Goal::AtMost(_, 0) => format!("a response with {w} beats one that has any"),
        Goal::AtMost(..) => format!("a response with {w} beats one with more"),
        Goal::Near(_, wanted) => {
            format!(
                "the closer a response comes to {} {}, the better",
                number(wanted),
                noun.text
            )
        }
    }
}

/// What points are given for: "each comma", "at most 50 words".
pub(crate) fn unit(goal: Goal) -> String {
    match goal {
        Goal::Amount(quality, _) => format!("each {}", quality.noun().one),
        gate => want(gate),
    }
}

pub(crate) fn term(points: i8, goal: Goal) -> String {
    let sign = if points < 0 { "off " } else { "" };
    format!("{} {sign}for {}", amount(points), unit(goal))
}

pub(crate) fn command(points: i8, goal: Goal) -> String {
    let unit = unit(goal);
    if points < 0 {
        format!("Take {} off for {unit}", amount(points))
    } else {
        format!("Add {} for {unit}", amount(points))
    }
}

fn amount(points: i8) -> String {
    match points.unsigned_abs() {
        1 => "one point".to_owned(),
        n => format!("{} points", number(u16::from(n))),
    }
}

/// Small numbers in words, as people write them.
pub(crate) fn number(n: u16) -> String {
    const WORDS: [&str; 11] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    WORDS
        .get(usize::from(n))
        .map_or_else(|| n.to_string(), |word| (*word).to_owned())
}

fn with_article(one: &str) -> String {
    let article = if one.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {one}")
}

pub(crate) fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

fn upper(text: &str) -> String {
    crate::compose::upper_first(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Measure, Quality};

    #[test]
    fn frames_say_rules_in_plain_english() {
        let items = Quality::Of(Measure::ListItems);
        let rule = Rule::Order(&[
            Goal::AtLeast(Quality::Of(Measure::ListItems), 1),
            Goal::Amount(Quality::Of(Measure::Words), Direction::Fewer),
        ]);
        let said: Vec<String> = wordings(rule).into_iter().map(|wording| wording.text).collect();
        assert_eq!(
            said[0],
            "A response with at least one list item beats one without. Among responses that are equal in this, a \
             response with fewer words beats one with more."
        );
        assert_eq!(
            said[2],
            "My priorities, in this order: (1) at least one list item; (2) fewer words."
        );
        assert_eq!(
            said[4],
            "Go for at least one list item. Wherever that leaves a tie, go for fewer words."
        );
        assert_eq!(
            want(Goal::Near(Quality::Of(Measure::Words), 50)),
            "about 50 words"
        );
        assert_eq!(
            want(Goal::AtLeast(Quality::FinalQuestion, 1)),
            "a question at the very end"
        );
        assert_eq!(want(Goal::AtMost(items, 3)), "at most three list items");
        assert_eq!(
            term(-2, Goal::Amount(items, Direction::More)),
            "two points off for each list item"
        );
        assert_eq!(
            describe(Rule::Points(&[
                (1, Goal::AtMost(Quality::Emoji, 0)),
                (-2, Goal::AtLeast(Quality::Emoji, 4))
            ])),
            "+1 for no emoji, -2 for at least four emoji"
        );
    }
}
