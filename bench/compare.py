"""Hits from Aside and hits from nginx's memcached_pass, side by side on one memcached. README.md says how."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import report
from load import USERS, Memcached, Service, Shape, warm
from processes import END_SECONDS_MAX, Failure, Processes, end, free_ports, measured, resident_kibibytes, wait_for_port

STARTS = 5

# The same users, as somebody declares them who knows nothing of them.
RESOURCE = """
[resource.person]
path = "/people/{id}"
parameters = { id = "integer" }
query = "SELECT id, name, email, created_at, updated_at FROM users WHERE id = :id"
"""


USERS_IN_ALL = 10_000

# Servers of the other Aside under BESIDE=eight.
EIGHT = 8


@dataclass
class Bench:
    aside_binary: str
    beside: str
    rounds: int
    seconds_each: int
    shapes: list[Shape]
    folder: Path
    processes: Processes

    def run(self) -> None:
        (self.folder / "aside.toml").write_text(RESOURCE)
        self.memcached = self.start_memcached(1)
        self.aside_port, other_port = free_ports(2)
        aside = self.start_aside()
        wait_for_port(aside, self.aside_port)
        cache = Service("Aside", f"http://127.0.0.1:{self.aside_port}", aside.pid, self.memcached)
        other = self.start_other(other_port, cache)
        services = [cache, other]
        if warm(cache, self.folder) != other.all_users(self.folder)[0]:
            raise Failure(f"Aside and {other.name} do not say the same about the same users")
        for service in services:
            service.load(seconds=1)  # Not counted: it opens the connections to memcached.
        runs = {shape: self.runs(shape, services) for shape in self.shapes}
        if len(runs) > 1:
            report.print_shapes(runs, other.name)
            return
        all_runs, resident = runs[self.shapes[0]], resident_kibibytes(aside.pid)
        report.print_tables(all_runs, other.name)
        report.print_facts(all_runs, other.name, resident, cache.served, self.start_times(aside))

    def runs(self, shape: Shape, services: list[Service]) -> list[report.Run]:
        """All runs of one shape, in the order in which they were made."""
        runs = []
        for number in range(1, self.rounds + 1):
            for service in services:
                text = f"{shape.keys} keys, {shape.connections} connections: round {number} of {self.rounds}"
                print(f"{text}: {service.name}", file=sys.stderr)
                runs.append(report.Run(number, service.name, **service.load(self.seconds_each, shape)))
            services.reverse()
        return runs

    def start_memcached(self, count: int) -> Memcached:
        ports = free_ports(count)
        started = [self.processes.start_memcached(port) for port in ports]
        for process, port in zip(started, ports, strict=True):
            wait_for_port(process, port)
        return Memcached(ports, [process.pid for process in started])

    def start_other(self, port: int, aside: Service) -> Service:
        """What Aside is measured beside."""
        if self.beside == "resource":
            return Service("resource", aside.url, aside.process, self.memcached, path="/people/")
        if self.beside == "misses":
            cold = iter(range(USERS + 1, USERS_IN_ALL + 1))
            return Service("misses", aside.url, aside.process, self.memcached, cold=cold)
        url = f"http://127.0.0.1:{port}"
        if self.beside == "eight":
            memcached = self.start_memcached(EIGHT)
            eight = self.start_aside("eight", port, memcached)
            wait_for_port(eight, port)
            service = Service("eight", url, eight.pid, memcached)
            warm(service, self.folder)
            return service
        template = Path(__file__).with_name("nginx.conf")
        nginx = self.processes.start_nginx(template, NGINX_PORT=port, MEMCACHED_PORT=self.memcached.ports[0])
        wait_for_port(nginx, port)
        return Service("nginx", url, nginx.pid, self.memcached)

    def start_aside(
        self, name: str = "aside", port: int | None = None, memcached: Memcached | None = None
    ) -> subprocess.Popen:
        port, memcached = port or self.aside_port, memcached or self.memcached
        # The entries stay fresh for the whole of the run, or hits would turn into refreshes.
        minutes = 10 + 2 * self.rounds * self.seconds_each * len(self.shapes) // 60
        return self.processes.start(
            name, self.aside_binary,
            "--listen", f"127.0.0.1:{port}",
            "--database", f"sqlite://{self.folder}/{name}.db",
            "--memcached", ",".join(f"127.0.0.1:{port}" for port in memcached.ports),
            "--resources", f"{self.folder}/aside.toml",
            "--slow-query", "1ms",
            "--ttl", f"{minutes}m",
        )  # fmt: skip

    def start_times(self, aside: subprocess.Popen) -> list[float]:
        """Milliseconds from the start of the program to its first answer about a user, on the existing database."""
        times = []
        for _ in range(STARTS):
            end(aside)
            started = time.monotonic()
            aside = self.start_aside()
            while not self.answers():
                if aside.poll() is not None or time.monotonic() > started + END_SECONDS_MAX:
                    raise Failure("Aside does not come up again on its database")
            times.append((time.monotonic() - started) * 1e3)
        return times

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.aside_port), timeout=5) as connection:
                connection.sendall(b"GET /users/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False


def measure(folder: Path, processes: Processes) -> None:
    rounds, seconds_each = int(os.environ["ROUNDS"]), int(os.environ["SECONDS_EACH"])
    binary = os.path.abspath(os.environ["ASIDE_BIN"])
    shapes = [Shape.of(text) for text in os.environ["SHAPES"].split()]
    Bench(binary, os.environ["BESIDE"], rounds, seconds_each, shapes, folder, processes).run()


if __name__ == "__main__":
    sys.exit(measured(measure))
