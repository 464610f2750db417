"""CloudTrail of an account of its own."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws


@pytest.fixture
def trails(aws: Aws) -> Any:
    return aws.client("cloudtrail")
