"""The resource types of AWS App Mesh."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Name, Properties, ResourceType, Source

_METADATA: Final = {"Arn": "arn", "Id": "arn", "Uid": "uid", "MeshOwner": "meshOwner", "ResourceOwner": "resourceOwner"}


def _list_tags(properties: Properties) -> list[dict[str, Any]]:
    """Return tags as App Mesh has them."""
    return [{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags") or ()]


def _make_type(kind: str, plural: str, owner: str = "") -> ResourceType:
    """Return the type of a kind of resources.

    Some belong to an owner in their mesh.
    """
    member = kind[0].lower() + kind[1:]
    owners = ("MeshName", *([f"{owner}Name"] if owner else [])) if kind != "Mesh" else ()
    created: dict[str, Source | None] = {"tags": _list_tags}
    lists = Call(f"List{plural}", {name[0].lower() + name[1:]: name for name in owners})
    return ResourceType(
        f"AWS::AppMesh::{kind}",
        "appmesh",
        create=Call(f"Create{kind}", created),
        read=Call(f"Describe{kind}"),
        updates=(Call(f"Update{kind}", absent={"spec": {}}),),
        delete=Call(f"Delete{kind}"),
        named=Name(f"{kind}Name", 255),
        attributes={name: f"{member}.metadata.{path}" for name, path in _METADATA.items()},
        tag=Call("TagResource", {"resourceArn": "Arn", "tags": _list_tags}),
        untag=Call("UntagResource", {"resourceArn": "Arn"}),
        list=lists,
    )


RESOURCE_TYPES: Final = (
    _make_type("Mesh", "Meshes"),
    _make_type("VirtualService", "VirtualServices"),
    _make_type("VirtualNode", "VirtualNodes"),
    _make_type("VirtualRouter", "VirtualRouters"),
    _make_type("Route", "Routes", "VirtualRouter"),
    _make_type("VirtualGateway", "VirtualGateways"),
    _make_type("GatewayRoute", "GatewayRoutes", "VirtualGateway"),
)
