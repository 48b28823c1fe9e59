//! What the judge is taught to write, with the places that a metric follows.

use super::amounts::Amounts;
use super::{Example, Kind};
use rewardanything_core::pieces::{mark, pieces};
use rewardanything_core::{Mask, Message, Score, Verdict, render};
use rewardanything_principles::{Direction, Goal, Quality, Rule, gold_of_values};
use std::ops::Range;

/// A reply in the making.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) marks: Vec<(Range<usize>, Kind)>,
}

impl Reply {
    /// A reply that has begun to think.
    pub(super) fn thinking() -> Self {
        Self {
            text: "<think>".to_owned(),
            marks: vec![],
        }
    }

    fn mark(&mut self, text: &str, kind: Kind) {
        let start = self.text.len();
        self.text.push_str(text);
        self.marks.push((start..self.text.len(), kind));
    }

    /// `Asked for: at least 1 list items; then fewer words.`
    pub(super) fn asked(&mut self, rule: Rule) {
        self.text.push_str("\nAsked for:");
        let goals = rule.goals();
        for (at, goal) in goals.iter().enumerate() {
            if let Rule::Points(terms) = rule {
                self.text.push_str(if at > 0 { ", " } else { " " });
                self.mark(&format!("{:+}", terms[at].0), Kind::Direction);
                if !matches!(goal, Goal::Amount(..)) {
                    self.mark(" if", Kind::Direction);
                }
            } else if at > 0 {
                self.text.push_str("; then");
            }
            let bound = |word: &str, n: &u16| format!(" {word} {n}");
            match goal {
                Goal::Amount(_, direction) if !matches!(rule, Rule::Points(_)) => {
                    self.mark(&format!(" {}", direction.id()), Kind::Direction);
                }
                Goal::Amount(..) => {}
                Goal::AtLeast(_, n) => self.mark(&bound("at least", n), Kind::Direction),
                Goal::AtMost(_, n) => self.mark(&bound("at most", n), Kind::Direction),
                Goal::Near(_, n) => self.mark(&bound("near", n), Kind::Direction),
            }
            self.text.push(' ');
            self.mark(&name(goal.quality()), Kind::Quality);
        }
        self.text.push('.');
    }

    /// As [`asked`](Self::asked), where it is known already: returns it, and no metric follows it.
    pub(super) fn put_plainly(&mut self, rule: Rule) -> String {
        let (start, marks) = (self.text.len(), self.marks.len());
        self.asked(rule);
        self.marks.truncate(marks);
        let line = &self.text[start..];
        line.split_once(": ").map_or(line, |(_, asked)| asked).to_owned()
    }

    /// `model-1: ⟦1a⟧ One, two [commas 1:1]⟦1b⟧, and three [commas 1:2] all commas 2.`: every response is read out piece by
    /// piece, and after each stands how much of each quality it has, and how much that makes so far.
    ///
    /// Read out, a piece stands right before its amounts. Found by its mark alone, in the prompt, it is not learned: a model
    /// of this size then writes what is likeliest of any piece.
    pub(super) fn counted(&mut self, qualities: &[Quality], texts: &[String], piece_words: usize) {
        self.read(qualities, texts, piece_words, Kind::Echo);
    }

    /// As [`counted`](Self::counted), where the text is given to whoever counts, and not taught.
    pub(super) fn counted_as_given(&mut self, qualities: &[Quality], text: &str, piece_words: usize) {
        self.read(qualities, &[text.to_owned()], piece_words, Kind::Given);
    }

