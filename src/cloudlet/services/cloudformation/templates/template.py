"""A template's sections, checked for how they are put together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.templates.transforms import SECTION, Transform, parse_transforms

_SECTIONS: Final = {
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
}
_RESOURCE_KEYS: Final = {
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "CreationPolicy",
    "UpdatePolicy",
}
_VERSION: Final = "2010-09-09"
_ALPHANUMERIC: Final = re.compile(r"[A-Za-z0-9]+")
_DELETION_POLICIES: Final = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")
_REPLACE_POLICIES: Final = ("Delete", "Retain", "Snapshot")
MAX_NAME_CHARACTERS: Final = 255
MAX_RESOURCES: Final = 500
MAX_PARAMETERS: Final = 200
MAX_OUTPUTS: Final = 200
MAX_MAPPINGS: Final = 200
PSEUDO_PARAMETERS: Final = frozenset(
    {
        "AWS::AccountId",
        "AWS::NotificationARNs",
        "AWS::NoValue",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)
_SUB_VARIABLE: Final = re.compile(r"\$\{([^!}][^}]*)\}")


@dataclass(frozen=True)
class Template:
    """A template whose structure is right. Sections that it has not are empty."""

    raw: dict[str, Any]
    description: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    mappings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def transforms(self) -> list[Transform]:
        """The transforms of the whole template, in their order."""
        return parse_transforms(self.raw.get(SECTION) or [])


def read_template(raw: dict[str, Any], *, is_processed: bool = True) -> Template:
    """Return a template by its value. Raises AwsError.

    Where it is not processed yet, transforms will write sections that are not looked at.
    """
    unknown = [name for name in raw if name not in _SECTIONS]
    if unknown and is_processed:
        raise errors.make_validation_error(f"Invalid template property or properties [{', '.join(unknown)}]")
    version = raw.get("AWSTemplateFormatVersion", _VERSION)
    if version != _VERSION:
        raise errors.make_format_error(f'unsupported value for AWSTemplateFormatVersion "{version}".')
    description = raw.get("Description") or ""
    if not isinstance(description, str):
        raise errors.make_format_error("Every Description member must be a string.")
    if len(description.encode()) > 1024:
        raise errors.make_format_error("Description is too long. Maximum length is 1024 characters.")
    sections = {name.lower(): _read_section(raw, name, is_processed) for name in _SECTIONS if name not in _SCALAR}
    template = Template(raw, description, **sections)
    if not is_processed:
        return template
    if not template.resources:
        raise errors.make_format_error("At least one Resources member must be defined.")
    check_nulls(raw)
    _check_counts(template)
    _check_mappings(template.mappings)
    for name, resource in template.resources.items():
        _check_resource(name, resource)
    for name, output in template.outputs.items():
        _check_output(name, output)
    _check_references(template)
    return template


_SCALAR: Final = ("AWSTemplateFormatVersion", "Description", "Transform")


def _read_section(raw: Mapping[str, Any], name: str, is_processed: bool) -> dict[str, Any]:
    section = raw.get(name)
    if section is None and name in raw and name != "Metadata":
        raise errors.make_format_error(f"[/{name}] 'null' values are not allowed in templates")
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise errors.make_format_error(f"[/{name}] every {name} member must be an object.")
    if name not in ("Metadata", "Conditions"):
        for key, value in section.items():
            if not isinstance(value, dict) and (is_processed or not key.startswith("Fn::")):
                raise errors.make_format_error(f"[/{name}/{key}] Every {name} member must be an object.")
    return section


def check_nulls(value: Any, path: str = "") -> None:
    """Raise AwsError where a template has null somewhere."""
    if value is None and not path.startswith("/Metadata"):
        raise errors.make_format_error(f"[{path}] 'null' values are not allowed in templates")
    if isinstance(value, dict):
        for key, item in value.items():
            check_nulls(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_nulls(item, f"{path}/{index}")


def _check_counts(template: Template) -> None:
    for what, found, most in (
        ("resources", template.resources, MAX_RESOURCES),
        ("parameters", template.parameters, MAX_PARAMETERS),
        ("outputs", template.outputs, MAX_OUTPUTS),
        ("mappings", template.mappings, MAX_MAPPINGS),
    ):
        if len(found) > most:
            raise errors.make_format_error(f"Number of {what}, {len(found)}, is greater than maximum allowed, {most}")
        for name in found:
            if len(name) > MAX_NAME_CHARACTERS:
                raise errors.make_format_error(f"The name {name} is longer than {MAX_NAME_CHARACTERS} characters.")


def _check_mappings(mappings: Mapping[str, Any]) -> None:
    for name, mapping in mappings.items():
        for key, values in mapping.items():
            if not isinstance(values, dict):
                raise errors.make_format_error(f"Every Mappings member {name} must be a map of maps. ({key})")
            for value in values.values():
                items = value if isinstance(value, list) else [value]
                if any(isinstance(item, dict | list) for item in items):
                    raise errors.make_format_error("Every Mappings attribute must be a String or a List.")


def _check_resource(name: str, resource: Mapping[str, Any]) -> None:
    if not _ALPHANUMERIC.fullmatch(name):
        raise errors.make_format_error(f"Resource name {name} is non alphanumeric.")
    kind = resource.get("Type")
    if kind is None:
        raise errors.make_format_error(f"[/Resources/{name}] Every Resources object must contain a Type member.")
    if not isinstance(kind, str):
        raise errors.make_format_error(f"[/Resources/{name}/Type] 'Type' must be a string.")
    unknown = [key for key in resource if key not in _RESOURCE_KEYS]
    if unknown:
        raise errors.make_validation_error(f"Invalid template resource property '{unknown[0]}'")
    for key, allowed in (("DeletionPolicy", _DELETION_POLICIES), ("UpdateReplacePolicy", _REPLACE_POLICIES)):
        if isinstance(value := resource.get(key, allowed[0]), str) and value not in allowed:
            raise errors.make_format_error(f"Unrecognized {key} {value} for resource {name}")
    _check_condition(resource)
    depends = resource.get("DependsOn", [])
    if not isinstance(depends, str | list) or not all(isinstance(one, str) for one in depends):
        raise errors.make_format_error("DependsOn must be a string or list of strings.")
    if not isinstance(resource.get("Properties", {}), dict):
        raise errors.make_format_error(f"[/Resources/{name}/Properties] 'Properties' must be an object.")


def _check_output(name: str, output: Mapping[str, Any]) -> None:
    if not _ALPHANUMERIC.fullmatch(name):
        raise errors.make_format_error(f"Output name {name} is non alphanumeric.")
    unknown = [key for key in output if key not in ("Value", "Description", "Export", "Condition")]
    if unknown:
        raise errors.make_validation_error(f"Invalid output property '{unknown[0]}'")
    _check_condition(output)
    if "Value" not in output:
        raise errors.make_format_error(f"Every Outputs object must contain a Value object. ({name})")
    export = output.get("Export")
    if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
        raise errors.make_format_error(
            f"Output {name} is malformed. The Name field of every Export member must be specified."
        )


def _check_condition(conditional: Mapping[str, Any]) -> None:
    if not isinstance(conditional.get("Condition", ""), str):
        raise errors.make_format_error("Every Condition member must be a string.")


def _check_references(template: Template) -> None:
    """Raise AwsError where something refers to what the template does not have."""
    known = {*template.parameters, *template.resources, *PSEUDO_PARAMETERS}
    for block, section in (("Resources", template.resources), ("Outputs", template.outputs)):
        missing = {name for one in section.values() for name in list_references(one) if name not in known}
        missing |= {name for one in section.values() for name in list_depends_on(one) if name not in template.resources}
        if missing:
            listed = ", ".join(sorted(missing))
            raise errors.make_format_error(
                f"Unresolved resource dependencies [{listed}] in the {block} block of the template"
            )
        for one in section.values():
            for name, _ in list_attribute_references(one):
                if name not in template.resources:
                    raise errors.make_template_error(f"instance of Fn::GetAtt references undefined resource {name}")
            condition = one.get("Condition")
            if condition is not None and condition not in template.conditions:
                raise errors.make_format_error(
                    f"Unrecognized condition {condition} in the {block} block of the template"
                )


def list_types(template: Template) -> list[str]:
    """Return the types of all resources, where what is not processed yet tells them."""
    declared = (one.get("Type") for one in template.resources.values() if isinstance(one, dict))
    return sorted({kind for kind in declared if isinstance(kind, str)})


def list_depends_on(resource: Mapping[str, Any]) -> list[str]:
    """Return what a resource declares to depend on."""
    declared = resource.get("DependsOn", [])
    return [declared] if isinstance(declared, str) else list(declared)


def list_dependencies(template: Template, resource: Mapping[str, Any]) -> list[str]:
    """Return the resources that have to be there before one, in order."""
    found = {
        *list_depends_on(resource),
        *list_references(resource),
        *(other for other, _ in list_attribute_references(resource)),
    }
    return sorted(other for other in found if other in template.resources)


def list_references(value: Any) -> Iterator[str]:
    """Yield the names that `Ref` and `Fn::Sub` refer to, somewhere in a value."""
    for function, argument in _list_functions(value):
        if function == "Ref" and isinstance(argument, str):
            yield argument
        elif function == "Fn::Sub":
            yield from (name for name in _list_sub_names(argument) if "." not in name)


def list_attribute_references(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the resources and attributes that `Fn::GetAtt` and `Fn::Sub` refer to, somewhere in a value."""
    for function, argument in _list_functions(value):
        if function == "Fn::GetAtt":
            yield parse_get_att(argument)
        elif function == "Fn::Sub":
            for name in _list_sub_names(argument):
                if "." in name:
                    resource, _, attribute = name.partition(".")
                    yield resource, attribute


