//! `providers`: as written.

use std::path::PathBuf;
use std::time::Duration;

use super::cost::ListedModel;
use super::credentials::Credentials;
use super::parameters::{ModelSettings, Parameters};
use super::routing::{CircuitBreaker, Retry};
use crate::config::{HttpVersion, Proxy, Spanned};
use crate::decode::{Decode, Decoder, Pairs};
use crate::names::{ModelName, ProviderName};
use crate::node::{Node, Value};
use crate::scalar::{Count, Json, Kind};
use crate::secret::Secret;
use crate::section::{choices, section};
use crate::shape::{DURATION, Shape};
use crate::url::{BaseUrl, VariableValue, check_proxy_url};
use crate::values::SecretText;

section! {
    /// A provider.
    Provider {
        /// Its name here; the type if left out.
        name: ProviderName;
        /// The provider's type, such as `openai`; the name if left out.
        kind as "type": String;
        /// Base URL, in place of the one that the type has.
        endpoint: BaseUrl;
        /// The credential: a key, or the JSON that the vendor or another gateway wants pasted. The environment variable that
        /// the type knows if left out.
        api_key: SecretText;
        /// A credential with more in it than a key, or where to get one.
        credentials: Credentials;
        /// The project of watsonx.ai that pays; `WATSONX_PROJECT_ID` if left out.
        project_id: VariableValue;
        /// The space of watsonx.ai that pays, in place of a project; `WATSONX_SPACE_ID` if left out.
        space_id: VariableValue;
        /// The models it serves, by their names or with what they cost and can do; whatever the type knows if left out.
        models: Vec<Spanned<ListedModel>>;
        /// Models that only stream: clients that ask for no stream get the answer gathered.
        stream_only: Vec<Spanned<ModelName>>;
        /// Lower comes first where several providers serve a model.
        priority: i64, default "0";
        /// How long it may take: one duration for the whole answer, or one for each step.
        timeout: Timeout;
        /// Further headers for each request to it.
        headers: Pairs<SecretText>;
        /// Values for the `{placeholders}` of the type's base URL.
        variables: Pairs<VariableValue>;
        /// TLS towards it.
        tls: Tls;
        /// `direct`, or `http://[user:password@]host:port`; the environment's proxy (`HTTPS_PROXY`, `HTTP_PROXY`,
        /// `NO_PROXY`) if left out.
        proxy: Proxy;
        /// Which HTTP version is spoken to it.
        http_version: HttpVersion, default "auto";
        /// What is changed in the parameters of requests for text.
        parameters: Parameters;
        /// What is peculiar to some of its models.
        model_settings: Vec<Spanned<ModelSettings>>;
        /// Whether tools are described to its models in words, and their calls read from their text: for models that know
        /// no tools.
        emulate_tools: bool, default "false";
        /// What you vouch for, which nobody can find out: `zdr`, `no-data-collection`, `no-training`,
        /// `distillable-text`, `quantization:fp8`, `headquarters:US`. Requests that ask for it are sent only to providers
        /// that have it.
        assurances: Vec<Spanned<String>>;
        /// Whether callers may use all of its own API under `/passthrough/NAME/`, with the credential configured here. If
        /// left out, they may with a key of their own only.
        passthrough: bool;
        /// How many requests it gets in any 60 s. More go to the next provider, and wait where there is none.
        max_requests_per_minute: Count;
        /// How it is tried again; what is left out is as `routing` says.
        retry: Retry;
        /// When it is left out; what is left out here is as the `circuit_breaker` outside says.
        circuit_breaker: CircuitBreaker;
    }
}

section! {
    /// How long a provider may take for each step.
    Timeouts {
        /// For a connection, the TLS handshake included.
        connect: Duration, default "10s";
        /// From the request sent to the first byte of the answer; what `read` says if that is given. If neither is: where
        /// another target could be asked, 15 s for a stream, 20 s for an answer that comes whole, and 120 s where the
        /// model thinks first; where none could, 30 s, and `total` for a chat whose answer comes whole.
        first_byte: Duration;
        /// Between two reads of the answer.
        read or "idle": Duration, default "60s";
        /// While the provider reads nothing of the request.
        write: Duration, default "30s";
        /// For the whole attempt.
        total: Duration, default "600s";
    }
}

/// How long a provider may take.
pub(crate) enum Timeout {
    /// For the whole attempt.
    Total(Duration),
    /// For each step.
    Steps(Timeouts),
}

impl Decode for Timeout {
    const SHAPE: &'static Shape = &Shape::Either(&DURATION, Timeouts::SHAPE);

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(_) => decoder.scalar(node).map(Self::Total),
            Value::List(_) | Value::Map(_) => Timeouts::decode(node, decoder).map(Self::Steps),
        }
    }
}

section! {
    /// TLS towards a provider.
    Tls {
        /// PEM file with the authorities to trust, in place of the platform's.
        ca: PathBuf;
        /// PEM file with our certificate chain.
        certificate: PathBuf;
        /// PEM file with our private key.
        key: PathBuf;
    }
}

/// No proxy, whatever the environment says.
const DIRECT: &str = "direct";

impl Decode for Proxy {
    const SHAPE: &'static Shape = &Shape::Scalar(Kind {
        name: "direct or a URL",
        json: Json::Pattern("^(direct|http://.+)$"),
        check: |text| if text == DIRECT { Ok(()) } else { check_proxy_url(text) },
    });

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let resolved = decoder.text(node, "direct or a URL")?;
        if resolved.text.as_str() == DIRECT {
            return Some(Self::Direct);
        }
        // The text is not shown: there may be a password in it.
        match check_proxy_url(&resolved.text) {
            Ok(()) => Some(Self::Via(Secret::new(resolved.text.to_string()))),
            Err(fault) => {
                decoder.fault(&node.place, &fault);
                None
            }
        }
    }
}

choices! {
    HttpVersion {
        "auto" => HttpVersion::Auto, "HTTP/2 where TLS negotiates it, else HTTP/1.1.";
        "1" => HttpVersion::Http1, "HTTP/1.1 only.";
        "2" => HttpVersion::Http2, "HTTP/2 only, also in clear text.";
    }
}
