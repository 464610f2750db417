"""Conditions of rules as predicates of Envoy's matchers (user guide, "Condition types for listener rules").

The matchers of routes see headers only.
Patterns become regular expressions of RE2. Those that users write are searched for, as they may begin anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from cloudlet.engines.envoy.resource_parts import make_extension, make_typed
from cloudlet.engines.envoy.snapshot import Resource
from cloudlet.services.elbv2.proxy import names
from cloudlet.services.elbv2.proxy.resources import make_regex
from cloudlet.services.elbv2.proxy.view import Description

_BEGINNING: Final = re.compile(r"([^*?\\]+)\*")
"""A pattern of which only the last character is a wildcard, for any end."""
_PORT: Final = "(?::[0-9]+)?"


def make_predicate(conditions: Sequence[Description]) -> Resource:
    """Return the predicate that holds where all conditions do."""
    return _join("and_matcher", [_make_one(each) for each in conditions])


def get_values(condition: Description, member: str) -> Sequence[Any]:
    """Return the values of a condition, which may stand in two places."""
    return (condition.get(member) or {}).get("Values") or condition.get("Values") or ()


def get_expressions(condition: Description, member: str) -> Sequence[str]:
    """Return the regular expressions of a condition, which may stand in two places."""
    return (condition.get(member) or {}).get("RegexValues") or condition.get("RegexValues") or ()


def _make_one(condition: Description) -> Resource:
    return _join("or_matcher", list(_MAKERS[condition["Field"]](condition)))


def _match_host(condition: Description) -> Iterable[Resource]:
    for value in get_values(condition, "HostHeaderConfig"):
        yield match_regex(":authority", f"(?i)^{_translate(value)}{_PORT}$")
    for expression in get_expressions(condition, "HostHeaderConfig"):
        yield match_regex(":authority", _search(expression))


def _match_path(condition: Description) -> Iterable[Resource]:
    for value in get_values(condition, "PathPatternConfig"):
        if beginning := _BEGINNING.fullmatch(value):
            # It costs less than a regular expression, and a hundred rules are looked at for each request.
            yield _match_header_by(":path", {"value_match": {"prefix": beginning[1]}})
            continue
        yield match_regex(":path", f"^{_translate(value, '[^?]')}(?:\\?.*)?$")
    for expression in get_expressions(condition, "PathPatternConfig"):
        yield match_regex(names.PATH, _search(expression))


def _match_header(condition: Description) -> Iterable[Resource]:
    name = condition["HttpHeaderConfig"]["HttpHeaderName"].lower()
    for value in get_values(condition, "HttpHeaderConfig"):
        # Envoy joins the values of a header that is repeated; each of them may match.
        yield match_regex(name, f"(?is)^(?:.*, ?)?{_translate(value)}(?:,.*)?$")
    for expression in get_expressions(condition, "HttpHeaderConfig"):
        yield match_regex(name, _search(expression))


def _match_method(condition: Description) -> Iterable[Resource]:
    for value in get_values(condition, "HttpRequestMethodConfig"):
        yield _match_header_by(":method", {"value_match": {"exact": value}})


def _match_query(condition: Description) -> Iterable[Resource]:
    for pair in get_values(condition, "QueryStringConfig"):
        key = f"{_translate(pair['Key'], '[^&]')}=" if pair.get("Key") else "(?:[^&=]*=)?"
        value = _translate(pair["Value"], "[^&]")
        yield match_regex(":path", rf"(?i)^[^?]*\?(?:.*&)?{key}{value}(?:&.*)?$")


def _match_source(condition: Description) -> Iterable[Resource]:
    ranges = []
    for value in get_values(condition, "SourceIpConfig"):
        address, _, size = value.partition("/")
        ranges.append({"address_prefix": address, "prefix_len": int(size)})
    matcher = make_extension(
        "ip", "envoy.extensions.matching.input_matchers.ip.v3.Ip", cidr_ranges=ranges, stat_prefix="source"
    )
    yield _match_header_by(names.SOURCE, {"custom_match": matcher})


_MAKERS: Final = {
    "host-header": _match_host,
    "path-pattern": _match_path,
    "http-header": _match_header,
    "http-request-method": _match_method,
    "query-string": _match_query,
    "source-ip": _match_source,
}


def match_exact(header: str, value: str) -> Resource:
    """Return the predicate that holds where a header has a value."""
    return _match_header_by(header, {"value_match": {"exact": value}})


def match_regex(header: str, pattern: str) -> Resource:
    """Return the predicate that holds where a header matches a regular expression."""
    return _match_header_by(header, {"value_match": {"safe_regex": make_regex(pattern)}})


def _match_header_by(header: str, match: Resource) -> Resource:
    name = make_typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header)
    return {"single_predicate": {"input": {"name": "header", "typed_config": name}, **match}}


def _join(kind: str, predicates: list[Resource]) -> Resource:
    # Envoy takes no group of one.
    return predicates[0] if len(predicates) == 1 else {kind: {"predicate": predicates}}


def _search(expression: str) -> str:
    return f"(?s).*(?:{expression}).*"


def _translate(pattern: str, any_character: str = ".") -> str:
    r"""Return a pattern as a regular expression.

    `*` and `?` are wildcards, `\*` and `\?` stand for themselves.
    """
    wildcards = {"*": f"{any_character}*", "?": any_character}

    def translate(found: re.Match[str]) -> str:
        escaped, part = found.groups()
        return re.escape(escaped) if escaped else wildcards.get(part) or re.escape(part)

    return re.sub(r"\\([*?\\])|([*?\\]|[^*?\\]+)", translate, pattern)


def match_path_with_query() -> Resource:
    """Return the predicate that holds where a request has a query."""
    return _match_header_by(":path", {"value_match": {"contains": "?"}})
