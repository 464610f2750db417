"""Records of an identity between which no more than some time passes. User guide, "sessionize"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.services.logs.insights import functions
from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.scope import POSITION
from cloudlet.services.logs.insights.sql import NULL, SO_FAR, Kind, Sql
from cloudlet.services.logs.insights.syntax import Sessionize

if TYPE_CHECKING:
    from cloudlet.services.logs.insights.pipeline import Pipeline


def identify(pipeline: Pipeline, command: Sessionize) -> None:
    """Have each record told of which session it is. Raises QueryProblem."""
    time = pipeline.scope.field(("@timestamp",))
    if time is NULL:
        raise QueryProblem("sessionize needs @timestamp", command.span.start, command.span.end)
    identity = pipeline.computed(Sql(pipeline.sql(one).shown, Kind.TEXT) for one in command.fields)
    keys = ", ".join(key.text for key in identity)
    [moment] = pipeline.computed([Sql(time.time, Kind.TIME)])
    order = ", ".join([moment.text, *(POSITION if pipeline.scope.has_events else ())])
    window = f"PARTITION BY {keys} ORDER BY {order}"
    since = f"{moment.text} - lag({moment.text}) OVER ({window})"
    is_first = f"CASE WHEN {since} <= {functions.millis(command.gap)} THEN 0 ELSE 1 END"
    [first] = pipeline.computed([Sql(is_first, Kind.NUMBER)])
    [nth] = pipeline.computed([Sql(f"sum({first.text}) OVER ({window} {SO_FAR})", Kind.NUMBER)])
    told = f"CAST(to_json([{keys}, CAST({nth.text} AS VARCHAR)]) AS VARCHAR)"
    pipeline.add_field(command.name, Sql(f"md5({told})", Kind.TEXT))
