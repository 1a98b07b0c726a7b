//! The address of a memcached server, as a setting says it.

use std::{fmt, str::FromStr};

/// The port of a `host` without one.
const PORT_DEFAULT: u16 = 11211;

/// The address of one server: `host:port`, `host`, or `unix:///path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host name or an IPv4 address, and a port.
    Tcp {
        /// Looked up anew for each connection.
        host: String,
        /// From 1.
        port: u16,
    },
    /// The absolute path of a Unix socket.
    Unix(String),
}

/// The text is no address of a memcached server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither host:port nor unix:///path")]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://") {
            let sound =
                path.starts_with('/') && path.len() > 1 && !path.contains(char::is_whitespace);
            return if sound { Ok(Self::Unix(path.to_owned())) } else { Err(invalid()) };
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| invalid())?),
            None => (text, PORT_DEFAULT),
        };
        // async-memcached speaks IPv4 only, so a second colon is a mistake and no IPv6 address.
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if host.is_empty() || !host.bytes().all(of_name) || port == 0 {
            return Err(invalid());
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl Address {
    /// The address as async-memcached takes it.
    pub(crate) fn dsn(&self) -> String {
        let scheme = if matches!(self, Self::Tcp { .. }) { "tcp://" } else { "" };
        format!("{scheme}{self}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_is_written() {
        for text in ["127.0.0.1:11211", "cache-1.internal:11212", "unix:///run/memcached.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("cache".parse::<Address>().unwrap().to_string(), "cache:11211");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", ":11211", "a:0", "a:65536", "a:b", "::1", "a b", "unix://", "unix://x", "a/b"]
        {
            assert_eq!(text.parse::<Address>(), Err(InvalidAddress(text.to_owned())), "{text}");
        }
    }
}