    fn read(&mut self, qualities: &[Quality], texts: &[String], piece_words: usize, echo: Kind) {
        for (position, text) in texts.iter().enumerate() {
            let amounts: Vec<Amounts> = qualities
                .iter()
                .map(|quality| Amounts::of(*quality, text, piece_words))
                .collect();
            self.text.push_str(&format!("\nmodel-{}: ", position + 1));
            for (piece, words) in pieces(text, piece_words).into_iter().enumerate() {
                self.mark(&mark(position, piece), echo);
                if piece == 0 {
                    self.text.push(' ');
                }
                self.mark(words, echo);
                self.text.push_str(" [");
                for (at, (quality, amounts)) in qualities.iter().zip(&amounts).enumerate() {
                    self.text.push_str(if at > 0 { ", " } else { "" });
                    self.text.push_str(&name(*quality));
                    self.text.push(' ');
                    let before = if piece > 0 { amounts.running[piece - 1] } else { 0 };
                    let now = amounts.running[piece];
                    if amounts.adds_up {
                        self.mark(&(now - before).to_string(), Kind::Piece);
                    }
                    self.text.push(':');
                    self.mark(&now.to_string(), Kind::Running);
                }
                self.text.push(']');
            }
            let whole: Vec<u32> = amounts.iter().map(Amounts::whole).collect();
            self.all(qualities, &whole, Kind::Recall);
        }
    }

    /// As [`counted`](Self::counted), with amounts that nobody counted.
    pub(super) fn given(&mut self, qualities: &[Quality], amounts: &[Vec<u32>]) {
        for (position, row) in amounts.iter().enumerate() {
            self.text.push_str(&format!("\nmodel-{}:", position + 1));
            self.all(qualities, row, Kind::Given);
        }
    }

    /// ` all commas 2, words 9.`
    fn all(&mut self, qualities: &[Quality], amounts: &[u32], kind: Kind) {
        self.text.push_str(" all ");
        for (at, (quality, amount)) in qualities.iter().zip(amounts).enumerate() {
            self.text.push_str(if at > 0 { ", " } else { "" });
            self.text.push_str(&name(*quality));
            self.text.push(' ');
            self.mark(&amount.to_string(), kind);
        }
        self.text.push('.');
    }

    /// Ends the thinking, without a verdict.
    pub(super) fn end(mut self) -> Self {
        self.text.push_str("\n</think>");
        self
    }

    /// The example in which this is the reply.
    pub(super) fn behind(self, messages: Vec<Message>) -> Example {
        Example {
            messages,
            reply: self.text,
            marks: self.marks,
        }
    }

    /// Ends the thinking and gives the verdict that follows from the amounts: a row for each response, with one of
    /// each goal's quality.
    ///
    /// Every score is led up to, since in one step it is not learned: what each goal makes of its amount, where several
    /// goals meet; the order or the range of that; and a line with what the response's score follows from.
    pub(super) fn verdict(mut self, rule: Rule, amounts: &[Vec<u32>]) -> Self {
        let rows: Vec<Vec<f64>> = amounts
            .iter()
            .map(|row| row.iter().copied().map(f64::from).collect())
            .collect();
        let values = rule.values_of(&rows);
        let gold = gold_of_values(Direction::More, &values);
        let keys = match rule {
            Rule::Order([Goal::Amount(..)]) => rows.iter().map(|row| whole(row[0])).collect(),
            Rule::Order([Goal::Near(..)]) => values.iter().map(|v| format!("off {}", whole(-v))).collect(),
            Rule::Order([_]) => values.iter().map(|v| yes_or_no(*v).to_owned()).collect(),
            Rule::Order(_) => {
                let demands = self.demands(&rule.goals(), &rows);
                let beaten = self.compared(&demands, &values);
                self.order(&beaten)
            }
            Rule::Points(terms) => {
                self.points(terms, &rows, &values);
                values.iter().map(|v| whole(*v)).collect()
            }
        };
        if !matches!(rule, Rule::Order([_, _, ..])) {
            self.range(&values, &keys);
        }
        for (position, (key, score)) in keys.iter().zip(&gold.scores).enumerate() {
            self.text.push_str(&format!("\nmodel-{}: ", position + 1));
            self.mark(key, Kind::Recall);
            self.text.push_str(" gives ");
            self.mark(&score.to_string(), Kind::Score);
            self.text.push('.');
        }
        self.judged(&gold)
    }

