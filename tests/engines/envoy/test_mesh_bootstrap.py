"""The configuration that Envoys of App Mesh start with."""

from __future__ import annotations

import json
import subprocess

import pytest

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.mesh_bootstrap import BootstrapOptions, make_bootstrap

NODE = "arn:aws:appmesh:us-east-1:123456789012:mesh/shop/virtualNode/front"


@pytest.mark.parametrize("statsd", ["127.0.0.1:8125", "/run/statsd.sock"])
def test_envoy_takes_all_options(statsd: str) -> None:
    options = BootstrapOptions(
        "127.0.0.1:0", "127.0.0.1:2000", statsd, has_tags=True, sds_socket="/x", region="r", mark=1
    )
    made = make_bootstrap(NODE, "127.0.0.1:18000", options)
    command = [str(program.find()), "--mode", "validate", "--config-yaml", json.dumps(made)]
    checked = subprocess.run(command, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    tags = {each["tag_name"]: each["fixed_value"] for each in made["stats_config"]["stats_tags"]}
    assert tags == {"appmesh.mesh": "shop", "appmesh.virtual_node": "front"}
