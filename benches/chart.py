#!/usr/bin/env python3
"""Draws the tables of `make bench-start ARGS=--markdown`, as they stand in a text, as a chart.

benches/chart.py docs/speed.md docs/start.svg

Bars on a logarithmic scale: what a start costs in hosts of different sizes.
"""

import math
import re
import sys
from html import escape
from pathlib import Path

TABLE = re.compile(r"^\| (small host|(?P<gib>\d+) GiB resident in the host) \|.*\n\|.*\n(?P<rows>(?:\|.*\n)+)", re.M)
SHADES = ["#9ecae1", "#4292c6", "#08519c"]
GREYS = ["#d9d9d9", "#a6a6a6", "#636363"]
LABELS, WIDTH, BAR, GAP, TOP = 290, 940, 10, 12, 64
TICKS = [100, 1_000, 10_000, 100_000]


def tables(text):
    """One dict a host, way to median in microseconds."""
    hosts = {}
    for found in TABLE.finditer(text):
        rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in found["rows"].splitlines()]
        hosts[f"{found['gib']} GiB host" if found["gib"] else "small host"] = {row[0]: float(row[1]) for row in rows}
    return hosts


def spoken(microseconds):
    return f"{microseconds:.0f} µs" if microseconds < 1000 else f"{microseconds / 1000:.3g} ms"


def chart(hosts):
    ways = list(next(iter(hosts.values())))
    low = 50
    high = max(max(figures.values()) for figures in hosts.values()) * 2
    scale = (WIDTH - LABELS - 20) / math.log(high / low)

    def x(value):
        return LABELS + math.log(value / low) * scale

    row = len(hosts) * BAR + GAP
    height = TOP + len(ways) * row + 30
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LABELS}" y="20" font-size="15">Start + wait, median (logarithmic scale)</text>',
    ]
    for number, host in enumerate(hosts):
        left = LABELS + number * 150
        out += [
            f'<rect x="{left}" y="32" width="12" height="{BAR}" fill="{SHADES[number]}"/>',
            f'<rect x="{left + 14}" y="32" width="12" height="{BAR}" fill="{GREYS[number]}"/>',
            f'<text x="{left + 32}" y="41">{host}</text>',
        ]
    for tick in TICKS:
        out += [
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 8}" y2="{height - 26}" stroke="#e5e5e5"/>',
            f'<text x="{x(tick):.1f}" y="{height - 10}" text-anchor="middle">{spoken(tick)}</text>',
        ]
    for place, way in enumerate(ways):
        y = TOP + place * row
        middle = y + len(hosts) * BAR / 2 + 4
        ours = way.endswith("librunner") or "new root" in way
        weight = ' font-weight="bold"' if ours else ""
        out.append(f'<text x="{LABELS - 8}" y="{middle}" text-anchor="end"{weight}>{escape(way)}</text>')
        for number, figures in enumerate(hosts.values()):
            if way not in figures:
                continue
            shade = (SHADES if ours else GREYS)[number]
            end, top = x(figures[way]), y + number * BAR
            out.append(f'<rect x="{LABELS}" y="{top}" width="{end - LABELS:.1f}" height="{BAR - 1}" fill="{shade}"/>')
            out.append(f'<text x="{end + 4:.1f}" y="{top + 9}" font-size="9.5">{spoken(figures[way])}</text>')
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    source, target = sys.argv[1:]
    Path(target).write_text(chart(tables(Path(source).read_text())))
