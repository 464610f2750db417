"""Parameters: their types and constraints, and the values that a stack has for them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import regex

from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.templates.template import Template

_KEYS: Final = {
    "Type",
    "Default",
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
}
_SSM_VALUE: Final = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_AWS_TYPE: Final = re.compile(r"AWS::(EC2|Route53|SSM|SecretsManager|ACM|IAM)::[A-Za-z0-9:]+")
_BOUNDS: Final = ("MinLength", "MaxLength", "MinValue", "MaxValue")
NO_ECHO: Final = "****"
MAX_VALUE_BYTES: Final = 4096
MAX_MATCHING_SECONDS: Final = 0.2
"""For how long a value is held against a pattern: some take for ever."""


class Value(msgspec.Struct, frozen=True):
    """A parameter's value: what was given, and what it stands for."""

    given: str
    resolved: str = ""
    """The value of the SSM parameter that `given` names."""
    is_ssm: bool = False
    is_list: bool = False
    is_hidden: bool = False

    @property
    def value(self) -> Any:
        """The value of Ref."""
        text = self.resolved if self.is_ssm else self.given
        return [item.strip() for item in text.split(",")] if self.is_list and text else ([] if self.is_list else text)


def is_hidden(declared: Mapping[str, Any]) -> bool:
    """Whether the values of a parameter are shown nowhere."""
    return _is_true(declared.get("NoEcho", False))


def check_declarations(template: Template) -> None:
    """Raise AwsError for parameters that are not declared as parameters are."""
    for name, declared in template.parameters.items():
        if not name.isalnum():
            raise errors.make_format_error(f"Parameter name {name} is non alphanumeric.")
        if "Type" not in declared:
            raise errors.make_format_error("Every Parameters object must contain a Type member.")
        unknown = [key for key in declared if key not in _KEYS]
        if unknown:
            raise errors.make_validation_error(f"Invalid template parameter property '{unknown[0]}'")
        kind = declared["Type"]
        found = _SSM_VALUE.fullmatch(kind) if isinstance(kind, str) else None
        if not isinstance(kind, str) or not _is_known(found[1] if found else kind):
            raise errors.make_format_error(f"Unrecognized parameter type: {kind}")
        _check_members(name, declared)


def _check_members(name: str, declared: Mapping[str, Any]) -> None:
    for key in ("Default", "AllowedPattern", "ConstraintDescription", "Description", "NoEcho", *_BOUNDS):
        if isinstance(declared.get(key, ""), dict | list):
            raise errors.make_format_error(f"Every {key} member must be a string.")
    if len(str(declared.get("Default", "")).encode()) > MAX_VALUE_BYTES:
        raise errors.make_format_error(
            f"Parameter '{name}' default value '[...]' length is greater than {MAX_VALUE_BYTES}."
        )
    for key in _BOUNDS:
        if key in declared and _parse_number(declared[key]) is None:
            raise errors.make_format_error(f"Every {key} member must be a number.")
    allowed = declared.get("AllowedValues", [])
    if not isinstance(allowed, list) or any(isinstance(one, dict | list) for one in allowed):
        raise errors.make_format_error("Every AllowedValues member must be a list of strings.")


def _parse_number(value: Any) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _is_known(kind: str) -> bool:
    inner = kind[5:-1] if kind.startswith("List<") and kind.endswith(">") else kind
    if inner in ("Number", "String"):
        return True
    return kind == "CommaDelimitedList" or bool(_AWS_TYPE.fullmatch(inner))


