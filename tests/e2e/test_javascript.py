"""The AWS SDK for JavaScript, version 3, and what is built on it: the tests are in javascript/, and run in Node.js."""

from __future__ import annotations

import pytest

from tests.e2e.client import E2E, INSTALLED
from tests.e2e.conftest import MakeClient
from tests.e2e.packages import node_runtime


@pytest.mark.parametrize("file", ["dynamodb", "functions", "libraries", "messaging", "s3", "sight"])
def test_sdk(file: str, client: MakeClient, bucket: str) -> None:
    node = client(str(INSTALLED / "node"), BUCKET=bucket, RUNTIME=node_runtime(client))
    node.run("--test", E2E / "javascript" / f"{file}.test.mjs")
