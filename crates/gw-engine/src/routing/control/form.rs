//! The JSON that Portkey's clients write, which is ours too: targets with keys, how they are tried, what is changed.

use gw_config::secret::Secret;
use gw_core::Error;
use gw_policy::balance::Balance;
use gw_policy::condition::{Mistake, Query};
use gw_policy::failure::Failures;
use gw_policy::plan::{Group, Member, Node, Strategy};
use serde_json::Value;

use super::breaker;
use super::byok;
use super::value::{Members, wrong};
use super::wish::{Changes, Own, Wanted, Wish};

/// Targets in one request.
const TARGETS_MAX: usize = 32;
/// Targets within targets.
const DEPTH_MAX: usize = 8;
/// What the request itself decides.
const DECIDED: [&str; 3] = ["model", "stream", "messages"];
/// What sticky requests agree in where nothing is said.
const USER: &str = "user";

/// Checks and changes that are not done here. Who asks for a check must not get an answer without it.
const REFUSED: [&str; 8] = [
    "input_guardrails",
    "output_guardrails",
    "before_request_hooks",
    "after_request_hooks",
    "input_mutators",
    "output_mutators",
    "default_input_guardrails",
    "default_output_guardrails",
];
/// What says nothing that could be done otherwise here.
const QUIET: [&str; 3] = ["cache", "strict_open_ai_compliance", "id"];

/// For placeholders of a provider's address: the names in configurations and, with `-`, in headers; and ours.
const VARIABLES: [(&str, &str); 6] = [
    ("azure_resource_name", "resource"),
    ("resource_name", "resource"),
    ("aws_region", "region"),
    ("vertex_region", "region"),
    ("vertex_project_id", "project"),
    ("workers_ai_account_id", "account_id"),
];
/// Credentials with more in them than a key.
const CREDENTIALS: [(&str, &str); 6] = [
    ("aws_access_key_id", "access_key_id"),
    ("aws_secret_access_key", "secret_access_key"),
    ("aws_session_token", "session_token"),
    ("azure_entra_tenant_id", "tenant_id"),
    ("azure_entra_client_id", "client_id"),
    ("azure_entra_client_secret", "client_secret"),
];
const SERVICE_ACCOUNT: &str = "vertex_service_account_json";

/// Targets that contain the one that is read.
struct Around<'a> {
    /// As Portkey counts: `config.targets[0]`.
    option: String,
    depth: usize,
    changes: Changes,
    host: Option<Box<str>>,
    count: &'a mut usize,
}

/// Reads a configuration. Without a provider and targets it changes what the model's name stands for.
pub(super) fn read(value: Value, source: &str, wish: &mut Wish) -> Result<(), Error> {
    let mut members = Members::of(value, source)?;
    byok::take(&mut members, wish)?;
    let mut count = 0;
    let around =
        Around { option: "config".to_owned(), depth: 0, changes: Changes::default(), host: None, count: &mut count };
    let names_one = ["targets", "provider", "virtual_key", "model"].iter().any(|name| members.has(name));
    if names_one {
        wish.tree = Some(node(members, around, wish)?);
        return Ok(());
    }
    refuse_checks(&mut members)?;
    wish.everywhere = changes(&mut members, wish)?;
    members.rest(wish);
    Ok(())
}

fn node(mut members: Members, mut around: Around<'_>, wish: &mut Wish) -> Result<Node<Wanted>, Error> {
    refuse_checks(&mut members)?;
    let changes = changes(&mut members, wish)?.within(&around.changes);
    let host = members.text("custom_host")?.or(around.host.take());
    if let Some(targets) = members.take("targets") {
        let targets = match targets {
            Value::Array(list) if !list.is_empty() => list,
            _ => return Err(members.wrong("targets", "must be a list of at least one target")),
        };
        let Around { option, depth, count, .. } = around;
        let changes = Changes { breaker: breaker::read(&mut members, wish)?.or(changes.breaker.clone()), ..changes };
        return group(members, targets, &mut Around { option, depth, changes, host, count }, wish);
    }
    *around.count += 1;
    if *around.count > TARGETS_MAX {
        return Err(wrong(members.path(), "is one target too many; 32 is the most"));
    }
    let is_operators = wish.is_operators;
    let mut own = Own { api_key: members.secret("api_key")?, host, is_operators, ..Own::default() };
    specifics(&mut own, |name| members.secret(name))?;
    let provider = members.text("provider")?;
    let provider = members.text("virtual_key")?.or(provider).map(|name| Box::from(name.trim_start_matches('@')));
    let deployment = members.text("deployment_id")?.or(members.text("azure_deployment_id")?);
    let model = members.text("model")?.or(deployment);
    // Who names an address does not mean the operator's account, key or not: there are places that want none.
    let own = Some(own).filter(|own| own.has_credential() || own.host.is_some());
    members.rest(wish);
    Ok(Node::Target(Wanted { provider, own, model, changes, option: around.option.into(), ..Wanted::default() }))
}