    /// `model-1: yes -34.`: what each goal looks at, so that the larger number is the better one; gives it by response.
    fn demands(&mut self, goals: &[Goal], rows: &[Vec<f64>]) -> Vec<String> {
        let say = |(goal, amount): (&Goal, &f64)| match goal {
            Goal::Amount(_, Direction::More) => whole(*amount),
            Goal::Amount(_, Direction::Fewer) => format!("-{}", whole(*amount)),
            Goal::Near(..) => format!("-{}", whole(-goal.worth_of(*amount))),
            _ => yes_or_no(goal.worth_of(*amount)).to_owned(),
        };
        let demands: Vec<String> = rows
            .iter()
            .map(|row| goals.iter().zip(row).map(say).collect::<Vec<_>>().join(" "))
            .collect();
        for (position, said) in demands.iter().enumerate() {
            self.text.push_str(&format!("\nmodel-{}: ", position + 1));
            self.mark(said, Kind::Worth);
            self.text.push('.');
        }
        demands
    }

    /// `model-1, yes -34 beats: no -9 yes; yes -12 no; 1.`: each response against all others in their order, and how many
    /// it beats, which is also given.
    ///
    /// An order of several in one go is not learned, nor is a place among them. Which of two keys is the better one is,
    /// where they stand side by side and say themselves which way they go.
    fn compared(&mut self, demands: &[String], values: &[f64]) -> Vec<usize> {
        let mut all = Vec::new();
        for (position, own) in demands.iter().enumerate() {
            self.text.push_str(&format!("\nmodel-{}, ", position + 1));
            self.mark(own, Kind::Recall);
            self.text.push_str(" beats:");
            let mut beaten = 0;
            for other in (0..demands.len()).filter(|other| *other != position) {
                let better = values[position] > values[other];
                beaten += usize::from(better);
                self.text.push(' ');
                self.mark(&demands[other], Kind::Recall);
                self.mark(if better { " yes" } else { " no" }, Kind::Worth);
                self.text.push(';');
            }
            self.text.push(' ');
            self.mark(&beaten.to_string(), Kind::Worth);
            self.text.push('.');
            all.push(beaten);
        }
        all
    }

    /// `Places: 2, 0.`: how many responses those of each place beat, the best place first; gives every response's place.
    fn order(&mut self, beaten: &[usize]) -> Vec<String> {
        let mut distinct = beaten.to_vec();
        distinct.sort_by(|a, b| b.cmp(a));
        distinct.dedup();
        self.text.push_str("\nPlaces:");
        for (place, beaten) in distinct.iter().enumerate() {
            self.mark(if place > 0 { "," } else { "" }, Kind::Worth);
            self.mark(&format!(" {beaten}"), Kind::Worth);
        }
        self.mark(".", Kind::Worth);
        let place = |own: &usize| {
            let place = distinct.iter().take_while(|beaten| *beaten > own).count();
            format!("{own} is {} of {}", place + 1, distinct.len())
        };
        beaten.iter().map(place).collect()
    }

    /// `model-1: +6 +4 -3 = 7.`
    fn points(&mut self, terms: &[(i8, Goal)], rows: &[Vec<f64>], values: &[f64]) {
        for (position, (row, value)) in rows.iter().zip(values).enumerate() {
            self.text.push_str(&format!("\nmodel-{}:", position + 1));
            for ((points, goal), amount) in terms.iter().zip(row) {
                self.text.push(' ');
                let made = f64::from(*points) * goal.worth_of(*amount);
                self.mark(&format!("{:+}", made as i64), Kind::Worth);
            }
            self.text.push_str(" = ");
            self.mark(&whole(*value), Kind::Worth);
            self.text.push('.');
        }
    }

    /// `model-1: 3 in 3 to 3.`, `model-2: 0 in 3 to 0.`, `From 3 to 0.`: the worst and the best so far, response by response,
    /// and then of all. In one go, the ends of several numbers of two digits are not learned.
    fn range(&mut self, values: &[f64], keys: &[String]) {
        let (mut worst, mut best) = (0, 0);
        for (position, value) in values.iter().enumerate() {
            if *value < values[worst] {
                worst = position;
            }
            if *value > values[best] {
                best = position;
            }
            self.text.push_str(&format!("\nmodel-{}: ", position + 1));
            self.mark(&keys[position], Kind::Recall);
            self.ends(" in ", &keys[worst], &keys[best]);
        }
        self.ends("\nFrom ", &keys[worst], &keys[best]);
    }

