"""Values that are far from all others. User guide, "outlier".

How far is told in widths of the middle half of all values: above its end, or, if that is asked for, below its begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.services.logs.insights.sql import Kind, Sql
from cloudlet.services.logs.insights.syntax import Outlier

if TYPE_CHECKING:
    from cloudlet.services.logs.insights.pipeline import Pipeline


def handle(pipeline: Pipeline, command: Outlier) -> None:
    """Have records with outliers left out, or these become the last values that are none."""
    given = {field.name: pipeline.scope.field(field.path) for field in command.fields}
    numbers = [number.text for number in pipeline.computed(value.as_number for value in given.values())]
    fences = [(pipeline.column(), pipeline.column()) for _ in numbers]
    found = ", ".join(
        f"{bound} AS {column}"
        for number, columns in zip(numbers, fences, strict=True)
        for bound, column in zip(_fences(number, command.factor), columns, strict=True)
    )
    pipeline.relation = (
        f"WITH there AS MATERIALIZED ({pipeline.relation}) SELECT * FROM there, (SELECT {found} FROM there)"
    )
    for (name, value), number, (low, high) in zip(given.items(), numbers, fences, strict=True):
        too_low = f"{number} < {low}" if command.looks_below else "false"
        if command.removes:
            is_outlier = f"coalesce({number} > {high} OR {too_low}, false)"
            pipeline.relation = f"SELECT * FROM ({pipeline.relation}) WHERE NOT {is_outlier}"
            continue
        kept = value.as_number_or_text
        lowest, highest = (Sql(bound, Kind.NUMBER).as_kind(kept.kind) for bound in (low, high))
        clamped = f"WHEN {number} > {high} THEN {highest} WHEN {too_low} THEN {lowest} ELSE {kept.text}"
        [column] = pipeline.computed([Sql(f"CASE {clamped} END", kept.kind)])
        pipeline.scope = pipeline.scope.with_field(name, column)


def _fences(number: str, factor: float) -> tuple[str, str]:
    """Return SQL for how low and how high numbers of a column are that are no outliers."""
    lower, upper = (f"insights_percentile({number}, {share})" for share in (0.25, 0.75))
    width = f"{factor!r} * ({upper} - {lower})"
    return f"{lower} - {width}", f"{upper} + {width}"
