"""Asking the two services: by curl for what they say, and by wrk for how fast."""

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from processes import Failure, cpu_seconds, with_children

USERS = 1000  # As in users.lua.
CONNECTIONS = 64
THREADS = 2


@dataclass
class Memcached:
    """The one server that both services ask."""

    port: int
    process: int

    def statistics(self) -> dict[str, int]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"stats\r\nquit\r\n")
            lines = connection.makefile("r", newline="\r\n").read().splitlines()
        fields = (line.split(" ", 2) for line in lines if line.startswith("STAT "))
        return {name: int(value) for _, name, value in fields if value.isdigit()}


@dataclass
class Service:
    """One of the two that are measured; `process` is the first of its processes."""

    name: str
    url: str
    process: int
    memcached: Memcached
    path: str = "/users/"
    served: int = 0  # Answers under load, in all runs, the one that does not count included.

    def all_users(self, folder: Path) -> tuple[bytes, str]:
        """The bodies of all users, one after the other, and the headers that came with them."""
        headers = folder / "headers"
        command = ["curl", "--silent", "--show-error", "--fail", "--fail-early", "--dump-header", str(headers)]
        answer = subprocess.run([*command, f"{self.url}{self.path}[1-{USERS}]"], capture_output=True, check=False)
        if answer.returncode != 0:
            raise Failure(f"{self.name}: {answer.stderr.decode().strip()}")
        return answer.stdout, headers.read_text()

    def load(self, seconds: int) -> dict:
        """One run of wrk, with what it cost the service and memcached. A run with any error in it is a failure."""
        processes = with_children(self.process)
        statistics = self.memcached.statistics()
        memcached, server = cpu_seconds([self.memcached.process]), cpu_seconds(processes)
        counts = self.wrk(seconds)
        memcached, server = cpu_seconds([self.memcached.process]) - memcached, cpu_seconds(processes) - server
        moved = {name: value - statistics.get(name, 0) for name, value in self.memcached.statistics().items()}
        requests, misses = counts["requests"], moved["get_misses"]
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

    def wrk(self, seconds: int) -> dict:
        """What users.lua says at the end of the run."""
        script = str(Path(__file__).with_name("users.lua"))
        command = ["wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, self.url, "--", self.path]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0 or not answer.stdout:
            raise Failure(f"wrk: {answer.stderr.strip()}")
        return json.loads(answer.stdout.splitlines()[-1])
