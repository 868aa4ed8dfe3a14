//! Configurations of the gateway under test.

use std::net::SocketAddr;

/// The gateway's credential at scripted providers. It must show up nowhere else.
pub(crate) const PROVIDER_KEY: &str = "sk-provider-secret-0123456789";
/// An application's key at the gateway. It must show up nowhere else.
pub(crate) const CLIENT_KEY: &str = "sk-gateway-secret-0123456789";

/// A configuration on a free port of the loopback, with its log as JSON, and with `rest`. Nothing is tried again unless
/// `rest` says so: most tests are about one call.
pub(crate) fn config(rest: &str) -> String {
    let once = if rest.contains("routing:") { "" } else { "routing: { retry_attempts: 0 }\n" };
    format!("listen: \"127.0.0.1:0\"\nlogging: {{ format: json }}\n{rest}\n{once}")
}

/// An entry of `providers`: a scripted upstream under a name, with `more` keys.
pub(crate) fn provider(name: &str, address: SocketAddr, more: &str) -> String {
    format!(
        "  - {{ name: {name}, type: openai-compatible, endpoint: \"http://{address}/v1\", api_key: {PROVIDER_KEY}, \
         proxy: direct{more} }}\n"
    )
}

/// A configuration with one provider, called `scripted`, which may be silent for a second and no longer.
pub(crate) fn scripted(address: SocketAddr) -> String {
    let timeout = ", timeout: { connect: 1s, first_byte: 1s, read: 1s, total: 15s }";
    config(&format!("providers:\n{}", provider("scripted", address, timeout)))
}
