"""Traffic through real Envoys: what AWS's examples of App Mesh show, counted."""

from __future__ import annotations

import time

from tests.services.appmesh.envoys import Envoys
from tests.services.appmesh.mesh_cloud import MeshCloud, listen, route_to
from tests.standing import eventually


def test_traffic_is_split_by_weights(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, colorapp: a canary gets a tenth of the requests, and then all of them."""
    for color in ("blue", "green"):
        envoys.add_node(color, listen(8080))
    cloud.create_router("r", listen(80))
    weights = [{"virtualNode": "blue", "weight": 9}, {"virtualNode": "green", "weight": 1}]
    match = {"prefix": "/"}
    cloud.create_route(httpRoute={"match": match, "action": {"weightedTargets": weights}})
    cloud.create_service("color.local", router="r")
    envoys.add_client("color.local")
    counted = envoys.count("color.local", 200)
    assert counted["blue"] + counted["green"] == 200
    assert 5 <= counted["green"] <= 45
    cloud.update_route(httpRoute=route_to("green"))
    started = time.monotonic()
    envoys.expect("color.local", "green")
    assert time.monotonic() - started < 1
    assert envoys.count("color.local:80", 20) == {"green": 20}


def test_the_service_shows_its_envoys(cloud: MeshCloud, envoys: Envoys) -> None:
    cloud.create_node("n")
    envoys.start("virtualNode/n")
    own = f":{cloud.account}:mesh/m/virtualNode/n@"
    shown = eventually(
        lambda: [each for each in envoys.show()["envoys"] if own in each["id"]], lambda found: found[0]["isApplied"]
    )
    assert shown[0]["refusals"] == {}
