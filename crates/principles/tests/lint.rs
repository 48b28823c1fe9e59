//! The rules for principles against principles: those with a fault, and those that only look as if they had one.

use rewardanything_principles::lint::{Fault, lint};
use rewardanything_principles::{Direction, Measure, library, phrasings};

fn faults(principle: &str) -> Vec<Fault> {
    lint(principle).into_iter().map(|finding| finding.fault).collect()
}

#[test]
fn faults_are_found() {
    use Fault as F;
    let check = |principle: &str, expect: &[Fault], evidence: &str| {
        assert_eq!(faults(principle), expect, "{principle}");
        let cited = lint(principle)
            .into_iter()
            .flat_map(|finding| finding.evidence)
            .any(|cited| cited.text == evidence);
        assert!(cited, "{principle}: {evidence:?} is not cited");
    };
    check("Prefer good answers.", &[F::Vague], "good");
    check("Be helpful.", &[F::Vague], "helpful");
    check(
        "The best response is the one with the highest quality.",
        &[F::Vague],
        "quality",
    );
    check("Judge the responses.", &[F::Vague], "Judge the responses");
    check("Pick whatever feels right.", &[F::Vague], "right");
    check("Prefer well written, excellent answers.", &[F::Vague], "written");
    check(
        "Reward responses of great value to the user.",
        &[F::Vague],
        "value",
    );
    check(
        "Use your own judgement and common sense.",
        &[F::Vague],
        "judgement",
    );
    check(
        "Prefer responses that are brief and detailed.",
        &[F::NoPriority],
        "detailed",
    );
    check(
        "Answers should be concise and comprehensive.",
        &[F::NoPriority],
        "concise",
    );
    check(
        "Responses must be short yet complete.",
        &[F::NoPriority],
        "complete",
    );
    check(
        "I want creative and factual answers.",
        &[F::NoPriority],
        "creative",
    );
    check("Reward safe and helpful responses.", &[F::NoPriority], "safe");
    check("Prefer formal and friendly replies.", &[F::NoPriority], "formal");
    check("Keep it brief and friendly.", &[F::NoPriority], "brief");
    check("Prefer simple, thorough answers.", &[F::NoPriority], "simple");
    check("Be helpful, honest and harmless.", &[F::NoPriority], "honest");
    check("Be short and long.", &[F::Contradiction], "long");
    check("Prefer formal, casual answers.", &[F::Contradiction], "casual");
    check(
        "Answers should be polite and blunt.",
        &[F::Contradiction],
        "blunt",
    );
    check("The tone is serious and playful.", &[F::Contradiction], "playful");
    check("Use many lists. Avoid lists.", &[F::Contradiction], "Avoid lists");
    check(
        "We want more commas and fewer commas.",
        &[F::Contradiction],
        "fewer commas",
    );
    check(
        "Include examples, no examples.",
        &[F::Contradiction],
        "no examples",
    );
    check(
        "Confident and cautious answers are what we want.",
        &[F::Contradiction],
        "cautious",
    );
    check(
        "Clarity beats elegance, elegance beats brevity, brevity beats clarity.",
        &[F::Contradiction],
        "brevity beats clarity",
    );
    check(
        "Warmth outranks precision and precision outranks warmth.",
        &[F::Contradiction],
        "Warmth outranks precision",
    );
    check(
        "Be concise, friendly, accurate and structured.",
        &[F::UnrelatedGoals],
        "friendly",
    );
    check(
        "Prefer clear, confident and accurate answers.",
        &[F::UnrelatedGoals],
        "confident",
    );
    check(
        "Prefer the response that was written by a human.",
        &[F::UnseenFacts],
        "written by a human",
    );
    check(
        "The answer that took less time is better.",
        &[F::UnseenFacts],
        "took less time",
    );
    check(
        "Code that compiles without warnings wins.",
        &[F::UnseenFacts],
        "compiles without",
    );
    check(
        "Prefer answers that are up to date.",
        &[F::UnseenFacts],
        "up to date",
    );
    check(
        "The answer with the most upvotes wins.",
        &[F::UnseenFacts],
        "upvotes",
    );
    check(
        "Rank by which model gave the answer.",
        &[F::UnseenFacts],
        "which model",
    );
    check("Respect the chat history.", &[F::UnseenFacts], "chat history");
    check(
        "Prefer answers of appropriate length.",
        &[F::RelativeTerm],
        "appropriate length",
    );
    check(
        "Use a reasonable amount of headings.",
        &[F::RelativeTerm],
        "reasonable amount",
    );
    check(
        "Penalise answers with excessive punctuation.",
        &[F::RelativeTerm],
        "excessive",
    );
    check(
        "Give sufficient detail about each step.",
        &[F::RelativeTerm],
        "sufficient detail",
    );
    check(
        "Texts that use too many commas rank last.",
        &[F::RelativeTerm],
        "too many",
    );
    check("Neither too short nor too long.", &[F::RelativeTerm], "too short");
    check("Weigh accuracy 60% and style 30%.", &[F::Weights], "60%");
    check("70% for content, 50% for form.", &[F::Weights], "50%");
}

