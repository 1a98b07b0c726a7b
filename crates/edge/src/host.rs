//! The host that a request is for (RFC 9112 §3.2), parsed once for all who ask.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::uri::Authority;

/// The host of an authority, `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name in lower case, without the dot that may end it.
    Name(String),
}

impl Host {
    /// Reads an authority; `None` if it is none.
    ///
    /// The `http` crate checks its characters and brackets. It takes credentials, which RFC 9110 §4.2.4 wants refused,
    /// anything in brackets, and any word for a port.
    pub fn parse(authority: &[u8]) -> Option<Self> {
        let authority = Authority::try_from(authority).ok()?;
        let host = authority.host();
        let port = authority.as_str().strip_prefix(host).filter(|_| !host.is_empty())?;
        let digits = if port.is_empty() { port } else { port.strip_prefix(':')? };
        // `parse` would also take a plus sign.
        if !digits.is_empty() && (digits.starts_with('+') || digits.parse::<u16>().is_err()) {
            return None;
        }
        if let Some(literal) = host.strip_prefix('[') {
            let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        if let Ok(address) = host.parse() {
            return Some(Self::Address(address));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        Some(Self::Name(name.to_ascii_lowercase()))
    }

    /// True for `localhost`, a name below it (RFC 6761 §6.3), or a loopback address.
    pub fn is_this_machine(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

/// True if a `Host` field may say this: an authority, or nothing.
pub(super) fn is_valid_field(value: &[u8]) -> bool {
    value.is_empty() || Host::parse(value).is_some()
}

/// True if the target of a request line names a valid host, or none because it is a path.
pub(super) fn is_valid_target(request_line: &[u8]) -> bool {
    let mut words = request_line.split(|byte| *byte == b' ');
    let Some(target) = words.nth(1).filter(|target| !target.starts_with(b"/")) else {
        return true;
    };
    let Some(scheme_end) = memchr::memmem::find(target, b"://") else { return true };
    let rest = &target[scheme_end + b"://".len()..];
    let authority = rest.split(|byte| b"/?#".contains(byte)).next();
    authority.is_some_and(|authority| Host::parse(authority).is_some())
}
