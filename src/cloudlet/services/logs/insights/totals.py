"""Sums of the numbers of a record, and of all records. User guide, "addtotals"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.services.logs.insights.sql import NULL, Kind, Sql
from cloudlet.services.logs.insights.syntax import AddTotals

if TYPE_CHECKING:
    from cloudlet.services.logs.insights.pipeline import Pipeline

_UNSUMMED = (Kind.TIME, Kind.TRUTH)


def add(pipeline: Pipeline, command: AddTotals) -> None:
    """Have sums added to records."""
    named = {field.name: pipeline.scope.field(field.path) for field in command.fields}
    given = named or {name: value for name, value in pipeline.shown.items() if value.kind not in _UNSUMMED}
    numbers = dict(zip(given, pipeline.computed(value.as_number for value in given.values()), strict=True))
    if command.name is not None:
        total = Sql(f"list_sum([{', '.join(one.text for one in numbers.values())}])", Kind.NUMBER)
        pipeline.add_field(command.name, total if numbers else NULL.as_number)
        numbers[command.name] = given[command.name] = pipeline.scope.field((command.name,))
    if command.has_summary:
        _summarize(pipeline, given, numbers)


def _summarize(pipeline: Pipeline, given: dict[str, Sql], numbers: dict[str, Sql]) -> None:
    """Have a record at the end with the sums of numbers, which are what fields have that were given."""
    kept = {name: value.as_number_or_text for name, value in given.items()}
    columns = dict(zip(kept, pipeline.computed(kept.values()), strict=True))
    is_last = pipeline.column()
    sums = [
        f"{Sql(f'sum({numbers[name].text})', Kind.NUMBER).as_kind(column.kind)} AS {column.text}"
        for name, column in columns.items()
    ]
    pipeline.relation = (
        f"WITH there AS MATERIALIZED ({pipeline.relation}) SELECT *, false AS {is_last} FROM there "
        f"UNION ALL BY NAME SELECT {', '.join([*sums, f'true AS {is_last}'])} FROM there HAVING count(*) > 0"
    )
    for name, column in columns.items():
        pipeline.scope = pipeline.scope.with_field(name, column)
    pipeline.order = f"{is_last}, {pipeline.order}"
