"""Draws rows of stacked bars as SVG, without a library."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from typing import NamedTuple

WIDTH, LEFT, HEIGHT, GAP, TOP = 960, 190, 34, 26, 46
COLOURS = [
    "#8da0b6",
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#b6992d",
    "#9c755f",
    "#e15759",
    "#76b7b2",
    "#b07aa1",
    "#ff9da7",
    "#2f4b3a",
    "#6b6ecf",
]


class Bar(NamedTuple):
    name: str
    length: float


def picture(title: str, unit: str, rows: Mapping[str, Sequence[Bar]]) -> str:
    """Return the SVG: each row's bars end to end, every row equally wide, and a legend of the colours."""
    names = list(dict.fromkeys(bar.name for bars in rows.values() for bar in bars))
    colours = dict(zip(names, cycle(COLOURS), strict=False))
    drawn = [text(LEFT, 26, title, size=15)]
    for number, (name, bars) in enumerate(rows.items()):
        y = TOP + number * (HEIGHT + GAP)
        drawn += [text(LEFT - 12, y + 22, name, anchor="end"), *row(bars, y, colours, unit)]
    y = TOP + len(rows) * (HEIGHT + GAP) + 8
    drawn += [part for number, name in enumerate(names) for part in legend_entry(number, name, colours[name], y)]
    height = y + (len(names) + 3) // 4 * 24 + 10
    font = "font-family='system-ui, sans-serif'"
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' {font}>"
    return "\n".join([head, f"<rect width='{WIDTH}' height='{height}' fill='white'/>", *drawn, "</svg>"]) + "\n"


def row(bars: Sequence[Bar], y: int, colours: Mapping[str, str], unit: str) -> list[str]:
    scale = (WIDTH - LEFT - 90) / sum(bar.length for bar in bars)
    drawn, x = list[str](), float(LEFT)
    for bar in bars:
        width = bar.length * scale
        tip = f"<title>{escape(bar.name)}: {bar.length:.0f} {unit}</title>"
        place = f"x='{x:.1f}' y='{y}' width='{width:.1f}' height='{HEIGHT}'"
        drawn.append(f"<rect {place} fill='{colours[bar.name]}'>{tip}</rect>")
        if width > 34:
            drawn.append(text(x + width / 2, y + 22, f"{bar.length:.0f}", anchor="middle", colour="white"))
        x += width
    return [*drawn, text(x + 8, y + 22, f"{sum(bar.length for bar in bars):.0f} {unit}")]


def legend_entry(number: int, name: str, colour: str, y: int) -> list[str]:
    x, y = LEFT - 120 + number % 4 * 215, y + number // 4 * 24
    return [f"<rect x='{x}' y='{y}' width='14' height='14' fill='{colour}'/>", text(x + 20, y + 12, name)]


def text(x: float, y: float, words: str, *, size: int = 13, anchor: str = "start", colour: str = "#222") -> str:
    return f"<text x='{x:.1f}' y='{y}' font-size='{size}' text-anchor='{anchor}' fill='{colour}'>{escape(words)}</text>"
