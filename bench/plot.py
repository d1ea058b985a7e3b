"""Plots as SVG files: lines over two logarithmic axes, each line named at its end."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 44, 52
#: Legible on white and on dark grey alike.
COLOURS = ("#0d8a72", "#c2571a", "#4a6fd4", "#a8429a", "#8a7a00", "#5f6b6b")

Points = Sequence[tuple[float, float]]


def svg(title: str, x_name: str, y_name: str, lines: Mapping[str, Points]) -> str:
    """The plot as one SVG document. Values of 0 and below have no place on it and are left out."""
    kept = {name: [p for p in points if p[0] > 0 and p[1] > 0] for name, points in lines.items()}
    xs, ys = ([p[i] for points in kept.values() for p in points] for i in (0, 1))
    x, y = _Scale(xs, LEFT, WIDTH - RIGHT), _Scale(ys, HEIGHT - BOTTOM, TOP)
    parts = [
        _text(LEFT, 20, title, weight=600),
        *_axes(x, y),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_name, "middle"),
        _text(LEFT, TOP - 8, y_name),
        *_lines(kept, x, y),
    ]
    style = 'font-family="system-ui, sans-serif" font-size="12" fill="#6b7674"'
    gist = "; ".join(
        f"{name}: {_short(points[0][1])} to {_short(points[-1][1])} {y_name}"
        for name, points in kept.items()
        if points
    )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" {style}>\n'
        f"<title>{escape(title)}</title><desc>{escape(gist)}</desc>\n{body}\n</svg>\n"
    )


class _Scale:
    """Where a value stands between two edges, by its logarithm; the edges are round."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.start, self.end = start, end
        low, high = min(values, default=1.0), max(values, default=10.0)
        self._low, self._high = math.floor(math.log10(low)), math.ceil(math.log10(high))
        if self._low == self._high:
            self._high += 1

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self.start + share * (self.end - self.start)

    def marks(self) -> list[float]:
        return [10.0**power for power in range(self._low, self._high + 1)]


def _axes(x: _Scale, y: _Scale) -> Iterator[str]:
    for mark in y.marks():
        yield (
            f'<path d="M{x.start:g} {y(mark):.1f}H{x.end:g}" stroke="#8d9997" '
            f'stroke-opacity=".35"/>'
        )
        yield _text(x.start - 8, y(mark) + 4, _short(mark), "end")
    for mark in x.marks():
        yield f'<path d="M{x(mark):.1f} {y.start:g}v5" stroke="#8d9997"/>'
        yield _text(x(mark), y.start + 20, _short(mark), "middle")


def _lines(lines: Mapping[str, Points], x: _Scale, y: _Scale) -> Iterator[str]:
    taken: list[float] = []
    for number, (name, points) in enumerate(lines.items()):
        if not points:
            continue
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in points)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (
            f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>' for a, b in points
        )
        place = _free(y(points[-1][1]) + 4, taken)
        yield _text(x.end + 10, place, name, fill=colour)


def _free(wanted: float, taken: list[float]) -> float:
    """The nearest height at which a name covers no other."""
    step = next(s for s in range(200) if all(abs(wanted + _turn(s) - t) >= 15 for t in taken))
    taken.append(wanted + _turn(step))
    return taken[-1]


def _turn(step: int) -> float:
    return (step + 1) // 2 * 5 * (1 if step % 2 else -1)


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def _text(
    x: float, y: float, words: str, anchor: str = "start", weight: int = 400, fill: str = ""
) -> str:
    colour = f' fill="{fill}"' if fill else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'font-weight="{weight}"{colour}>{escape(words)}</text>'
    )
