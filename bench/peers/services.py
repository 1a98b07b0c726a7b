"""The services that are measured, each with the line of work that it does not do."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from load import Memcached, Service
from processes import Processes, fill_in, free_ports, wait_for_port
from report import version

HERE = Path(__file__).parent
NAMES = ["constant", "aside", "memcached_pass", "proxy_cache", "varnish", "pooled", "fastapi", "memcached", "origin"]

# What is cold comes from the origin that all ask; the warm users are in Aside's own table.
RESOURCE = """
[resource.people]
path = "/people/{{id}}"
parameters = {{ id = "integer" }}
origin = "http://127.0.0.1:{origin}/users/{{id}}"
"""


@dataclass(kw_only=True)
class Peer(Service):
    version: str
    does_not: str
    shares: bool = False  # It reads Aside's entries.
    cold_path: str = ""  # Where cold keys are asked for; empty if it cannot fill.


class Peers:
    """All of them, each on a port of its own, one memcached and one origin."""

    def __init__(self, processes: Processes, folder: Path):
        self.processes, self.folder = processes, folder
        self.ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        self.programs = Path(os.environ["PEERS_BIN"]).resolve()
        self.crates = crate_versions()

    def start(self) -> list[Peer]:
        """Starts them in the order of the tables: the floor, Aside, and the others."""
        port = self.ports["memcached"]
        memcached = self.processes.start_memcached(port)
        self.memcached = Memcached([port], [memcached.pid])
        wait_for_port(memcached, port)
        origin = self.processes.start("origin", sys.executable, str(HERE / "origin.py"), str(self.ports["origin"]))
        wait_for_port(origin, self.ports["origin"])
        starts = [self.constant, self.aside, self.memcached_pass, self.proxy_cache]
        return [start() for start in [*starts, self.varnish, self.pooled, self.fastapi]]

    def peer(self, started: subprocess.Popen, port_of: str, name: str, **fields: str | bool) -> Peer:
        port = self.ports[port_of]
        wait_for_port(started, port)
        return Peer(name, f"http://127.0.0.1:{port}", started.pid, self.memcached, **fields)

    def constant(self) -> Peer:
        started = self.processes.start("constant", f"{self.programs}/constant", f"127.0.0.1:{self.ports['constant']}")
        return self.peer(
            started, "constant", "hyper, a constant",
            version=f"hyper {self.crates['hyper']}",
            does_not="asks nobody: the same answer to everything",
            cold_path="/users/",
        )  # fmt: skip

    def aside(self) -> Peer:
        binary = os.path.abspath(os.environ["ASIDE_BIN"])
        resources = self.folder / "aside.toml"
        resources.write_text(RESOURCE.format(**self.ports))
        started = self.processes.start(
            "aside", binary,
            "--listen", f"127.0.0.1:{self.ports['aside']}",
            "--database", f"sqlite://{self.folder}/aside.db",
            "--memcached", f"127.0.0.1:{self.ports['memcached']}",
            "--resources", str(resources),
            "--slow-query", "1ms",
            "--max-queries", "8",
            "--ttl", "1h",
        )  # fmt: skip
        return self.peer(
            started, "aside", "Aside",
            version=version(binary, "--version"),
            does_not="no general proxy: answers for declared tables and services only",
            shares=True,
            cold_path="/people/",
        )  # fmt: skip

    def memcached_pass(self) -> Peer:
        ports = {"NGINX_PORT": self.ports["memcached_pass"], "MEMCACHED_PORT": self.ports["memcached"]}
        started = self.processes.start_nginx(HERE.parent / "nginx.conf", **ports)
        return self.peer(
            started, "memcached_pass", "nginx, memcached_pass",
            version=version("nginx", "-v"),
            does_not="never fills, takes no lease, does not say how old",
            shares=True,
        )  # fmt: skip

    def proxy_cache(self) -> Peer:
        ports = {"NGINX_PORT": self.ports["proxy_cache"], "ORIGIN_PORT": self.ports["origin"]}
        started = self.processes.start_nginx(HERE / "proxy_cache.conf", **ports)
        return self.peer(
            started, "proxy_cache", "nginx, proxy_cache",
            version=version("nginx", "-v"),
            does_not="shares nothing with another machine; forgets by key only with a further module",
            cold_path="/users/",
        )  # fmt: skip

    def varnish(self) -> Peer:
        folder = self.folder / "varnish"
        vcl = fill_in(HERE / "varnish.vcl", folder, ORIGIN_PORT=self.ports["origin"])
        started = self.processes.start(
            "varnish", "varnishd", "-F",
            "-j", "none",
            "-n", f"{folder}/work",
            "-T", "none",
            "-a", f"127.0.0.1:{self.ports['varnish']}",
            "-f", str(vcl),
            "-s", "malloc,64m",
        )  # fmt: skip
        return self.peer(
            started, "varnish", "Varnish",
            version=version("varnishd", "-V").partition("(")[2].partition(" ")[0],
            does_not="shares nothing with another machine; a purge has to reach each",
            cold_path="/users/",
        )  # fmt: skip

    def pooled(self) -> Peer:
        addresses = f"127.0.0.1:{self.ports['pooled']}", f"tcp://127.0.0.1:{self.ports['memcached']}"
        started = self.processes.start("pooled", f"{self.programs}/pooled", *addresses)
        return self.peer(
            started, "pooled", "axum, a pool of clients",
            version=f"axum {self.crates['axum']} and async-memcached {self.crates['async-memcached']}",
            does_not="never fills, no leases, no deadline; a client serves one request at a time",
            shares=True,
        )  # fmt: skip

    def fastapi(self) -> Peer:
        python = os.path.abspath(os.environ["PEERS_PYTHON"])
        started = self.processes.start(
            "fastapi", "env",
            f"MEMCACHED_PORT={self.ports['memcached']}",
            f"ORIGIN_PORT={self.ports['origin']}",
            python, "-m", "uvicorn", "naive:app",
            "--app-dir", str(HERE),
            "--port", str(self.ports["fastapi"]),
            "--workers", str(os.cpu_count()),
            "--no-access-log",
        )  # fmt: skip
        names = "('fastapi', 'uvicorn', 'aiomcache')"
        script = f"from importlib.metadata import version as v; print(*(f'{{n}} {{v(n)}}' for n in {names}), sep=', ')"
        return self.peer(
            started, "fastapi", "FastAPI, aiomcache",
            version=version(python, "-c", script),
            does_not="no leases, no deadline, every miss queries; a client serves one request at a time",
            cold_path="/users/",
        )  # fmt: skip


def crate_versions() -> dict[str, str]:
    packages = tomllib.loads((HERE / "Cargo.lock").read_text())["package"]
    return {package["name"]: package["version"] for package in packages}
