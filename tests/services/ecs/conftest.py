"""Amazon ECS of an account of its own."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws


@pytest.fixture
def ecs(aws: Aws) -> Any:
    return aws.client("ecs")
