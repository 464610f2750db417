"""A pytest plugin: what ScyllaDB's alternator tests import of ScyllaDB itself, and the table of results.

The tests speak the DynamoDB API; some fixtures try Scylla's CQL protocol besides, and skip where it cannot be
reached. The stand-ins here cannot be reached. Tests that AWS is not asked, or fails, are skipped. Nothing is written
into the checkout.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from suite_results import Results


class NoHostAvailable(Exception):
    """What cassandra-driver raises where it reaches no Scylla."""


class Unreachable:
    """Takes the place of anything of cassandra-driver; a cluster of it cannot be connected to."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Unreachable:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def connect(self, *_: Any) -> None:
        raise NoHostAvailable("no Scylla here")

    def shutdown(self) -> None:
        pass


def _module(name: str, **contents: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module


_CLUSTER = ("Cluster", "ConsistencyLevel", "ExecutionProfile", "EXEC_PROFILE_DEFAULT", "Session", "ResponseFuture")
_module("cassandra", ConsistencyLevel=type("ConsistencyLevel", (), {"LOCAL_QUORUM": 6, "LOCAL_SERIAL": 9}), __path__=[])
_module("cassandra.cluster", **dict.fromkeys(_CLUSTER, Unreachable), NoHostAvailable=NoHostAvailable)
sys.modules["cassandra.cluster"].__dict__["ConsistencyLevel"] = sys.modules["cassandra"].__dict__["ConsistencyLevel"]
_module("cassandra.auth", PlainTextAuthProvider=Unreachable)
_module("cassandra.policies", RoundRobinPolicy=Unreachable)


@pytest.fixture(scope="session")
def host() -> str:
    """The address of the Scylla under test: there is none, the tests are given a URL."""
    return "127.0.0.1"


_module("test.cqlpy.conftest", host=host)


# What the tests ask of Scylla's configuration, and by which fixtures they say that AWS does not pass them.
_CONFIGURATION = {"alternator_ttl_period_in_seconds": "1"}
_NOT_AWS = {"scylla_only": "about Scylla, not DynamoDB", "dynamodb_bug": "fails on AWS"}


@contextmanager
def _unchanged(*_: Any, **options: Any) -> Iterator[None]:
    """Change nothing of a configuration, where a test says that it does not on AWS either; else skip it."""
    if "nop" not in options:
        importlib.import_module("test.pylib.skip_types").skip_env("changes Scylla's configuration")
    yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Let the tests ask for what they ask of AWS, and not of Scylla's system tables."""
    util = importlib.import_module("test.alternator.util")
    util.__dict__["scylla_config_temporary"] = _unchanged
    util.__dict__["scylla_config_read"] = lambda _, name: _CONFIGURATION.get(name)
    util.__dict__["get_region"] = lambda dynamodb: dynamodb.meta.client.meta.region_name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, reason in _NOT_AWS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip_env(reason=reason))


def _area(test: str) -> str:
    match = re.search(r"test_(\w+)\.py", test)
    return match[1] if match else test


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Results(Path(os.environ["SUITE_RESULTS"]), _area))
