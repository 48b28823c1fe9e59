//! Where an endpoint is.

use std::fmt;

use ureq::http::Uri;

/// The path of chat endpoints that are given by their host alone.
const DEFAULT_PATH: &str = "/v1";

/// The base of an endpoint: `scheme://host[:port]/path[?query]`. It prints without its query, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: String,
    authority: String,
    host: String,
    path: String,
    query: Option<String>,
}

/// Why a text is no base of an endpoint. The text itself is left out: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Neither `http` nor `https`, or nothing that can be read.
    #[error("expected a URL http://HOST[:PORT][/PATH] or https://…, got {0}")]
    NotHttp(String),
    /// A name or password in the URL.
    #[error("expected a URL without a user name or password; a key is given as REWARDANYTHING_API_KEY")]
    Credentials,
}

impl Address {
    /// Reads a base URL. A path is kept as it is; a URL without one gets `/v1`.
    ///
    /// # Errors
    /// Another scheme than `http` and `https`, no host, or credentials inside.
    ///
    /// ```
    /// use rewardanything_remote::Address;
    ///
    /// let check = |url: &str, expect: &str| assert_eq!(Address::parse(url).unwrap().join("models"), expect);
    /// check("http://localhost:8000", "http://localhost:8000/v1/models");
    /// check("https://example.net/openai/", "https://example.net/openai/models");
    /// check("https://example.net/v1?api-version=3", "https://example.net/v1/models?api-version=3");
    /// ```
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let url = url.trim();
        let shown = || AddressError::NotHttp(url.split(['?', '@']).next().unwrap_or_default().to_owned());
        let uri: Uri = url.parse().map_err(|_| shown())?;
        let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
        let authority = uri.authority().ok_or_else(shown)?;
        if !matches!(scheme.as_str(), "http" | "https") || authority.host().is_empty() {
            return Err(shown());
        }
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials);
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            scheme,
            authority: authority.as_str().to_ascii_lowercase(),
            host: authority.host().to_ascii_lowercase(),
            path: if path.is_empty() { DEFAULT_PATH } else { path }.to_owned(),
            query: uri.query().map(str::to_owned),
        })
    }

    /// The host without its port, lowercase.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host with its port, as records name it.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether what is sent is encrypted.
    pub fn is_tls(&self) -> bool {
        self.scheme == "https"
    }

    /// The URL of something below the base; the query of the base stays.
    pub fn join(&self, name: &str) -> String {
        self.below(&self.path, name)
    }

    /// The URL of something that servers keep beside their versioned part: the base without a last `/v1`.
    ///
    /// ```
    /// use rewardanything_remote::Address;
    ///
    /// let address = Address::parse("http://localhost:8000").unwrap();
    /// assert_eq!(address.beside("classify"), "http://localhost:8000/classify");
    /// ```
    pub fn beside(&self, name: &str) -> String {
        self.below(self.path.strip_suffix("/v1").unwrap_or(&self.path), name)
    }

    fn below(&self, path: &str, name: &str) -> String {
        let mut url = format!("{}://{}{path}/{name}", self.scheme, self.authority);
        if let Some(query) = &self.query {
            url.push('?');
            url.push_str(query);
        }
        url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_endpoint_is_refused_without_its_secrets() {
        let check = |url: &str, expect: &str| {
            let error = Address::parse(url).expect_err(url).to_string();
            assert!(error.contains(expect), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        };
        check("ftp://example.net", "ftp://example.net");
        check("example.net", "example.net");
        check("http://", "expected a URL");
        check("https://me:secret@example.net/v1", "user name or password");
        check("file:///x?key=secret", "expected a URL");
    }

    #[test]
    fn a_query_is_sent_and_not_shown() {
        let address = Address::parse("HTTPS://Example.net:81/V1/?key=secret").expect("an address");
        assert_eq!(
            address.join("models"),
            "https://example.net:81/V1/models?key=secret"
        );
        assert_eq!(
            format!("{address} {address:?}"),
            "https://example.net:81/V1 https://example.net:81/V1"
        );
        assert_eq!(
            (address.host(), address.authority()),
            ("example.net", "example.net:81")
        );
    }
}
