//! Groups that are larger than the judge takes: parts that share some members, and one scale for all.
//!
//! A score of one listwise call says how a response compares with those beside it, so the same number may mean more in
//! one part than in another. Some members, the *anchors*, stand in every part. With the score of member `i` in part
//! `p` taken as `θ_i + b_p`, the least-squares estimate of `b_p`, with the shifts summing to 0, is the mean over the
//! anchors of how far their scores in `p` lie from their means over all parts.

/// Parts of `0..n`, each of at most `limit` members in rising order. What fits in one part is one part; else `anchors`
/// of the members, spread evenly, are in every part, and every other one is in exactly one.
///
/// ```
/// use rewardanything_core::split::plan;
///
/// assert_eq!(plan(4, 8, 2), [[0, 1, 2, 3]]);
/// assert_eq!(plan(10, 6, 2), [vec![0, 1, 3, 5, 6, 8], vec![0, 2, 4, 5, 7, 9]]);
/// ```
///
/// # Panics
/// `limit` is 0.
pub fn plan(n: usize, limit: usize, anchors: usize) -> Vec<Vec<usize>> {
    assert!(limit > 0, "a judge takes at least one response. This is a bug.");
    if n <= limit {
        return vec![(0..n).collect()];
    }
    let count = anchors.min(limit - 1);
    let anchors: Vec<usize> = (0..count).map(|place| place * n / count).collect();
    let rest: Vec<usize> = (0..n).filter(|member| !anchors.contains(member)).collect();
    let parts = rest.len().div_ceil(limit - count);
    (0..parts)
        .map(|part| {
            // Dealt out like cards, so that no part is much smaller than another.
            let own = rest.iter().skip(part).step_by(parts);
            let mut members: Vec<usize> = anchors.iter().chain(own).copied().collect();
            members.sort_unstable();
            members
        })
        .collect()
}

/// One score for each of `0..n`, from those of the parts; `None` for a part that has none, and for members of no other.
/// Scores are kept within 1 to 5.
///
/// ```
/// use rewardanything_core::split::merge;
///
/// // The second part was judged more kindly, by 1.
/// let parts = [vec![0, 1], vec![0, 2]];
/// let scores = [Some(vec![2.0, 4.0]), Some(vec![3.0, 4.0])];
/// assert_eq!(merge(3, &parts, &scores), [Some(2.5), Some(4.5), Some(3.5)]);
/// ```
pub fn merge(n: usize, parts: &[Vec<usize>], scores: &[Option<Vec<f64>>]) -> Vec<Option<f64>> {
    let judged: Vec<(&Vec<usize>, &Vec<f64>)> = parts
        .iter()
        .zip(scores)
        .filter_map(|(part, scores)| Some((part, scores.as_ref()?)))
        .collect();
    let score_in = |&(part, scores): &(&Vec<usize>, &Vec<f64>), member: usize| {
        let place = part.binary_search(&member).ok()?;
        scores.get(place).copied()
    };
    let anchors: Vec<(usize, f64)> = (0..n)
        .filter_map(|member| {
            let all: Vec<f64> = judged
                .iter()
                .map(|part| score_in(part, member))
                .collect::<Option<_>>()?;
            (!all.is_empty()).then(|| (member, all.iter().sum::<f64>() / all.len() as f64))
        })
        .collect();
    let shift = |part: &(&Vec<usize>, &Vec<f64>)| {
        let away = anchors
            .iter()
            .filter_map(|&(member, mean)| Some(score_in(part, member)? - mean));
        away.sum::<f64>() / anchors.len().max(1) as f64
    };
    let shifts: Vec<f64> = judged.iter().map(shift).collect();
    (0..n)
        .map(|member| {
            let own: Vec<f64> = judged
                .iter()
                .zip(&shifts)
                .filter_map(|(part, shift)| Some(score_in(part, member)? - shift))
                .collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            (!own.is_empty()).then(|| mean.clamp(1.0, 5.0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_member_has_a_part(n in 1_usize..200, limit in 1_usize..20, anchors in 0_usize..6) {
            let parts = plan(n, limit, anchors);
            let shared = if n <= limit { 0 } else { anchors.min(limit - 1) };
            let mut seen = vec![0; n];
            for part in &parts {
                prop_assert!(!part.is_empty() && part.len() <= limit);
                prop_assert!(part.is_sorted_by(|a, b| a < b));
                for &member in part {
                    seen[member] += 1;
                }
            }
            let everywhere = seen.iter().filter(|&&count| count == parts.len()).count();
            prop_assert!(seen.iter().all(|&count| count == 1 || count == parts.len()));
            if parts.len() > 1 {
                prop_assert_eq!(everywhere, shared);
            }
            let (least, most) = (parts.iter().map(Vec::len).min(), parts.iter().map(Vec::len).max());
            prop_assert!(most.unwrap() - least.unwrap() <= 1);
        }

        /// Where parts differ by a constant, that constant is found: differences between members are the true ones.
        #[test]
        fn shifts_between_parts_are_undone(
            truth in prop::collection::vec(2.5_f64..3.5, 9..60),
            shifts in prop::collection::vec(-0.7_f64..0.7, 60),
            limit in 3_usize..9,
        ) {
            let parts = plan(truth.len(), limit, 2);
            let scores: Vec<_> = parts
                .iter()
                .zip(&shifts)
                .map(|(part, shift)| Some(part.iter().map(|&member| truth[member] + shift).collect()))
                .collect();
            let merged = merge(truth.len(), &parts, &scores);
            let offset = merged[0].unwrap() - truth[0];
            for (merged, truth) in merged.iter().zip(&truth) {
                prop_assert!((merged.unwrap() - truth - offset).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_part_without_scores_leaves_its_own_members_without() {
        let parts = plan(7, 4, 1);
        assert_eq!(parts, [[0, 1, 3, 5].to_vec(), [0, 2, 4, 6].to_vec()]);
        let merged = merge(7, &parts, &[None, Some(vec![1.0, 2.0, 3.0, 4.0])]);
        assert_eq!(
            merged,
            [Some(1.0), None, Some(2.0), None, Some(3.0), None, Some(4.0)]
        );
        assert_eq!(merge(2, &[vec![0, 1]], &[None]), [None, None]);
        // Alone, a part keeps its scores to the last bit.
        assert_eq!(
            merge(2, &[vec![0, 1]], &[Some(vec![1.1, 4.3])]),
            [Some(1.1), Some(4.3)]
        );
    }
}
