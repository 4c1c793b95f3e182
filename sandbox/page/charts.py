"""A `data_visualization` block as inline SVG.

Shape: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
"""

from __future__ import annotations

from markupsafe import Markup

from sandbox.wire import Json

_COLOURS = ("#c2410c", "#2f6f8f", "#3f7d58", "#7c4d9e", "#b7791f", "#64748b")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 560, 170, 36, 22, 8


def data_visualization(block: Json) -> Markup:
    """Line, area and bar charts as drawings; a pie as the list of its parts."""
    chart = block.get("chart") or {}
    title = block.get("title") or ""
    title = title.get("text", "") if isinstance(title, dict) else title
    pie = chart.get("type") == "pie"
    drawing = _parts(chart.get("segments") or []) if pie else _Drawing(chart).html()
    return Markup('<figure class="b graph"><figcaption>{}</figcaption>{}</figure>').format(
        title, drawing
    )


def _parts(segments: list[Json]) -> Markup:
    total = sum(float(segment["value"]) for segment in segments) or 1.0
    rows = (
        Markup("<tr><td>{}</td><td>{}</td><td>{} %</td></tr>").format(
            segment["label"], segment["value"], round(100 * float(segment["value"]) / total)
        )
        for segment in segments
    )
    return Markup("<table>{}</table>").format(Markup("").join(rows))


class _Drawing:
    """A chart with axes."""

    def __init__(self, chart: Json) -> None:
        series = chart.get("series") or []
        axis = chart.get("axis_config") or {}
        first = [str(point["label"]) for point in series[0]["data"]] if series else []
        self.kind = chart.get("type")
        self.names = [row["name"] for row in series]
        self.labels: list[str] = axis.get("categories") or first
        self.values = [[float(point["value"]) for point in row["data"]] for row in series]
        self.top = max([1.0, *(value for row in self.values for value in row)])
        self.slot = (_WIDTH - _LEFT) / max(1, len(self.labels))
        self.axes = " · ".join(str(axis[key]) for key in ("y_label", "x_label") if axis.get(key))

    def x(self, index: float) -> float:
        return round(_LEFT + (index + 0.5) * self.slot, 1)

    def y(self, value: float) -> float:
        return round(_TOP + (_HEIGHT - _BOTTOM - _TOP) * (1 - value / self.top), 1)

    def html(self) -> Markup:
        plots = [self.plot(number, row) for number, row in enumerate(self.values)]
        words = ", ".join(
            f"{label}: {row[index]:g}"
            for row in self.values
            for index, label in enumerate(self.labels)
        )
        return Markup(
            '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>'
            '<div class="legend">{} <span>{}</span></div>'
        ).format(
            *(_WIDTH, _HEIGHT, words, self.levels(), self.categories(), Markup("").join(plots)),
            *(self.legend(), self.axes),
        )

    def levels(self) -> Markup:
        level = Markup(
            '<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="currentColor" stroke-opacity=".15"/>'
            '<text x="{}" y="{}" font-size="10" fill="currentColor" opacity=".6"'
            ' text-anchor="end">{:g}</text>'
        )
        return Markup("").join(
            level.format(_LEFT, _WIDTH, y, y, _LEFT - 6, y + 3, round(value, 1))
            for value in (0.0, self.top / 2, self.top)
            for y in (self.y(value),)
        )

    def categories(self) -> Markup:
        category = Markup(
            '<text x="{}" y="{}" font-size="10" fill="currentColor" opacity=".6"'
            ' text-anchor="middle">{}</text>'
        )
        return Markup("").join(
            category.format(min(self.x(index), _WIDTH - 3.2 * len(label)), _HEIGHT - 6, label)
            for index, label in _readable(self.labels)
        )

    def plot(self, number: int, values: list[float]) -> Markup:
        """One series: bars, or a line with or without an area below it."""
        colour = _colour(number)
        if self.kind == "bar":
            width = self.slot * 0.7 / len(self.values)
            shift = (number - len(self.values) / 2) * width
            bar = Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="2" fill="{}"/>')
            return Markup("").join(
                bar.format(
                    *(round(self.x(index) + shift, 1), self.y(value), round(width, 1)),
                    *(self.y(0) - self.y(value), colour),
                )
                for index, value in enumerate(values)
            )
        points = " ".join(f"{self.x(index)},{self.y(value)}" for index, value in enumerate(values))
        line = Markup(
            '<polyline points="{}" fill="none" stroke="{}" stroke-width="2"'
            ' stroke-linejoin="round"/>'
        ).format(points, colour)
        if self.kind != "area" or not values:
            return line
        corners = f"{self.x(len(values) - 1)},{self.y(0)} {self.x(0)},{self.y(0)}"
        area = Markup('<polygon points="{} {}" fill="{}" fill-opacity=".18"/>')
        return area.format(points, corners, colour) + line

    def legend(self) -> Markup:
        if len(self.names) < 2:
            return Markup("")
        entry = Markup('<span style="color:{}">● <span>{}</span></span>')
        return Markup("").join(
            entry.format(_colour(number), name) for number, name in enumerate(self.names)
        )


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _readable(labels: list[str]) -> list[tuple[int, str]]:
    """Return labels that do not run into each other; those with words in them go first."""
    width = (_WIDTH - _LEFT) / max(1, len(labels))

    def words_first(entry: tuple[int, str]) -> tuple[bool, int]:
        return not any(character.isalpha() for character in entry[1]), entry[0]

    readable: list[tuple[int, str]] = []
    for index, label in sorted(enumerate(labels), key=words_first):
        reach = 3.2 * len(label) + 3
        if all(
            abs(index - other) * width > reach + 3.2 * len(neighbour) + 3
            for other, neighbour in readable
        ):
            readable.append((index, label))
    return readable
