"""Lambda of an account."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cloudlet.testing.server import Aws
from tests.services.lambda_.cloud import FunctionCloud


@pytest.fixture
def cloud(aws: Aws) -> FunctionCloud:
    """Clients of an account of its own."""
    return FunctionCloud(aws)


@pytest.fixture(scope="session")
def node_runtime() -> str:
    """The runtime that this machine's Node.js is for; every machine that runs the tests has one."""
    node = shutil.which("node")
    assert node is not None, "the tests of Node.js functions need node: scripts/environment installs it"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return f"nodejs{version.removeprefix('v').partition('.')[0]}.x"