    fn ends(&mut self, before: &str, worst: &str, best: &str) {
        self.text.push_str(before);
        self.mark(worst, Kind::Range);
        self.text.push_str(" to ");
        self.mark(best, Kind::Range);
        self.text.push('.');
    }

    fn judged(self, gold: &rewardanything_core::Gold) -> Self {
        let scores = gold
            .scores
            .iter()
            .map(|s| Score::new(*s).expect("gold scores lie in 1..=5. This is a bug."));
        let verdict = Verdict {
            reasoning: self.text["<think>\n".len()..].to_owned(),
            scores: scores.collect(),
            ranking: gold.ranking.clone(),
            repairs: vec![],
        };
        let text = render(&verdict, &Mask::identity(gold.scores.len()));
        let mut marks = self.marks;
        let json = text
            .find("{\"scores\"")
            .expect("a rendered verdict has scores. This is a bug.");
        let end = json + text[json..].find('}').expect("the scores end. This is a bug.");
        for (at, _) in text[json..end].match_indices("\": ") {
            let digit = json + at + 3;
            if text.as_bytes()[digit].is_ascii_digit() {
                marks.push((digit..digit + 1, Kind::Score));
            }
        }
        Self { text, marks }
    }
}

/// What a reasoning calls a quality.
pub(super) fn name(quality: Quality) -> String {
    quality.id().replace('_', " ")
}

fn whole(value: f64) -> String {
    (value as i64).to_string()
}

