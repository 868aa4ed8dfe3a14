//! Amazon: a Bedrock API key, or AWS credentials that sign each request (`sigv4`). Where those come from: they are given,
//! or a role is assumed (`sts`), or a server next door tells them (`metadata`).

mod metadata;
pub(super) mod sigv4;
mod sts;

use std::sync::Arc;

use http::header;
use zeroize::Zeroizing;

use super::exchange::{Surroundings, Whose};
use super::fields::Fields;
use super::renewed::{Renewed, Source};
use super::skew::Skew;
use super::{Method, Wanted, Way, WrongCredential, fixed_header};
use sigv4::Scope;

/// The fields that mean something here.
pub(super) const FIELDS: &[&str] = &[
    "access_key_id",
    "secret_access_key",
    "session_token",
    "role_arn",
    "external_id",
    "role_session_name",
    "web_identity_token_file",
    "region",
    "token_url",
    "metadata_url",
];
/// What Bedrock's signatures must be allowed.
pub(super) const PERMISSIONS: &str = "the credentials need bedrock:InvokeModel and, for streams, \
                                     bedrock:InvokeModelWithResponseStream";
/// Where a region is read from if nothing else says it, after the variable of the catalogue.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The variables that hold AWS credentials, and the fields that they stand for.
const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "access_key_id"),
    ("AWS_SECRET_ACCESS_KEY", "secret_access_key"),
    ("AWS_SESSION_TOKEN", "session_token"),
];
const WEB_IDENTITY: [(&str, &str); 3] = [
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file"),
    ("AWS_ROLE_ARN", "role_arn"),
    ("AWS_ROLE_SESSION_NAME", "role_session_name"),
];
const CONTAINER: [(&str, &str); 4] = [
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "container_relative_uri"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "container_full_uri"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container_token"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "container_token_file"),
];

/// AWS credentials. Has no `Debug`. Clones share the texts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) access_key_id: Arc<str>,
    pub(crate) secret_access_key: Arc<Zeroizing<String>>,
    pub(crate) session_token: Option<Arc<Zeroizing<String>>>,
}

impl Keys {
    pub(crate) fn new(id: &str, secret: &str, session_token: Option<&str>) -> Self {
        let hidden = |text: &str| Arc::new(Zeroizing::new(text.to_owned()));
        Self {
            access_key_id: Arc::from(id),
            secret_access_key: hidden(secret),
            session_token: session_token.map(hidden),
        }
    }
}

/// Signs requests.
pub(super) struct Signer {
    pub(super) keys: KeySource,
    pub(super) scope: Scope,
    pub(super) skew: Skew,
}

/// Where the keys come from.
pub(super) enum KeySource {
    /// They are given.
    Given(Keys),
    /// They run out and are fetched again.
    Renewed(Arc<Renewed<Keys>>),
}

/// Adds what the environment says, in the order in which Amazon's own tools look.
pub(super) fn ambient(fields: &mut Fields, variable: &dyn Fn(&str) -> Option<String>) {
    let is_set = |name: &str| variable(name).is_some();
    let found: &[(&str, &str)] = if is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY") {
        &KEYS
    } else if is_set("AWS_WEB_IDENTITY_TOKEN_FILE") && is_set("AWS_ROLE_ARN") {
        &WEB_IDENTITY
    } else {
        &CONTAINER
    };
    for (name, field) in found {
        if let Some(value) = variable(name) {
            fields.set(field, &value);
        }
    }
}

/// The region that the environment names.
pub(super) fn ambient_region(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    REGION_VARIABLES.iter().find_map(|name| variable(name))
}

/// How requests are authenticated with these fields.
pub(super) fn method(wanted: &Wanted<'_>, service: &str, around: &Surroundings<'_>) -> Result<Way, WrongCredential> {
    let fields = wanted.fields;
    let region = wanted.region.or_else(|| wanted.host.and_then(region_of_host)).or(wanted.ambient_region);
    if let Some(key) = fields.get("api_key") {
        if fields.has("access_key_id") {
            return Err(WrongCredential::at(
                "access_key_id",
                "there are both a Bedrock API key and AWS credentials; keep one of them",
            ));
        }
        let (name, value) = fixed_header(header::AUTHORIZATION, "Bearer ", key)?;
        let hint = match region {
            Some(region) => format!(
                "a Bedrock API key works in the region alone where it was made, and {region} was asked; for other \
                 regions use AWS credentials"
            ),
            None => "a Bedrock API key works in the region alone where it was made".to_owned(),
        };
        return Ok(Way::Fixed { name, value, hint: Some(hint) });
    }
    let region = region.ok_or_else(|| {
        WrongCredential::new("AWS credentials need a region; add `region` to them, or set AWS_REGION")
    })?;
    if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(WrongCredential::at("region", "`region` must be a region such as us-east-1"));
    }
    let keys = key_source(fields, wanted.from_metadata, region, around)?;
    let scope = Scope { region: region.to_owned(), service: service.to_owned() };
    Ok(Way::Each(Method::Aws(Signer { keys, scope, skew: Skew::default() })))
}

