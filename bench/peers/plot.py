"""The CPU of a hit as bars, in greys that can be read on white and on black."""

import math
from dataclasses import dataclass
from statistics import median

WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 760, 190, 130, 74, 32, 18
SPAN = WIDTH - LEFT - RIGHT  # For the longest bar.
INK, PALE = "#777777", "#b5b5b5"
TICKS_MAX = 7

# A bar that is longer than so many of the middle one is cut short, or nobody could tell the others apart.
CUT = 5


@dataclass
class Bar:
    """Microseconds of one service for a hit; memcached's are a part of them."""

    name: str
    cpu_us: float
    memcached_us: float


def svg(bars: list[Bar], rounds: int) -> str:
    bottom = TOP + ROW * len(bars)
    longest = CUT * median(bar.cpu_us for bar in bars)
    ticks = axis_ticks(max(bar.cpu_us for bar in bars if bar.cpu_us <= longest))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 48}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">',
        "<title>CPU time of a hit, by service</title>",
        f'<text x="{LEFT}" y="22" font-size="16" font-weight="bold">CPU time of a hit</text>',
        *legend(),
        *axis(ticks, bottom, rounds),
        *(line for row, bar in enumerate(bars) for line in drawn(bar, TOP + ROW * row, ticks[-1])),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def axis_ticks(most: float) -> list[float]:
    """From nought to the most or a little past it, in steps of 1, 2 or 5 times a power of ten."""
    steps = (digit * 10**power for power in range(-3, 9) for digit in (1, 2, 5))
    step = next(step for step in steps if step * (TICKS_MAX - 1) >= most)
    return [step * tick for tick in range(math.ceil(most / step) + 1)]


def legend() -> list[str]:
    return [
        *rectangle(LEFT, 38, 12, INK, 12),
        f'<text x="{LEFT + 18}" y="49">the service</text>',
        *rectangle(LEFT + 110, 38, 12, PALE, 12),
        f'<text x="{LEFT + 128}" y="49">memcached, where it asks it</text>',
    ]


def axis(ticks: list[float], bottom: int, rounds: int) -> list[str]:
    lines = []
    for tick in ticks:
        x = LEFT + SPAN * tick / ticks[-1]
        lines.append(f'<path d="M{x:.1f} {TOP - 8}V{bottom}" stroke="{INK}" stroke-opacity="0.25"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    of = f"median of {rounds} rounds" if rounds > 1 else "one round"
    label = f"µs of a core for one request, {of}"
    return [*lines, f'<text x="{LEFT + SPAN / 2}" y="{bottom + 38}" text-anchor="middle">{label}</text>']


def drawn(bar: Bar, y: int, longest: float) -> list[str]:
    weight = ' font-weight="bold"' if bar.name == "Aside" else ""
    name = f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end"{weight}>{bar.name}</text>'
    if bar.cpu_us > longest:
        return [name, *cut(y), f'<text x="{LEFT + SPAN + 6}" y="{y + 14}">{bar.cpu_us:.0f}, cut short</text>']
    total, memcached = (SPAN * part / longest for part in (bar.cpu_us, bar.memcached_us))
    return [
        name,
        *rectangle(LEFT, y, total - memcached, INK),
        *rectangle(LEFT + total - memcached, y, memcached, PALE),
        f'<text x="{LEFT + total + 6:.1f}" y="{y + 14}"{weight}>{bar.cpu_us:.1f}</text>',
    ]


def cut(y: int) -> list[str]:
    """A bar over the whole width, with a slanting gap near its end."""
    end, gap = LEFT + SPAN, LEFT + SPAN - 40
    return [
        f'<path d="M{LEFT} {y}H{gap + 6}L{gap} {y + BAR}H{LEFT}Z"/>',
        f'<path d="M{gap + 14} {y}H{end}V{y + BAR}H{gap + 8}Z"/>',
    ]


def rectangle(x: float, y: float, width: float, colour: str, height: int = BAR) -> list[str]:
    if width < 0.05:
        return []
    return [f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" fill="{colour}"/>']
