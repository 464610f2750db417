"""Properties of configurations, whatever the mesh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.engines.envoy import protobuf_messages
from cloudlet.engines.envoy.snapshot import Kind
from cloudlet.services.appmesh.proxy.building import build
from cloudlet.services.appmesh.proxy.needs import list_called_nodes
from cloudlet.services.appmesh.proxy.node_id import parse_node_id
from cloudlet.services.appmesh.proxy.tls import list_secret_names
from cloudlet.services.appmesh.proxy.view import Certificate, MeshView, Surroundings
from tests.services.appmesh.random_meshes import MESHES, NODES
from tests.sizes import examples

_ARN = "arn:aws:acm:us-east-1:123456789012:certificate/c"
_SURROUNDINGS = Surroundings({name: ["10.0.0.1"] for name in NODES}, {_ARN: Certificate("c", "k")}, {_ARN: "a"})


def find_values(value: Any, name: str) -> Iterator[Any]:
    """Yield the values of a member, wherever it is."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key == name:
                yield each
            yield from find_values(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from find_values(each, name)


@settings(max_examples=examples(200))
@given(
    MESHES,
    st.sampled_from(["virtualNode/a", "virtualGateway/g"]),
    st.sampled_from(["", "@127.0.0.2", "@127.0.0.2/127.0.0.3"]),
)
def test_each_mesh_has_a_configuration_that_is_whole(mesh: MeshView, path: str, addresses: str) -> None:
    """All resources fit Envoy's descriptions, and what is named in one of them is there."""
    node = parse_node_id(f"mesh/m/{path}{addresses}", "", "")
    assert node is not None
    made = build(mesh, node, _SURROUNDINGS)
    assert made is not None
    for kind in Kind:
        for resource in made.get(kind).values():
            protobuf_messages.encode(kind, resource)
    naming = [*made.routes.values(), *made.listeners.values()]
    named = set(find_values(naming, "cluster"))
    for weighted in find_values(naming, "weighted_clusters"):
        named |= {each["name"] for each in weighted["clusters"]}
    for weighted in find_values(list(made.listeners.values()), "weighted_clusters"):
        assert all(each["weight"] for each in weighted["clusters"])
    assert named <= made.clusters.keys()
    assert set(find_values(list(made.listeners.values()), "route_config_name")) == made.routes.keys()
    assert made.endpoints.keys() == {name for name, each in made.clusters.items() if each["type"] == "EDS"}
    assert list_secret_names([*made.listeners.values(), *made.clusters.values()]) >= made.secrets.keys()
    called = tuple(f"cds_egress_m_{name}_" for name in list_called_nodes(mesh, node))
    assert all(name.startswith(called) for name in made.endpoints)
    bound = [json.dumps(each["address"]) for each in made.listeners.values()]
    assert len(set(bound)) == len(bound)
