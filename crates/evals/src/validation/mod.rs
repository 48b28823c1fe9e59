//! A page on which people say which of two responses keeps to a principle, without being told what the gold says.
//!
//! It is one file that loads nothing and sends nothing: texts, style and script are in it, choices stay in the browser's
//! storage, and come back as a file that the rater downloads.

use rewardanything_core::Fnv1a;
use serde::Serialize;
use serde_json::json;

const PAGE: &str = include_str!("page.html");

/// Two responses, as a rater sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// What a rating of it goes by.
    pub id: String,
    /// What to judge by.
    pub principle: String,
    /// What both answer.
    pub prompt: String,
    /// The one response.
    pub a: String,
    /// The other.
    pub b: String,
}

/// The page over these pairs, at least one. Pages over other pairs keep their choices apart.
///
/// ```
/// use rewardanything_evals::validation::{Pair, page};
/// let text = |text: &str| text.to_owned();
/// let pair = Pair { id: text("1"), principle: text("Be brief."), prompt: text("Why?"), a: text("So."), b: text("</script>") };
/// let page = page(&[pair]);
/// assert!(page.contains("Be brief.") && page.contains(r"\u003c/script>"));
/// ```
pub fn page(pairs: &[Pair]) -> String {
    let set = json!({ "set": name(pairs), "pairs": pairs }).to_string();
    // The one sign that could end the script that holds the texts.
    PAGE.replacen("SET", &set.replace('<', "\\u003c"), 1)
}

/// A name that only these pairs have, for the browser to keep choices under.
fn name(pairs: &[Pair]) -> String {
    let texts = pairs
        .iter()
        .flat_map(|pair| [&pair.id, &pair.principle, &pair.prompt, &pair.a, &pair.b]);
    format!("{:016x}", Fnv1a::of_all(texts.map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_its_texts_and_asks_for_nothing() {
        let pair = |a: &str| Pair {
            id: "7".to_owned(),
            principle: "p".to_owned(),
            prompt: "SET <!-- q".to_owned(),
            a: a.to_owned(),
            b: "<script>".to_owned(),
        };
        let one = page(&[pair("x")]);
        assert!(one.contains("SET \\u003c!-- q"), "texts stay what they are");
        assert_eq!(one.matches("<script").count(), 2, "no text is markup");
        for outside in ["http:", "https:", "src=", "url(", "import "] {
            assert!(!one.contains(outside), "{outside}");
        }
        assert_ne!(name(&[pair("x")]), name(&[pair("y")]));
        assert_eq!(one, page(&[pair("x")]));
    }
}
