"""UNNEST of maps and of lists of rows, which become several columns: in DuckDB they are one.

Trino's documentation, "SELECT", "UNNEST": a map has a column of keys and one of values, a list of rows one of each
field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cloudlet.services.cloudtrail.lake.columns import COLUMNS

if TYPE_CHECKING:
    from sqlglot import exp

_DEEPEST: Final = 20
_MAPS: Final = frozenset({"map", "map_agg", "map_concat", "map_filter", "transform_values", "transform_keys"})
_OF_FIRST: Final = frozenset(
    {"array_distinct", "array_except", "array_intersect", "array_sort", "array_union", "reverse", "shuffle"}
)
"""Functions that give what they are given first, or some of it."""


class _Kind(NamedTuple):
    """What unnesting something gives."""

    is_map: bool = False
    is_rows: bool = False
    width: int | None = 1
    """How many columns, if that is known."""


_PLAIN, _MAP, _ROWS = _Kind(), _Kind(is_map=True, width=2), _Kind(is_rows=True, width=None)


def adapted(parsed: exp.Expr) -> exp.Expr:
    """Return a statement in which what is unnested has as many columns as in Trino. Raises ParseError."""
    from sqlglot import exp

    named = {alias.alias.lower(): alias.this for alias in parsed.find_all(exp.Alias)}
    for node in list(parsed.find_all(exp.Unnest)):
        kinds = [_kind(value, named, 0) for value in node.expressions]
        if any(kind != _PLAIN for kind in kinds) and isinstance(node.parent, exp.From | exp.Join):
            _check_width(node, kinds)
            node.replace(_lateral(node, kinds))
    return parsed


def _check_width(node: exp.Unnest, kinds: list[_Kind]) -> None:
    from sqlglot.errors import ParseError

    widths = [kind.width for kind in kinds if kind.width is not None]
    given = len(node.alias_column_names)
    if given and len(widths) == len(kinds) and given != sum(widths):
        raise ParseError(
            f"Column alias list has {given} entries but '{node.alias}' has {sum(widths)} columns available"
        )


def _lateral(node: exp.Unnest, kinds: list[_Kind]) -> exp.Expr:
    """Return the subquery that stands for an UNNEST."""
    from sqlglot import exp

    lists = [
        _call("MAP_ENTRIES", value) if kind.is_map else value.copy()
        for value, kind in zip(node.expressions, kinds, strict=True)
    ]
    fields = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2))
    unnested: list[exp.Expr] = [
        _call("UNNEST", each)
        if kind == _PLAIN
        else exp.Anonymous(this="UNNEST", expressions=[each.copy(), fields.copy()])
        for each, kind in zip(lists, kinds, strict=True)
    ]
    alias = node.args["alias"].copy() if node.args.get("alias") else None
    place = node.args.get("offset")
    if place:
        longest = exp.Anonymous(this="GREATEST", expressions=[_call("LEN", each) for each in lists])
        numbers = exp.Anonymous(
            this="RANGE", expressions=[exp.Literal.number(1), exp.Add(this=longest, expression=exp.Literal.number(1))]
        )
        unnested.append(_call("UNNEST", numbers))
        if alias is not None and isinstance(place, exp.Identifier):
            alias.append("columns", place.copy())
    return exp.Lateral(this=exp.Subquery(this=exp.select(*unnested)), alias=alias)


def _call(name: str, value: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=[value.copy()])


def _kind(value: exp.Expr, named: Mapping[str, exp.Expr], depth: int) -> _Kind:
    """Return what unnesting a value gives, as far as the statement tells."""
    from sqlglot import exp

    value = value.unnest()
    if depth > _DEEPEST:
        return _PLAIN
    match value:
        case exp.Column() | exp.Dot():
            return _of_path([part.name.lower() for part in value.parts], named, depth)
        case exp.Cast() | exp.TryCast():
            return _of_type(value.to)
        case exp.Array():
            first = next(iter(value.expressions), None)
            return _ROWS if isinstance(first, exp.Struct | exp.Tuple) or _name(first) == "row" else _PLAIN
        case exp.Map() | exp.VarMap() | exp.MapFromEntries():
            return _MAP
        case exp.ArrayFilter() | exp.ArraySlice() | exp.ArrayConcat() | exp.Coalesce():
            return _kind(value.this, named, depth + 1)
    name = _name(value)
    if name == "map_entries":
        return _Kind(is_rows=True, width=2)
    if name in _MAPS:
        return _MAP
    if name in _OF_FIRST:
        [first, *_] = [*value.expressions, value.this]
        return _kind(first, named, depth + 1) if isinstance(first, exp.Expression) else _PLAIN
    return _PLAIN


def _name(value: exp.Expr | None) -> str:
    """Return the name of a function that is called; nothing where none is."""
    from sqlglot import exp

    if isinstance(value, exp.Anonymous):
        return value.name.lower()
    return value.sql_name().lower() if isinstance(value, exp.Func) else ""


def _of_path(path: list[str], named: Mapping[str, exp.Expr], depth: int) -> _Kind:
    """Return what unnesting a field gives, which may have the name of its table before it."""
    for parts in (path, path[1:]):
        found = _at(parts)
        if found is not None:
            return _of_shape(found)
    other = named.get(path[-1])
    return _PLAIN if other is None else _kind(other, named, depth + 1)


def _at(path: list[str]) -> Any:
    """Return the type of a field of events; None for what is not there."""
    shape: Any = COLUMNS if path else None
    for part in path:
        if not isinstance(shape, dict):
            return None
        shape = next((each for name, each in shape.items() if name.lower() == part), None)
    return shape


def _of_shape(shape: Any) -> _Kind:
    if isinstance(shape, list) and isinstance(shape[0], dict):
        return _Kind(is_rows=True, width=len(shape[0]))
    return _MAP if isinstance(shape, str) and shape.startswith("MAP") else _PLAIN


def _of_type(kind: exp.DataType) -> _Kind:
    from sqlglot import exp

    if kind.this == exp.DataType.Type.MAP:
        return _MAP
    if kind.this in (exp.DataType.Type.ARRAY, exp.DataType.Type.LIST) and kind.expressions:
        inner = kind.expressions[0]
        if isinstance(inner, exp.DataType) and inner.this == exp.DataType.Type.STRUCT:
            return _Kind(is_rows=True, width=len(inner.expressions))
    return _PLAIN
