"""Asking the services: by curl for what they say, and by wrk for how fast."""

import http.client
import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import Failure, cpu_seconds, with_children

USERS = 1000
THREADS = 2
WARM_SECONDS_MAX = 60
MISSES_PER_SECOND = 64


@dataclass(frozen=True)
class Shape:
    """A load: so many keys, asked for over so many connections."""

    keys: int = USERS
    connections: int = 64

    @classmethod
    def of(cls, text: str) -> "Shape":
        keys, connections = (int(number) for number in text.split("x"))
        if not (1 <= keys <= USERS and connections >= 1):
            raise ValueError(text)
        return cls(keys, connections)


@dataclass
class Memcached:
    """The servers that a service asks: mostly one."""

    ports: list[int]
    processes: list[int]

    def statistics(self) -> Counter[str]:
        """What they count, in sum."""
        return sum((statistics_at(port) for port in self.ports), Counter())


def statistics_at(port: int) -> Counter[str]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"stats\r\nquit\r\n")
        lines = connection.makefile("r", newline="\r\n").read().splitlines()
    fields = (line.split(" ", 2) for line in lines if line.startswith("STAT "))
    return Counter({name: int(value) for _, name, value in fields if value.isdigit()})


@dataclass
class Service:
    """One of those that are measured; `process` is the first of its processes."""

    name: str
    url: str
    process: int
    memcached: Memcached
    path: str = "/users/"
    served: int = 0  # Answers under load, in all runs, the one that does not count included.
    cold: Iterator[int] | None = None  # Users to be loaded during the runs; `None` if there are to be hits only.
    missed: int = 0  # Those of them that were.

    def all_users(self, folder: Path) -> tuple[bytes, str]:
        """The bodies of all users, one after the other, and the headers that came with them."""
        headers = folder / "headers"
        command = ["curl", "--silent", "--show-error", "--fail", "--fail-early", "--dump-header", str(headers)]
        answer = subprocess.run([*command, f"{self.url}{self.path}[1-{USERS}]"], capture_output=True, check=False)
        if answer.returncode != 0:
            raise Failure(f"{self.name}: {answer.stderr.decode().strip()}")
        return answer.stdout, headers.read_text()

    def load(self, seconds: int, shape: Shape = Shape()) -> dict:
        """One run of wrk, with what it cost the service and memcached. A run with any error in it is a failure."""
        processes = with_children(self.process)
        statistics = self.memcached.statistics()
        ended, missed = threading.Event(), self.missed
        missing = threading.Thread(target=self.miss, args=(ended,))
        missing.start()
        memcached, server = cpu_seconds(self.memcached.processes), cpu_seconds(processes)
        counts = self.wrk(seconds, shape)
        memcached, server = cpu_seconds(self.memcached.processes) - memcached, cpu_seconds(processes) - server
        ended.set()
        missing.join()
        moved = Counter(self.memcached.statistics())
        moved.subtract(statistics)
        # A new connection of Aside's asks for a key that is never there; so may be that of the statistics.
        requests, misses = counts["requests"], max(0, moved["get_misses"] - moved["total_connections"])
        if self.cold and self.missed - missed < seconds * MISSES_PER_SECOND * 0.8:
            raise Failure(f"only {self.missed - missed} misses in {seconds} s")
        if counts["not_2xx"] or counts["socket_errors"] or misses or not requests:
            raise Failure(f"{self.name}: a run with errors does not count: {counts}, {misses} misses in memcached")
        self.served += requests
        return {
            "requests": requests,
            "requests_per_second": requests / counts["seconds"],
            "p50_ms": counts["p50_us"] / 1e3,
            "p99_ms": counts["p99_us"] / 1e3,
            "cpu_us": (server + memcached) / requests * 1e6,
            "memcached_us": memcached / requests * 1e6,
            "lookups": moved["cmd_get"],
        }

    def miss(self, ended: threading.Event) -> None:
        """Asks for the cold users, so many a second."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"))
        due = time.monotonic()
        while self.cold and not ended.wait(max(0, due - time.monotonic())):
            connection.request("GET", f"{self.path}{next(self.cold)}")
            answer = connection.getresponse()
            answer.read()
            self.missed += answer.getheader("x-cache") == "MISS"
            due += 1 / MISSES_PER_SECOND

    def wrk(self, seconds: int, shape: Shape) -> dict:
        """What users.lua says at the end of the run."""
        script, threads = str(Path(__file__).with_name("users.lua")), min(THREADS, shape.connections)
        command = ["wrk", f"-t{threads}", f"-c{shape.connections}", f"-d{seconds}s", "-s", script, self.url]
        command += ["--", self.path, str(shape.keys)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0 or not answer.stdout:
            raise Failure(f"wrk: {answer.stderr.strip()}")
        return json.loads(answer.stdout.splitlines()[-1])


def warm(aside: Service, folder: Path) -> bytes:
    """Asks Aside for every user until it has each from the cache. What it says about them, one after the other."""
    deadline = time.monotonic() + WARM_SECONDS_MAX
    hits = 0
    while hits < USERS:
        if time.monotonic() > deadline:
            raise Failure(f"only {hits} of {USERS} users are hits after {WARM_SECONDS_MAX} s")
        bodies, headers = aside.all_users(folder)
        hits = sum(line.strip().lower() == "x-cache: hit" for line in headers.splitlines())
    return bodies
