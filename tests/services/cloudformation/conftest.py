"""Share fixtures among the tests of CloudFormation."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks


@pytest.fixture
def stacks(aws: Aws) -> Stacks:
    """The stacks of a fresh account."""
    return Stacks(aws)
