//! The address of a queue, as it may be shown.

use url::Url;

/// The text is no address of a queue. It is not repeated: there may be a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It has not the form of one.
    #[error(
        "it takes sqlite://PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE, or redis://:PASSWORD@HOST:PORT/NUMBER (rediss:// for TLS)"
    )]
    Form,
    /// It is that of a Redis server, and this program was built without the feature `redis`.
    #[error("this program was built without Redis (cargo build --features redis)")]
    WithoutRedis,
}

/// The address without user, password and parameters, which may be passwords, too.
pub(super) fn shown(url: &str) -> Result<String, InvalidAddress> {
    let mut shown = Url::parse(url).map_err(|_| InvalidAddress::Form)?;
    shown.set_query(None);
    shown.set_fragment(None);
    // They fail where there is nothing to be taken out.
    let _ = (shown.set_username(""), shown.set_password(None));
    Ok(shown.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_neither_user_nor_password() {
        for (url, public) in [
            ("postgres://ada:s3cret@db.example:5433/jobs", "postgres://db.example:5433/jobs"),
            ("postgres://db.example/jobs?password=s3cret#s3cret", "postgres://db.example/jobs"),
            ("postgres:///jobs?host=/run/postgresql&password=s3cret", "postgres:///jobs"),
            ("redis://ada:s3cret@cache.example/3", "redis://cache.example/3"),
            ("rediss://:s3cret@cache.example:6380", "rediss://cache.example:6380"),
            ("sqlite://a/b.db", "sqlite://a/b.db"),
            ("sqlite:b.db", "sqlite:b.db"),
            ("sqlite:///srv/a\u{1b}[31m.db", "sqlite:///srv/a%1B[31m.db"),
        ] {
            assert_eq!(shown(url).unwrap(), public);
        }
    }
}
