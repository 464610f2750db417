"""How an update changes a document: what is given takes the place of what was, and what is empty takes it away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudlet.core import Params
from cloudlet.services.apigateway.documents import Document


def merged(document: Document, params: Params, members: Iterable[str], maps: Iterable[str] = ()) -> Document:
    """Return a document with the given ones of some members.

    Empty text removes a member. `maps` are those of which single entries are replaced, or, if empty, removed.
    """
    result = dict(document)
    for member in members:
        value = params.get(member)
        if value is None:
            continue
        if value == "":
            result.pop(member, None)
        elif member in maps:
            result[member] = _merged_map(result.get(member) or {}, value)
        else:
            result[member] = value
    return result


def _merged_map(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**known, **given}.items() if value not in ("", {}, None)}


def given(params: Params, members: Iterable[str]) -> Document:
    """Return those of some members that a request gives."""
    return merged({}, params, members)
