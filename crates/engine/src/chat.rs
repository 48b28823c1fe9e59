//! Conversations to token ids. The only file that knows what a turn looks like as text, and it knows it from the
//! model's own chat template.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind, context};
use rewardanything_core::{Message, Role};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::{EngineError, Tokenizer};

type Result<T> = std::result::Result<T, EngineError>;

/// The name that the template engine knows the only template by; its errors quote it.
const NAME: &str = "chat_template";

/// A Jinja template that renders a conversation, as models ship them.
pub struct ChatTemplate {
    bos_token: String,
    eos_token: String,
    environment: Environment<'static>,
}

/// What `tokenizer_config.json` says about conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// The template, where the file holds one; the one named `default` where it holds several.
    pub chat_template: Option<String>,
    /// The token that begins a text, as text.
    pub bos_token: Option<String>,
    /// The token that ends a turn, as text.
    pub eos_token: Option<String>,
}

impl TokenizerConfig {
    /// Parses a `tokenizer_config.json`; everything but the three fields is ignored.
    ///
    /// # Errors
    /// [`EngineError::Json`] when it does not parse.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let file: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| EngineError::Json {
            file: "tokenizer_config.json".to_owned(),
            message: error.to_string(),
        })?;
        // A token is its text, or an object that says more about it.
        let token = |field: &str| {
            let value = &file[field];
            value
                .as_str()
                .or_else(|| value["content"].as_str())
                .map(str::to_owned)
        };
        let template = &file["chat_template"];
        let named = template
            .as_array()
            .and_then(|list| list.iter().find(|entry| entry["name"] == "default"));
        let template = template.as_str().or_else(|| named?["template"].as_str());
        Ok(Self {
            chat_template: template.map(str::to_owned),
            bos_token: token("bos_token"),
            eos_token: token("eos_token"),
        })
    }
}

impl ChatTemplate {
    /// Parses a template. The special tokens are what it sees as `bos_token` and `eos_token`.
    ///
    /// # Errors
    /// [`EngineError::Template`] when it does not parse.
    pub fn new(source: impl Into<String>, tokens: &TokenizerConfig) -> Result<Self> {
        let mut environment = Environment::new();
        // As transformers sets Jinja up, so that the published templates mean what they say.
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .map_err(failed)?,
        );
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function(
            "raise_exception",
            |message: String| -> std::result::Result<Value, Error> {
                Err(Error::new(ErrorKind::InvalidOperation, message))
            },
        );
        environment
            .add_template_owned(NAME, source.into())
            .map_err(failed)?;
        Ok(Self {
            bos_token: tokens.bos_token.clone().unwrap_or_default(),
            eos_token: tokens.eos_token.clone().unwrap_or_default(),
            environment,
        })
    }

    /// The conversation as text. With `add_generation_prompt` it ends where the model is to write; `enable_thinking`
    /// is for templates that know the word.
    ///
    /// # Errors
    /// [`EngineError::Template`] when the template fails or refuses the conversation.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        enable_thinking: bool,
    ) -> Result<String> {
        let variables = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt => add_generation_prompt,
            enable_thinking => enable_thinking,
            bos_token => self.bos_token.as_str(),
            eos_token => self.eos_token.as_str(),
        };
        let template = self.environment.get_template(NAME).map_err(failed)?;
        template.render(variables).map_err(failed)
    }
}

/// A tokenizer and a template: all that turns conversations into tokens and tokens into text.
#[derive(Clone)]
pub struct Chat {
    tokenizer: Arc<Tokenizer>,
    template: Arc<ChatTemplate>,
}

