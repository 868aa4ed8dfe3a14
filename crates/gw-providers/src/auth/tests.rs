//! What may be configured, what becomes of it, and what is refused.

use gw_http::Origins;
use gw_http::origin::{OriginSettings, Version};
use gw_http::proxy::ProxyChoice;

use std::sync::Arc;

use super::*;
use crate::attempt::Destination;
use crate::catalog::Catalog;

const RSA: &str = include_str!("test_key.pem");

/// What is configured in a test.
#[derive(Default)]
struct Written<'a> {
    kind: &'a str,
    api_key: Option<&'a str>,
    fields: &'a [(&'a str, &'a str)],
    environment: &'a [(&'a str, &'a str)],
    /// Whether the provider has an endpoint of its own.
    elsewhere: bool,
}

struct Outcome {
    ready: Option<Ready>,
    variables: [Option<String>; 3],
}

fn auth(kind: &str) -> &'static Auth {
    // Vertex AI's, where the catalogue has no entry that is authenticated so.
    static GOOGLE: std::sync::LazyLock<Auth> =
        std::sync::LazyLock::new(|| toml::from_str("kind = \"google\"").unwrap());
    match kind {
        "google" => &GOOGLE,
        kind => &Catalog::builtin().get(kind).unwrap().auth,
    }
}

