"""Resource types, as Cloud Control API sees them, and identifiers of their resources."""

from __future__ import annotations

from cloudlet.core.aws.resources.declaration import ResourceType
from cloudlet.core.aws.resources.failures import ProvisioningError
from cloudlet.core.aws.resources.reader import parse_identifier
from cloudlet.core.aws.resources.registry import load_resource_types, load_schema
from cloudlet.core.aws.resources.resource_schema import Schema
from cloudlet.services.cloudcontrol import errors
from cloudlet.services.cloudcontrol.json_text import parse_json


def get_type(name: str) -> ResourceType:
    """Return a resource type by its name. Raises TypeNotFoundException."""
    found = load_resource_types().get(name)
    if found is None:
        raise errors.make_type_not_found(name)
    return found


def read_identifier(schema: Schema, text: str) -> dict[str, str]:
    """Return the parts of an identifier, as text or JSON, by the properties' names. Raises AwsError."""
    if text.lstrip().startswith("{"):
        try:
            given = parse_json(text)
        except ValueError:
            raise errors.make_validation_error(f"Identifier {text} is no valid JSON") from None
        if set(given) != set(schema.identifier):
            names = ", ".join(f"/properties/{name}" for name in schema.identifier)
            raise errors.make_validation_error(f"Identifier {text} is not valid for identifier [{names}]")
        return {name: str(given[name]) for name in schema.identifier}
    try:
        return parse_identifier(schema.identifier, text)
    except ProvisioningError as error:
        raise errors.make_validation_error(error.message) from None


def get_schema(declared: ResourceType) -> Schema:
    """Return the schema of a type."""
    return load_schema(declared.name)