#[test]
fn what_only_looks_like_a_fault_is_left_alone() {
    let check = |principle: &str| assert_eq!(lint(principle), [], "{principle}");
    // Nothing but frame and one quality.
    check("Prefer shorter responses.");
    check("The more questions, the better.");
    check("Less text is better.");
    check("Answers should be accurate.");
    // Opposites with a scope, a comparison, a refusal or an order.
    check("Short for simple questions, long for hard ones.");
    check("Casual when the prompt is casual, formal when it is formal.");
    check("A response with fewer commas beats one with more commas.");
    check("Prefer concise over comprehensive answers.");
    check("Prefer brief answers, not detailed ones.");
    check("Whether an answer is short or long is no concern of yours.");
    check("Brevity first; among equally brief responses the more detailed one wins.");
    check("Helpful matters most, but never at the cost of being safe.");
    check(
        "Concise, friendly, accurate, structured: in this order of priority, earlier wishes beat later ones.",
    );
    check("5 for short, 1 for long.");
    check("Clarity beats elegance and elegance beats brevity.");
    check("Do not reward long answers; reward short ones.");
    check("Use lists for steps and avoid lists in prose.");
    // An adjective of another noun.
    check("Short sentences and long words are wanted.");
    check("Tell a long story in short paragraphs.");
    // Facts that are not asked for, or that can be read.
    check("It does not matter which model wrote the text; fewer commas win.");
    check("Prefer responses that say as of which date they are up to date.");
    check("Judge the length, regardless of who wrote it or whether it was written by a human.");
    // Terms with a yardstick.
    check("The length is appropriate: fifty to 150 words.");
    check("Use language suitable for a child of eight.");
    check("A reasonable length, that is between five and ten sentences.");
    check("No answer can have too many examples.");
    check("Sentences of more than 20 words are too long to follow.");
    // Shares of the whole, and percentages that are none.
    check("Weigh it like this: 60% accuracy, 30% clarity, 10% layout.");
    check("Prefer answers that mention a 5% or 10% discount.");
    check("Every percentage, such as 3% or 8%, makes a response better.");
}

#[test]
fn the_library_has_no_fault() {
    for principle in library() {
        assert_eq!(lint(principle.text), [], "{}", principle.id);
        for wording in principle.wordings() {
            let serious: Vec<_> = lint(&wording.text)
                .into_iter()
                .filter(|finding| finding.fault != Fault::RelativeTerm)
                .collect();
            assert_eq!(serious, [], "{}", principle.id);
        }
    }
}

#[test]
fn wishes_for_one_quality_are_not_taken_for_two() {
    for &measure in Measure::ALL {
        for direction in Direction::ALL {
            for phrasing in phrasings(measure, direction) {
                let found = faults(phrasing.text);
                assert!(
                    found.iter().all(|fault| matches!(fault, Fault::RelativeTerm)),
                    "{found:?}: {}",
                    phrasing.text
                );
            }
        }
    }
}

#[test]
fn a_proposal_has_no_fault_of_the_same_kind() {
    for principle in [
        "Be helpful.",
        "Pick whatever feels right.",
        "Prefer responses that are brief and detailed.",
        "Be concise, friendly, accurate and structured.",
        "Prefer the response that was written by a human.",
        "Be short and long.",
    ] {
        for finding in lint(principle) {
            let better = finding.better.split('\u{201c}').nth(1).unwrap_or_default();
            let better = better.trim_end_matches('\u{201d}');
            assert!(!better.is_empty(), "{principle}");
            assert!(!faults(better).contains(&finding.fault), "{principle}: {better}");
        }
    }
}
