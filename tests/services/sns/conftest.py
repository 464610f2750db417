"""SNS of an account of its own."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.sns.fanout import Fanout


@pytest.fixture
def sns(aws: Aws) -> Any:
    return aws.client("sns")


@pytest.fixture
def topic(sns: Any) -> str:
    """The ARN of a topic."""
    return str(sns.create_topic(Name="orders")["TopicArn"])


@pytest.fixture
def fanout(aws: Aws) -> Fanout:
    """Topics, and what comes of them."""
    return Fanout(aws)
