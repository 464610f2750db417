"""The way to read resources of AWS App Mesh."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading

_METADATA: Final = {"Arn": "arn", "Id": "arn", "Uid": "uid", "MeshOwner": "meshOwner", "ResourceOwner": "resourceOwner"}


def _list_tags(properties: Properties) -> list[dict[str, Any]]:
    """Return tags as templates have them."""
    return [{"Key": tag["key"], "Value": tag.get("value", "")} for tag in properties[ANSWER].get("tags") or ()]


def _read(kind: str, plural: str) -> Reading:
    """Return how a kind of resources is read."""
    member = kind[0].lower() + kind[1:]
    metadata = {name: f"metadata.{path}" for name, path in _METADATA.items()}
    return Reading(
        Read(Call(f"Describe{kind}"), metadata, root=member),
        (Read(Call("ListTagsForResource", {"resourceArn": "Arn"}), {"Tags": _list_tags}, is_exact=True),),
        Listing(Call(f"List{plural}"), plural[0].lower() + plural[1:], {"Id": "arn"}),
    )


READINGS: Final = {
    f"AWS::AppMesh::{kind}": _read(kind, plural)
    for kind, plural in (
        ("Mesh", "Meshes"),
        ("VirtualService", "VirtualServices"),
        ("VirtualNode", "VirtualNodes"),
        ("VirtualRouter", "VirtualRouters"),
        ("Route", "Routes"),
        ("VirtualGateway", "VirtualGateways"),
        ("GatewayRoute", "GatewayRoutes"),
    )
}
