"""Which fields there are at some place of a query, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Protocol

from cloudlet.services.logs.insights.sql import NULL, Kind, Sql, json_path, literal

MESSAGE, UNMASKED = "m", "um"
_LAMBDA = "contains(log, ':/aws/lambda/')"
_DOCUMENT = (
    f"CASE WHEN json_valid({MESSAGE}) THEN {MESSAGE} "
    f"WHEN {_LAMBDA} THEN insights_json(substr({MESSAGE}, strpos({MESSAGE}, '{{'))) END"
)
"""The JSON that a message is; of Lambda, what is behind the metadata that Lambda writes first."""
_FOUND = {
    "@type": "^(START|END|REPORT) RequestId: ",
    "@requestId": "RequestId: ([0-9a-f-]{36})",
    "@xrayTraceId": "XRAY TraceId: (1-[0-9a-f]{8}-[0-9a-f]{24})",
    "@xraySegmentId": "SegmentId: ([0-9a-f]{16})",
}
"""Texts in the messages of Lambda."""
_BYTES = 1_000_000
_MOST_JOINED = 3
"""Of longer names the parts are not looked for together."""
_EVENT = {
    "@timestamp": Sql("ts", Kind.TIME),
    "@ingestionTime": Sql("ing", Kind.TIME),
    "@message": Sql(MESSAGE, Kind.TEXT),
    "@logStream": Sql("stream", Kind.TEXT),
    "@log": Sql("log", Kind.TEXT),
    "@entity": NULL,
}
_REPORTED = {
    "@duration": ("\\tDuration: ([0-9.]+) ms", 1),
    "@billedDuration": ("\\tBilled Duration: ([0-9.]+) ms", 1),
    "@initDuration": ("\\tInit Duration: ([0-9.]+) ms", 1),
    "@memorySize": ("\\tMemory Size: ([0-9]+) MB", _BYTES),
    "@maxMemoryUsed": ("\\tMax Memory Used: ([0-9]+) MB", _BYTES),
}
"""Numbers in the reports of Lambda, and what they are multiplied by."""
POSITION = ("ts", "g", "st", "rw", "n")
"""Of an event: its time, the number of its group among those of the query, its stream, its row, its place in that."""
BASE = (*POSITION, "ing", "stream", "log", MESSAGE, UNMASKED)
"""The columns of events. `ing` is when they came."""


class Discovered:
    """The fields that are found in the messages of events: those that a query asks for."""

    def __init__(self) -> None:
        self._paths: dict[tuple[str | int, ...], str] = {}

    @property
    def columns(self) -> list[str]:
        return list(self._paths.values())

    def column(self, path: tuple[str | int, ...]) -> Sql:
        """Return the column of a field of JSON documents."""
        return Sql(self._paths.setdefault(path, f"d{len(self._paths)}"), Kind.TEXT)

    def over(self, events: str) -> str:
        """Return SQL that selects events, with those columns."""
        if not self._paths:
            return events
        places = [place for path in self._paths for place in _places(path)]
        listed = ", ".join(literal(place) for place in places)
        columns, at = [], 1
        for path, column in self._paths.items():
            found = []
            for place in _places(path):
                value, kind = f"found[{at}]", f"json_type(document, {literal(place)})"
                found.append(
                    f"CASE WHEN {value} = 'true' AND {kind} = 'BOOLEAN' THEN '1' "
                    f"WHEN {value} = 'false' AND {kind} = 'BOOLEAN' THEN '0' ELSE {value} END"
                )
                at += 1
            columns.append(f"coalesce({', '.join(found)}) AS {column}")
        documents = f"SELECT *, {_DOCUMENT} AS document FROM ({events})"
        extracted = f"SELECT *, json_extract_string(document, [{listed}]) AS found FROM ({documents})"
        return f"SELECT * EXCLUDE (document, found), {', '.join(columns)} FROM ({extracted})"


def _places(path: tuple[str | int, ...]) -> list[str]:
    """Return where a field may be: dots may be within keys, and numbers may be keys or places in lists."""
    readings = [path]
    if any(isinstance(step, str) and step.isdecimal() for step in path):
        readings.append(tuple(int(step) if isinstance(step, str) and step.isdecimal() else step for step in path))
    if 1 < len(path) <= _MOST_JOINED:
        for joined in product((False, True), repeat=len(path) - 1):
            if any(joined):
                readings.append(_joined(path, joined))
    return [json_path(reading) for reading in dict.fromkeys(readings)]


def _joined(path: tuple[str | int, ...], joined: tuple[bool, ...]) -> tuple[str | int, ...]:
    """Return a path in which some parts belong to the ones before them."""
    found = [path[0]]
    for step, is_joined in zip(path[1:], joined, strict=True):
        if is_joined:
            found[-1] = f"{found[-1]}.{step}"
        else:
            found.append(step)
    return tuple(found)


class Record(Protocol):
    """Something that has fields."""

    def field(self, path: tuple[str | int, ...]) -> Sql:
        """Return a field; null for what is not there."""


class Scope:
    """The fields by their names. Names of fields that no command has made are looked for in events."""

    def __init__(
        self, discovered: Discovered | None, fields: dict[str, Sql], joined: Mapping[str, Record] | None = None
    ) -> None:
        self._discovered = discovered
        self._fields = fields
        self._joined = joined
        """The records that are joined, by their aliases; the first of them is meant where there is no alias."""

    @classmethod
    def of_events(cls) -> tuple[Scope, Discovered]:
        """Return the scope at the begin of a query."""
        discovered = Discovered()
        return cls(discovered, dict(_EVENT)), discovered

    @property
    def has_events(self) -> bool:
        """Whether records are events still, and not statistics."""
        return self._discovered is not None

    def statistic(self, name: str) -> Sql | None:
        """Return what has a name, where records are statistics."""
        return None if self.has_events else self._fields.get(name)

    def with_field(self, name: str, value: Sql) -> Scope:
        return Scope(self._discovered, {**self._fields, name: value}, self._joined)

    def joined(self, left: str, right: str, other: Record) -> Scope:
        """Return the scope of records that have others beside them."""
        return Scope(self._discovered, {}, {left: self, right: other})

    def field(self, path: tuple[str | int, ...]) -> Sql:
        """Return a field; null for what is not there."""
        for length in range(len(path), 0, -1):
            value = self._fields.get(".".join(map(str, path[:length])))
            if value is None:
                continue
            if length == len(path):
                return value
            return Sql(f"json_extract({value.document}, {literal(json_path(path[length:]))})", Kind.JSON)
        if self._joined is not None:
            record = self._joined.get(str(path[0])) if len(path) > 1 else None
            return next(iter(self._joined.values())).field(path) if record is None else record.field(path[1:])
        if self._discovered is None:
            return NULL
        name = str(path[0])
        if name.startswith("@@"):
            # So AWS names fields whose own names begin with an at sign.
            return self._discovered.column((name[1:], *path[1:]))
        if len(path) == 1 and name.startswith("@"):
            return _of_lambda(name)
        return self._discovered.column(path)


def _of_lambda(name: str) -> Sql:
    """Return a field that AWS discovers in events of Lambda."""
    if name in _REPORTED:
        pattern, factor = _REPORTED[name]
        found = f"TRY_CAST(regexp_extract({MESSAGE}, {literal(pattern)}, 1) AS DOUBLE) * {factor}"
        return Sql(f"CASE WHEN {_LAMBDA} AND starts_with({MESSAGE}, 'REPORT ') THEN {found} END", Kind.NUMBER)
    regex = _FOUND.get(name)
    if regex is None:
        return NULL
    return Sql(f"CASE WHEN {_LAMBDA} THEN nullif(regexp_extract({MESSAGE}, {literal(regex)}, 1), '') END", Kind.TEXT)
