"""Compiled targets: conditions are decided, resources in order, functions ready to be evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.resources.registry import load_resource_types, load_schema
from cloudlet.core.aws.resources.resource_schema import Schema
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.stack_record import Output, Stack, Target
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN, Attribute, Reference, Scope
from cloudlet.services.cloudformation.templates.parameters import NO_ECHO
from cloudlet.services.cloudformation.templates.template import (
    Template,
    list_dependencies,
    read_template,
    sort_resources,
)

CUSTOM: Final = "AWS::CloudFormation::CustomResource"
NESTED: Final = "AWS::CloudFormation::Stack"
OWN_TYPES: Final = ("AWS::CloudFormation::", "AWS::CDK::")
"""The beginnings of types whose resources this block itself has."""
_CUSTOM_PREFIX: Final = "Custom::"


def is_custom(kind: str) -> bool:
    """Whether resources of a type are made by functions or topics of users."""
    return kind == CUSTOM or kind.startswith(_CUSTOM_PREFIX)


def is_known_type(kind: str) -> bool:
    """Whether there is a resource type."""
    return is_custom(kind) or kind in load_resource_types()


def get_schema(kind: str) -> Schema:
    """Return the schema of a type that is known."""
    return load_schema(CUSTOM if is_custom(kind) else kind)


def _find_nothing(name: str) -> str:
    return NOT_KNOWN


@dataclass(frozen=True)
class CompiledTarget:
    """A target of a stack, ready to be applied."""

    target: Target
    template: Template
    pseudo: Mapping[str, Any]
    resources: Mapping[str, Mapping[str, Any]]
    """The resources whose conditions are met."""
    dependencies: Mapping[str, list[str]]
    order: list[str]

    def make_scope(
        self,
        find_reference: Reference | None = None,
        find_attribute: Attribute | None = None,
        find_import: Callable[[str], Any] = _find_nothing,
    ) -> Scope:
        """Return what its functions are evaluated with."""
        return _make_scope(self.template, self.target, self.pseudo, find_reference, find_attribute, find_import)

    def resolve_properties(self, name: str, scope: Scope) -> dict[str, Any]:
        """Return the properties of a resource, in its schema's types, with the stack's tags."""
        resource = self.resources[name]
        declared = resource.get("Properties", {})
        properties = scope.resolve(declared)
        if not isinstance(properties, dict):
            raise errors.make_validation_error(f"Encountered unsupported property {next(iter(declared))}")
        if is_custom(resource["Type"]):
            return properties
        schema = get_schema(resource["Type"])
        return schema.add_tags(schema.convert_types(properties), self.target.tags)

    def check_attribute(self, name: str, attribute: str) -> None:
        """Raise AwsError where the schema of a resource's type does not have an attribute."""
        kind = self.resources[name]["Type"] if name in self.resources else CUSTOM
        if is_custom(kind) or kind == NESTED:
            return
        if attribute and attribute.partition(".")[0] not in get_schema(kind).properties:
            raise errors.make_template_error(
                f"resource {name} does not support attribute type {attribute} in Fn::GetAtt"
            )

    def resolve_option(self, name: str, option: str, default: str) -> str:
        """Return an attribute of a resource, such as its deletion policy."""
        return str(self.make_scope().resolve(self.resources[name].get(option, default)))

    def render_option(self, name: str, option: str) -> str:
        """Return an attribute of a resource as JSON; empty where it has none."""
        declared = self.resources[name].get(option)
        return "" if declared is None else json.dumps(self.make_scope().resolve(declared))

    def resolve_outputs(self, scope: Scope) -> list[Output]:
        """Return the outputs whose conditions are met."""
        found = []
        for key, output in self.template.outputs.items():
            if "Condition" in output and not scope.is_met(output["Condition"]):
                continue
            value = scope.resolve(output["Value"])
            if isinstance(value, dict | list):
                raise errors.make_format_error(
                    f"The Value field of every Outputs member must evaluate to a String. ({key})"
                )
            text = value if isinstance(value, str) else json.dumps(value)
            export = scope.resolve(output["Export"]["Name"]) if "Export" in output else ""
            found.append(Output(key, text, str(scope.resolve(output.get("Description", ""))), str(export)))
        return found

    def list_imports(self) -> list[str]:
        """Return the names under which values are exported that the stack imports."""
        found: set[str] = set()

        def note(name: str) -> str:
            found.add(name)
            return NOT_KNOWN

        scope = self.make_scope(_find_nothing, lambda name, attribute: NOT_KNOWN, note)
        for resource in self.resources.values():
            scope.resolve(resource.get("Properties", {}))
        self.resolve_outputs(scope)
        return sorted(found)


def _make_scope(
    template: Template,
    target: Target,
    pseudo: Mapping[str, Any],
    find_reference: Reference | None = None,
    find_attribute: Attribute | None = None,
    find_import: Callable[[str], Any] = _find_nothing,
) -> Scope:
    return Scope(
        values={**{name: value.value for name, value in target.values.items()}, **pseudo},
        mappings=template.mappings,
        conditions=template.conditions,
        find_reference=find_reference,
        find_attribute=find_attribute,
        find_import=find_import,
        has_language_extensions=target.has_language_extensions,
    )


def list_hidden(target: Target) -> list[str]:
    """Return the values of parameters that are not to be shown."""
    texts = [text for value in target.values.values() if value.is_hidden for text in (value.given, value.resolved)]
    return [text for text in texts if text]


def mask(value: Any, hidden: Iterable[str]) -> Any:
    """Return a value without what is not to be shown."""
    if isinstance(value, Mapping):
        return {key: mask(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item, hidden) for item in value]
    if isinstance(value, str):
        for text in hidden:
            value = value.replace(text, NO_ECHO)
    return value


def make_pseudo_parameters(stack: Stack, target: Target) -> dict[str, Any]:
    """Return the pseudo parameters of a stack."""
    partition = partition_of(stack.region)
    return {
        "AWS::AccountId": stack.account,
        "AWS::NotificationARNs": list(target.notification_arns),
        "AWS::Partition": partition,
        "AWS::Region": stack.region,
        "AWS::StackId": stack.arn,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
    }


def compile_target(stack: Stack, target: Target) -> CompiledTarget:
    """Return a target of a stack, ready to be applied. Raises AwsError."""
    if target.failure:
        raise errors.make_validation_error(target.failure)
    template = read_template(msgspec.json.decode(target.processed))
    pseudo = make_pseudo_parameters(stack, target)
    scope = _make_scope(template, target, pseudo)
    for name in template.conditions:
        scope.is_met(name)
    active = {
        name: resource
        for name, resource in template.resources.items()
        if "Condition" not in resource or scope.is_met(resource["Condition"])
    }
    _check_types(active.values())
    _check_policies(active)
    dependencies = {
        name: [other for other in list_dependencies(template, resource) if other in active]
        for name, resource in active.items()
    }
    return CompiledTarget(target, template, pseudo, active, dependencies, sort_resources(dependencies))


def _check_types(resources: Iterable[Mapping[str, Any]]) -> None:
    unknown = sorted({resource["Type"] for resource in resources if not is_known_type(resource["Type"])})
    if unknown:
        raise errors.make_format_error(f"Unrecognized resource types: [{', '.join(unknown)}]")


def _check_policies(resources: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise AwsError for policies that AWS follows and Cloudlet does not."""
    if any(resource["Type"] == "AWS::Lambda::Alias" and "UpdatePolicy" in resource for resource in resources.values()):
        raise errors.make_not_built("the attribute UpdatePolicy of AWS::Lambda::Alias")