/// What is changed at a target, or at all below.
fn changes(members: &mut Members, wish: &mut Wish) -> Result<Changes, Error> {
    let override_params = members.object("override_params")?;
    let default_params = members.object("default_params")?;
    if let Some(name) = DECIDED.into_iter().find(|name| default_params.contains_key(*name)) {
        let must = "is no parameter that has a default; a model stands beside default_params";
        return Err(wrong(&format!("{}.{name}", members.at("default_params")), must));
    }
    let retry = members.retry("retry", wish)?;
    let first_byte_timeout = members.milliseconds("request_timeout")?;
    Ok(Changes { override_params, default_params, retry, first_byte_timeout, breaker: None })
}

fn group(
    mut members: Members,
    targets: Vec<Value>,
    around: &mut Around<'_>,
    wish: &mut Wish,
) -> Result<Node<Wanted>, Error> {
    let place = members.at("targets");
    if around.depth >= DEPTH_MAX {
        return Err(wrong(&place, "is one level too deep; 8 is the most"));
    }
    let mut names = Vec::new();
    let mut found = Vec::new();
    for (index, value) in targets.into_iter().enumerate() {
        let mut inner = Members::of(value, format!("{place}[{index}]"))?;
        names.push(inner.text("name")?);
        let weight = inner.number("weight")?.unwrap_or(1.0);
        let below = Around {
            option: format!("{}.targets[{index}]", around.option),
            depth: around.depth + 1,
            changes: around.changes.clone(),
            host: around.host.clone(),
            count: &mut *around.count,
        };
        found.push(Member { node: node(inner, below, wish)?, weight });
    }
    if found.iter().all(|member| member.weight == 0.0) {
        return Err(wrong(&place, "must not all have the weight 0"));
    }
    let (strategy, fallback) = match members.take("strategy") {
        None => (Strategy::Balance(Balance::Priority), Failures::ELSEWHERE),
        Some(value) => strategy(Members::of(value, members.at("strategy"))?, &names, wish)?,
    };
    members.rest(wish);
    Ok(Node::Group(Group { id: 0, strategy, members: found, fallback }))
}

fn strategy(mut members: Members, names: &[Option<Box<str>>], wish: &mut Wish) -> Result<(Strategy, Failures), Error> {
    let sticky = sticky(&mut members, wish)?;
    let mode = members.text("mode")?;
    let found =
        match mode.as_deref().unwrap_or("fallback") {
            "fallback" | "priority" => Strategy::Balance(Balance::Priority),
            "loadbalance" | "weighted" => sticky.map_or(Strategy::Balance(Balance::Weighted), Strategy::Sticky),
            "sticky" => Strategy::Sticky(sticky.unwrap_or_else(|| vec![USER.into()])),
            "round-robin" => Strategy::Balance(Balance::RoundRobin),
            "single" => Strategy::Single,
            "conditional" => conditional(&mut members, names)?,
            _ => return Err(members.wrong(
                "mode",
                "must be single, fallback (or priority), loadbalance (or weighted), round-robin, sticky or conditional",
            )),
        };
    let fallback = match members.statuses("on_status_codes")? {
        Some(codes) => Failures::of_statuses(codes),
        None => Failures::ELSEWHERE,
    };
    members.rest(wish);
    Ok((found, fallback))
}

/// What sticky requests agree in, if requests are to stick.
fn sticky(members: &mut Members, wish: &mut Wish) -> Result<Option<Vec<Box<str>>>, Error> {
    let Some(value) = members.take("sticky") else { return Ok(None) };
    let mut sticky = Members::of(value, members.at("sticky"))?;
    let is_enabled = sticky.flag("enabled")? != Some(false);
    let fields = sticky.names("hash_fields")?.filter(|fields| !fields.is_empty());
    sticky.rest(wish);
    Ok(is_enabled.then(|| fields.unwrap_or_else(|| vec![USER.into()])))
}

