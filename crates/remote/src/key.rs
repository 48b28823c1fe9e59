//! Secrets: who may see which, and nobody else.

use std::fmt;

use crate::address::Address;

/// The one host that a key of OpenAI is meant for.
const OPENAI_HOST: &str = "api.openai.com";

/// What stands where a secret stood.
const HIDDEN: &str = "[key]";

/// A secret that is sent as a bearer token. It prints as `[key]`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key without the white space around it; `None` for an empty one.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (!key.is_empty()).then(|| Self(key.to_owned()))
    }

    /// The value of the header `Authorization`.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// A text without the key: servers like to quote what they were sent.
    pub(crate) fn scrub(&self, text: &str) -> String {
        text.replace(&self.0, HIDDEN)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The keys at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Goes to every endpoint.
    pub own: Option<ApiKey>,
    /// Goes to OpenAI's own host alone, over TLS alone, and where there is no `own`.
    pub openai: Option<ApiKey>,
}

impl Keys {
    /// The key for an endpoint.
    pub fn for_address(&self, address: &Address) -> Option<&ApiKey> {
        let openai = address.host() == OPENAI_HOST && address.is_tls();
        self.own
            .as_ref()
            .or_else(|| self.openai.as_ref().filter(|_| openai))
    }
}

/// A text without the key, where there is one.
pub(crate) fn scrubbed(key: Option<&ApiKey>, text: &str) -> String {
    key.map_or_else(|| text.to_owned(), |key| key.scrub(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_openai_goes_to_openai_alone() {
        let keys = |own: &str| Keys {
            own: ApiKey::new(own),
            openai: ApiKey::new("sk-theirs"),
        };
        let check = |own: &str, url: &str, expect: Option<&str>| {
            let address = Address::parse(url).expect("an address");
            let bearer = keys(own).for_address(&address).map(ApiKey::bearer);
            assert_eq!(bearer.as_deref(), expect, "{url}");
        };
        check("", "https://api.openai.com/v1", Some("Bearer sk-theirs"));
        check("mine", "https://api.openai.com/v1", Some("Bearer mine"));
        check("mine", "http://127.0.0.1:8000", Some("Bearer mine"));
        check("", "http://127.0.0.1:8000", None);
        check("", "http://api.openai.com/v1", None);
        check("", "https://api.openai.com.example.net/v1", None);
        check("", "https://example.net/api.openai.com/v1", None);
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new(" sk-secret\n").expect("a key");
        assert_eq!(key.bearer(), "Bearer sk-secret");
        assert_eq!(key.scrub("bad key sk-secret!"), "bad key [key]!");
        let keys = Keys {
            own: Some(key.clone()),
            openai: Some(key),
        };
        assert!(!format!("{keys:?}").contains("secret"));
        assert_eq!(ApiKey::new("  "), None);
    }
}
