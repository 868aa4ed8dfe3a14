//! Who is measured: a program and the way in which clients talk to it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::program::{self, KEY, Program, Recipe};
use super::{Options, say};
use crate::certificates;
use crate::exchange::{Exchange, Wire};
use crate::load::plan::{Check, Door, Protocol};

/// The names that figures are compared with.
pub(super) const DIRECT: &str = "direct";
/// The unit.
pub(super) const UNIT: &str = "pass-through";
/// What people trust.
pub(super) const NGINX: &str = "nginx";
/// The gateway on the bare road.
pub(super) const GATEWAY: &str = "gateway";
/// The gateway with keys required and requests logged.
pub(super) const POLICIES: &str = "gateway-policies";

/// The gateway on the bare road before providers of other formats.
const TRANSLATING: &str = "gateway-translating";
const TRANSLATING_CONFIG: &str = include_str!("../../configs/gateway-translating.yaml");
/// OpenAI's clients before Anthropic.
pub(super) const TO_ANTHROPIC: &str = "openai-anthropic";
/// Anthropic's clients before OpenAI.
pub(super) const FROM_ANTHROPIC: &str = "anthropic-openai";
/// OpenAI's clients before Google.
pub(super) const TO_GEMINI: &str = "openai-gemini";
/// OpenAI's clients before Amazon Bedrock.
pub(super) const TO_BEDROCK: &str = "openai-bedrock";
/// What is said in other words on the way, by whom and to whom.
const TRANSLATED: [(&str, Wire, Wire); 4] = [
    (TO_ANTHROPIC, Wire::OpenAi, Wire::Anthropic),
    (FROM_ANTHROPIC, Wire::Anthropic, Wire::OpenAi),
    (TO_GEMINI, Wire::OpenAi, Wire::Gemini),
    (TO_BEDROCK, Wire::OpenAi, Wire::Bedrock),
];

/// A program and the way in which clients talk to it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Its name.
    pub(super) name: String,
    /// The program; targets whose programs have the same name share a running one.
    pub(super) program: Program,
    /// The version of HTTP.
    pub(super) protocol: Protocol,
    /// PEM file with the authority of its certificate; clear text without it.
    pub(super) authority: Option<PathBuf>,
    /// How its answers are checked.
    pub(super) check: Check,
    /// What stands before the operation's path.
    base_path: String,
    /// The format of its clients.
    client: Wire,
    /// The format in which it asks the mock.
    upstream: Wire,
}

impl Target {
    fn new(name: &str, recipe: Recipe) -> Self {
        Self {
            name: name.to_owned(),
            program: Program { name: name.to_owned(), recipe },
            protocol: Protocol::Http1,
            authority: None,
            check: Check::Exact,
            base_path: "/v1".to_owned(),
            client: Wire::OpenAi,
            upstream: Wire::OpenAi,
        }
    }

    fn spoken_to(&self, name: &str, protocol: Protocol) -> Self {
        Self { name: name.to_owned(), protocol, ..self.clone() }
    }

    /// The door of a running one.
    pub(super) fn door(&self, address: SocketAddr) -> Door {
        Door {
            address,
            base_path: self.base_path.clone(),
            key: KEY.to_owned(),
            protocol: self.protocol,
            authority: self.authority.clone(),
        }
    }

    /// Whether clients speak HTTP/1.1 in clear text to it.
    pub(super) fn is_http1(&self) -> bool {
        self.protocol == Protocol::Http1 && self.authority.is_none()
    }

    /// Whether the mock is asked in another format than the clients'.
    pub(super) fn is_translated(&self) -> bool {
        self.client != self.upstream
    }

    /// What is asked of it, in the formats that are spoken on both sides.
    pub(super) fn exchange(&self, exchange: Exchange) -> Exchange {
        exchange.between(self.client, self.upstream)
    }
}

/// Everybody who is measured, in the order of a round.
pub(super) fn all(options: &Options, folder: &Path) -> Result<Vec<Target>> {
    let mut targets = vec![Target::new(DIRECT, Recipe::Direct), Target::new(UNIT, Recipe::PassThrough)];
    match program::find("nginx") {
        Some(binary) => {
            let template = include_str!("../../configs/nginx.conf").to_owned();
            let options = &["-e", "stderr", "-c"];
            targets.push(Target::new(NGINX, Recipe::Configured { binary, options, template }));
        }
        None => say("nginx is not installed, so it is left out; on Debian it is in the package nginx-light"),
    }
    targets.extend(gateways(options, folder)?);
    if let Some(binary) = &options.baseline_binary {
        let binary = keep(binary, folder, "baseline-binary")?;
        targets.push(gateway("baseline", &binary, include_str!("../../configs/gateway.yaml")));
        targets.push(gateway("baseline-policies", &binary, include_str!("../../configs/gateway-policies.yaml")));
    }
    for text in &options.target {
        let (program, base_path) = program::foreign(text)?;
        let target = Target::new(&program.name, program.recipe.clone());
        targets.push(Target { check: Check::Meaning, base_path, ..target });
    }
    targets.retain(|target| {
        options.only.is_empty() || options.only.contains(&target.name) || [DIRECT, UNIT].contains(&target.name.as_str())
    });
    Ok(targets)
}

fn gateways(options: &Options, folder: &Path) -> Result<Vec<Target>> {
    let binary = options.gateway_binary()?;
    if !binary.is_file() {
        say(&format!("{} does not exist, so the gateway is left out; build it for release", binary.display()));
        return Ok(Vec::new());
    }
    let binary = keep(&binary, folder, "gateway-binary")?;
    let bare = match &options.gateway_config {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => include_str!("../../configs/gateway.yaml").to_owned(),
    };
    let plain = gateway(GATEWAY, &binary, &bare);
    let policies = gateway(POLICIES, &binary, include_str!("../../configs/gateway-policies.yaml"));
    let authority = certificates::make(folder)?;
    let tls = Target {
        authority: Some(authority),
        ..gateway("gateway-tls", &binary, include_str!("../../configs/gateway-tls.yaml"))
    };
    let translated = TRANSLATED.map(|(name, client, upstream)| Target {
        program: Program { name: TRANSLATING.to_owned(), ..gateway(name, &binary, TRANSLATING_CONFIG).program },
        check: Check::Meaning,
        client,
        upstream,
        ..gateway(name, &binary, TRANSLATING_CONFIG)
    });
    let http2 = plain.spoken_to("gateway-http2", Protocol::Http2);
    let tls_http2 = tls.spoken_to("gateway-tls-http2", Protocol::Http2);
    Ok([plain, policies].into_iter().chain(translated).chain([http2, tls, tls_http2]).collect())
}

/// Copies a program, so that a build in the meantime does not change what is measured.
fn keep(binary: &Path, folder: &Path, name: &str) -> Result<PathBuf> {
    let kept = folder.join(name);
    fs::copy(binary, &kept).with_context(|| format!("cannot copy {}", binary.display()))?;
    Ok(kept)
}

fn gateway(name: &str, binary: &Path, template: &str) -> Target {
    let (binary, template) = (binary.to_owned(), template.to_owned());
    Target::new(name, Recipe::Configured { binary, options: &["--config"], template })
}
