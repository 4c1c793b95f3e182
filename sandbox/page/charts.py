"""A `data_visualization` block as inline SVG.

Shape: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

_COLOURS = ("#c2410c", "#2f6f8f", "#3f7d58", "#7c4d9e", "#b7791f", "#64748b")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 560, 170, 36, 22, 8


def data_visualization(block: dict[str, Any]) -> Markup:
    """Line, area and bar charts as drawings; a pie as the list of its parts."""
    chart = block.get("chart") or {}
    title = block.get("title") or ""
    title = title.get("text", "") if isinstance(title, dict) else title
    drawing = _parts(chart.get("segments") or []) if chart.get("type") == "pie" else _axes(chart)
    return Markup('<figure class="b graph"><figcaption>{}</figcaption>{}</figure>').format(
        title, drawing
    )


def _parts(segments: list[dict[str, Any]]) -> Markup:
    total = sum(float(segment["value"]) for segment in segments) or 1.0
    rows = (
        Markup("<tr><td>{}</td><td>{}</td><td>{} %</td></tr>").format(
            segment["label"], segment["value"], round(100 * float(segment["value"]) / total)
        )
        for segment in segments
    )
    return Markup("<table>{}</table>").format(Markup("").join(rows))


def _axes(chart: dict[str, Any]) -> Markup:
    series = chart.get("series") or []
    labels = (chart.get("axis_config") or {}).get("categories") or [
        str(point["label"]) for point in (series[0]["data"] if series else [])
    ]
    values = [[float(point["value"]) for point in one["data"]] for one in series]
    top = max([1.0, *(value for one in values for value in one)])
    slots = max(1, len(labels))
    plot = _HEIGHT - _BOTTOM - _TOP

    def x(index: float) -> float:
        return round(_LEFT + (index + 0.5) * (_WIDTH - _LEFT) / slots, 1)

    def y(value: float) -> float:
        return round(_TOP + plot * (1 - value / top), 1)

    out: list[Markup] = [
        Markup(
            '<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="currentColor" stroke-opacity=".15"/>'
            '<text x="{}" y="{}" font-size="10" fill="currentColor" opacity=".6" text-anchor="end">{:g}</text>'
        ).format(_LEFT, _WIDTH, y(value), y(value), _LEFT - 6, y(value) + 3, round(value, 1))
        for value in (0.0, top / 2, top)
    ]
    out += [
        Markup(
            '<text x="{}" y="{}" font-size="10" fill="currentColor" opacity=".6" text-anchor="middle">{}</text>'
        ).format(min(x(index), _WIDTH - 3.2 * len(label)), _HEIGHT - 6, label)
        for index, label in _readable(labels)
    ]
    for number, one in enumerate(values):
        colour = _COLOURS[number % len(_COLOURS)]
        if chart.get("type") == "bar":
            width = (_WIDTH - _LEFT) / slots * 0.7 / len(values)
            out += [
                Markup('<rect x="{}" y="{}" width="{}" height="{}" rx="2" fill="{}"/>').format(
                    round(x(i) + (number - len(values) / 2) * width, 1),
                    y(v),
                    round(width, 1),
                    y(0) - y(v),
                    colour,
                )
                for i, v in enumerate(one)
            ]
            continue
        points = " ".join(f"{x(i)},{y(v)}" for i, v in enumerate(one))
        if chart.get("type") == "area" and one:
            out.append(
                Markup('<polygon points="{} {},{} {},{}" fill="{}" fill-opacity=".18"/>').format(
                    points, x(len(one) - 1), y(0), x(0), y(0), colour
                )
            )
        out.append(
            Markup(
                '<polyline points="{}" fill="none" stroke="{}" stroke-width="2" stroke-linejoin="round"/>'
            ).format(points, colour)
        )
    legend = Markup("").join(
        Markup('<span style="color:{}">● <span>{}</span></span>').format(
            _COLOURS[i % len(_COLOURS)], one["name"]
        )
        for i, one in enumerate(series)
    )
    axis = chart.get("axis_config") or {}
    named = " · ".join(str(axis[key]) for key in ("y_label", "x_label") if axis.get(key))
    drawing = Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg><div class="legend">{} <span>{}</span></div>'
    )
    said = ", ".join(f"{label}: {one[at]:g}" for one in values for at, label in enumerate(labels))
    return drawing.format(
        _WIDTH, _HEIGHT, said, Markup("").join(out), legend if len(series) > 1 else "", named
    )


def _readable(labels: list[str]) -> list[tuple[int, str]]:
    """Labels that do not run into each other; those with words in them first."""
    width = (_WIDTH - _LEFT) / max(1, len(labels))
    kept: list[tuple[int, str]] = []
    for index, label in sorted(
        enumerate(labels), key=lambda one: (not any(c.isalpha() for c in one[1]), one[0])
    ):
        reach = 3.2 * len(label) + 3
        if all(abs(index - other) * width > reach + 3.2 * len(said) + 3 for other, said in kept):
            kept.append((index, label))
    return kept
