//! A job as the body of a chat request.

use rewardanything_core::{GenerateJob, VerdictForm};
use serde_json::{Map, Value, json};

use crate::address::Address;

/// How many alternatives of each token are asked for: the most that hosted servers give.
const ALTERNATIVES: u32 = 20;

/// What servers with a lower limit take.
const FEW_ALTERNATIVES: u32 = 5;

/// A part of a request that some servers do not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    ResponseFormat,
    TemplateSettings,
    Seed,
    ManyAlternatives,
    Probabilities,
    TopK,
    MinP,
    TopP,
    Temperature,
    /// Under the name that servers knew first; newer models of one of them want another.
    MaxTokens,
}

/// Parts, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extras(pub(crate) u32);

impl Extra {
    /// Words that name a part in a server's complaint, and what is left out when it is.
    const NAMED: [(&'static str, Self); 13] = [
        ("response_format", Self::ResponseFormat),
        ("json_schema", Self::ResponseFormat),
        ("structured output", Self::ResponseFormat),
        ("chat_template_kwargs", Self::TemplateSettings),
        ("enable_thinking", Self::TemplateSettings),
        ("top_logprobs", Self::ManyAlternatives),
        ("logprobs", Self::Probabilities),
        ("top_k", Self::TopK),
        ("min_p", Self::MinP),
        ("top_p", Self::TopP),
        ("temperature", Self::Temperature),
        ("max_completion_tokens", Self::MaxTokens),
        ("seed", Self::Seed),
    ];

    /// What a request does without, in the words of a note.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::ResponseFormat => "response_format: replies are not held to the form of a verdict",
            Self::TemplateSettings => "chat_template_kwargs: whether to think is left to the model",
            Self::Seed => "seed: sampling cannot be repeated",
            Self::ManyAlternatives => "top_logprobs of 20: 5 are asked for",
            Self::Probabilities => "logprobs: there are no soft scores",
            Self::TopK => "top_k: it is left to the server",
            Self::MinP => "min_p: it is left to the server",
            Self::TopP => "top_p: it is left to the server",
            Self::Temperature => "temperature: it is left to the server",
            Self::MaxTokens => "max_tokens: max_completion_tokens takes its place",
        }
    }
}

impl Extras {
    pub(crate) fn has(self, extra: Extra) -> bool {
        self.0 & (1 << extra as u32) != 0
    }

    pub(crate) fn with(self, extra: Extra) -> Self {
        Self(self.0 | 1 << extra as u32)
    }

    /// What is never sent to an address, because its servers are known.
    pub(crate) fn unknown_to(address: &Address) -> Self {
        let extras = [Extra::TemplateSettings, Extra::TopK, Extra::MinP];
        if address.host() != "api.openai.com" {
            return Self::default();
        }
        extras
            .into_iter()
            .fold(Self::default().with(Extra::MaxTokens), Self::with)
    }

    /// Everything that a request can do without.
    pub(crate) fn all() -> Self {
        Extra::NAMED
            .iter()
            .filter(|(_, extra)| *extra != Extra::MaxTokens)
            .fold(Self::default(), |set, (_, extra)| set.with(*extra))
    }
}

/// The part of a request that a complaint is about, of those that stand in `body`.
pub(crate) fn named_in(complaint: &str, body: &Value) -> Option<Extra> {
    let complaint = complaint.to_ascii_lowercase();
    let sent = |extra: Extra| match extra {
        Extra::ResponseFormat => body.get("response_format").is_some(),
        Extra::TemplateSettings => body.get("chat_template_kwargs").is_some(),
        Extra::ManyAlternatives => body.get("top_logprobs") == Some(&json!(ALTERNATIVES)),
        Extra::Probabilities => body.get("logprobs").is_some(),
        Extra::TopK => body.get("top_k").is_some(),
        Extra::MinP => body.get("min_p").is_some(),
        Extra::TopP => body.get("top_p").is_some(),
        Extra::Temperature => body.get("temperature").is_some(),
        Extra::MaxTokens => body.get("max_tokens").is_some(),
        Extra::Seed => body.get("seed").is_some(),
    };
    Extra::NAMED
        .into_iter()
        .find(|(name, extra)| complaint.contains(name) && sent(*extra))
        .map(|(_, extra)| extra)
}

