"""What DuckDB has under another name than Trino, or means otherwise by it, where sqlglot does not see to that.

Trino's documentation, "Functions and operators". Divisions of integers are a setting of DuckDB's (`worker`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_SAME = frozenset(
    {
        "bit_count",
        "histogram",
        "json_array_length",
        "map_concat",
        "map_entries",
        "map_values",
        "typeof",
        "url_decode",
        "url_encode",
    }
)
"""Functions that sqlglot does not know and that both have."""
_OTHERS = {"every": "BOOL_AND", "json_array_get": "JSON_EXTRACT"}
"""Functions of Trino → what DuckDB calls them."""
_MATCHES = frozenset({"all_match", "any_match", "none_match"})
_FUNCTIONS = _SAME | _OTHERS.keys() | _MATCHES
_GROUP = re.compile(r"\$(\d)")


def unknown(node: exp.Expr) -> str:
    """Return the name of a function that cannot be called here; nothing where a node is none."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous) and node.name.lower() not in _FUNCTIONS:
        return node.name
    # Their paths are others than those of json_extract, and are not understood.
    if isinstance(node, exp.JSONValue):
        return "json_value"
    return "json_query" if isinstance(node, exp.JSONExtract) and node.args.get("json_query") else ""


def adapted(parsed: exp.Expr) -> exp.Expr:
    """Return a statement of Trino's that DuckDB means alike."""
    # From the leaves up, so that what is within something replaced is replaced too.
    for node in reversed(list(parsed.walk())):
        other = _adapted(node)
        if other is not None:
            node.replace(other)
    return parsed


def _adapted(node: exp.Expr) -> exp.Expr | None:
    """Return what stands for a node, of which all below is adapted; None where it may stay."""
    from sqlglot import exp

    match node:
        case exp.DateDiff():
            # So many whole units are between, not so many boundaries of units.
            unit = exp.Literal.string(node.text("unit") or "day")
            return exp.Anonymous(this="DATE_SUB", expressions=[unit, node.expression.copy(), node.this.copy()])
        case exp.AtTimeZone():
            # A time is the same moment elsewhere: it is in UTC to begin with. What remains is what clocks there show.
            return exp.AtTimeZone(this=exp.cast(node.this.copy(), "timestamptz"), zone=node.args["zone"].copy())
        case exp.JSONExtract() | exp.JSONExtractScalar():
            return _of_json(node)
        case exp.RegexpExtract():
            return exp.Nullif(this=node.copy(), expression=exp.Literal.string(""))
        case exp.RegexpReplace() if isinstance(node.args.get("replacement"), exp.Literal):
            changed = node.copy()
            changed.set("replacement", exp.Literal.string(_GROUP.sub(r"\\\1", node.text("replacement"))))
            return changed
        case exp.Anonymous():
            return _function(node)
    return None


def _of_json(node: exp.Expr) -> exp.Expr:
    """Return what is at a path of a text: nothing where that is no JSON, nor a scalar where one is asked for."""
    from sqlglot import exp

    document = exp.TryCast(this=node.this.copy(), to=exp.DataType.build("json"))
    path = node.expression.copy()
    if isinstance(node, exp.JSONExtract):
        return exp.JSONExtract(this=document, expression=path)
    scalar = exp.Anonymous(this="JSON_VALUE", expressions=[document, path])
    return exp.JSONExtractScalar(this=scalar, expression=exp.Literal.string("$"))


def _function(node: exp.Anonymous) -> exp.Expr | None:
    from sqlglot import exp

    name = node.name.lower()
    given = [each.copy() for each in node.expressions]
    if name in _OTHERS:
        return exp.Anonymous(this=_OTHERS[name], expressions=given)
    if name not in _MATCHES or len(given) != 2:
        return None
    values, test = given
    matching = _length(exp.ArrayFilter(this=values, expression=test))
    if name == "any_match":
        return exp.paren(exp.GT(this=matching, expression=exp.Literal.number(0)))
    wanted = exp.Literal.number(0) if name == "none_match" else _length(values.copy())
    return exp.paren(exp.EQ(this=matching, expression=wanted))


def _length(values: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    return exp.Anonymous(this="LEN", expressions=[values])
