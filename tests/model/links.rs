//! A replica's ways to the servers, and its breakers (`memcached/health.rs`, `memcached/connection.rs`).

use super::{Bounds, Guards, Replica, SERVERS, State, Version, memcached::Item};

/// The connections of a link, as `memcached/server.rs` has them.
pub(crate) const LOOKUPS: usize = 0;
pub(crate) const CHANGES: usize = 1;
pub(crate) const RELEASES: usize = 2;
pub(crate) const CONNECTIONS: usize = 3;

/// One replica's way to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    /// It carries what is sent.
    pub(crate) up: bool,
    pub(crate) service: Service,
    /// When each connection was made.
    pub(crate) connected_at: [u8; CONNECTIONS],
}

/// How the replica uses the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Out,
    /// The server has forgotten what was noted when this was the row's version, and is about to be used.
    CaughtUp(Version),
    /// It is used, and no read from it may be older than this version, or 0 where `settled` says as much.
    In(Version),
}

impl Link {
    /// Whether an operation over this link is sent and carried out.
    pub(crate) fn reaches(&self) -> bool {
        self.up && matches!(self.service, Service::In(_))
    }
}

impl Replica {
    /// A replica that uses every server there is.
    pub(crate) fn new(bounds: Bounds) -> Self {
        let link = |server| {
            let up = server < bounds.servers;
            let service = if up { Service::In(0) } else { Service::Out };
            Link { up, service, connected_at: [0; CONNECTIONS] }
        };
        Self { ready: true, links: std::array::from_fn::<_, SERVERS, _>(link), delivered: None }
    }

    /// `Memcached::server`: the server that is asked for the key, and how old a read from it may be.
    pub(crate) fn asked(&self) -> Option<(usize, Version)> {
        self.links.iter().enumerate().find_map(|(server, link)| match link.service {
            Service::In(known) => Some((server, known)),
            Service::Out | Service::CaughtUp(_) => None,
        })
    }
}

impl State {
    /// Every connection of the link breaks, and none can be made.
    pub(crate) fn cut(&mut self, at: usize, server: usize) {
        let link = &mut self.replicas[at].links[server];
        link.up = false;
        if let Service::CaughtUp(_) = link.service {
            link.service = Service::Out;
        }
    }

    /// The breaker opens, and what waits to be released is refused.
    pub(crate) fn notice(&mut self, at: usize, server: usize) {
        self.replicas[at].links[server].service = Service::Out;
        for release in &mut self.releases {
            release.take_if(|release| release.at == at && release.claim.lease.server == server);
        }
    }

    pub(crate) fn mend(&mut self, at: usize, server: usize) {
        self.replicas[at].links[server].up = true;
        self.connect(at, server);
    }

    /// Every connection of the link is made.
    pub(crate) fn connect(&mut self, at: usize, server: usize) {
        self.servers[server].now += 1;
        self.replicas[at].links[server].connected_at = [self.servers[server].now; CONNECTIONS];
    }

    /// A probe succeeds: what the log has for this server is read, and forgotten there. The log's rows are left for a
    /// sweep to clear.
    pub(crate) fn catch_up(&mut self, guards: Guards, at: usize, server: usize) {
        if guards.catch_up_before_use && self.misses(server) {
            self.servers[server].item = Item::Absent;
        }
        self.replicas[at].links[server].service = Service::CaughtUp(self.row);
    }

    /// The server is put into service.
    pub(crate) fn put_into_service(&mut self, at: usize, server: usize) {
        let link = &mut self.replicas[at].links[server];
        if let Service::CaughtUp(known) = link.service {
            link.service = Service::In(known);
        }
    }

    /// Takes for one what can't be told apart: what is settled is known anyway.
    pub(crate) fn forget_what_is_settled(&mut self) {
        for link in self.replicas.iter_mut().flat_map(|replica| &mut replica.links) {
            if let Service::In(known) = &mut link.service
                && *known <= self.settled
            {
                *known = 0;
            }
        }
    }
}
