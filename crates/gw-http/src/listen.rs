//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted, per listener. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;

/// Whether several sockets may listen on one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Each worker binds the port itself; the kernel spreads connections over them.
    Shared,
    /// One socket alone has the port.
    Exclusive,
}

/// Binds `address`. IPv6 sockets take IPv6 only, so that the same port can be bound for both.
///
/// # Errors
/// What the system says, for example that the address is in use or that ports cannot be shared here.
pub fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    if sharing == Sharing::Shared {
        share(&socket)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(target_os = "linux")]
fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(target_os = "linux"))]
fn share(_socket: &Socket) -> io::Result<()> {
    // Elsewhere SO_REUSEPORT exists but does not spread connections.
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_workers_can_listen_on_one_port_but_strangers_cannot() {
        let first = bind("127.0.0.1:0".parse().unwrap(), Sharing::Shared).unwrap();
        let address = first.local_addr().unwrap();
        let second = bind(address, Sharing::Shared);
        assert!(second.is_ok());
        let stranger = bind(address, Sharing::Exclusive);
        assert_eq!(stranger.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
