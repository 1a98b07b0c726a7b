"""Hits from Aside and hits from nginx's memcached_pass, side by side on one memcached. README.md says how."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import report
from load import USERS, Memcached, Service
from processes import END_SECONDS_MAX, Failure, Processes, end, free_ports, resident_kibibytes, wait_for_port

WARM_SECONDS_MAX = 60
STARTS = 5

# The same users, as somebody declares them who knows nothing of them.
RESOURCE = """
[resource.person]
path = "/people/{id}"
parameters = { id = "integer" }
query = "SELECT id, name, email, created_at, updated_at FROM users WHERE id = :id"
"""


@dataclass
class Bench:
    aside_binary: str
    beside: str
    rounds: int
    seconds_each: int
    folder: Path
    processes: Processes

    def run(self) -> None:
        self.memcached_port, nginx_port, self.aside_port = free_ports(3)
        (self.folder / "aside.toml").write_text(RESOURCE)
        started = self.processes.start_memcached(self.memcached_port)
        wait_for_port(started, self.memcached_port)
        memcached = Memcached(self.memcached_port, started.pid)
        aside = self.start_aside()
        wait_for_port(aside, self.aside_port)

        cache = Service("Aside", f"http://127.0.0.1:{self.aside_port}", aside.pid, memcached)
        if self.beside == "nginx":
            nginx = self.processes.start_nginx(nginx_port, self.memcached_port)
            wait_for_port(nginx, nginx_port)
            other = Service("nginx", f"http://127.0.0.1:{nginx_port}", nginx.pid, memcached)
        else:
            other = Service("resource", cache.url, aside.pid, memcached, path="/people/")
        services = [cache, other]
        self.warm(*services)
        for service in services:
            service.load(seconds=1)  # Not counted: it opens the connections to memcached.
        runs = []
        for round_number in range(1, self.rounds + 1):
            for service in services:
                print(f"round {round_number} of {self.rounds}: {service.name}", file=sys.stderr)
                runs.append(report.Run(round_number, service.name, **service.load(self.seconds_each)))
            services.reverse()
        resident = resident_kibibytes(aside.pid)
        report.print_tables(runs, other.name)
        report.print_facts(runs, other.name, resident, cache.served, self.start_times(aside))

    def start_aside(self) -> subprocess.Popen:
        # The entries stay fresh for the whole of the run, or hits would turn into refreshes.
        minutes = 10 + 2 * self.rounds * self.seconds_each // 60
        return self.processes.start(
            "aside", self.aside_binary,
            "--listen", f"127.0.0.1:{self.aside_port}",
            "--database", f"sqlite://{self.folder}/aside.db",
            "--memcached", f"127.0.0.1:{self.memcached_port}",
            "--resources", f"{self.folder}/aside.toml",
            "--slow-query", "1ms",
            "--ttl", f"{minutes}m",
        )  # fmt: skip

    def warm(self, aside: Service, other: Service) -> None:
        """Asks Aside for every user until it has each from the cache, and compares what the other says about them."""
        deadline = time.monotonic() + WARM_SECONDS_MAX
        hits = 0
        while hits < USERS:
            if time.monotonic() > deadline:
                raise Failure(f"only {hits} of {USERS} users are hits after {WARM_SECONDS_MAX} s")
            bodies, headers = aside.all_users(self.folder)
            hits = sum(line.strip().lower() == "x-cache: hit" for line in headers.splitlines())
        if other.all_users(self.folder)[0] != bodies:
            raise Failure(f"Aside and {other.name} do not say the same about the same users")

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


def main() -> int:
    # An end from outside takes the same way out as an error, past the processes that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rounds, seconds_each = int(os.environ["ROUNDS"]), int(os.environ["SECONDS_EACH"])
    beside = os.environ["BESIDE"]
    binary = os.path.abspath(os.environ["ASIDE_BIN"])
    with tempfile.TemporaryDirectory(prefix="aside-bench-") as name:
        folder = Path(name)
        try:
            with Processes(folder) as processes:
                Bench(binary, beside, rounds, seconds_each, folder, processes).run()
        except Failure as failure:
            print(f"bench: {failure}", file=sys.stderr)
            for log in ("aside.log", "nginx.log", "error.log", "memcached.log"):
                for line in (folder / log).read_text().splitlines()[-5:] if (folder / log).exists() else []:
                    print(f"  {log}: {line}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
