"""A client of EC2, for an account of its own."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws


@pytest.fixture
def ec2(aws: Aws) -> Any:
    return aws.client("ec2")
