"""App Mesh of an account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudlet.testing.server import Aws
from tests.services.appmesh.envoys import Envoys
from tests.services.appmesh.mesh_cloud import MeshCloud


@pytest.fixture
def cloud(aws: Aws) -> MeshCloud:
    """A mesh in an account of its own."""
    return MeshCloud(aws)


@pytest.fixture
def envoys(cloud: MeshCloud) -> Iterator[Envoys]:
    """Real Envoys of the mesh, and applications behind them."""
    with Envoys(cloud) as started:
        yield started
