//! What is given back behind the answer (`Server::release`, `Unheard`).

use super::{
    Guards, State,
    links::{RELEASES, Service},
    memcached::{Claim, Item, Lease, Role},
};

/// A claim on the queue for releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Release {
    pub(crate) at: usize,
    pub(crate) claim: Claim,
}

impl State {
    /// Queues what `claim` holds. Where the server is out of service it lapses by itself.
    pub(crate) fn release(&mut self, place: usize, at: usize, claim: Claim) {
        let holds = matches!(claim.role, Role::Hold | Role::Refresh(_));
        let link = &self.replicas[at].links[claim.lease.server];
        if holds && matches!(link.service, Service::In(_)) {
            self.releases[place] = Some(Release { at, claim });
        }
    }

    /// `Wire::release` and `Wire::put_back`. Nothing is put back under a lease that is void; a placeholder under one
    /// can't say what it was given for, and all is forgotten.
    pub(crate) fn give_back(&mut self, guards: Guards, place: usize) {
        let Some(Release { at, claim: Claim { lease, role } }) = self.releases[place].take() else {
            return;
        };
        let is_void = self.is_void(guards, at, lease, RELEASES);
        let server = &mut self.servers[lease.server];
        match role {
            Role::Hold if is_void => server.item = Item::Absent,
            Role::Hold => server.delete_under(lease.cas),
            Role::Refresh(version) if !is_void && guards.fill_under_cas => {
                server.set_under(lease.cas, version, true);
            }
            Role::Refresh(version) if !is_void => {
                server.set(version, true);
            }
            Role::Refresh(_) | Role::Replace | Role::Wait => {}
        }
    }

    /// Whether `lease` is older than the connection that it would be used over.
    pub(crate) fn is_void(
        &self,
        guards: Guards,
        at: usize,
        lease: Lease,
        connection: usize,
    ) -> bool {
        let connected_at = self.replicas[at].links[lease.server].connected_at[connection];
        guards.void_leases && lease.asked_at < connected_at
    }
}
