//! Whether a text stands, wholly or nearly, in given benchmark texts.
//!
//! Two tests, over words in lower case without punctuation: one run of [`NGRAM`] words in common, and a Jaccard
//! similarity of the sets of all runs of [`SHINGLE`] words. Candidates for the latter come from MinHash signatures cut
//! into bands (Broder 1997; Leskovec, Rajaraman and Ullman, ch. 3), and each candidate is compared exactly, so that what
//! is reported is true; what is missed is missed with a chance of less than one in a million at a similarity of 0.8.
//! A text shorter than a run counts as one run.

use std::collections::{HashMap, HashSet};

/// Words of a run that nothing but a copy has in common.
pub const NGRAM: usize = 13;
/// Words of a shingle.
pub const SHINGLE: usize = 5;
/// The similarity from which two texts are near-duplicates.
pub const NEAR: f64 = 0.8;

const BANDS: usize = 32;
const ROWS: usize = 4;

/// Why a text is taken for a copy.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlap {
    /// A run of words in common with the benchmark text of this index.
    Ngram {
        /// Index of the benchmark text, in the order in which texts were added.
        text: usize,
    },
    /// A similarity of at least the threshold with the benchmark text of this index.
    Near {
        /// Index of the benchmark text.
        text: usize,
        /// Jaccard similarity of the shingles, from 0 to 1.
        similarity: f64,
    },
}

/// Benchmark texts, ready to be compared with.
///
/// ```
/// use rewardanything_evals::decontaminate::{Index, Overlap};
///
/// let mut index = Index::new(0.8);
/// index.add("Which of the two towers is higher, and by how many metres does it win?");
/// index.add("Name the capital of France.");
/// assert_eq!(index.overlap("name the capital of France!"), Some(Overlap::Ngram { text: 1 }));
/// assert_eq!(index.overlap("Name the capital of Spain."), None);
/// ```
#[derive(Debug)]
pub struct Index {
    near: f64,
    ngrams: HashMap<u64, usize>,
    bands: HashMap<(usize, u64), Vec<usize>>,
    shingles: Vec<HashSet<u64>>,
}

impl Index {
    /// An index of nothing yet; texts of at least the similarity `near` are near-duplicates.
    pub fn new(near: f64) -> Self {
        Index {
            near,
            ngrams: HashMap::new(),
            bands: HashMap::new(),
            shingles: Vec::new(),
        }
    }

    /// Adds a benchmark text. One without words is passed over, and still has its index.
    pub fn add(&mut self, text: &str) {
        let at = self.shingles.len();
        let words = words(text);
        for ngram in runs(&words, NGRAM) {
            self.ngrams.entry(ngram).or_insert(at);
        }
        let shingles: HashSet<u64> = runs(&words, SHINGLE).collect();
        for (band, hash) in bands(&signature(&shingles)) {
            self.bands.entry((band, hash)).or_default().push(at);
        }
        self.shingles.push(shingles);
    }

    /// How many texts were added.
    pub fn len(&self) -> usize {
        self.shingles.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.shingles.is_empty()
    }

    /// Where a text overlaps with the benchmark texts, if it does: a run in common first, else the most similar text.
    pub fn overlap(&self, text: &str) -> Option<Overlap> {
        let words = words(text);
        if let Some(&text) = runs(&words, NGRAM).find_map(|ngram| self.ngrams.get(&ngram)) {
            return Some(Overlap::Ngram { text });
        }
        let shingles: HashSet<u64> = runs(&words, SHINGLE).collect();
        let mut candidates: Vec<usize> = bands(&signature(&shingles))
            .filter_map(|key| self.bands.get(&key))
            .flatten()
            .copied()
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .map(|text| (text, jaccard(&shingles, &self.shingles[text])))
            .filter(|(_, similarity)| *similarity >= self.near)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(text, similarity)| Overlap::Near { text, similarity })
    }
}

