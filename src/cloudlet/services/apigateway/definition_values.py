"""Values in OpenAPI definitions, of the type that is needed there, and what references (`$ref`) lead to.

`where` is what errors call the value; `wrong` makes of a reason the error that is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudlet.core import AwsError

_MOST_REFERENCES = 10
Wrong = Callable[[str], AwsError]


def as_map(value: Any, where: str, wrong: Wrong) -> dict[str, Any]:
    """Return an object, which is empty where there is none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(f"{where} is not an object")
    return value


def as_list(value: Any, where: str, wrong: Wrong) -> list[Any]:
    """Return a list, which is empty where there is none."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(f"{where} is not a list")
    return value


def resolved(document: dict[str, Any], given: Any, where: str, wrong: Wrong) -> dict[str, Any]:
    """Return an object of a definition, or the one that a reference leads to."""
    for _ in range(_MOST_REFERENCES):
        value = as_map(given, where, wrong)
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return value
        if not reference.startswith("#/"):
            raise wrong(f"the reference {reference} is not to a part of the definition")
        given = document
        for step in reference[2:].split("/"):
            given = as_map(given, where, wrong).get(step.replace("~1", "/").replace("~0", "~"))
        if given is None:
            raise wrong(f"the reference {reference} leads nowhere")
    raise wrong(f"the references of {where} lead nowhere")