/// The body of a request. `without` is left out; only a `constrained` one asks for the form of the job.
pub(crate) fn body(job: &GenerateJob, model: &str, without: Extras, constrained: bool) -> Value {
    let sampling = &job.sampling;
    let mut body = Map::new();
    let mut put = |name: &str, extra: Option<Extra>, value: Value| {
        if extra.is_none_or(|extra| !without.has(extra)) {
            body.insert(name.to_owned(), value);
        }
    };
    put("model", None, json!(model));
    put("messages", None, json!(job.messages));
    put("stream", None, json!(false));
    put(
        "temperature",
        Some(Extra::Temperature),
        json!(sampling.temperature),
    );
    put("top_p", Some(Extra::TopP), json!(sampling.top_p));
    if sampling.temperature > 0.0 {
        // Said even where they are off: servers have defaults of their own, or take them from the model's files.
        let top_k = i64::try_from(sampling.top_k).ok().filter(|&top_k| top_k > 0);
        put("top_k", Some(Extra::TopK), json!(top_k.unwrap_or(-1)));
        put("min_p", Some(Extra::MinP), json!(0.0));
    }
    put("seed", Some(Extra::Seed), json!(seed(sampling.seed)));
    let limit = if without.has(Extra::MaxTokens) {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    put(limit, None, json!(sampling.max_new_tokens));
    put(
        "chat_template_kwargs",
        Some(Extra::TemplateSettings),
        json!({ "enable_thinking": job.thinking }),
    );
    if let Some(form) = &job.form {
        if constrained {
            put(
                "response_format",
                Some(Extra::ResponseFormat),
                response_format(form),
            );
        }
        if !without.has(Extra::Probabilities) {
            let few = without.has(Extra::ManyAlternatives);
            put("logprobs", None, json!(true));
            put(
                "top_logprobs",
                None,
                json!(if few { FEW_ALTERNATIVES } else { ALTERNATIVES }),
            );
        }
    }
    Value::Object(body)
}

/// A seed as every server takes it: 31 bits, the small ones unchanged.
fn seed(seed: u64) -> u64 {
    (seed ^ (seed >> 31) ^ (seed >> 62)) & 0x7fff_ffff
}

/// The form of a verdict as a schema.
fn response_format(form: &VerdictForm) -> Value {
    let score = json!({ "type": "integer", "enum": [1, 2, 3, 4, 5] });
    let scores: Map<String, Value> = form
        .labels
        .iter()
        .map(|label| (label.clone(), score.clone()))
        .collect();
    let count = form.labels.len();
    json!({
        "type": "json_schema",
        "json_schema": {
            "name": "verdict",
            "strict": true,
            "schema": {
                "type": "object",
                "properties": {
                    "scores": {
                        "type": "object",
                        "properties": scores,
                        "required": form.labels,
                        "additionalProperties": false,
                    },
                    "best-to-worst": {
                        "type": "array",
                        "items": { "type": "string", "enum": form.labels },
                        "minItems": count,
                        "maxItems": count,
                    },
                },
                "required": ["scores", "best-to-worst"],
                "additionalProperties": false,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rewardanything_core::{Message, Role, Sampling};

    fn job(temperature: f64, form: bool) -> GenerateJob {
        GenerateJob {
            messages: vec![Message {
                role: Role::User,
                content: "hi".to_owned(),
            }],
            sampling: Sampling {
                temperature,
                seed: 7,
                max_new_tokens: 9,
                ..Sampling::default()
            },
            thinking: false,
            form: form.then(|| VerdictForm {
                labels: vec!["model-1".to_owned(), "model-2".to_owned()],
                thinking_tokens: 0,
                given: Vec::new(),
            }),
        }
    }

    #[test]
    fn a_greedy_job_says_what_it_must() {
        let body = body(&job(0.0, false), "m", Extras::default(), true);
        let expect = json!({
            "model": "m", "messages": [{ "role": "user", "content": "hi" }], "stream": false, "temperature": 0.0,
            "top_p": 1.0, "seed": 7, "max_tokens": 9, "chat_template_kwargs": { "enable_thinking": false },
        });
        assert_eq!(body, expect);
    }

    #[test]
    fn the_schema_takes_exactly_the_verdicts_of_the_form() {
        let body = body(&job(0.5, true), "m", Extras::default(), true);
        let schema = &body["response_format"]["json_schema"]["schema"];
        let keys = |value: &Value| {
            value
                .as_object()
                .map(|object| object.keys().cloned().collect::<Vec<_>>())
        };
        assert_eq!(keys(&schema["properties"]).unwrap(), ["scores", "best-to-worst"]);
        assert_eq!(
            keys(&schema["properties"]["scores"]["properties"]).unwrap(),
            ["model-1", "model-2"]
        );
        assert_eq!(
            schema["properties"]["best-to-worst"]["items"]["enum"],
            json!(["model-1", "model-2"])
        );
        assert_eq!((&body["top_k"], &body["min_p"]), (&json!(-1), &json!(0.0)));
        assert_eq!(
            (&body["logprobs"], &body["top_logprobs"]),
            (&json!(true), &json!(20))
        );
    }

    #[test]
    fn what_a_server_does_not_take_is_left_out() {
        let without = Extras::all();
        let body = body(&job(0.5, true), "m", without, true);
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["model", "messages", "stream", "max_tokens"]);
        let openai = Extras::unknown_to(&Address::parse("https://api.openai.com").unwrap());
        let body = super::body(&job(0.5, true), "m", openai, true);
        for (name, there) in [
            ("top_k", false),
            ("max_tokens", false),
            ("max_completion_tokens", true),
            ("seed", true),
        ] {
            assert_eq!(body.get(name).is_some(), there, "{name}");
        }
    }

    #[test]
    fn complaints_name_what_they_are_about() {
        let body = body(&job(0.5, true), "m", Extras::default(), true);
        let check = |complaint: &str, expect: Option<Extra>| {
            assert_eq!(named_in(complaint, &body), expect, "{complaint}");
        };
        check(
            "Unsupported parameter: 'response_format'",
            Some(Extra::ResponseFormat),
        );
        check(
            "This model cannot do Structured Outputs",
            Some(Extra::ResponseFormat),
        );
        check(
            "extra fields not permitted: chat_template_kwargs",
            Some(Extra::TemplateSettings),
        );
        check("top_logprobs must be at most 5", Some(Extra::ManyAlternatives));
        check(
            "Use 'max_completion_tokens' instead of 'max_tokens'",
            Some(Extra::MaxTokens),
        );
        check("seed is not supported", Some(Extra::Seed));
        check("something else", None);
        let fewer = super::body(
            &job(0.0, true),
            "m",
            Extras::default().with(Extra::ManyAlternatives),
            true,
        );
        assert_eq!(
            named_in("top_logprobs is unknown", &fewer),
            Some(Extra::Probabilities)
        );
        assert_eq!(named_in("top_k is unknown", &fewer), None);
    }

    #[test]
    fn seeds_fit_and_stay_apart() {
        assert_eq!([0, 7, 0x7fff_ffff].map(seed), [0, 7, 0x7fff_ffff]);
        let samples: std::collections::HashSet<u64> = (0..256_u64)
            .map(|sample| seed(sample.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        assert_eq!(samples.len(), 256);
        assert!(samples.iter().all(|seed| *seed <= 0x7fff_ffff));
    }
}
