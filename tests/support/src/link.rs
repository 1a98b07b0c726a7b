//! Links: the ways of one process to each memcached, while others have ways of their own.
//!
//! Processes over one database have one list of servers, and a server's name decides which keys live on it. So each
//! process is given the same names, of sockets in its working directory, and a working directory of its own, in which
//! those sockets are its links.

use tempfile::TempDir;
use tokio::process::Command;

use super::{
    aside::{Place, command},
    memcached::Memcached,
    proxy::Proxy,
};

/// All links of one process, by the places of the servers.
pub struct Links {
    folder: TempDir,
    links: Vec<Proxy>,
}

impl Links {
    /// Links to `servers`, all of them open.
    pub fn start(servers: &[Memcached]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = |(place, server): (usize, &Memcached)| {
            Proxy::start_on_socket(folder.path().join(socket(place)), &server.address())
        };
        let links = servers.iter().enumerate().map(start).collect();
        Self { folder, links }
    }

    /// The program at `place`, in the folder of these links; `arguments` come before `--memcached`.
    pub fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let address = |place| format!("unix:///proc/self/cwd/{}", socket(place));
        let addresses: Vec<_> = (0..self.links.len()).map(address).collect();
        let mut command = command(place, arguments);
        command.args(["--memcached", &addresses.join(",")]).current_dir(self.folder.path());
        command
    }

    /// The link to the server at `place`.
    pub fn to(&self, place: usize) -> &Proxy {
        &self.links[place]
    }

    /// Every link, in the order of the servers.
    pub fn all(&self) -> impl Iterator<Item = &Proxy> {
        self.links.iter()
    }
}

fn socket(place: usize) -> String {
    format!("{place}.sock")
}