def bind_parameters(template: Template, given: Mapping[str, str]) -> dict[str, Value]:
    """Return the values of all parameters, those that were given and the defaults. Raises AwsError.

    SSM parameters are not looked up: `list_ssm_names` says which there are.
    """
    unknown = [name for name in given if name not in template.parameters]
    if unknown:
        raise errors.make_validation_error(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values = {name: given.get(name, _format_scalar(one.get("Default"))) for name, one in template.parameters.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise errors.make_validation_error(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: _bind(name, template.parameters[name], value or "") for name, value in values.items()}


def _bind(name: str, declared: Mapping[str, Any], text: str) -> Value:
    kind: str = declared["Type"]
    ssm = _SSM_VALUE.fullmatch(kind)
    is_list = (ssm[1] if ssm else kind).startswith("List<") or kind == "CommaDelimitedList"
    is_list = is_list or (ssm is not None and ssm[1] == "CommaDelimitedList")
    if len(text.encode()) > MAX_VALUE_BYTES:
        raise errors.make_validation_error(f"Parameter '{name}' length is greater than {MAX_VALUE_BYTES}.")
    value = Value(text, "", ssm is not None, is_list, is_hidden(declared))
    for one in value.value if is_list and not ssm else [text]:
        check = _find_violation(name, "Number" if kind in ("Number", "List<Number>") else kind, declared, one)
        if check is not None:
            why = declared.get("ConstraintDescription")
            raise errors.make_validation_error(
                f"Parameter {name} failed to satisfy constraint: {why}" if why else check
            )
    return value


def _find_violation(name: str, kind: str, declared: Mapping[str, Any], text: str) -> str | None:
    allowed = declared.get("AllowedValues")
    if allowed is not None and text not in [_format_scalar(value) for value in allowed]:
        return f"Parameter '{name}' must be one of AllowedValues"
    if kind == "Number":
        return _find_number_violation(name, declared, text)
    shortest, longest = declared.get("MinLength"), declared.get("MaxLength")
    if shortest is not None and len(text) < float(shortest):
        return f"Parameter '{name}' must contain at least {shortest} characters"
    if longest is not None and len(text) > float(longest):
        return f"Parameter '{name}' must contain at most {longest} characters"
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not _matches(str(pattern), text):
        return f"Parameter '{name}' must match pattern {pattern}"
    return None


def _find_number_violation(name: str, declared: Mapping[str, Any], text: str) -> str | None:
    number = _parse_number(text)
    if number is None:
        return f"Parameter '{name}' must be a number."
    least, most = declared.get("MinValue"), declared.get("MaxValue")
    if least is not None and number < float(least):
        return f"Parameter '{name}' must be a number not less than {least}"
    if most is not None and number > float(most):
        return f"Parameter '{name}' must be a number not greater than {most}"
    return None


def _matches(pattern: str, text: str) -> bool:
    try:
        return regex.fullmatch(pattern, text, timeout=MAX_MATCHING_SECONDS, concurrent=True) is not None
    except regex.error:
        raise errors.make_format_error(f"Invalid AllowedPattern {pattern}") from None
    except TimeoutError:
        raise errors.make_format_error(f"AllowedPattern {pattern} takes too long to be matched.") from None


def list_ssm_names(values: Mapping[str, Value]) -> dict[str, str]:
    """Return the SSM parameters to look up, by the parameters that name them."""
    return {name: value.given for name, value in values.items() if value.is_ssm}


def add_ssm_values(values: Mapping[str, Value], find: Callable[[str], str]) -> dict[str, Value]:
    """Return values with those of SSM parameters, which `find` returns."""
    return {
        name: msgspec.structs.replace(value, resolved=find(name)) if value.is_ssm else value
        for name, value in values.items()
    }


def to_api(name: str, value: Value) -> dict[str, Any]:
    """Return a value as DescribeStacks has it."""
    shown: dict[str, Any] = {"ParameterKey": name, "ParameterValue": NO_ECHO if value.is_hidden else value.given}
    if value.is_ssm:
        shown["ResolvedValue"] = NO_ECHO if value.is_hidden else value.resolved
    return shown


def describe_declaration(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a declaration as GetTemplateSummary has it."""
    shown: dict[str, Any] = {
        "ParameterKey": name,
        "ParameterType": declared["Type"],
        "NoEcho": is_hidden(declared),
        "ParameterConstraints": {"AllowedValues": [_format_scalar(value) for value in declared["AllowedValues"]]}
        if "AllowedValues" in declared
        else {},
    }
    if "Default" in declared:
        shown["DefaultValue"] = _format_scalar(declared["Default"])
    if "Description" in declared:
        shown["Description"] = declared["Description"]
    return shown


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _format_scalar(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
