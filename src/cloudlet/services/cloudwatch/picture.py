"""Draws widgets as PNG, with matplotlib, which is there where Cloudlet was installed with its extra `pictures`."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.cloudwatch.widget import Axis, Mark, Widget

_DOTS_PER_INCH = 100
_COLORS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
)
_MARK_COLOR, _MARK_WIDTH = "#d13212", 2.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series in a picture. Times are in seconds since the epoch."""

    label: str
    times: list[int]
    values: list[float]
    color: str | None
    right: bool


def draw(widget: Widget, series: list[Drawn]) -> bytes:
    """Return the picture of some series as PNG. Takes its time: to be called in a thread. Raises AwsError."""
    size = (widget.width / _DOTS_PER_INCH, widget.height / _DOTS_PER_INCH)
    background, ink = ("#16191f", "#d5dbdb") if widget.dark else ("#ffffff", "#16191f")
    figure = _matplotlib("figure").Figure(figsize=size, dpi=_DOTS_PER_INCH, facecolor=background, layout="constrained")
    _matplotlib("backends.backend_agg").FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor(background)
    if widget.title:
        axes.set_title(widget.title, color=ink, fontsize=10)
    _VIEWS[widget.view](widget, figure, axes, series, ink)
    image = io.BytesIO()
    figure.savefig(image, format="png", facecolor=background)
    return image.getvalue()


def check() -> None:
    """Raise AwsError where there is nothing to draw with."""
    if find_spec("matplotlib") is None:
        raise _missing("matplotlib")


def _missing(name: str | None) -> AwsError:
    return AwsError("NotImplemented", f"Pictures of metrics need {name}: pip install {name}", status=501)


@cache
def _matplotlib(name: str) -> Any:
    """Return a module of matplotlib's. Raises AwsError where it is not installed."""
    try:
        # Labels are texts: what looks like a formula is none.
        import_module("matplotlib").rcParams["text.parse_math"] = False
        return import_module(f"matplotlib.{name}")
    except ModuleNotFoundError as error:
        raise _missing(error.name) from error


def _named(label: str | None) -> str | None:
    """Return a label for the legend, from which matplotlib keeps those that begin with an underscore."""
    return f" {label}" if label and label.startswith("_") else label


def _colored(series: list[Drawn]) -> list[tuple[Drawn, str]]:
    return [(one, one.color or _COLORS[at % len(_COLORS)]) for at, one in enumerate(series)]


def _style(axes: Any, ink: str, axis: Axis) -> None:
    axes.tick_params(colors=ink, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(ink)
    axes.set_ylim(axis.low, axis.high)
    if axis.label:
        axes.set_ylabel(axis.label, color=ink, fontsize=8)


def _dates(times: list[int], zone: timezone) -> list[datetime]:
    return [datetime.fromtimestamp(time, zone) for time in times]


def _time_series(widget: Widget, figure: Any, axes: Any, series: list[Drawn], ink: str) -> None:
    dates = _matplotlib("dates")
    needs_right = any(one.right for one in series) or any(mark.right for mark in widget.horizontal)
    right: Any = axes.twinx() if needs_right else None
    for on_right, target in ((False, axes), (True, right)):
        colored = [(one, color) for one, color in _colored(series) if one.right == on_right]
        if target is None or not colored:
            continue
        if widget.stacked:
            _stack(target, colored, widget.zone)
        else:
            for one, color in colored:
                dot = "." if len(one.times) == 1 else ""
                times = _dates(one.times, widget.zone)
                target.plot(times, one.values, color=color, label=_named(one.label), linewidth=1.5, marker=dot or None)
    for mark in widget.horizontal:
        _horizontal(right if mark.right else axes, mark)
    for mark in widget.vertical:
        _vertical(axes, mark, widget)
    begin, end = (datetime.fromtimestamp(time, widget.zone) for time in (widget.begin, widget.end))
    axes.set_xlim(begin, end)
    locator = dates.AutoDateLocator(tz=widget.zone, minticks=3)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=widget.zone))
    axes.grid(alpha=0.25)
    _style(axes, ink, widget.left)
    if right is not None:
        _style(right, ink, widget.right)
    for mark in widget.horizontal:
        _fill(right if mark.right else axes, mark)
    _legend(widget, figure, ink, [target for target in (axes, right) if target is not None])