/// The words of a text in lower case. Scripts that write no spaces between words count each character as one.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        let alone = matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
        if character.is_alphanumeric() && !alone {
            word.push(character);
            continue;
        }
        if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if alone && character.is_alphanumeric() {
            words.push(character.to_string());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Hashes of all runs of `length` words; of the whole where there are fewer, and none of nothing.
fn runs(words: &[String], length: usize) -> impl Iterator<Item = u64> {
    let length = length.min(words.len()).max(1);
    words.windows(length).map(|run| {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for word in run {
            for byte in word.bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        hash
    })
}

/// The least of each of many hash functions over the set; two sets agree in a place with the chance of their
/// similarity.
fn signature(shingles: &HashSet<u64>) -> Vec<u64> {
    let mut least = vec![u64::MAX; BANDS * ROWS];
    for &shingle in shingles {
        for (function, least) in (0u64..).zip(&mut least) {
            *least = mixed(shingle ^ mixed(function + 1)).min(*least);
        }
    }
    least
}

/// SplitMix64's finaliser: a bijection whose output looks random.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn bands(signature: &[u64]) -> impl Iterator<Item = (usize, u64)> {
    // A text without words is like no other.
    let some = signature.first().is_some_and(|&least| least != u64::MAX);
    signature
        .chunks(ROWS)
        .enumerate()
        .filter(move |_| some)
        .map(|(band, rows)| (band, rows.iter().fold(0, |hash, &row| mixed(hash ^ row))))
}

fn jaccard(a: &HashSet<u64>, b: &HashSet<u64>) -> f64 {
    let common = a.intersection(b).count();
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        benchmark: Vec<String>,
        texts: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        text: String,
        ngram: bool,
        /// The largest Jaccard similarity with a benchmark text.
        similarity: f64,
    }

    #[test]
    fn overlaps_are_the_references() {
        let golden: Golden = serde_json::from_str(include_str!("../../../fixtures/metrics/overlap.json"))
            .expect("the golden file");
        let mut index = Index::new(NEAR);
        for text in &golden.benchmark {
            index.add(text);
        }
        let (mut ngrams, mut nears) = (0, 0);
        for case in &golden.texts {
            let found = index.overlap(&case.text);
            match found {
                Some(Overlap::Ngram { .. }) => assert!(case.ngram, "{}", case.text),
                Some(Overlap::Near { similarity, .. }) => {
                    assert!((similarity - case.similarity).abs() < 1e-12, "{}", case.text);
                    assert!(!case.ngram && similarity >= NEAR);
                    nears += 1;
                }
                None => assert!(
                    !case.ngram && case.similarity < NEAR,
                    "{}: {}",
                    case.text,
                    case.similarity
                ),
            }
            ngrams += usize::from(case.ngram);
        }
        assert!(
            ngrams > 20 && nears > 20 && ngrams + nears < golden.texts.len() - 20,
            "{ngrams} {nears}"
        );
    }

    #[test]
    fn signatures_estimate_the_similarity() {
        let set = |range: std::ops::Range<u64>| -> HashSet<u64> {
            range.map(|element| mixed(element << 20)).collect()
        };
        for (overlap, expect) in [(0, 0.0), (500, 1.0 / 3.0), (900, 900.0 / 1_100.0), (1_000, 1.0)] {
            let (a, b) = (set(1..1_001), set(1_001 - overlap..2_001 - overlap));
            let (a, b) = (signature(&a), signature(&b));
            let alike = a.iter().zip(&b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64;
            // Three standard deviations of 128 draws.
            assert!((alike - expect).abs() <= 0.13, "{overlap}: {alike}");
        }
    }

    #[test]
    fn words_are_what_is_left_of_spelling() {
        let check = |text: &str, expect: &[&str]| assert_eq!(words(text), expect, "{text}");
        check("Don't STOP, 3x!", &["don", "t", "stop", "3x"]);
        check("", &[]);
        check(" .,! ", &[]);
        check("Größe", &["größe"]);
        check("你好, world", &["你", "好", "world"]);
        let mut index = Index::new(NEAR);
        assert!(index.is_empty());
        index.add("...");
        assert_eq!(
            (index.len(), index.overlap("!!!"), index.overlap("word")),
            (1, None, None)
        );
    }
}
