"""Drawings as SVG, without a library: logins per CPU second, how a login's cost grows, and how long answers take when too many come."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import cycle

from tests.bench.growth import Line
from tests.bench.logins import Result
from tests.bench.overload import Outcome

WIDTH, BAR, GAP, LABELS = 860, 22, 10, 300
INK, PALE, OURS, THEIRS, YARDSTICK = "#222", "#ddd", "#1f6f4a", "#8a8f98", "#c98a1b"
PANEL, HEIGHT, MARGIN = 400, 240, 56


def bars(result: Result, at_once: int) -> str:
    """One bar for each row of a level, by protocol."""
    rows = [row for row in result.rows if row.at_once == at_once]
    rows.sort(key=lambda row: (row.journey[:4], -row.per_cpu_second))
    most = max((row.per_cpu_second for row in rows), default=1.0)
    scale = (WIDTH - LABELS - 80) / most
    parts = [text(10, 24, f"Whole logins per second of CPU time, {at_once} at once", size=16)]
    for number, row in enumerate(rows):
        top, length = 44 + number * (BAR + GAP), row.per_cpu_second * scale
        colour = OURS if row.system.startswith("qlikgw") else YARDSTICK if row.system == "yardstick" else THEIRS
        parts.append(text(LABELS - 8, top + 16, f"{row.journey}: {row.system}", anchor="end"))
        parts.append(f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>')
        parts.append(text(LABELS + length + 6, top + 16, f"{row.per_cpu_second:,.0f}"))
    return document(WIDTH, 44 + len(rows) * (BAR + GAP) + 10, parts)


def growth(lines: Sequence[Line]) -> str:
    """A panel for each thing that grows; its number on a logarithmic axis, milliseconds from zero."""
    panels = [part for number, line in enumerate(lines) for part in panel(line, number % 2 * (PANEL + 20), number // 2 * (HEIGHT + 30))]
    return document(2 * PANEL + 40, math.ceil(len(lines) / 2) * (HEIGHT + 30) + 10, panels)


def panel(line: Line, left: float, top: float) -> Iterator[str]:
    """Axes, points and what the slope is."""
    first, last = line.points[0][0], line.points[-1][0]
    most = 1.25 * max(milliseconds for _, milliseconds in line.points)
    span = math.log(last / first) or 1.0
    bottom, inside = top + HEIGHT - 30, PANEL - MARGIN - 20

    def place(size: int, milliseconds: float) -> tuple[float, float]:
        return left + MARGIN + inside * math.log(size / first) / span, bottom - (HEIGHT - 70) * milliseconds / most

    yield text(left + 10, top + 20, f"{line.what}: {line.slope:.3g} µs each", size=14)
    for share in (0.0, 0.4, 0.8):
        height = place(first, most * share)[1]
        yield f'<line x1="{left + MARGIN}" x2="{left + PANEL - 20}" y1="{height:.1f}" y2="{height:.1f}" stroke="{PALE}"/>'
        yield text(left + MARGIN - 6, height + 4, f"{most * share:.2g} ms", anchor="end", size=11)
    places = [place(*point) for point in line.points]
    yield f'<polyline fill="none" stroke="{OURS}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
    for (size, milliseconds), (x, y) in zip(line.points, places, strict=True):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{OURS}"/>'
        yield text(x, y - 8, f"{milliseconds:.3g}", anchor="middle", size=11)
        yield text(x, bottom + 16, f"{size:,}", anchor="middle", size=11)


COLOURS = OURS, "#7fb89a", "#3b5b92", "#9db3d6", YARDSTICK, "#e6c78a"
BOUND = 2000.0
"""Milliseconds within which every answer shall be there."""


def overload(outcomes: Sequence[Outcome]) -> str:
    """A point for each flood: its slowest answer, against how much too many they were."""
    kinds = list(dict.fromkeys(one.kind for one in outcomes))
    most, slowest = 1.1 * max(one.times for one in outcomes), 1.1 * max(BOUND, *(one.slowest for one in outcomes))
    left, top, width, height = 80, 60 + 20 * len(kinds), WIDTH - 120, 320

    def place(times: float, milliseconds: float) -> tuple[float, float]:
        return left + width * times / most, top + height * (1 - milliseconds / slowest)

    parts = [text(10, 24, "The slowest answer of each flood, by arrivals as a multiple of what the machine could do meanwhile", size=16)]
    for number, (kind, colour) in enumerate(zip(kinds, cycle(COLOURS), strict=False)):
        parts += [f'<circle cx="{left}" cy="{44 + 20 * number}" r="5" fill="{colour}"/>', text(left + 12, 49 + 20 * number, kind)]
        for x, y in (place(one.times, one.slowest) for one in outcomes if one.kind == kind):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
    for times in range(int(most) + 1):
        parts.append(text(place(times, 0)[0], top + height + 18, f"{times}", anchor="middle", size=11))
    for milliseconds in (0.0, BOUND / 2, BOUND):
        y = place(0, milliseconds)[1]
        colour = INK if milliseconds == BOUND else PALE
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"/>')
        parts.append(text(left - 6, y + 4, f"{milliseconds / 1000:g} s", anchor="end", size=11))
    return document(WIDTH, top + height + 30, parts)


def text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{INK}">{escape(words)}</text>'


def document(width: int, height: int, parts: Sequence[str]) -> str:
    """On white, for pages of either kind."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#fff"/>', *parts, "</svg>", ""])
