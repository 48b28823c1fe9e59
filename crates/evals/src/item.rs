//! The item format: one JSON object a line, and the one reader of it.
//!
//! Every line that is not blank becomes one [`Line`], in order, whatever is wrong with it: a line that names no id of
//! its own is kept as [`Content::Broken`], a line whose request is unusable keeps its id. Nothing here stops a run.
//! `docs/formats/item.md` describes the format for those who write it, `item.schema.json` beside it for programs.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead};

use rewardanything_core::{JudgeRequest, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gold::ItemGold;
use crate::layout::Layout;
use crate::raw::{self, RawItem};
use crate::tree::Tree;

/// The version of the format that is written, and the newest that is read. A line that names none is of this one.
pub const VERSION: u64 = 1;

/// What an item is called: a string or a whole number, given back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A string.
    Text(String),
    /// A whole number. `7` and `"7"` are two ids.
    Number(serde_json::Number),
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Text(text) => write!(out, "{text:?}"),
            Id::Number(number) => write!(out, "{number}"),
        }
    }
}

/// Where an item comes from and which parts of a breakdown it belongs to; all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// The category of its principle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What its prompt is about: chat, code, safety, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// A part of a domain, as a benchmark names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// What a verifiable principle measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// How hard it is to judge: of items whose gold a program measured, easy, medium or hard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<String>,
    /// How its principle is built: one goal, goals of which one comes first, rules; or how an intent is put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether its principle asks for a quality that no principle for training asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_quality: Option<bool>,
    /// Where its texts come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The terms of its texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

/// What figures are broken down by, each with the part that an item with such labels belongs to.
pub type Parts<'a> = [(&'static str, Option<&'a str>); 8];

impl Labels {
    /// Where the item belongs in every breakdown.
    pub fn parts(&self) -> Parts<'_> {
        let quality = self.new_quality.map(|new| {
            if new {
                "a new quality"
            } else {
                "qualities of training"
            }
        });
        [
            ("domain", self.domain.as_deref()),
            ("category", self.category.as_deref()),
            ("kind", self.kind.as_deref()),
            ("quality", quality),
            ("subset", self.subset.as_deref()),
            ("measure", self.measure.as_deref()),
            ("difficulty", self.difficulty.as_deref()),
            ("source", self.source.as_deref()),
        ]
    }
}

/// The place of a difficulty where several stand below one another: easy, medium, hard, then what others call theirs.
///
/// ```
/// use rewardanything_evals::item::difficulty_place;
/// let mut levels = ["expert", "hard", "easy", "medium"];
/// levels.sort_by_key(|level| difficulty_place(level));
/// assert_eq!(levels, ["easy", "medium", "hard", "expert"]);
/// ```
pub fn difficulty_place(difficulty: &str) -> usize {
    let known = ["easy", "medium", "hard"];
    known
        .iter()
        .position(|level| *level == difficulty)
        .unwrap_or(known.len())
}

/// A request to judge, with what is known of the right answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Principle, prompt and responses. A prompt of chat messages is one text here, see [`crate::raw`].
    pub request: JudgeRequest,
    /// The right answer: `None` where the line has none, an error where what it has is unusable. Judging needs none.
    pub gold: Result<Option<ItemGold>, String>,
    /// Where it belongs.
    pub labels: Labels,
}

impl Item {
    /// The gold that scoring needs.
    ///
    /// # Errors
    /// There is none, or it is unusable; the message says which.
    pub fn gold(&self) -> Result<&ItemGold, String> {
        match &self.gold {
            Ok(Some(gold)) => Ok(gold),
            Ok(None) => Err("gold is missing".to_owned()),
            Err(why) => Err(why.clone()),
        }
    }
}

/// One line of the input that is not blank.
#[derive(Debug)]
pub struct Line {
    /// The number of the line, counted from 1, blank lines included.
    pub number: usize,
    /// What it holds.
    pub content: Content,
}

/// What a line of the input holds.
#[derive(Debug)]
pub enum Content {
    /// An item with an id of its own; `Err` says why its request is unusable.
    Named(Id, Result<Box<Item>, String>),
    /// No item: not JSON, or the id is missing or taken. The text says which.
    Broken(String),
}

/// How lines are read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The layout of the lines.
    pub layout: Layout,
    /// Stands in the place of every item's own principle, which then need not be there.
    pub principle: Option<String>,
}

