"""The conditions and transforms of rules: what AWS admits, and how the API shows them.

API Reference, RuleCondition and RuleTransform.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final

from cloudlet.services.elbv2 import limits
from cloudlet.services.elbv2.errors import InvalidConfiguration, UnsupportedFeature, ValidationError

_CONFIGS: Final = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_REPEATABLE: Final = ("http-header", "query-string")
_WITH_REGEX: Final = ("host-header", "path-pattern", "http-header")
_PLAIN: Final = ("host-header", "path-pattern")
"""The fields whose values may stand beside the field itself."""
_MAX_VALUE_CHARACTERS: Final = 128
_HOST: Final = re.compile(r"[A-Za-z0-9.*?-]{1,128}")
_PATH: Final = re.compile(r"""[A-Za-z0-9_.$/~"'@:+&*?-]{1,128}""")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}")
_METHOD: Final = re.compile(r"[A-Z_-]{1,40}")
_MAX_REWRITE_CHARACTERS: Final = 1024
_FOREIGN: Final = re.compile(r"\(\?(?:=|!|<=|<!|>|\(|P=)|(?<!\\)(?:\\\\)*\\[1-9NUZu]|(?<!\\)[*+?}]\+|\{(?:\d*,)?\d{4}")
"""The parts of Python's regular expressions that RE2, which Envoy has, has not."""


def parse(given: Sequence[Mapping[str, Any]], type_name: str) -> tuple[dict[str, Any], ...]:
    """Return the conditions of a rule of a load balancer's listener. Raises AwsError."""
    if not given:
        raise ValidationError("A condition must be specified")
    if type_name != "application":
        raise UnsupportedFeature("rules of Network Load Balancers: there is no IPv6 to tell apart")
    fields = [each.get("Field", "") for each in given]
    for field in fields:
        if field not in _CONFIGS:
            raise ValidationError(f"Condition field '{field}' must be one of '[{', '.join(_CONFIGS)}]'")
        if fields.count(field) > 1 and field not in _REPEATABLE:
            raise ValidationError(f"The rule can only have one '{field}' condition")
    parsed = tuple(_parse_condition(each) for each in given)
    values = [value for each in parsed for value in _list_values(each)]
    if len(values) > limits.MAX_CONDITION_VALUES:
        raise ValidationError(f"A rule can only have '{limits.MAX_CONDITION_VALUES}' condition values")
    wildcards = sum(_count_wildcards(value) for each in parsed for value in _list_patterns(each))
    if wildcards > limits.MAX_CONDITION_WILDCARDS:
        raise ValidationError(f"A rule can only have '{limits.MAX_CONDITION_WILDCARDS}' condition wildcards")
    return parsed


def _list_values(condition: Mapping[str, Any]) -> list[str]:
    """Return the values of a condition, regular expressions among them."""
    return [*_list_patterns(condition), *condition[_CONFIGS[condition["Field"]]].get("RegexValues", ())]


def _list_patterns(condition: Mapping[str, Any]) -> list[str]:
    """Return the values of a condition that may have wildcards."""
    values = condition[_CONFIGS[condition["Field"]]].get("Values", ())
    return [each if isinstance(each, str) else f"{each.get('Key', '')}={each['Value']}" for each in values]


def _count_wildcards(value: str) -> int:
    return len(re.findall(r"(?<!\\)[*?]", value))


