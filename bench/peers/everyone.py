"""Aside beside everybody else that answers from a cache. ../README.md says how."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import misses
import tables
from load import warm
from plot import Bar, svg
from processes import START_SECONDS_MAX, Failure, Processes, measured
from report import Run
from services import Peer, Peers

FIELDS = ["id", "name", "email", "created_at", "updated_at"]


def measure(folder: Path, processes: Processes) -> None:
    rounds, seconds_each = int(os.environ["ROUNDS"]), int(os.environ["SECONDS_EACH"])
    started = Peers(processes, folder)
    peers = started.start()
    origin = f"http://127.0.0.1:{started.ports['origin']}"
    warm_all(peers, folder)
    runs = hits(peers, origin, rounds, seconds_each)
    cold, storms = all_misses(peers, origin, rounds)
    tables.print_hits(peers, runs)
    tables.print_misses(peers, cold, storms)
    tables.print_facts(peers, runs)
    if os.environ["PLOT"]:
        Path(os.environ["PLOT"]).write_text(svg(bars(peers, runs), rounds))


def warm_all(peers: list[Peer], folder: Path) -> None:
    """Fills every cache. Who shares Aside's memcached must say the same; of each, one answer is looked at."""
    print("warming", file=sys.stderr)
    aside = next(peer for peer in peers if peer.name == "Aside")
    bodies = warm(aside, folder)
    for peer in peers:
        wait_for_a_user(peer)
        if not peer.shares:
            misses.fill(peer)
        elif peer.all_users(folder)[0] != bodies:
            raise Failure(f"Aside and {peer.name} do not say the same about the same users")


def wait_for_a_user(peer: Peer) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        command = ["curl", "--silent", "--show-error", "--fail", f"{peer.url}/users/1"]
        answer = subprocess.run(command, capture_output=True, check=False)
        if answer.returncode == 0 and list(json.loads(answer.stdout)) == FIELDS:
            return
        if time.monotonic() > deadline:
            raise Failure(f"{peer.name} answers with no user: {answer.stderr.decode().strip()}")
        time.sleep(0.1)


def hits(peers: list[Peer], origin: str, rounds: int, seconds_each: int) -> list[Run]:
    runs, order = [], list(peers)
    for peer in order:
        peer.load(seconds=1)  # Not counted: it opens the connections to memcached.
    for round_number in range(1, rounds + 1):
        for peer in order:
            print(f"round {round_number} of {rounds}: {peer.name}", file=sys.stderr)
            queries = misses.count(origin)
            runs.append(Run(round_number, peer.name, **peer.load(seconds_each)))
            if misses.count(origin) != queries:
                raise Failure(f"{peer.name} asked the origin for what should have been hits")
        order.append(order.pop(0))
    return runs


def all_misses(peers: list[Peer], origin: str, rounds: int) -> tuple[list[misses.Misses], list[misses.Misses]]:
    cold, storms, order = [], [], [peer for peer in peers if peer.cold_path]
    for round_number in range(1, rounds + 1):
        for peer in order:
            print(f"misses, round {round_number} of {rounds}: {peer.name}", file=sys.stderr)
            cold.append(misses.cold_keys(peer, origin, round_number))
            storms.append(misses.storm(peer, origin, round_number))
        order.append(order.pop(0))
    return cold, storms


def bars(peers: list[Peer], runs: list[Run]) -> list[Bar]:
    def of(peer: Peer, figure: str) -> float:
        return tables.medians(runs, peer.name, figure)

    asking = {peer.name for peer in peers if tables.asks_memcached(runs, peer)}
    return [Bar(peer.name, of(peer, "cpu_us"), of(peer, "memcached_us") * (peer.name in asking)) for peer in peers]


if __name__ == "__main__":
    sys.exit(measured(measure))
