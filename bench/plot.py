"""A page of bars as SVG, which every browser shows: no library draws so little more simply."""

from collections.abc import Mapping
from html import escape

WIDTH, NAMES, VALUES = 760, 190, 70  # pixels: of all, of the names and of the values
LINE, GAP = 24, 34
STYLE = """
svg { background: #fff; color-scheme: light dark; font: 13px system-ui, sans-serif; }
text { fill: #1f2937; dominant-baseline: central; }
.title { font-size: 15px; font-weight: 600; }
.head { font-weight: 600; }
.name { text-anchor: end; }
.unit { fill: #6b7280; }
.bar { fill: #2563eb; }
@media (prefers-color-scheme: dark) {
  svg { background: #111827; }
  text { fill: #e5e7eb; }
  .unit { fill: #9ca3af; }
  .bar { fill: #60a5fa; }
}
"""

Bars = Mapping[str, float]


def draw(title: str, charts: Mapping[tuple[str, str], Bars]) -> str:
    """Charts below each other, by their heading and unit; each has a scale of its own."""
    parts, y = [_text("title", 16, 22, title)], 22 + GAP
    for (heading, unit), bars in charts.items():
        parts.append(_text("head", 16, y, heading, f'<tspan class="unit" dx="8">{unit}</tspan>'))
        y += LINE + 2
        largest = max(bars.values(), default=0) or 1
        for name, value in bars.items():
            length = value / largest * (WIDTH - NAMES - VALUES)
            parts.append(_text("name", NAMES - 10, y, name))
            parts.append(
                f'<rect class="bar" x="{NAMES}" y="{y - 8}" width="{length:.1f}" '
                'height="16" rx="2"/>'
            )
            parts.append(_text("value", NAMES + length + 8, y, _number(value)))
            y += LINE
        y += GAP - LINE + 6
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}"'
    return (
        f'{head} height="{y}" role="img"><style>{STYLE}</style>\n' + "\n".join(parts) + "</svg>\n"
    )


def _text(kind: str, x: float, y: float, text: str, more: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}">{escape(text)}{more}</text>'


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