def _stack(target: Any, colored: list[tuple[Drawn, str]], zone: timezone) -> None:
    """Draw series on top of each other; where one has no value, it adds nothing."""
    times = sorted({time for one, _ in colored for time in one.times})
    rows = []
    for one, _ in colored:
        points = dict(zip(one.times, one.values, strict=True))
        rows.append([points.get(time, 0.0) for time in times])
    names = [_named(one.label) for one, _ in colored]
    target.stackplot(_dates(times, zone), *rows, labels=names, colors=[color for _, color in colored], alpha=0.8)


def _horizontal(target: Any, mark: Mark) -> None:
    color = mark.color or _MARK_COLOR
    target.axhline(mark.at, color=color, linewidth=_MARK_WIDTH, linestyle="--", label=_named(mark.label))
    if mark.to is not None:
        target.axhline(mark.to, color=color, linewidth=_MARK_WIDTH, linestyle="--")
        target.axhspan(mark.at, mark.to, color=color, alpha=0.15)


def _fill(target: Any, mark: Mark) -> None:
    """Fill what is above or below a mark, to the end of an axis that has got its range."""
    low, high = target.get_ylim()
    end = {"above": high, "below": low}.get(mark.fill)
    if mark.to is None and end is not None:
        begin = min(max(mark.at, low), high)
        target.axhspan(begin, end, color=mark.color or _MARK_COLOR, alpha=0.15)
        target.set_ylim(low, high)


def _vertical(axes: Any, mark: Mark, widget: Widget) -> None:
    color = mark.color or _MARK_COLOR
    at = datetime.fromtimestamp(mark.at, widget.zone)
    axes.axvline(at, color=color, linewidth=_MARK_WIDTH, linestyle="--", label=_named(mark.label))
    to = mark.to
    if to is None and mark.fill in ("before", "after"):
        to = widget.begin if mark.fill == "before" else widget.end
    if to is not None:
        axes.axvspan(at, datetime.fromtimestamp(to, widget.zone), color=color, alpha=0.15)


def _legend(widget: Widget, figure: Any, ink: str, targets: list[Any]) -> None:
    if widget.legend == "hidden":
        return
    found = [target.get_legend_handles_labels() for target in targets]
    handles = [handle for one, _ in found for handle in one]
    names = [name for _, some in found for name in some]
    if not handles:
        return
    place = "outside lower center" if widget.legend == "bottom" else "outside right upper"
    columns = max(1, min(len(handles), widget.width // 150)) if widget.legend == "bottom" else 1
    figure.legend(handles, names, loc=place, ncols=columns, fontsize=8, frameon=False, labelcolor=ink)


def _bar(widget: Widget, figure: Any, axes: Any, series: list[Drawn], ink: str) -> None:
    colored = _colored([one for one in series if one.values])
    names = [one.label for one, _ in colored]
    axes.bar(names, [one.values[-1] for one, _ in colored], color=[color for _, color in colored])
    for mark in widget.horizontal:
        _horizontal(axes, mark)
    _style(axes, ink, widget.left)


def _pie(widget: Widget, figure: Any, axes: Any, series: list[Drawn], ink: str) -> None:
    colored = [(one, color) for one, color in _colored(series) if one.values and one.values[-1] > 0]
    if colored:
        axes.pie(
            [one.values[-1] for one, _ in colored],
            labels=[one.label for one, _ in colored],
            colors=[color for _, color in colored],
            textprops={"color": ink, "fontsize": 8},
        )
    else:
        axes.axis("off")


def _single_value(widget: Widget, figure: Any, axes: Any, series: list[Drawn], ink: str) -> None:
    axes.axis("off")
    colored = _colored(series)
    for at, (one, color) in enumerate(colored):
        x = (at + 0.5) / len(colored)
        value = f"{one.values[-1]:.6g}" if one.values else "--"
        axes.text(x, 0.55, value, ha="center", va="center", fontsize=22, color=ink, transform=axes.transAxes)
        axes.text(x, 0.25, one.label, ha="center", va="center", fontsize=9, color=color, transform=axes.transAxes)


_VIEWS = {"timeSeries": _time_series, "bar": _bar, "pie": _pie, "singleValue": _single_value}