/// Reads lines one at a time, so that a file of any length costs no more than its longest line and its ids. A byte
/// order mark is skipped; so are blank lines.
///
/// ```
/// use rewardanything_evals::item::{Content, ReadOptions, Reader};
///
/// let text = "{\"id\": 1, \"principle\": \"p\", \"prompt\": \"q\", \"responses\": {\"a\": \"x\"}}\n\nnonsense\n";
/// let lines: Vec<_> = Reader::new(text.as_bytes(), ReadOptions::default()).collect::<Result<_, _>>()?;
/// assert!(matches!(&lines[0].content, Content::Named(_, Ok(item)) if item.request.prompt() == "q"));
/// assert!(matches!(&lines[1].content, Content::Broken(why) if why == "expected a JSON object"));
/// assert_eq!(lines[1].number, 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    options: ReadOptions,
    first_use: HashMap<Id, usize>,
    number: usize,
    buffer: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `input`.
    pub fn new(input: R, options: ReadOptions) -> Self {
        Reader {
            input,
            options,
            first_use: HashMap::new(),
            number: 0,
            buffer: Vec::new(),
        }
    }

    fn content(&mut self) -> Content {
        match parse(&self.buffer, &self.options) {
            Err(why) => Content::Broken(why),
            Ok((id, item)) => match self.first_use.get(&id) {
                Some(first) => Content::Broken(format!("the id {id} is taken by line {first}")),
                None => {
                    self.first_use.insert(id.clone(), self.number);
                    Content::Named(id, item)
                }
            },
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        loop {
            self.buffer.clear();
            match self.input.read_until(b'\n', &mut self.buffer) {
                Err(error) => return Some(Err(error)),
                Ok(0) => return None,
                Ok(_) => {}
            }
            self.number += 1;
            if self.number == 1 && self.buffer.starts_with("\u{feff}".as_bytes()) {
                self.buffer.drain(..3);
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            let content = self.content();
            return Some(Ok(Line {
                number: self.number,
                content,
            }));
        }
    }
}

type Parsed = (Id, Result<Box<Item>, String>);

fn parse(line: &[u8], options: &ReadOptions) -> Result<Parsed, String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    let text = text.trim();
    if options.layout == Layout::Items {
        return of_raw(raw::parse(text)?, options);
    }
    let record: Value = serde_json::from_str(text).map_err(|error| format!("not a record: {error}"))?;
    let item = options.layout.to_item(&record)?;
    // Through the text, so that there is one way into an item.
    of_raw(raw::parse(&item.to_string())?, options)
}

fn of_raw(raw: RawItem, options: &ReadOptions) -> Result<Parsed, String> {
    let id = id_of(&raw)?.ok_or("the id is missing")?;
    Ok((id, item(&raw, options).map(Box::new)))
}

fn id_of(raw: &RawItem) -> Result<Option<Id>, String> {
    match &raw.id {
        Some(Tree::Text(text)) => Ok(Some(Id::Text(text.clone()))),
        Some(Tree::Number(number)) if !number.is_f64() => Ok(Some(Id::Number(number.clone()))),
        Some(Tree::Null) | None => Ok(None),
        Some(other) => Err(format!(
            "the id must be a string or a whole number, found {}",
            other.kind()
        )),
    }
}

fn item(raw: &RawItem, options: &ReadOptions) -> Result<Item, String> {
    let request = request(raw, options.principle.as_deref())?;
    let labels = raw.labels()?;
    let gold = ItemGold::read(raw.gold.as_ref(), request.responses());
    Ok(Item {
        request,
        gold,
        labels,
    })
}

fn request(raw: &RawItem, principle: Option<&str>) -> Result<JudgeRequest, String> {
    raw.check_version()?;
    let principle = match principle {
        Some(principle) => principle.to_owned(),
        None => raw::string("principle", raw.principle.as_ref())?,
    };
    let prompt = raw::prompt(raw.prompt.as_ref())?;
    let responses = raw::responses(raw.responses.as_ref())?;
    JudgeRequest::new(principle, prompt, responses).map_err(|error| error.to_string())
}

/// A request by itself, as a caller sends it: an item whose id may be left out, and of which nothing but the request
/// counts.
#[derive(Debug, PartialEq)]
pub struct Ask {
    /// The id, where there is one.
    pub id: Option<Id>,
    /// What is to be judged, or why it is unusable.
    pub request: Result<JudgeRequest, String>,
}

impl Ask {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// The text is no JSON object, or its id is neither a string nor a whole number; the message says which.
    ///
    /// ```
    /// use rewardanything_evals::item::Ask;
    ///
    /// let ask = Ask::read(br#"{"principle": "p", "prompt": "q", "responses": {"a": "x"}}"#)?;
    /// assert_eq!((ask.id, ask.request?.responses()[0].name.as_str()), (None, "a"));
    /// assert!(Ask::read(b"[]").is_err());
    /// # Ok::<(), String>(())
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
        let raw = raw::parse(text)?;
        Ok(Self {
            id: id_of(&raw)?,
            request: request(&raw, None),
        })
    }
}

/// A prompt and its responses, from a line that may name no id and no principle.
///
/// # Errors
/// The line is no JSON object, or prompt or responses are missing or of another shape.
pub fn prompt_and_responses(line: &str) -> Result<(String, Vec<Response>), String> {
    let raw = raw::parse(line)?;
    Ok((
        raw::prompt(raw.prompt.as_ref())?,
        raw::responses(raw.responses.as_ref())?,
    ))
}

#[cfg(test)]
mod tests;
