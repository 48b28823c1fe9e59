//! Records of text files: a prompt with its responses, and whether a run may use it.

use serde::Deserialize;

/// A line of a text file.
#[derive(Deserialize)]
pub(crate) struct Record {
    #[serde(default)]
    id: String,
    #[serde(default)]
    license_class: String,
    /// The prompt.
    pub(crate) prompt: String,
    /// The responses to it.
    pub(crate) responses: Vec<ResponseText>,
}

/// A response of a line.
#[derive(Deserialize)]
pub(crate) struct ResponseText {
    /// Its text.
    pub(crate) text: String,
}

impl Record {
    /// Whether its licence is among `license_class`, of which none takes all, and its id begins with none of `exclude_ids`.
    pub(crate) fn is_taken(&self, license_class: &[String], exclude_ids: &[String]) -> bool {
        let licensed = license_class.is_empty() || license_class.contains(&self.license_class);
        licensed && !exclude_ids.iter().any(|start| self.id.starts_with(start))
    }
}