def parse_get_att(argument: Any) -> tuple[str, str]:
    """Return the resource and the attribute that `Fn::GetAtt` is given. Raises AwsError."""
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str) or not all(parts):
        raise errors.make_template_error(
            "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
        )
    return parts[0], parts[1] if isinstance(parts[1], str) else ""


def _list_sub_names(argument: Any) -> Iterator[str]:
    text, own = argument, {}
    if isinstance(argument, list) and len(argument) == 2:
        text, own = argument
    if isinstance(text, str) and isinstance(own, dict):
        yield from (name for found in _SUB_VARIABLE.findall(text) if (name := found.strip()) not in own)


def _list_functions(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if len(value) == 1 and (key == "Ref" or key.startswith("Fn::")):
                yield key, item
            yield from _list_functions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _list_functions(item)


def sort_resources(dependencies: Mapping[str, list[str]]) -> list[str]:
    """Return resources so that each comes after those it depends on. Raises AwsError where that goes in a circle."""
    ordered: list[str] = []
    waiting = {name: {other for other in others if other in dependencies} for name, others in dependencies.items()}
    while waiting:
        ready = sorted(name for name, others in waiting.items() if not others)
        if not ready:
            raise errors.make_validation_error(f"Circular dependency between resources: [{', '.join(sorted(waiting))}]")
        ordered += ready
        waiting = {name: others.difference(ready) for name, others in waiting.items() if name not in ready}
    return ordered
