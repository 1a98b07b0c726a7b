//! `aside healthcheck`: asks a running service whether it is alive.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use clap::Args;

/// How long `aside healthcheck` waits for each step of the answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Which service is asked.
#[derive(Args, Debug)]
pub(super) struct Healthcheck {
    /// Address that the service listens on
    #[arg(long, env = "ASIDE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
}

impl Healthcheck {
    pub(super) fn run(&self) -> ExitCode {
        match self.ask() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => {
                eprintln!("error: the service at {} is not well", self.listen);
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("error: the service at {} does not answer: {error}", self.listen);
                ExitCode::FAILURE
            }
        }
    }

    fn ask(&self) -> io::Result<bool> {
        let mut address = self.listen;
        // What listens on every address is asked on the loopback one.
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_TIMEOUT)?;
        stream.set_read_timeout(Some(HEALTHCHECK_TIMEOUT))?;
        stream.set_write_timeout(Some(HEALTHCHECK_TIMEOUT))?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    }
}
