"""The text of a template, JSON or YAML with its short forms, to plain values."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final

import yaml

from cloudlet.services.cloudformation import errors

_BARE: Final = {"Ref", "Condition"}
"""The short forms whose long ones do not begin with `Fn::`."""
_WITH_ZEROS: Final = re.compile(r"[-+]?0\d+")
"""Account ids and the like, which YAML would read as octal numbers."""


_QUOTED: Final = re.compile(r"\s*\{\s*\"")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML as CloudFormation reads it: without dates, and with functions for tags."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _make_function(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if name == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name if name in _BARE else f"Fn::{name}": value}


def _make_int(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    text: str = node.value
    return text if _WITH_ZEROS.fullmatch(text) else loader.construct_yaml_int(node)


def _make_map(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


_Loader.add_multi_constructor("!", _make_function)
_Loader.add_constructor("tag:yaml.org,2002:int", _make_int)
_Loader.add_constructor("tag:yaml.org,2002:map", _make_map)


def parse_template(text: str) -> dict[str, Any]:
    """Return the value of a template's text. Raises AwsError for what is neither JSON nor YAML."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)
    except json.JSONDecodeError as error:
        # A flow mapping of YAML begins in the same way, but for the quotation mark.
        value = _parse_flow_mapping(text, error)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise errors.make_format_error(f"YAML not well-formed. {_describe_place(error)}") from None
    if not isinstance(value, dict):
        raise errors.make_format_error("unsupported structure.")
    return value


def _parse_flow_mapping(text: str, error: json.JSONDecodeError) -> Any:
    if not _QUOTED.match(text):
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            return yaml.load(text, _Loader)
    raise errors.make_format_error(f"JSON not well-formed. (line {error.lineno}, column {error.colno})") from None


def _describe_place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f"(line {mark.line + 1}, column {mark.column + 1})"
