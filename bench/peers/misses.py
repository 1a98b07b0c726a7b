"""Misses: many cold keys, and many requests at once for one cold key."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from load import USERS, Shape
from processes import Failure
from services import Peer

KEYS = 1000
SECONDS_MAX = 60

# Each round has keys of its own, that nobody has asked for before.
KEYS_OF_A_ROUND = 100_000


@dataclass
class Misses:
    """What came of a thousand requests; `seconds` is the time to the last answer."""

    service: str
    queries: int
    seconds: float
    not_200: int


def cold_keys(peer: Peer, origin: str, round_number: int) -> Misses:
    first = round_number * KEYS_OF_A_ROUND
    return asked(peer, origin, range(first, first + KEYS), Shape().connections)


def storm(peer: Peer, origin: str, round_number: int) -> Misses:
    return asked(peer, origin, [round_number * KEYS_OF_A_ROUND + KEYS] * KEYS, KEYS)


def asked(peer: Peer, origin: str, keys: list[int] | range, connections: int) -> Misses:
    before = count(origin)
    seconds, not_200 = asyncio.run(ask(peer, [f"{peer.cold_path}{key}" for key in keys], connections))
    return Misses(peer.name, count(origin) - before, seconds, not_200)


def count(origin: str) -> int:
    """The queries that the origin was asked so far."""
    with urllib.request.urlopen(f"{origin}/count", timeout=SECONDS_MAX) as answer:
        return json.load(answer)


def fill(peer: Peer) -> None:
    """Lets it ask the origin for all users of the load."""
    _, not_200 = asyncio.run(ask(peer, [f"{peer.path}{user}" for user in range(1, USERS + 1)], Shape().connections))
    if not_200:
        raise Failure(f"{peer.name} cannot be warmed: {not_200} of {USERS} answers are no 200")


async def ask(peer: Peer, paths: list[str], connections: int) -> tuple[float, int]:
    """Asks for all over so many connections, open before the clock starts. The seconds, and how many got no 200."""
    host, _, port = peer.url.removeprefix("http://").partition(":")
    left = iter([f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode() for path in paths])
    opened = []
    try:
        for _ in range(connections):
            opened.append(await asyncio.open_connection(host, port))
        async with asyncio.timeout(SECONDS_MAX):
            started = time.monotonic()
            not_200 = await asyncio.gather(*(ask_over(reader, writer, left) for reader, writer in opened))
            # What is still left after the last connection was closed is answered by nobody.
            return time.monotonic() - started, sum(not_200) + len(list(left))
    except TimeoutError:
        raise Failure(f"{peer.name} has not answered after {SECONDS_MAX} s") from None
    except OSError as error:
        raise Failure(f"{peer.name}: {error}") from None
    finally:
        for _, writer in opened:
            writer.close()


async def ask_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: Iterator[bytes]) -> int:
    """Sends request after request until none is left, or the connection is closed. How many got no 200."""
    not_200 = 0
    for request in left:
        writer.write(request)
        try:
            not_200 += await status(reader) != 200
        except (asyncio.IncompleteReadError, ConnectionError):
            return not_200 + 1
    return not_200


async def status(reader: asyncio.StreamReader) -> int:
    """That of the next answer, once all of it is there."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))
    return int(head.split(" ", 2)[1])