fn conditional(members: &mut Members, names: &[Option<Box<str>>]) -> Result<Strategy, Error> {
    let position = |name: &str| names.iter().position(|known| known.as_deref() == Some(name));
    let place = members.at("conditions");
    let Some(Value::Array(list)) =
        members.take("conditions").filter(|list| list.as_array().is_some_and(|list| list.len() <= TARGETS_MAX))
    else {
        return Err(wrong(&place, "must be a list of at most 32 conditions"));
    };
    let mut conditions = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let mut one = Members::of(value, format!("{place}[{index}]"))?;
        let query = one.take("query").unwrap_or_default();
        let query = Query::read(&query).map_err(|Mistake(_)| one.wrong("query", "is no condition"))?;
        let then = one.text("then")?.and_then(|name| position(&name));
        conditions.push((query, then.ok_or_else(|| one.wrong("then", "must be the name of a target"))?));
    }
    let default = match members.text("default")? {
        None => None,
        Some(name) => Some(position(&name).ok_or_else(|| members.wrong("default", "must be the name of a target"))?),
    };
    Ok(Strategy::Conditional(conditions, default))
}

fn refuse_checks(members: &mut Members) -> Result<(), Error> {
    for name in REFUSED {
        let asks = |value: Value| value.as_array().is_none_or(|list| !list.is_empty());
        if members.take(name).is_some_and(asks) {
            return Err(members.wrong(name, "asks for checks that are not done here; remove it"));
        }
    }
    for name in QUIET {
        members.take(name);
    }
    Ok(())
}

/// Reads what is particular to some providers, from wherever it stands.
pub(super) fn specifics(
    own: &mut Own,
    mut get: impl FnMut(&str) -> Result<Option<Secret>, Error>,
) -> Result<(), Error> {
    for (name, variable) in VARIABLES {
        let Some(value) = get(name)? else { continue };
        own.variables.push((variable, plain(name, &value)?));
    }
    for (name, field) in CREDENTIALS {
        if let Some(value) = get(name)? {
            own.credentials.push((field, value));
        }
    }
    if let Some(json) = get(SERVICE_ACCOUNT)? {
        // Of what may stand there only what says who it is: addresses and files are for the operator to name.
        let mut account = Members::read(json.expose().as_bytes(), SERVICE_ACCOUNT)?;
        for field in ["private_key", "client_email", "private_key_id"] {
            own.credentials.extend(account.secret(field)?.map(|value| (field, value)));
        }
    }
    Ok(())
}

/// What is to stand in the address of a provider: nothing in it may lead elsewhere.
pub(super) fn plain(place: &str, value: &Secret) -> Result<Box<str>, Error> {
    let value = value.expose();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if value.len() > 64 || !value.bytes().all(is_plain) {
        return Err(wrong(place, "must be letters, digits and hyphens"));
    }
    Ok(value.into())
}

/// Whether a header, without what its name begins with, is read by [`specifics`].
pub(super) fn is_specific(name: &str) -> bool {
    let name = name.replace('-', "_");
    let mut known = VARIABLES.iter().chain(&CREDENTIALS).map(|(known, _)| *known).chain([SERVICE_ACCOUNT]);
    known.any(|known| known == name)
}

/// Sends every target to another address, where only the caller's own keys go.
///
/// # Errors
/// `invalid_request` if a preset brings the operator's key.
pub(super) fn relocate(wish: &mut Wish, header: &str, host: &str) -> Result<(), Error> {
    let mut is_operators = false;
    let mut move_one = |wanted: &mut Wanted| match &mut wanted.own {
        Some(own) if own.is_operators => is_operators = true,
        Some(own) => own.host = Some(host.into()),
        None => wanted.own = Some(Own { host: Some(host.into()), ..Own::default() }),
    };
    if let Some(provider) = &mut wish.provider {
        move_one(provider);
    }
    if let Some(tree) = &mut wish.tree {
        for_each(tree, &mut move_one);
    }
    match is_operators {
        true => Err(wrong(header, "cannot be said of a configuration that is kept here with a key of its own")),
        false => Ok(()),
    }
}

/// Does something with every target.
pub(super) fn for_each(node: &mut Node<Wanted>, each: &mut impl FnMut(&mut Wanted)) {
    match node {
        Node::Target(wanted) => each(wanted),
        Node::Group(group) => group.members.iter_mut().for_each(|member| for_each(&mut member.node, each)),
    }
}
