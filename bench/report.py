"""What a measurement found, as Markdown."""

import os
import subprocess
from dataclasses import dataclass
from statistics import median

from load import Shape


@dataclass
class Run:
    """One service under load for a few seconds; cpu_us is for one request, and memcached_us is a part of it."""

    round_number: int
    service: str
    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    memcached_us: float
    lookups: int


FIGURES = ["requests_per_second", "p50_ms", "p99_ms", "cpu_us", "memcached_us"]


def print_tables(runs: list[Run], beside: str) -> None:
    print("| round | service | requests/s | p50, ms | p99, ms | CPU, µs/request | of which memcached |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for run in runs:
        print_row(str(run.round_number), run.service, [getattr(run, figure) for figure in FIGURES])
    for service in ("Aside", beside):
        of_service = [run for run in runs if run.service == service]
        medians = [median(getattr(run, figure) for run in of_service) for figure in FIGURES]
        print_row("**median**", service, medians)

    print(f"\n| round | requests/s, Aside ÷ {beside} | p50 | p99 | CPU/request |")
    print("| --- | ---: | ---: | ---: | ---: |")
    ratios = []
    for number in sorted({run.round_number for run in runs}):
        pair = {run.service: run for run in runs if run.round_number == number}
        ratios.append([getattr(pair["Aside"], f) / getattr(pair[beside], f) for f in FIGURES[:4]])
        print_ratios(str(number), ratios[-1])
    print_ratios("**median**", [median(column) for column in zip(*ratios, strict=True)])


def print_shapes(runs: dict[Shape, list[Run]], beside: str) -> None:
    """The medians of each shape, and of the ratios within its rounds."""
    print(f"| keys | connections | CPU, µs: Aside | {beside} | CPU, Aside ÷ {beside} | requests/s | p50 | p99 |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for shape, of_shape in runs.items():
        both = [[run for run in of_shape if run.service == service] for service in ("Aside", beside)]
        pairs = [sorted(runs, key=lambda run: run.round_number) for runs in both]
        cpu = [median(run.cpu_us for run in runs) for runs in both]
        order = ["cpu_us", "requests_per_second", "p50_ms", "p99_ms"]
        ratio = [median(getattr(a, f) / getattr(b, f) for a, b in zip(*pairs, strict=True)) for f in order]
        print(f"| {shape.keys:,} | {shape.connections} | " + " | ".join(f"{it:.2f}" for it in [*cpu, *ratio]) + " |")


def print_row(first: str, service: str, figures: list[float]) -> None:
    rate, *times = figures
    print(f"| {first} | {service} | {rate:,.0f} | " + " | ".join(f"{time:.2f}" for time in times) + " |")


def print_ratios(first: str, ratios: list[float]) -> None:
    print(f"| {first} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")


def print_facts(
    runs: list[Run], beside: str, resident_kibibytes: int, hits: int, start_times_ms: list[float]
) -> None:
    def total(service: str, count: str) -> int:
        return sum(getattr(run, count) for run in runs if run.service == service)

    lookups = " and ".join(f"{total(s, 'lookups') / total(s, 'requests'):.2f} ({s})" for s in ("Aside", beside))
    starts = ", ".join(f"{time:.1f}" for time in start_times_ms)
    print(f"\n- Machine: {os.cpu_count()} cores, shared by the services, memcached and wrk.")
    print(f"- Versions: {version('nginx', '-v')}; {version('memcached', '-V')}; {version('wrk', '-v')}.")
    print(f"- Lookups in memcached per request: {lookups}; none was a miss.")
    print(f"- Aside's resident memory after {hits:,} hits: {resident_kibibytes / 1024:.1f} MiB.")
    print(f"- Aside, from start to first answer: {median(start_times_ms):.1f} ms (median of {starts}).")


def version(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return (answer.stdout + answer.stderr).splitlines()[0].split(" Copyright")[0].replace("nginx version: ", "").strip()
