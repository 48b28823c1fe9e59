//! The best of more responses than a judge takes at once.

/// A knockout over responses by index: rounds of groups, from each of which one goes on, until one is left.
///
/// ```
/// use rewardanything_core::Knockout;
///
/// // Ten responses before a judge that takes four at once: three groups, then their winners.
/// let mut knockout = Knockout::new(10, 4);
/// let round = knockout.round();
/// assert_eq!(round, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8, 9]]);
/// knockout.advance(&[2, 3, 9]);
/// assert_eq!(knockout.round(), [vec![2, 3, 9]]);
/// knockout.advance(&[9]);
/// assert_eq!((knockout.winner(), knockout.calls()), (Some(9), 4));
/// assert_eq!(Knockout::calls_for(10, 4), 4);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knockout {
    left: Vec<usize>,
    limit: usize,
    calls: usize,
    rounds: usize,
}

impl Knockout {
    /// Over `responses` responses, at most `limit` of them judged together; a limit below 2 is taken for 2.
    pub fn new(responses: usize, limit: usize) -> Self {
        Self {
            left: (0..responses).collect(),
            limit: limit.max(2),
            calls: 0,
            rounds: 0,
        }
    }

    /// How many calls of the judge it takes.
    pub fn calls_for(responses: usize, limit: usize) -> usize {
        let mut knockout = Self::new(responses, limit);
        while knockout.left.len() > 1 {
            let first: Vec<usize> = knockout.round().iter().map(|group| group[0]).collect();
            knockout.advance(&first);
        }
        knockout.calls
    }

    /// The groups of this round, as even as can be; none where the winner is known. Who is alone in a group goes on without
    /// a call.
    pub fn round(&self) -> Vec<Vec<usize>> {
        let count = self.left.len();
        if count < 2 {
            return Vec::new();
        }
        let groups = count.div_ceil(self.limit);
        let bound = |group: usize| group * count / groups;
        (0..groups)
            .map(|group| self.left[bound(group)..bound(group + 1)].to_vec())
            .collect()
    }

    /// Ends the round: who won each group, in their order.
    ///
    /// # Panics
    /// A winner that is not of its group, or another number of them.
    pub fn advance(&mut self, winners: &[usize]) {
        let round = self.round();
        let fits = round.len() == winners.len()
            && round
                .iter()
                .zip(winners)
                .all(|(group, winner)| group.contains(winner));
        assert!(
            fits,
            "expected one winner of each of {round:?}, got {winners:?}. This is a bug."
        );
        self.calls += round.iter().filter(|group| group.len() > 1).count();
        self.rounds += 1;
        self.left = winners.to_vec();
    }

    /// The one that is left.
    pub fn winner(&self) -> Option<usize> {
        match self.left.as_slice() {
            &[winner] => Some(winner),
            _ => None,
        }
    }

    /// Calls of the judge so far.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Rounds so far.
    pub fn rounds(&self) -> usize {
        self.rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_wins_whatever_the_numbers_are() {
        for responses in 1..70 {
            for limit in 2..10 {
                let mut knockout = Knockout::new(responses, limit);
                let mut calls = 0;
                while knockout.winner().is_none() {
                    let round = knockout.round();
                    assert!(round.iter().all(|group| (1..=limit).contains(&group.len())));
                    calls += round.iter().filter(|group| group.len() > 1).count();
                    // The greatest of 7 i mod 71 is the best.
                    let best = |group: &Vec<usize>| *group.iter().max_by_key(|i| **i * 7 % 71).unwrap();
                    let winners: Vec<usize> = round.iter().map(best).collect();
                    knockout.advance(&winners);
                }
                let expect = (0..responses).max_by_key(|i| i * 7 % 71);
                assert_eq!(knockout.winner(), expect, "{responses} by {limit}");
                assert_eq!(
                    (knockout.calls(), Knockout::calls_for(responses, limit)),
                    (calls, calls)
                );
            }
        }
    }
}
