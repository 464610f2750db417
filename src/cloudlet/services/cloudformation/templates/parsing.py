"""The text of a template, JSON or YAML with its short forms, to plain values."""

from __future__ import annotations

import json
import math
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
_KINDS: Final = ("bool", "float", "int", "map", "null", "seq", "str")
"""YAML's types that templates may have: those of JSON."""
MAX_DEPTH_LEVELS: Final = 100
MAX_VALUES: Final = 500_000
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C takes a fifth of the time."""


class _Loader(_Base):  # type: ignore[misc]
    """YAML as CloudFormation reads it: without dates, and with functions for tags."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in _KINDS
    }


def _make_function(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if name == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _make_map(loader, node)
    return {name if name in _BARE else f"Fn::{name}": value}


def _make_int(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    text: str = node.value
    return text if _WITH_ZEROS.fullmatch(text) else loader.construct_yaml_int(node)


def _make_map(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    # Keys are texts as they are written: `Yes` and `012` are no boolean and no number.
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag in _OTHER_KEYS:
            key.tag = "tag:yaml.org,2002:str"
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


_OTHER_KEYS: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in _KINDS)
_Loader.add_multi_constructor("!", _make_function)
_Loader.add_constructor("tag:yaml.org,2002:int", _make_int)
_Loader.add_constructor("tag:yaml.org,2002:map", _make_map)


def parse_template(text: str, *, has_aliases: bool = False) -> dict[str, Any]:
    """Return the value of a template's text. Raises AwsError for what is neither JSON nor YAML.

    `has_aliases` tells that YAML may have aliases. It takes a second for the largest ones: await it in a thread.
    """
    try:
        value = _parse_json(text) if text.lstrip().startswith("{") else _parse_yaml(text, has_aliases)
    except json.JSONDecodeError as error:
        # A flow mapping of YAML begins in the same way, but for the quotation mark.
        value = _parse_flow_mapping(text, error, has_aliases)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise errors.make_format_error(f"YAML not well-formed. {_describe_place(error)}".strip()) from None
    if not isinstance(value, dict):
        raise errors.make_format_error("unsupported structure.")
    check_values(value)
    return value


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise _make_too_deep() from None


def _parse_yaml(text: str, has_aliases: bool) -> Any:
    if not has_aliases and "*" in text and any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(text, _Loader)):
        raise errors.make_template_error("YAML aliases are not allowed in CloudFormation templates")
    return yaml.load(text, _Loader)


def _parse_flow_mapping(text: str, error: json.JSONDecodeError, has_aliases: bool) -> Any:
    if not _QUOTED.match(text):
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            return _parse_yaml(text, has_aliases)
    raise errors.make_format_error(f"JSON not well-formed. (line {error.lineno}, column {error.colno})") from None


def _describe_place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f"(line {mark.line + 1}, column {mark.column + 1})"


def _make_too_deep() -> Exception:
    return errors.make_format_error(f"The template is nested more than {MAX_DEPTH_LEVELS} levels deep.")


def check_values(root: Any) -> None:
    """Raise AwsError for what JSON cannot have, or is too deep or too large.

    Aliases make large values of short texts.
    """
    count = 0
    level = [root]
    for _ in range(MAX_DEPTH_LEVELS + 1):
        following: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                following += value.keys()
                following += value.values()
            elif isinstance(value, list):
                following += value
            elif isinstance(value, str):
                _check_text(value)
            elif isinstance(value, float) and not math.isfinite(value):
                raise errors.make_format_error(f"The number {value} is not allowed in templates.")
            if count + len(following) > MAX_VALUES:
                raise errors.make_format_error(f"The template has more than {MAX_VALUES} values.")
        count += len(following)
        level = following
        if not level:
            return
    raise _make_too_deep()


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise errors.make_format_error("The template has characters that are not Unicode.") from None
