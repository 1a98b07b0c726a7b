"""What was found of all services, as Markdown."""

import os
from statistics import median

from load import Shape
from misses import KEYS, Misses
from report import Run, version
from services import Peer

BASE = "nginx, memcached_pass"

# Fewer lookups a request are those that the service before it had still under way.
ASKS_MIN = 0.1


def medians(runs: list[Run], service: str, figure: str) -> float:
    return median(getattr(run, figure) for run in runs if run.service == service)


def ratios(runs: list[Run], service: str, figure: str) -> list[float]:
    """Those to the base, each formed within a round."""
    base = {run.round_number: getattr(run, figure) for run in runs if run.service == BASE}
    return [getattr(run, figure) / base[run.round_number] for run in runs if run.service == service]


def print_hits(peers: list[Peer], runs: list[Run]) -> None:
    print("| a hit of | requests/s | p50, ms | p99, ms | CPU, µs/request | of which memcached | ", end="")
    print("requests/s ÷ memcached_pass | CPU ÷ memcached_pass, least to most | what it does not do |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    for peer in peers:
        rate, cpu = (ratios(runs, peer.name, figure) for figure in ("requests_per_second", "cpu_us"))
        cells = [
            peer.name,
            f"{medians(runs, peer.name, 'requests_per_second'):,.0f}",
            *(f"{medians(runs, peer.name, figure):.2f}" for figure in ("p50_ms", "p99_ms", "cpu_us")),
            f"{medians(runs, peer.name, 'memcached_us'):.2f}" if asks_memcached(runs, peer) else "–",
            f"{median(rate):.2f}",
            f"{median(cpu):.2f}" + (f", {min(cpu):.2f} to {max(cpu):.2f}" if min(cpu) < max(cpu) else ""),
            peer.does_not,
        ]
        print(f"| {' | '.join(cells)} |")


def asks_memcached(runs: list[Run], peer: Peer) -> bool:
    return lookups_per_request(runs, peer) > ASKS_MIN


def print_misses(peers: list[Peer], cold: list[Misses], storms: list[Misses]) -> None:
    print(f"\n| misses of | {KEYS:,} cold keys: queries | last answer, s | not 200 | ", end="")
    print(f"one cold key, {KEYS:,} at once: queries | last answer, ms | not 200 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for peer in peers:
        ours = [[misses for misses in case if misses.service == peer.name] for case in (cold, storms)]
        if all(ours):
            print(f"| {peer.name} | {cells(ours[0], 1, '.2f')} | {cells(ours[1], 1e3, '.0f')} |")


def cells(misses: list[Misses], unit: float, form: str) -> str:
    seconds = median(one.seconds for one in misses) * unit
    return f"{span([one.queries for one in misses])} | {seconds:{form}} | {span([one.not_200 for one in misses])}"


def span(counts: list[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def print_facts(peers: list[Peer], runs: list[Run]) -> None:
    versions = dict.fromkeys([*(peer.version for peer in peers), version("memcached", "-V"), version("wrk", "-v")])
    asking = [peer for peer in peers if asks_memcached(runs, peer)]
    lookups = ", ".join(f"{lookups_per_request(runs, peer):.2f} ({peer.name})" for peer in asking)
    print(f"\n- Machine: {os.cpu_count()} cores, shared by the services, memcached, the origin and the clients.")
    print(f"- Versions: {'; '.join(versions)}.")
    print(f"- Lookups in memcached per hit: {lookups}; none was a miss. The origin was asked for no hit.")
    print(f"- Connections: {Shape().connections}. Rounds: {max(run.round_number for run in runs)}; the figures are medians.")


def lookups_per_request(runs: list[Run], peer: Peer) -> float:
    ours = [run for run in runs if run.service == peer.name]
    return sum(run.lookups for run in ours) / sum(run.requests for run in ours)