def _parse_condition(given: Mapping[str, Any]) -> dict[str, Any]:
    field = given["Field"]
    member = _CONFIGS[field]
    for other in _CONFIGS.values():
        if other in given and other != member:
            raise ValidationError(f"Condition field '{field}' cannot have '{other}'")
    config = given.get(member) or {}
    values = list(config.get("Values") or ())
    regexes = list(config.get("RegexValues") or ())
    if given.get("Values"):
        if field not in _PLAIN or values not in ([], given["Values"]):
            raise ValidationError(f"You must specify the values of the condition field '{field}' in '{member}' only")
        values = list(given["Values"])
    if given.get("RegexValues"):
        if field not in _WITH_REGEX or regexes not in ([], given["RegexValues"]):
            raise ValidationError(f"You cannot specify regular expressions for the condition field '{field}' there")
        regexes = list(given["RegexValues"])
    if bool(values) == bool(regexes):
        raise ValidationError(f"A condition value must be specified for the condition field '{field}'")
    if regexes:
        _check_regexes(regexes)
    if field == "query-string":
        return {"Field": field, member: {"Values": [_parse_pair(each) for each in values]}}
    for each in values:
        _check_value(field, each)
    found: dict[str, Any] = {"RegexValues": regexes} if regexes else {"Values": values}
    if field == "http-header":
        name = config.get("HttpHeaderName") or ""
        if _HEADER.fullmatch(name) is None:
            raise ValidationError(f"The HTTP header name '{name}' is not valid")
        if name.lower() == "host":
            raise ValidationError("You must use a 'host-header' condition for the HTTP header 'host'")
        return {"Field": field, member: {"HttpHeaderName": name, **found}}
    if field == "source-ip" and config.get("IpAddressType"):
        raise ValidationError("IpAddressType of a source IP condition is supported only for Network Load Balancers")
    return {"Field": field, **(found if field in _PLAIN else {}), member: found}


def _check_value(field: str, value: str) -> None:
    if len(value) > _MAX_VALUE_CHARACTERS:
        raise ValidationError(f"The condition value '{value}' cannot be longer than '128' characters")
    is_right: object
    match field:
        case "host-header":
            end = value.rpartition(".")[2]
            is_right = _HOST.fullmatch(value) and "." in value and re.fullmatch(r"[A-Za-z*?-]*[A-Za-z*?]", end)
        case "path-pattern":
            is_right = _PATH.fullmatch(value)
        case "http-request-method":
            is_right = _METHOD.fullmatch(value)
        case "source-ip":
            is_right = _is_block(value)
        case _:
            is_right = bool(value)
    if not is_right:
        raise ValidationError(f"The condition value '{value}' is not valid for the condition field '{field}'")


def _is_block(value: str) -> bool:
    try:
        ip_network(value)
    except ValueError:
        return False
    return "/" in value


def _parse_pair(given: Mapping[str, Any]) -> dict[str, str]:
    pair = {member: given[member] for member in ("Key", "Value") if given.get(member)}
    if "Value" not in pair:
        raise ValidationError("A value must be specified for a query string condition")
    if any(len(each) > _MAX_VALUE_CHARACTERS for each in pair.values()):
        raise ValidationError("Keys and values of a query string condition cannot be longer than '128' characters")
    return pair


def _check_regexes(regexes: Sequence[str], longest: int = _MAX_VALUE_CHARACTERS) -> None:
    for each in regexes:
        try:
            with warnings.catch_warnings(action="ignore"):
                re.compile(each)
        except re.error:
            is_right = False
        else:
            is_right = len(each) <= longest and _FOREIGN.search(each) is None
        if not each or not is_right:
            raise ValidationError(f"The regular expression '{each}' is not valid")


def parse_transforms(given: Sequence[Mapping[str, Any]] | None) -> tuple[dict[str, Any], ...]:
    """Return the transforms of a rule. Raises AwsError."""
    members = {"host-header-rewrite": "HostHeaderRewriteConfig", "url-rewrite": "UrlRewriteConfig"}
    types = [each["Type"] for each in given or ()]
    if len(set(types)) < len(types):
        raise InvalidConfiguration("A rule can only have one transform of each type")
    parsed = []
    for each in given or ():
        member = members[each["Type"]]
        if any(other in each for other in members.values() if other != member) or member not in each:
            raise InvalidConfiguration(f"A transform of type '{each['Type']}' must have '{member}', and no other")
        rewrites = (each[member] or {}).get("Rewrites") or []
        if len(rewrites) != 1:
            raise InvalidConfiguration(f"A transform of type '{each['Type']}' must have exactly one rewrite")
        _check_regexes([rewrites[0]["Regex"]], _MAX_REWRITE_CHARACTERS)
        if len(rewrites[0]["Replace"]) > _MAX_REWRITE_CHARACTERS:
            raise ValidationError("The replacement of a transform cannot be longer than '1024' characters")
        parsed.append({"Type": each["Type"], member: {"Rewrites": [dict(rewrites[0])]}})
    return tuple(parsed)
