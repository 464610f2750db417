"""Results as a table: a row a figure, a column a contender, with Cloudlet's figure divided by the peer's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

OURS = "cloudlet"


@dataclass
class Row:
    """One figure of all contenders; `samples` has one value a round."""

    key: str
    label: str
    better: str
    """"more", "less", or "" where a ratio would mean nothing."""
    samples: dict[str, list[float]] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def median(self, contender: str) -> float | None:
        """The median of the rounds; None if it was not measured, or failed in any round."""
        values = self.samples.get(contender)
        return median(values) if values and contender not in self.failed else None

    def ratio(self, peer: str) -> float | None:
        """Cloudlet's figure divided by the peer's."""
        ours, theirs = self.median(OURS), self.median(peer)
        if not self.better or not theirs or ours is None or peer == OURS:
            return None
        return ours / theirs

    def as_json(self) -> dict[str, object]:
        """All that is known of the row."""
        contenders = list(self.samples)
        return {
            "key": self.key,
            "label": self.label,
            "better": self.better,
            "median": {name: self.median(name) for name in contenders},
            "cloudlet_divided_by": {name: self.ratio(name) for name in contenders if name != OURS},
            "samples": self.samples,
            "failed": sorted(self.failed),
        }


def render(rows: Sequence[Row], contenders: Sequence[str]) -> str:
    """A Markdown table, aligned to be read as it is."""
    head = ["", *contenders]
    lines = [head, *([_label(row), *(_cell(row, name) for name in contenders)] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in [head, rule, *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *others]) + " |"


def _label(row: Row) -> str:
    arrow = {"more": " ↑", "less": " ↓", "": ""}[row.better]
    return row.label + arrow


def _cell(row: Row, contender: str) -> str:
    if contender in row.failed:
        return "failed"
    value = row.median(contender)
    if value is None:
        return "–"
    ratio = row.ratio(contender)
    return _number(value) + (f" ({_number(ratio)}×)" if ratio is not None else "")


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 or not value else f"{value:.2g}"
