//! The door as meant: listeners, limits, timeouts, and who might come in.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Meaning;
use crate::config::{AuthMode, Config, Metrics, Profile, Server, ServerLimits, ServerTimeouts, ServerTls};
use crate::diagnostic::Place;
use crate::file;
use crate::file::File;
use crate::text::quote;

impl Meaning<'_> {
    /// The addresses on which applications are served.
    pub(super) fn listen(&mut self, file: &File) -> Vec<SocketAddr> {
        let default = match self.profile {
            Profile::Local => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787),
            Profile::Server => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080),
        };
        let Some(written) = file.listen.given() else {
            return vec![default];
        };
        let mut seen = HashSet::new();
        let mut addresses = Vec::new();
        for address in &written.value.0 {
            let resolved = address.value.or(default);
            if !seen.insert(resolved) && resolved.port() != 0 {
                self.mistake(
                    &address.place,
                    format!("listen has {} twice", self.show(&resolved.to_string(), &address.place)),
                    "keep one of them",
                );
            } else {
                addresses.push(resolved);
            }
        }
        if addresses.is_empty() {
            self.mistake(&written.place, "listen is empty".to_owned(), "remove it or give it an address");
            return vec![default];
        }
        addresses
    }

    /// The door.
    pub(super) fn server(&mut self, written: Option<&file::Server>) -> Server {
        let default = Server::default();
        let Some(written) = written else {
            return default;
        };
        if let Some(workers) = written.workers.given().filter(|workers| workers.value.0 > 1_024) {
            self.mistake(&workers.place, "server.workers is more than 1024".to_owned(), "one for each core is enough");
        }
        Server {
            workers: written.workers.value().map(|workers| workers.0),
            accept: written.accept.value().copied().unwrap_or(default.accept),
            tls: written.tls.value().and_then(tls),
            limits: written.limits.given().map_or(default.limits, |limits| self.limits(&limits.value, &limits.place)),
            timeouts: written.timeouts.value().map_or(default.timeouts, timeouts),
            cors_origins: written
                .cors_origins
                .value()
                .into_iter()
                .flatten()
                .map(|origin| origin.value.0.clone())
                .collect(),
        }
    }

    fn limits(&mut self, written: &file::Limits, place: &Place) -> ServerLimits {
        let default = ServerLimits::default();
        let limits = ServerLimits {
            header_bytes: written.header_bytes.value().map_or(default.header_bytes, |size| size.0),
            body_bytes: written.body_bytes.value().map_or(default.body_bytes, |size| size.0),
            connections: written.connections.value().map_or(default.connections, |count| count.0),
            requests_in_flight: written.requests_in_flight.value().map_or(default.requests_in_flight, |count| count.0),
            held_bytes: written.held_bytes.value().map_or(default.held_bytes, |size| size.0),
        };
        if limits.body_bytes > limits.held_bytes && !written.body_bytes.is_broken() && !written.held_bytes.is_broken() {
            self.mistake(
                place,
                "server.limits.body_bytes is more than held_bytes, so the largest body could never be held".to_owned(),
                "raise held_bytes",
            );
        }
        limits
    }

    /// Where metrics are shown.
    pub(super) fn metrics(&mut self, written: Option<&file::Metrics>, listen: &[SocketAddr]) -> Metrics {
        let default = Config::local().metrics;
        let Some(written) = written else {
            return default;
        };
        Metrics {
            enabled: written.enabled.value().copied().unwrap_or(default.enabled),
            listen: self.metrics_address(written, listen),
            path: written.path.value().map_or(default.path, |path| path.0.clone()),
        }
    }

    fn metrics_address(&mut self, written: &file::Metrics, listen: &[SocketAddr]) -> Option<SocketAddr> {
        let port = written.port.value().copied();
        let address = written.listen.value().copied();
        if let (Some(given), Some(port)) = (address.and_then(|address| address.port), written.port.given())
            && given != port.value
        {
            let message = "metrics.listen and metrics.port name different ports".to_owned();
            self.mistake(&port.place, message, "remove metrics.port");
        }
        let place = written
            .listen
            .given()
            .map(|spanned| &spanned.place)
            .or(written.port.given().map(|spanned| &spanned.place))?;
        let Some(port) = address.and_then(|address| address.port).or(port) else {
            self.mistake(place, "metrics.listen has no port".to_owned(), "write address:port, or set metrics.port");
            return None;
        };
        let ip = address.and_then(|address| address.ip).or_else(|| listen.first().map(SocketAddr::ip))?;
        let resolved = SocketAddr::new(ip, port);
        if port != 0 && listen.iter().any(|address| collide(*address, resolved)) {
            let message = "metrics would listen where applications are served".to_owned();
            self.mistake(place, message, "choose another port, or remove it to show metrics there too");
        }
        Some(resolved)
    }

    /// Reports a door that is open to other machines without a key, unless somebody said that it is meant so.
    pub(super) fn refuse_strangers(&mut self, file: &File, config: &Config) {
        let auth = file.auth.value();
        let server = file.server.value();
        let is_meant = server.and_then(|server| server.allow_unauthenticated.value()).copied().unwrap_or(false);
        if config.auth.mode == AuthMode::Required || is_meant || self.options.allow_unauthenticated {
            return;
        }
        // What could not be read was reported, and might have said otherwise.
        let is_unclear =
            file.auth.is_broken() || auth.is_some_and(|auth| auth.mode.is_broken()) || file.profile.is_broken();
        if is_unclear || server.is_some_and(|server| server.allow_unauthenticated.is_broken()) {
            return;
        }
        let Some(open) = config.listen.iter().find(|address| !address.ip().is_loopback()) else {
            return;
        };
        let written = file.listen.value().into_iter().flat_map(|listen| &listen.0);
        let listen = written.filter(|address| address.value.ip == Some(open.ip())).map(|address| &address.place).next();
        let mode = auth.and_then(|auth| auth.mode.given()).map(|spanned| &spanned.place);
        let place = listen.or(mode).unwrap_or(self.root).clone();
        let shown = listen.map_or_else(|| quote(&open.to_string()), |place| self.show(&open.to_string(), place));
        let message = format!("listen {shown} is open to other machines, and auth.mode does not require a key");
        self.mistake(
            &place,
            message,
            "set \"auth.mode: required\" with keys, listen on 127.0.0.1, or set \"server.allow_unauthenticated: true\"",
        );
    }
}

/// Whether two listeners would want the same socket.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

fn tls(written: &file::Tls) -> Option<ServerTls> {
    Some(ServerTls {
        certificate: written.certificate.value()?.clone(),
        key: written.key.value()?.clone(),
        client_ca: written.client_ca.value().cloned(),
    })
}

fn timeouts(written: &file::ServerTimeouts) -> ServerTimeouts {
    let default = ServerTimeouts::default();
    ServerTimeouts {
        header: written.header.value().copied().unwrap_or(default.header),
        body: written.body.value().copied().unwrap_or(default.body),
        idle: written.idle.value().copied().unwrap_or(default.idle),
        write: written.write.value().copied().unwrap_or(default.write),
        request: written.request.value().copied().unwrap_or(default.request),
        drain: written.drain.value().copied().unwrap_or(default.drain),
    }
}
