"""Meshes of random specifications, as the model admits them."""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.model import ListShape, Shape, StructureShape
from hypothesis import strategies as st

from cloudlet.core import AwsError
from cloudlet.services.appmesh.proxy.view import MeshView
from cloudlet.services.appmesh.spec_rules import check_spec

_MODEL = botocore.session.get_session().get_service_model("appmesh")
NODES = ("a", "b")
SERVICE = "s.local"
_TEXTS = ("/", "/a", "/b/c", "x", "a.b", "server-error", "arn:aws:acm:us-east-1:123456789012:certificate/c")
_NAMED = {
    "virtualNode": st.sampled_from(NODES),
    "virtualServiceName": st.just(SERVICE),
    "port": st.sampled_from([80, 8080]),
    "unit": st.sampled_from(["s", "ms"]),
    "format": st.just({"text": "%REQ(:PATH)%"}),
}
"""Values of members that must fit those of others."""


def make_values(shape: Shape, name: str = "") -> st.SearchStrategy[Any]:
    """Return a strategy for values of a shape."""
    limits = shape.metadata
    if name in _NAMED and not (name == "virtualNode" and isinstance(shape, StructureShape)):
        return _NAMED[name]
    if isinstance(shape, StructureShape):
        members = {each: make_values(member, each) for each, member in shape.members.items()}
        if limits.get("union") or shape.is_tagged_union:
            return st.one_of(*(st.fixed_dictionaries({each: value}) for each, value in members.items()))
        required = {each: members.pop(each) for each in list(members) if each in shape.required_members}
        if shape.name == "Duration":
            return st.fixed_dictionaries(members)
        return st.fixed_dictionaries(required, optional=members)
    if isinstance(shape, ListShape):
        most = min(limits.get("max", 2), 2)
        return st.lists(make_values(shape.member, name), min_size=limits.get("min", 0), max_size=most)
    if shape.type_name in ("integer", "long"):
        bits = 31 if shape.type_name == "integer" else 63
        return st.integers(limits.get("min", 0), limits.get("max", 2**bits - 1))
    if shape.type_name == "boolean":
        return st.booleans()
    return st.sampled_from(getattr(shape, "enum", None) or _TEXTS)


def _is_allowed(kind: str, spec: dict[str, Any]) -> bool:
    try:
        check_spec(kind, spec)
    except AwsError:
        return False
    return True


def make_specs(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for specifications of a kind that the rules allow."""
    return make_values(_MODEL.shape_for(f"{kind}Spec")).filter(lambda spec: _is_allowed(kind, spec))


def _make_routes(kind: str, types: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy for routes, each of one type."""
    members = _MODEL.shape_for(f"{kind}Spec").members
    one = st.one_of(*(st.fixed_dictionaries({each: make_values(members[each], each)}) for each in types))
    return st.lists(one.filter(lambda spec: _is_allowed(kind, spec)), max_size=3)


_BY_NODE = [{"virtualNode": {"virtualNodeName": each}} for each in NODES]
_SERVICES = st.sampled_from([{"virtualRouter": {"virtualRouterName": "r"}}, *_BY_NODE]).map(
    lambda provider: {SERVICE: {"provider": provider}}
)
_NODE_SPECS = make_specs("VirtualNode")

MESHES: st.SearchStrategy[MeshView] = st.builds(
    MeshView,
    st.just("m"),
    make_specs("Mesh"),
    _SERVICES,
    st.fixed_dictionaries(dict.fromkeys(NODES, _NODE_SPECS)),
    st.fixed_dictionaries({"r": make_specs("VirtualRouter")}),
    st.fixed_dictionaries({"g": make_specs("VirtualGateway")}),
    st.fixed_dictionaries({"r": _make_routes("Route", ("httpRoute", "http2Route", "grpcRoute", "tcpRoute"))}),
    st.fixed_dictionaries({"g": _make_routes("GatewayRoute", ("httpRoute", "http2Route", "grpcRoute"))}),
)
"""Meshes of two nodes, a router and a gateway."""