fn key_source(
    fields: &Fields,
    from_metadata: bool,
    region: &str,
    around: &Surroundings<'_>,
) -> Result<KeySource, WrongCredential> {
    let sts = || match fields.get("token_url") {
        Some(url) => around.place(url, Whose::Operator, "token_url"),
        None => around.place(&sts::url(region), Whose::Vendor, "region"),
    };
    if let Some(file) = fields.get("web_identity_token_file") {
        let role = sts::Role::read(fields, "web_identity_token_file")?;
        return Ok(renewed(Box::new(sts::WebIdentity::new(role, file.to_owned(), sts()?))));
    }
    let base = if let Some(id) = fields.get("access_key_id") {
        let secret = fields.need("secret_access_key", "access_key_id")?;
        sts::Base::Given(Keys::new(id, secret, fields.get("session_token")))
    } else if fields.has("container_relative_uri") || fields.has("container_full_uri") {
        sts::Base::Asked(Box::new(metadata::Container::read(fields, around)?))
    } else if from_metadata {
        sts::Base::Asked(Box::new(metadata::Instance::new(fields, around)?))
    } else {
        return Err(WrongCredential::new(
            "the credential is neither a Bedrock API key nor AWS credentials; give `accessKeyId`, `secretAccessKey` and \
             `region`, or `source: metadata`",
        ));
    };
    if fields.has("role_arn") {
        let role = sts::Role::read(fields, "role_arn")?;
        return Ok(renewed(Box::new(sts::AssumeRole::new(role, base, sts()?, region))));
    }
    Ok(match base {
        sts::Base::Given(keys) => KeySource::Given(keys),
        sts::Base::Asked(source) => renewed(source),
    })
}

fn renewed(source: Box<dyn Source<Keys>>) -> KeySource {
    KeySource::Renewed(Renewed::new(source))
}

/// `us-west-2` of `bedrock-runtime.us-west-2.amazonaws.com`.
fn region_of_host(host: &str) -> Option<&str> {
    let mut parts = host.split('.').skip_while(|part| !part.starts_with("bedrock"));
    parts.next()?;
    let region = parts.next()?;
    (parts.next()? == "amazonaws" && region.contains('-')).then_some(region)
}

/// A short-lived Bedrock API key is a signed URL in base64, and names its region.
pub(super) fn region_of_key(key: &str) -> Option<String> {
    use base64::Engine as _;
    let encoded = key.strip_prefix("bedrock-api-key-")?;
    let url = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?);
    let url = std::str::from_utf8(&url).ok()?;
    let scope = url.split(['?', '&']).find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    let region = scope.split("%2F").nth(2)?;
    let plain = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (plain && !region.is_empty()).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn the_region_is_read_from_amazons_hosts_alone() {
        assert_eq!(region_of_host("bedrock-runtime.eu-west-3.amazonaws.com"), Some("eu-west-3"));
        assert_eq!(region_of_host("vpce-1-x.bedrock-runtime.us-east-1.vpce.amazonaws.com"), None);
        assert_eq!(region_of_host("bedrock.example.com"), None);
        assert_eq!(region_of_host("127.0.0.1"), None);
    }

    #[test]
    fn a_short_lived_bedrock_key_names_its_region() {
        let url = "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256\
                   &X-Amz-Credential=ASIAEXAMPLE%2F20261120%2Feu-west-1%2Fbedrock%2Faws4_request&Version=1";
        let key = format!("bedrock-api-key-{}", base64::engine::general_purpose::STANDARD.encode(url));
        assert_eq!(region_of_key(&key).as_deref(), Some("eu-west-1"));
        assert_eq!(region_of_key("ABSKQmVkcm9ja0FQSUtleQ=="), None);
        assert_eq!(region_of_key("bedrock-api-key-%%%"), None);
    }

    #[test]
    fn the_environment_is_read_in_the_order_of_amazons_tools() {
        let environment = |set: &'static [(&'static str, &'static str)]| {
            let mut fields = Fields::default();
            ambient(&mut fields, &|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            });
            fields
        };
        let both = environment(&[
            ("AWS_ACCESS_KEY_ID", "A"),
            ("AWS_SECRET_ACCESS_KEY", "S"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/f"),
            ("AWS_ROLE_ARN", "r"),
        ]);
        assert!(both.has("access_key_id") && !both.has("web_identity_token_file") && !both.has("role_arn"));
        let web =
            environment(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/f"), ("AWS_ROLE_ARN", "r")]);
        assert!(web.has("web_identity_token_file") && !web.has("access_key_id"));
        let container = environment(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")]);
        assert!(container.has("container_full_uri"));
        assert!(!environment(&[("AWS_ROLE_ARN", "r")]).has("role_arn"));
    }
}
