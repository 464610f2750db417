"""App Mesh of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.appmesh.mesh_cloud import MeshCloud


@pytest.fixture
def cloud(aws: Aws) -> MeshCloud:
    """A mesh in an account of its own."""
    return MeshCloud(aws)