fn yes_or_no(worth: f64) -> &'static str {
    if worth > 0.0 { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_core::pieces::{OPENING, TOTAL, read_out};
    use rewardanything_principles::Measure;

    const COMMAS: Quality = Quality::Of(Measure::Commas);
    const WORDS: Quality = Quality::Of(Measure::Words);

    /// A judge held to a form is given what it would read out: that must be what it has learned to write.
    #[test]
    fn what_is_read_out_is_what_a_judge_is_given() {
        let texts = ["One, two.\nThree - four, five", "", "D"].map(str::to_owned);
        let rule = Rule::Order(&[Goal::Amount(COMMAS, Direction::Fewer)]);
        let mut reply = Reply::thinking();
        reply.asked(rule);
        reply.counted(&[COMMAS, WORDS], &texts, 2);
        let mut rest = reply.text.strip_prefix(OPENING).expect("an opening");
        rest = rest.split_once('\n').expect("the end of a line").1;
        for (position, text) in texts.iter().enumerate() {
            let label = format!("model-{}", position + 1);
            for piece in read_out(&label, position, text, 2) {
                rest = rest
                    .strip_prefix(piece.as_str())
                    .unwrap_or_else(|| panic!("{piece:?} before {rest:?}"));
                rest = rest.split_once(']').expect("a closed bracket").1;
            }
            rest = rest.strip_prefix(TOTAL).expect("amounts of the whole");
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        }
        assert_eq!(rest, "");
    }

    #[test]
    fn a_reply_reads_well_and_its_marks_lie_where_they_should() {
        let texts = ["A, b, c.".to_owned(), "D".to_owned()];
        let rule = Rule::Order(&[Goal::Amount(COMMAS, Direction::Fewer)]);
        let mut reply = Reply::thinking();
        reply.asked(rule);
        reply.counted(&[COMMAS], &texts, 20);
        let reply = reply.verdict(rule, &[vec![2], vec![0]]);
        let expect = "<think>\nAsked for: fewer commas.\nmodel-1: ⟦1a⟧ A, b, c. [commas 2:2] all commas 2.\nmodel-2: ⟦2a⟧ D [commas 0:0] all commas 0.\n\
            model-1: 2 in 2 to 2.\nmodel-2: 0 in 2 to 0.\nFrom 2 to 0.\nmodel-1: 2 gives 1.\nmodel-2: 0 gives 5.\n</think>";
        assert!(reply.text.starts_with(expect), "{}", reply.text);
        let marked: Vec<(&str, Kind)> = reply
            .marks
            .iter()
            .map(|(range, kind)| (&reply.text[range.clone()], *kind))
            .collect();
        let expect = [
            (" fewer", Kind::Direction),
            ("commas", Kind::Quality),
            ("⟦1a⟧", Kind::Echo),
            ("A, b, c.", Kind::Echo),
            ("2", Kind::Piece),
            ("2", Kind::Running),
            ("2", Kind::Recall),
            ("⟦2a⟧", Kind::Echo),
            ("D", Kind::Echo),
            ("0", Kind::Piece),
            ("0", Kind::Running),
            ("0", Kind::Recall),
            ("2", Kind::Recall),
            ("2", Kind::Range),
            ("2", Kind::Range),
            ("0", Kind::Recall),
            ("2", Kind::Range),
            ("0", Kind::Range),
            ("2", Kind::Range),
            ("0", Kind::Range),
            ("2", Kind::Recall),
            ("1", Kind::Score),
            ("0", Kind::Recall),
            ("5", Kind::Score),
            ("1", Kind::Score),
            ("5", Kind::Score),
        ];
        assert_eq!(marked, expect);
    }

    #[test]
    fn priorities_and_points_are_led_up_to() {
        let given = |rule: Rule, qualities: &[Quality], amounts: &[Vec<u32>]| {
            let mut reply = Reply::thinking();
            reply.asked(rule);
            reply.given(qualities, amounts);
            reply.verdict(rule, amounts).text
        };
        let rule = Rule::Order(&[Goal::AtLeast(COMMAS, 1), Goal::Amount(WORDS, Direction::Fewer)]);
        let text = given(rule, &[COMMAS, WORDS], &[vec![0, 9], vec![2, 30], vec![1, 30]]);
        let expect = "<think>\nAsked for: at least 1 commas; then fewer words.\nmodel-1: all commas 0, words 9.\n\
            model-2: all commas 2, words 30.\nmodel-3: all commas 1, words 30.\n\
            model-1: no -9.\nmodel-2: yes -30.\nmodel-3: yes -30.\n\
            model-1, no -9 beats: yes -30 no; yes -30 no; 0.\nmodel-2, yes -30 beats: no -9 yes; yes -30 no; 1.\n\
            model-3, yes -30 beats: no -9 yes; yes -30 no; 1.\nPlaces: 1, 0.\n\
            model-1: 0 is 2 of 2 gives 1.\nmodel-2: 1 is 1 of 2 gives 5.\nmodel-3: 1 is 1 of 2 gives 5.\n</think>";
        assert!(text.starts_with(expect), "{text}");

        let rule = Rule::Points(&[
            (2, Goal::Amount(COMMAS, Direction::More)),
            (-3, Goal::AtLeast(WORDS, 10)),
        ]);
        let text = given(rule, &[COMMAS, WORDS], &[vec![1, 9], vec![2, 30]]);
        let expect = "Asked for: +2 commas, -3 if at least 10 words.";
        assert!(text.contains(expect), "{text}");
        let expect = "\nmodel-1: +2 +0 = 2.\nmodel-2: +4 -3 = 1.\nmodel-1: 2 in 2 to 2.\nmodel-2: 1 in 1 to 2.\nFrom 1 to 2.\nmodel-1: 2 gives 5.\nmodel-2: 1 gives 1.\n</think>";
        assert!(text.contains(expect), "{text}");

        let rule = Rule::Order(&[Goal::Near(WORDS, 50)]);
        let text = given(rule, &[WORDS], &[vec![40], vec![50]]);
        let expect = "\nmodel-2: off 0 in off 10 to off 0.\nFrom off 10 to off 0.\nmodel-1: off 10 gives 1.\nmodel-2: off 0 gives 5.\n";
        assert!(text.contains(expect), "{text}");
    }
}
