"""What the body of a dashboard may have. API reference, "Dashboard Body Structure and Syntax"."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

MOST_WIDGETS = 500
LARGEST_BYTES = 1 << 20
_GRID = 24
_TALLEST = 1000
_MOST_METRICS = 500
_VIEWS = ("timeSeries", "singleValue", "bar", "pie", "gauge", "table")
_FIELDS = ("start", "end", "periodOverride", "widgets", "variables")
_TIME = re.compile(r"-?P.+|\d{4}-\d{2}-\d{2}.*")
_REQUIRED: dict[str, tuple[str, ...]] = {
    "metric": (),
    "text": ("markdown",),
    "log": ("query", "region"),
    "alarm": ("alarms",),
    "explorer": ("metrics", "period", "splitBy", "widgetOptions"),
    "custom": ("endpoint",),
}
"""The types of widgets, and what their properties must have."""


@dataclass(slots=True)
class Findings:
    """What is wrong with a body: with errors it is refused, with warnings it is stored. Each has its path."""

    errors: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)


def check(text: str) -> Findings:
    """Return what is wrong with a body."""
    found = Findings()
    if len(text.encode()) > LARGEST_BYTES:
        found.errors.append(("", f"The dashboard body must not be larger than {LARGEST_BYTES} bytes"))
        return found
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        found.errors.append(("", "The body is not valid JSON"))
        return found
    if not isinstance(body, dict):
        found.errors.append(("", "Should be object"))
        return found
    for name in body:
        if name not in _FIELDS:
            found.warnings.append((f"/{name}", "Should NOT have additional properties"))
    for name in ("start", "end"):
        if name in body and not (isinstance(body[name], str) and _TIME.fullmatch(body[name])):
            found.errors.append((f"/{name}", "Should be a time, or a time span such as -PT8H"))
    if body.get("periodOverride", "auto") not in ("auto", "inherit"):
        found.errors.append(("/periodOverride", "Should be equal to one of the allowed values: auto, inherit"))
    widgets = body.get("widgets")
    if not isinstance(widgets, list):
        said = "Should be array" if "widgets" in body else "Should have required property 'widgets'"
        found.errors.append(("/widgets" if "widgets" in body else "", said))
    elif len(widgets) > MOST_WIDGETS:
        found.errors.append(("/widgets", f"Should NOT have more than {MOST_WIDGETS} items"))
    else:
        for at, widget in enumerate(widgets):
            _check_widget(f"/widgets/{at}", widget, found)
    return found


def _check_widget(path: str, widget: Any, found: Findings) -> None:
    if not isinstance(widget, dict):
        found.errors.append((path, "Should be object"))
        return
    kind = widget.get("type")
    if not isinstance(kind, str) or kind not in _REQUIRED:
        allowed = ", ".join(_REQUIRED)
        found.errors.append((f"{path}/type", f"Should be equal to one of the allowed values: {allowed}"))
        return
    for name in widget:
        if name not in ("type", "x", "y", "width", "height", "properties"):
            found.warnings.append((f"{path}/{name}", "Should NOT have additional properties"))
    if ("x" in widget) != ("y" in widget):
        found.errors.append((path, "Should have both of the properties 'x' and 'y', or none"))
    for name, low, high in (("x", 0, _GRID - 1), ("y", 0, None), ("width", 1, _GRID), ("height", 1, _TALLEST)):
        _check_whole(f"{path}/{name}", widget.get(name, low), low, high, found)
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        found.errors.append((path, "Should have required property 'properties'"))
        return
    path += "/properties"
    for name in _REQUIRED[kind]:
        if name not in properties:
            found.errors.append((path, f"Should have required property '{name}'"))
    if kind == "metric":
        _check_metrics(path, properties, found)


def _check_whole(path: str, value: Any, low: int, high: int | None, found: Findings) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        found.errors.append((path, "Should be integer"))
    elif value < low:
        found.errors.append((path, f"Should be >= {low}"))
    elif high is not None and value > high:
        found.errors.append((path, f"Should be <= {high}"))


def _check_metrics(path: str, properties: dict[str, Any], found: Findings) -> None:
    annotations = properties.get("annotations")
    has_alarms = isinstance(annotations, dict) and "alarms" in annotations
    metrics = properties.get("metrics")
    if metrics is None and not has_alarms:
        found.errors.append((path, "Should have required property 'metrics', or an alarm among its annotations"))
    if "region" not in properties and not has_alarms:
        found.errors.append((path, "Should have required property 'region'"))
    if properties.get("view", "timeSeries") not in _VIEWS:
        allowed = ", ".join(_VIEWS)
        found.errors.append((f"{path}/view", f"Should be equal to one of the allowed values: {allowed}"))
    if metrics is None:
        return
    if not isinstance(metrics, list):
        found.errors.append((f"{path}/metrics", "Should be array"))
        return
    if len(metrics) > _MOST_METRICS:
        found.errors.append((f"{path}/metrics", f"Should NOT have more than {_MOST_METRICS} items"))
    for at, metric in enumerate(metrics):
        if not isinstance(metric, list):
            found.errors.append((f"{path}/metrics/{at}", "Should be array"))
            continue
        names = metric[:-1] if metric and isinstance(metric[-1], dict) else metric
        if not names and not (metric and "expression" in metric[-1]):
            found.errors.append((f"{path}/metrics/{at}", "Should have a namespace and a name, or an expression"))
        elif not all(isinstance(name, str) for name in names):
            found.errors.append((f"{path}/metrics/{at}", "Should have strings, and an object at its end"))
        elif len(names) == 1 and names != ["..."]:
            found.errors.append((f"{path}/metrics/{at}", "Should NOT have fewer than 2 items"))
