//! The word lists behind the measures. Words come in lower case with straight apostrophes.

/// True for a word that softens a claim.
pub(crate) fn is_hedge(word: &str) -> bool {
    matches!(
        word,
        "may"
            | "might"
            | "could"
            | "maybe"
            | "perhaps"
            | "possibly"
            | "possible"
            | "probably"
            | "likely"
            | "unlikely"
            | "seem"
            | "seems"
            | "seemed"
            | "appear"
            | "appears"
            | "suggest"
            | "suggests"
            | "roughly"
            | "approximately"
            | "generally"
            | "usually"
            | "often"
            | "sometimes"
            | "typically"
            | "somewhat"
            | "fairly"
            | "relatively"
            | "potentially"
            | "presumably"
            | "apparently"
            | "arguably"
            | "assume"
            | "guess"
            | "unsure"
            | "uncertain"
    )
}

/// Pairs of words that soften a claim together.
pub(crate) fn is_hedge_pair(first: &str, second: &str) -> bool {
    matches!(
        (first, second),
        ("i", "think")
            | ("i", "believe")
            | ("kind", "of")
            | ("sort", "of")
            | ("tend", "to")
            | ("tends", "to")
            | ("not", "sure")
            | ("in", "general")
    )
}

/// True for a word of courtesy.
pub(crate) fn is_polite(word: &str) -> bool {
    matches!(
        word,
        "please"
            | "thank"
            | "thanks"
            | "sorry"
            | "apologize"
            | "apologise"
            | "apologies"
            | "welcome"
            | "appreciate"
            | "appreciated"
            | "grateful"
            | "kindly"
            | "glad"
            | "pleased"
            | "pardon"
            | "excuse"
            | "regards"
            | "sincerely"
            | "respectfully"
            | "dear"
            | "hello"
            | "hi"
    )
}

/// Pairs of words that are courteous together.
pub(crate) fn is_polite_pair(first: &str, second: &str) -> bool {
    matches!(
        (first, second),
        ("happy", "to") | ("feel", "free") | ("i", "hope") | ("of", "course")
    )
}

/// True for a word of praise or joy.
pub(crate) fn is_positive(word: &str) -> bool {
    matches!(
        word,
        "good"
            | "great"
            | "better"
            | "best"
            | "excellent"
            | "wonderful"
            | "amazing"
            | "awesome"
            | "fantastic"
            | "perfect"
            | "perfectly"
            | "beautiful"
            | "lovely"
            | "love"
            | "loved"
            | "loves"
            | "happy"
            | "happiness"
            | "enjoy"
            | "enjoyed"
            | "enjoyable"
            | "fun"
            | "nice"
            | "delicious"
            | "delightful"
            | "exciting"
            | "excited"
            | "brilliant"
            | "helpful"
            | "positive"
            | "joy"
            | "success"
            | "successful"
            | "favorite"
            | "favourite"
            | "healthy"
            | "incredible"
            | "impressive"
            | "improve"
            | "improved"
            | "benefit"
            | "benefits"
    )
}

/// True for a word that negates, contracted or not.
pub(crate) fn is_negation(word: &str) -> bool {
    word.ends_with("n't")
        || matches!(
            word,
            "not"
                | "no"
                | "never"
                | "none"
                | "nothing"
                | "nobody"
                | "nowhere"
                | "neither"
                | "nor"
                | "cannot"
                | "without"
        )
}

/// True for a contracted form; a possessive (`John's`) is none.
pub(crate) fn is_contraction(word: &str) -> bool {
    ["n't", "'re", "'ve", "'ll", "'m", "'d"]
        .iter()
        .any(|end| word.len() > end.len() && word.ends_with(end))
        || matches!(
            word,
            "it's"
                | "that's"
                | "there's"
                | "here's"
                | "what's"
                | "who's"
                | "let's"
                | "he's"
                | "she's"
                | "how's"
                | "where's"
                | "when's"
                | "why's"
                | "everyone's"
                | "something's"
                | "y'all"
                | "ma'am"
                | "o'clock"
        )
}

/// True for a word that links two thoughts.
pub(crate) fn is_connective(word: &str) -> bool {
    matches!(
        word,
        "because"
            | "since"
            | "so"
            | "therefore"
            | "thus"
            | "hence"
            | "consequently"
            | "accordingly"
            | "however"
            | "but"
            | "although"
            | "though"
            | "while"
            | "whereas"
            | "nevertheless"
            | "nonetheless"
            | "moreover"
            | "furthermore"
            | "additionally"
            | "also"
            | "besides"
            | "instead"
            | "otherwise"
            | "unless"
            | "if"
            | "then"
            | "meanwhile"
            | "finally"
            | "likewise"
            | "similarly"
            | "yet"
    )
}

/// Pairs of words that link two thoughts.
pub(crate) fn is_connective_pair(first: &str, second: &str) -> bool {
    matches!(
        (first, second),
        ("due", "to") | ("in", "addition") | ("in", "contrast") | ("a", "result") | ("as", "well")
    )
}

/// True when the part before an apostrophe is a pronoun of the first person.
pub(crate) fn is_first_person(stem: &str) -> bool {
    matches!(
        stem,
        "i" | "me" | "my" | "mine" | "myself" | "we" | "us" | "our" | "ours" | "ourselves"
    )
}

/// True when the part before an apostrophe is a pronoun of the second person.
pub(crate) fn is_second_person(stem: &str) -> bool {
    matches!(stem, "you" | "your" | "yours" | "yourself" | "yourselves")
}

/// Pairs of words that open an example.
pub(crate) fn is_example_pair(first: &str, second: &str) -> bool {
    matches!(
        (first, second),
        ("for", "example") | ("for", "instance") | ("such", "as") | ("e", "g") | ("an", "example")
    )
}

/// Single words that open an example.
pub(crate) fn is_example(word: &str) -> bool {
    matches!(word, "including" | "eg" | "namely")
}
