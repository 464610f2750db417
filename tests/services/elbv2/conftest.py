"""Elastic Load Balancing of an account, and Envoys with targets for tests of parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudlet.testing.server import Aws
from tests.services.elbv2.envoys import Envoy, Web, open_envoy
from tests.services.elbv2.lb_cloud import LbCloud


@pytest.fixture
def cloud(aws: Aws) -> LbCloud:
    """Clients of an account of its own, with a VPC."""
    return LbCloud(aws)


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    """An Envoy that the tests of a module share."""
    with open_envoy(tmp_path_factory.mktemp("envoy")) as made:
        yield made


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    """A target that the tests of a module share."""
    made = Web("web")
    yield made
    made.close()


@pytest.fixture
def webs() -> Iterator[list[Web]]:
    """Three targets, a, b and c."""
    made = [Web(name) for name in ("a", "b", "c")]
    yield made
    for each in made:
        each.close()
