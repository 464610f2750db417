"""The functions of templates (template reference, "Intrinsic function reference")."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any, Final

from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.templates.template import parse_get_att

MAX_MADE_CHARACTERS: Final = 8_000_000
"""Characters that functions of a template may return together: texts can double with each one."""
MAX_CONDITION_DEPTH_LEVELS: Final = 100
MAX_CIDR_BLOCKS: Final = 256
NOT_KNOWN: Final = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""The value, in change sets, of what will only be known once resources are made."""
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_INDEX: Final = re.compile(r"-?[0-9]{1,9}")
_ZONES: Final = "abc"


class _NoValue:
    """The value of AWS::NoValue: what has it is left out."""


NO_VALUE: Final = _NoValue()
Reference = Callable[[str], Any]
Attribute = Callable[[str, str], Any]


class Scope:
    """The values with which the functions of a template are evaluated."""

    def __init__(
        self,
        *,
        values: Mapping[str, Any],
        mappings: Mapping[str, Any] | None = None,
        conditions: Mapping[str, Any] | None = None,
        find_reference: Reference | None = None,
        find_attribute: Attribute | None = None,
        find_import: Callable[[str], Any] | None = None,
        has_language_extensions: bool = False,
    ) -> None:
        """`values` are those of parameters and pseudo parameters; `conditions` are as the template declares them."""
        self._values = values
        self._mappings = mappings or {}
        self._conditions = conditions or {}
        self._known_conditions: dict[str, bool] = {}
        self._evaluating: set[str] = set()
        self._find_reference = find_reference
        self._find_attribute = find_attribute
        self._find_import = find_import
        self._is_extended = has_language_extensions
        self._made_characters = 0

    # Conditions

    def is_met(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        known = self._known_conditions.get(name)
        if known is not None:
            return known
        if name not in self._conditions:
            raise errors.make_format_error(
                f"Unresolved condition dependency {name} in the Conditions block of the template"
            )
        if name in self._evaluating:
            raise errors.make_format_error(f"Circular dependency in the Conditions block of the template: [{name}]")
        if len(self._evaluating) >= MAX_CONDITION_DEPTH_LEVELS:
            raise errors.make_format_error("Conditions refer to each other too deeply.")
        self._evaluating.add(name)
        met = self._is_true(self._conditions[name])
        self._evaluating.discard(name)
        self._known_conditions[name] = met
        return met

    def _is_true(self, value: Any) -> bool:
        found = self.resolve(value)
        if isinstance(found, bool):
            return found
        if found in ("true", "false"):
            return bool(found == "true")
        raise errors.make_format_error("Conditions can only be boolean operations on parameters and other conditions")

    # Values

    def resolve(self, value: Any) -> Any:
        """Return a value with its functions evaluated. Raises AwsError."""
        if isinstance(value, dict):
            if len(value) == 1:
                ((name, argument),) = value.items()
                function = BY_NAME.get(name)
                if function is not None and not (name == "Condition" and not isinstance(argument, str)):
                    return self._count_made(function(self, argument))
                if name.startswith("Fn::"):
                    raise errors.make_template_error(f"unsupported function {name}")
            found = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in found.items() if item is not NO_VALUE}
        if isinstance(value, list):
            return [item for one in value if (item := self.resolve(one)) is not NO_VALUE]
        return value

    def _count_made(self, made: Any) -> Any:
        """Return what a function has made. Raises AwsError where that is too much with all before."""
        items = made if isinstance(made, list) else [made]
        self._made_characters += len(items) + sum(len(item) for item in items if isinstance(item, str))
        if self._made_characters > MAX_MADE_CHARACTERS:
            raise errors.make_template_error(
                f"the values of its functions have more than {MAX_MADE_CHARACTERS} characters"
            )
        return made

    def _get_reference(self, name: Any) -> Any:
        if not isinstance(name, str):
            raise errors.make_format_error("All References must be of type string.")
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._values:
            return self._values[name]
        if self._find_reference is None:
            raise errors.make_format_error(
                f"Unresolved dependencies [{name}]. Cannot reference resources in this place"
            )
        return self._find_reference(name)

    def _get_att(self, argument: Any) -> Any:
        parts = argument
        if isinstance(argument, list) and len(argument) == 2:
            parts = [argument[0], self.resolve(argument[1])]
        resource, attribute = parse_get_att(parts)
        if self._find_attribute is None:
            raise errors.make_template_error("Fn::GetAtt cannot be used in this place")
        return self._find_attribute(resource, attribute)

    def _substitute(self, argument: Any) -> str:
        text, own = argument, {}
        if isinstance(argument, list):
            if len(argument) != 2 or not isinstance(argument[1], dict):
                raise errors.make_template_error(_SUB_FORM)
            text, own = argument
        if not isinstance(text, str):
            raise errors.make_template_error(_SUB_FORM)
        values = {name: self.resolve(value) for name, value in own.items()}

        def substitute(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in values:
                value = values[name]
            elif "." in name:
                value = self._get_att(name)
            else:
                value = self._get_reference(name)
            if isinstance(value, dict | list):
                raise errors.make_template_error(f"Fn::Sub cannot substitute {name}: its value is no string")
            return "" if value is NO_VALUE else _format_scalar(value)

        return _VARIABLE.sub(substitute, text)

    def _join(self, argument: Any) -> str:
        if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
            raise errors.make_template_error(_JOIN_FORM)
        items = self.resolve(argument[1])
        if items == NOT_KNOWN:
            return NOT_KNOWN
        if not isinstance(items, list) or any(isinstance(item, dict | list) for item in items):
            raise errors.make_template_error(_JOIN_FORM)
        return argument[0].join(map(_format_scalar, items))

    def _select(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 2:
            raise errors.make_template_error(
                "Fn::Select requires a list argument with two elements: an integer index and a list"
            )
        index, items = self.resolve(argument[0]), self.resolve(argument[1])
        if NOT_KNOWN in (index, items):
            return NOT_KNOWN
        if not isinstance(items, list) or not _INDEX.fullmatch(str(index)):
            raise errors.make_template_error(
                "Fn::Select requires a list argument with two elements: an integer index and a list"
            )
        if not 0 <= int(index) < len(items):
            if items and all(isinstance(item, str) and NOT_KNOWN in item for item in items):
                return NOT_KNOWN
            raise errors.make_template_error(f"Fn::Select cannot select nonexistent value at index {index}")
        return items[int(index)]

    def _split(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
            raise errors.make_template_error(_SPLIT_FORM)
        text = self.resolve(argument[1])
        if not isinstance(text, str):
            raise errors.make_template_error(_SPLIT_FORM)
        return text.split(argument[0]) if argument[0] else [text]

    def _find_in_map(self, argument: Any) -> Any:
        default: Any = NO_VALUE
        if isinstance(argument, list) and len(argument) == 4 and self._is_extended:
            if not isinstance(argument[3], dict) or set(argument[3]) != {"DefaultValue"}:
                raise errors.make_template_error(_FIND_FORM)
            default = argument[3]["DefaultValue"]
            argument = argument[:3]
        if not isinstance(argument, list) or len(argument) != 3:
            raise errors.make_template_error(_FIND_FORM)
        keys = [_format_scalar(key) if not isinstance(key, dict | list) else "" for key in map(self.resolve, argument)]
        value: Any = self._mappings
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            return value
        if default is not NO_VALUE:
            return self.resolve(default)
        raise errors.make_template_error(f"Unable to get mapping for {'::'.join(keys)}")

    def _choose(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
            raise errors.make_template_error("Fn::If requires a list argument with the first element being a condition")
        return self.resolve(argument[1] if self.is_met(argument[0]) else argument[2])

    def _is_all(self, argument: Any) -> bool:
        return all(self._list_operands("Fn::And", argument))

    def _is_any(self, argument: Any) -> bool:
        return any(self._list_operands("Fn::Or", argument))

    def _list_operands(self, name: str, argument: Any) -> list[bool]:
        if not isinstance(argument, list) or not 2 <= len(argument) <= 10:
            raise errors.make_template_error(
                f"every {name} object requires a list of at least 2 and at most 10 boolean parameters."
            )
        return [self._is_true(one) for one in argument]

    def _is_not(self, argument: Any) -> bool:
        if not isinstance(argument, list) or len(argument) != 1:
            raise errors.make_template_error("every Fn::Not object requires one boolean parameter.")
        return not self._is_true(argument[0])

    def _is_equal(self, argument: Any) -> bool:
        if not isinstance(argument, list) or len(argument) != 2:
            raise errors.make_template_error("every Fn::Equals object requires a list of 2 string parameters.")
        first, second = (self.resolve(one) for one in argument)
        return bool(_make_comparable(first) == _make_comparable(second))

    def _is_condition_met(self, name: Any) -> bool:
        return self.is_met(name)

    def _encode_base64(self, argument: Any) -> str:
        text = self.resolve(argument)
        if not isinstance(text, str):
            raise errors.make_template_error("every Fn::Base64 object must have a String-typed value.")
        return text if text == NOT_KNOWN else b64encode(text.encode()).decode()

    def _list_cidrs(self, argument: Any) -> Any:
        resolved = self.resolve(argument)
        if not isinstance(resolved, list) or not 2 <= len(resolved) <= 3:
            raise errors.make_template_error("Fn::Cidr requires a list argument of an ipBlock, a count and cidrBits")
        if NOT_KNOWN in resolved:
            return NOT_KNOWN
        try:
            block = ip_network(str(resolved[0]), strict=False)
            count = min(int(resolved[1]), MAX_CIDR_BLOCKS + 1)
            bits = int(resolved[2]) if len(resolved) == 3 else 8
            subnets = block.subnets(new_prefix=block.max_prefixlen - bits)
            found = [str(subnet) for _, subnet in zip(range(count), subnets, strict=False)]
        except (ValueError, TypeError) as error:
            raise errors.make_template_error(f"Fn::Cidr: {error}") from None
        if len(found) < count or not 1 <= count <= MAX_CIDR_BLOCKS:
            raise errors.make_template_error(f"Fn::Cidr cannot make {count} blocks of {bits} bits of {block}")
        return found

    def _get_azs(self, argument: Any) -> list[str]:
        region = self.resolve(argument) or self._values["AWS::Region"]
        if not isinstance(region, str):
            raise errors.make_template_error("Fn::GetAZs requires a string: the name of a region")
        return [f"{region}{zone}" for zone in _ZONES]

    def _import_value(self, argument: Any) -> Any:
        name = self.resolve(argument)
        if not isinstance(name, str) or self._find_import is None:
            raise errors.make_template_error(
                "the attribute in Fn::ImportValue must be a string or a function that returns a string"
            )
        return self._find_import(name)

    def _count(self, argument: Any) -> Any:
        items = self._resolve_extension("Fn::Length", argument)
        if items == NOT_KNOWN:
            return items
        if not isinstance(items, list):
            raise errors.make_template_error(
                "Fn::Length only accepts array type parameters or intrinsic functions that return one"
            )
        return len(items)

    def _format_json(self, argument: Any) -> str:
        return json.dumps(self._resolve_extension("Fn::ToJsonString", argument), separators=(",", ":"))

    def _resolve_extension(self, name: str, argument: Any) -> Any:
        if not self._is_extended:
            raise errors.make_template_error(
                f"unsupported function {name}: it needs the transform AWS::LanguageExtensions"
            )
        return self.resolve(argument)

    # Rules

    def _has_member(self, argument: Any) -> bool:
        items, value = self._resolve_two("Fn::Contains", argument)
        return _format_scalar(value) in _list_texts("Fn::Contains", items)

    def _has_equal_members(self, argument: Any) -> bool:
        items, value = self._resolve_two("Fn::EachMemberEquals", argument)
        return all(item == _format_scalar(value) for item in _list_texts("Fn::EachMemberEquals", items))

    def _has_members_in(self, argument: Any) -> bool:
        items, allowed = self._resolve_two("Fn::EachMemberIn", argument)
        return set(_list_texts("Fn::EachMemberIn", items)) <= set(_list_texts("Fn::EachMemberIn", allowed))

    def _resolve_two(self, name: str, argument: Any) -> list[Any]:
        if not isinstance(argument, list) or len(argument) != 2:
            raise errors.make_template_error(f"every {name} object requires a list of two parameters.")
        return [self.resolve(one) for one in argument]


def _list_texts(name: str, items: Any) -> list[str]:
    if not isinstance(items, list):
        raise errors.make_template_error(f"every {name} object requires a list of strings.")
    return [_format_scalar(item) for item in items]


_SUB_FORM: Final = (
    "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and "
    "an optional second argument to specify a mapping of values to replace in the string"
)
_JOIN_FORM: Final = (
    "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a "
    "function that returns a list of strings (such as Fn::GetAZs) to be joined."
)
_SPLIT_FORM: Final = (
    "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function "
    "that returns a string to be split."
)
_FIND_FORM: Final = (
    "every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
)
BY_NAME: Final[Mapping[str, Callable[[Scope, Any], Any]]] = {
    "Ref": Scope._get_reference,
    "Condition": Scope._is_condition_met,
    "Fn::And": Scope._is_all,
    "Fn::Base64": Scope._encode_base64,
    "Fn::Cidr": Scope._list_cidrs,
    "Fn::Contains": Scope._has_member,
    "Fn::EachMemberEquals": Scope._has_equal_members,
    "Fn::EachMemberIn": Scope._has_members_in,
    "Fn::Equals": Scope._is_equal,
    "Fn::FindInMap": Scope._find_in_map,
    "Fn::GetAZs": Scope._get_azs,
    "Fn::GetAtt": Scope._get_att,
    "Fn::If": Scope._choose,
    "Fn::ImportValue": Scope._import_value,
    "Fn::Join": Scope._join,
    "Fn::Length": Scope._count,
    "Fn::Not": Scope._is_not,
    "Fn::Or": Scope._is_any,
    "Fn::Select": Scope._select,
    "Fn::Split": Scope._split,
    "Fn::Sub": Scope._substitute,
    "Fn::ToJsonString": Scope._format_json,
}


def check_rules(rules: Mapping[str, Mapping[str, Any]], scope: Scope) -> None:
    """Raise AwsError where parameters break a rule of the template."""
    for name, rule in rules.items():
        assertions = rule.get("Assertions")
        if not isinstance(assertions, list) or not all(isinstance(one, dict) and "Assert" in one for one in assertions):
            raise errors.make_format_error(f"Rule {name} requires Assertions, a list of objects with an Assert.")
        applies = "RuleCondition" not in rule or scope.resolve(rule["RuleCondition"]) is True
        broken = [one for one in assertions if applies and scope.resolve(one["Assert"]) is not True]
        if broken:
            said = broken[0].get("AssertDescription") or json.dumps(broken[0]["Assert"])
            raise errors.make_validation_error(f"Template constraint violated: Rule {name}: {said}")


def _format_scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _make_comparable(value: Any) -> Any:
    return value if isinstance(value, dict | list) else _format_scalar(value)
