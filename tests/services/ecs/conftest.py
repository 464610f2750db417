"""Amazon ECS of an account of its own."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

import pytest

from cloudlet.testing.server import Aws

# AWS Cloud Map comes to this tree by another branch.
collect_ignore: Final = [] if find_spec("cloudlet.services.servicediscovery") else ["test_discovery.py"]


@pytest.fixture
def ecs(aws: Aws) -> Any:
    return aws.client("ecs")