impl Chat {
    /// Puts the two together.
    pub fn new(tokenizer: Tokenizer, template: ChatTemplate) -> Self {
        Self {
            tokenizer: Arc::new(tokenizer),
            template: Arc::new(template),
        }
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokenizer, shared.
    pub(crate) fn shared_tokenizer(&self) -> Arc<Tokenizer> {
        Arc::clone(&self.tokenizer)
    }

    /// The template.
    pub fn template(&self) -> &ChatTemplate {
        &self.template
    }

    /// The tokens of a conversation.
    ///
    /// A special token that a user message spells out stays text: what is judged must not be able to end its own
    /// turn and speak as someone else. In every other conversation the ids are those of the rendered text.
    ///
    /// # Errors
    /// [`EngineError::Template`] or [`EngineError::Tokenizer`].
    pub fn encode(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        enable_thinking: bool,
    ) -> Result<Vec<u32>> {
        let specials = self.tokenizer.specials();
        let spelled = |message: &Message| {
            message.role == Role::User
                && specials
                    .iter()
                    .any(|special| message.content.contains(special.as_str()))
        };
        if !messages.iter().any(spelled) {
            return self.tokenizer.encode(&self.template.render(
                messages,
                add_generation_prompt,
                enable_thinking,
            )?);
        }

        // Each spelled special is rendered as a number between two marks that no message contains.
        let unused = |mark: &char| !messages.iter().any(|message| message.content.contains(*mark));
        let mark = ('\u{e000}'..='\u{f8ff}').find(unused).ok_or_else(|| {
            EngineError::Template("a message uses every private character and a special token".to_owned())
        })?;
        let mut marked = messages.to_vec();
        for message in marked.iter_mut().filter(|message| spelled(message)) {
            for (index, special) in specials.iter().enumerate() {
                message.content = message
                    .content
                    .replace(special.as_str(), &format!("{mark}{index}{mark}"));
            }
        }
        let text = self
            .template
            .render(&marked, add_generation_prompt, enable_thinking)?;
        let mut ids = Vec::new();
        for (position, piece) in text.split(mark).enumerate() {
            if position.is_multiple_of(2) {
                ids.extend(self.tokenizer.encode(piece)?);
                continue;
            }
            let special = piece.parse().ok().and_then(|index: usize| specials.get(index));
            let special =
                special.ok_or_else(|| EngineError::Template("it cuts messages apart".to_owned()))?;
            ids.extend(self.tokenizer.encode_as_text(special)?);
        }
        Ok(ids)
    }

    /// The text of a reply.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`].
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer.decode(ids)
    }
}

fn failed(error: Error) -> EngineError {
    EngineError::Template(error.to_string())
}

/// `tojson` as chat templates expect it: the text of Python's `json.dumps(value, ensure_ascii=False, indent=...)`.
/// Jinja's own escapes HTML.
fn to_json(value: Value, options: Kwargs) -> std::result::Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Accepted and without effect here: text is never escaped to ASCII.
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut bytes = Vec::new();
    let written = match indent {
        Some(indent) => {
            let indent = " ".repeat(indent);
            value.serialize(&mut Serializer::with_formatter(
                &mut bytes,
                PrettyFormatter::with_indent(indent.as_bytes()),
            ))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut bytes, PythonFormatter)),
    };
    let failed = |error: String| Error::new(ErrorKind::BadSerialization, error);
    written.map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes)
        .map(Value::from)
        .map_err(|error| failed(error.to_string()))
}

/// `", "` and `": "` between the parts.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(content: &str) -> Vec<Message> {
        vec![Message {
            role: Role::User,
            content: content.to_owned(),
        }]
    }

    #[test]
    fn templates_get_pythons_methods_json_and_errors() {
        let check = |source: &str, expect: &str| {
            let tokens = TokenizerConfig {
                eos_token: Some("<end>".to_owned()),
                ..TokenizerConfig::default()
            };
            let template = ChatTemplate::new(source, &tokens).unwrap();
            let got = template.render(&user("a<b>'é'\n"), true, false);
            assert_eq!(got.unwrap_or_else(|error| error.to_string()), expect, "{source}");
        };
        check("{{ messages[0].content.strip() }}{{ eos_token }}", "a<b>'é'<end>");
        check(
            "{{ messages | tojson }}",
            r#"[{"role": "user", "content": "a<b>'é'\n"}]"#,
        );
        check(
            "{{ {'a': [1, 2]} | tojson(indent=2) }}",
            "{\n  \"a\": [\n    1,\n    2\n  ]\n}",
        );
        check("{% if enable_thinking is false %}quiet{% endif %}", "quiet");
        check("{% if add_generation_prompt %}go{% endif %}{{ tools }}", "go");
        check(
            "{{ raise_exception('no') }}",
            "chat template: invalid operation: no (in chat_template:1)",
        );
        assert!(matches!(
            ChatTemplate::new("{% if %}", &TokenizerConfig::default()),
            Err(EngineError::Template(_))
        ));
    }

    #[test]
    fn tokenizer_config_is_read_in_all_its_shapes() {
        let check = |json: &str, expect: [Option<&str>; 3]| {
            let got = TokenizerConfig::from_json(json.as_bytes()).unwrap();
            assert_eq!(
                [
                    got.chat_template.as_deref(),
                    got.bos_token.as_deref(),
                    got.eos_token.as_deref()
                ],
                expect
            );
        };
        check("{}", [None; 3]);
        check(
            r#"{"chat_template": "T", "bos_token": null, "eos_token": "E"}"#,
            [Some("T"), None, Some("E")],
        );
        check(
            r#"{"chat_template": [{"name": "tool_use", "template": "U"}, {"name": "default", "template": "T"}],
                "bos_token": {"content": "B"}}"#,
            [Some("T"), Some("B"), None],
        );
        assert!(TokenizerConfig::from_json(b"[").is_err());
    }
}