fn outcome(written: &Written<'_>, known: &Authenticators) -> Result<Outcome, WrongCredential> {
    let find = |name: &str| {
        let found = written.environment.iter().find(|(set, _)| *set == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let auth = auth(written.kind);
    let is_ambient_allowed = !written.elsewhere;
    let settings = Settings { api_key: written.api_key, fields: written.fields, is_ambient_allowed, variable: &find };
    let Some(credential) = Credential::read(auth, &settings)? else {
        return Ok(Outcome { ready: None, variables: [const { None }; 3] });
    };
    let variables = ["region", "project", "resource"].map(|name| credential.variable(name).map(str::to_owned));
    let origins = Origins::default();
    let origin = origins.intern(OriginSettings {
        label: "test".into(),
        secure: true,
        host: "provider.example".to_owned(),
        port: 443,
        version: Version::Auto,
        ca_pem: None,
        identity: None,
        proxy: ProxyChoice::Direct,
        connect_timeout: std::time::Duration::from_secs(1),
        write_timeout: std::time::Duration::from_secs(1),
    });
    let destination = Destination::Origin(origin.unwrap_or_else(|_| unreachable!()));
    let around = Surroundings { origins: &origins, label: "test", proxy: ProxyChoice::Direct, ca_pem: None };
    let ready = credential.prepare(auth, None, &destination, &around, known)?;
    Ok(Outcome { ready: Some(ready), variables })
}

/// `name: value` of a constant header, `each` of anything else, the message of a mistake.
fn told(written: &Written<'_>) -> String {
    match outcome(written, &Authenticators::default()) {
        Err(wrong) => wrong.message,
        Ok(Outcome { ready: None, .. }) => "missing".to_owned(),
        Ok(Outcome { ready: Some(Ready::Header(name, value, _)), .. }) => {
            assert!(value.is_sensitive());
            format!("{name}: {}", value.to_str().unwrap())
        }
        Ok(Outcome { ready: Some(Ready::Each(_)), .. }) => "each".to_owned(),
    }
}

fn of<'a>(kind: &'a str, api_key: &'a str) -> Written<'a> {
    Written { kind, api_key: Some(api_key), ..Written::default() }
}

fn service_account(more: &str) -> String {
    let key = RSA.replace('\n', "\\n");
    format!(
        "{{\"type\":\"service_account\",\"project_id\":\"proj\",\"private_key_id\":\"k1\",\"private_key\":\"{key}\",\
         \"client_email\":\"x@proj.iam.gserviceaccount.com\",\"client_id\":\"1\",\
         \"auth_uri\":\"https://accounts.google.com/o/oauth2/auth\",\"universe_domain\":\"googleapis.com\"{more}}}"
    )
}

#[test]
fn a_plain_key_stands_where_the_vendor_looks_for_it() {
    assert_eq!(told(&of("openai", "sk-1")), "authorization: Bearer sk-1");
    assert_eq!(told(&of("openai", r#"{"apiKey":"sk-1"}"#)), "authorization: Bearer sk-1");
    assert_eq!(told(&of("bedrock", "ABSKkey")), "authorization: Bearer ABSKkey");
    assert_eq!(told(&of("azure-openai", "key")), "api-key: key");
    assert_eq!(told(&of("google", "AIzaKey")), "x-goog-api-key: AIzaKey");
    assert_eq!(told(&of("google", "ya29.token")), "authorization: Bearer ya29.token");
    assert_eq!(told(&of("watsonx", "ibm-key")), "each");
}

#[test]
fn aws_credentials_are_understood_in_every_shape() {
    for json in [
        r#"{"accessKeyId":"AKIA","secretAccessKey":"S","region":"us-east-1"}"#,
        r#"{"access_key_id":"AKIA","secret_access_key":"S","region":"us-east-1","sessionToken":"T"}"#,
        r#"{"accessKeyId":"AKIA","secretAccessKey":"S","region":"us-east-1","roleArn":"arn:aws:iam::1:role/r","externalId":"e"}"#,
    ] {
        let outcome = outcome(&of("bedrock", json), &Authenticators::default()).unwrap_or_else(|_| unreachable!());
        assert!(matches!(outcome.ready, Some(Ready::Each(_))), "{json}");
        assert_eq!(outcome.variables[0].as_deref(), Some("us-east-1"));
    }
    let fields = [("access_key_id", "AKIA"), ("secret_access_key", "S"), ("region", "eu-west-1")];
    assert_eq!(told(&Written { kind: "bedrock", fields: &fields, ..Written::default() }), "each");
}

#[test]
fn google_credentials_are_understood_in_every_shape() {
    let key = RSA.replace('\n', "\\n");
    let vercel = format!(
        r#"{{"project":"proj","location":"global","googleCredentials":{{"privateKey":"{key}","clientEmail":"x@y"}}}}"#
    );
    let with_region = service_account(",\"token_uri\":\"https://oauth2.googleapis.com/token\",\"region\":\"global\"");
    for json in [&vercel, &with_region] {
        let outcome = outcome(&of("google", json), &Authenticators::default()).unwrap_or_else(|_| unreachable!());
        assert!(matches!(outcome.ready, Some(Ready::Each(_))));
        assert_eq!(outcome.variables, [Some("global".to_owned()), Some("proj".to_owned()), None]);
    }
    let whole = service_account("");
    let fields = [("service_account", whole.as_str()), ("region", "europe-west1")];
    assert_eq!(told(&Written { kind: "google", fields: &fields, ..Written::default() }), "each");
    let fields = [("private_key", RSA), ("client_email", "x@y")];
    assert_eq!(told(&Written { kind: "google", fields: &fields, ..Written::default() }), "each");
    let user = r#"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}"#;
    assert_eq!(told(&of("google", user)), "each");
}

#[test]
fn azure_and_machine_identities_are_understood() {
    let application = [("tenant_id", "contoso.example"), ("client_id", "c"), ("client_secret", "s")];
    assert_eq!(told(&Written { kind: "azure-openai", fields: &application, ..Written::default() }), "each");
    for kind in ["azure-openai", "google"] {
        let fields = [("source", "metadata")];
        assert_eq!(told(&Written { kind, fields: &fields, elsewhere: true, ..Written::default() }), "each");
    }
    let fields = [("source", "metadata"), ("region", "us-east-1")];
    assert_eq!(told(&Written { kind: "bedrock", fields: &fields, ..Written::default() }), "each");
}

#[test]
fn what_is_wrong_is_named_and_never_repeated() {
    const HUSH: &str = "hush-hush";
    for (kind, api_key, wanted) in [
        ("bedrock", r#"{"accessKeyId":"hush-hush","region":"us-east-1"}"#, "no `secret_access_key`"),
        ("bedrock", r#"{"accessKeyId":"A","secretAccessKey":"hush-hush"}"#, "need a region"),
        (
            "bedrock",
            r#"{"accessKeyId":"A","secretAccessKey":"hush-hush","region":"evil.example/"}"#,
            "must be a region",
        ),
        (
            "bedrock",
            r#"{"accessKeyId":"A","secretAccessKey":"S","region":"x","roleArn":"hush-hush"}"#,
            "must begin with arn:",
        ),
        ("bedrock", r#"{"accessKeyId":"hush-hush","#, "begins like JSON"),
        ("openai", r#"{"key":"hush-hush"}"#, "check its names"),
        ("openai", "hush-hush\nx", "cannot stand in a header"),
        ("google", r#"{"private_key":"hush-hush","client_email":"x"}"#, "no PEM text"),
        ("google", r#"{"type":"hush-hush"}"#, "of this `type`"),
        ("azure-openai", r#"{"client_secret":"hush-hush","client_id":"c"}"#, "no `tenant_id`"),
        ("azure-openai", r#"{"client_secret":"hush-hush","client_id":"c","tenant_id":"a/b"}"#, "a tenant's id"),
    ] {
        let message = told(&of(kind, api_key));
        assert!(message.contains(wanted) && !message.contains(HUSH), "{api_key}: {message}");
    }
    let fields = [("tenant_id", "t")];
    let wrong =
        outcome(&Written { kind: "bedrock", fields: &fields, ..Written::default() }, &Authenticators::default());
    assert_eq!(wrong.err().unwrap().field.as_deref(), Some("tenant_id"));
}

#[test]
fn pasted_json_names_no_address_that_would_be_asked_and_no_file_that_would_be_sent() {
    let elsewhere = service_account(",\"token_uri\":\"http://169.254.169.254/token\"");
    assert!(told(&of("google", &elsewhere)).contains("trusted_urls"));
    let fields = [("service_account", elsewhere.as_str()), ("trusted_urls", "http://169.254.169.254/token")];
    assert_eq!(told(&Written { kind: "google", fields: &fields, ..Written::default() }), "each");

    for json in [
        r#"{"accessKeyId":"A","secretAccessKey":"S","region":"us-east-1","tokenUrl":"http://evil.example"}"#,
        r#"{"roleArn":"arn:aws:iam::1:role/r","webIdentityTokenFile":"/etc/shadow","region":"us-east-1"}"#,
        r#"{"source":"metadata","metadata_url":"http://evil.example","region":"us-east-1"}"#,
    ] {
        assert!(told(&of("bedrock", json)).contains("may only stand in"), "{json}");
    }
    // Of servers next door only the platform's own variables speak.
    for json in [
        r#"{"container_full_uri":"http://localhost:9/","containerTokenFile":"/etc/shadow","region":"us-east-1"}"#,
        r#"{"containerRelativeUri":"/x","container_token":"t","region":"us-east-1"}"#,
    ] {
        assert!(told(&of("bedrock", json)).contains("may only stand in"), "{json}");
    }
    let identity = r#"{"identityEndpoint":"http://evil.example/","identity_header":"h"}"#;
    let fields = [("source", "metadata")];
    let azure = Written { fields: &fields, ..of("azure-openai", identity) };
    assert!(told(&azure).contains("may only stand in"));
    let external = |sts: &str, source: &str| {
        let json = format!(
            r#"{{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"{sts}","credential_source":{source}}}"#
        );
        told(&of("google", &json))
    };
    assert_eq!(external("https://sts.googleapis.com/v1/token", r#"{"file":"/var/run/token"}"#), "each");
    assert!(external("https://evil.example/v1/token", r#"{"file":"/var/run/token"}"#).contains("trusted_urls"));
    let url = r#"{"url":"http://169.254.169.254/x"}"#;
    assert!(external("https://sts.googleapis.com/v1/token", url).contains("trusted_urls"));
}

#[test]
fn the_environment_counts_at_the_providers_own_place_or_where_it_is_asked_for() {
    let environment = [("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S"), ("AWS_DEFAULT_REGION", "us-west-2")];
    let usual = Written { kind: "bedrock", environment: &environment, ..Written::default() };
    assert_eq!(told(&usual), "each");
    assert_eq!(told(&Written { elsewhere: true, ..usual }), "missing");
    let fields = [("source", "environment")];
    let usual =
        Written { kind: "bedrock", environment: &environment, fields: &fields, elsewhere: true, ..Written::default() };
    assert_eq!(told(&usual), "each");
    assert!(told(&Written { environment: &[], ..usual }).contains("environment holds no credential"));
    let both = [("AWS_BEARER_TOKEN_BEDROCK", "ABSK"), ("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S")];
    assert_eq!(
        told(&Written { kind: "bedrock", environment: &both, ..Written::default() }),
        "authorization: Bearer ABSK"
    );
    let entra = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_FEDERATED_TOKEN_FILE", "/f")];
    assert_eq!(told(&Written { kind: "azure-openai", environment: &entra, ..Written::default() }), "each");
}

#[test]
fn a_reload_finds_the_authenticator_of_the_same_credential_again() {
    let known = Authenticators::default();
    let made = |key: &str| match outcome(&of("watsonx", key), &known).unwrap_or_else(|_| unreachable!()).ready {
        Some(Ready::Each(authenticator)) => authenticator,
        _ => unreachable!(),
    };
    let first = made("key-1");
    assert!(Arc::ptr_eq(&first, &made("key-1")));
    assert!(!Arc::ptr_eq(&first, &made("key-2")));
}
