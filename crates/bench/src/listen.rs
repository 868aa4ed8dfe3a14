//! Listeners on loopback.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// The longest queue of connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// Listens on a loopback address; several listeners of one program may share it.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener> {
    ensure!(address.ip().is_loopback(), "{address} is not a loopback address");
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into()).with_context(|| format!("cannot listen on {address}"))?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into())?)
}
