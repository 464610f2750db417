"""Libraries of Python: their tests are in python/, and run in the clients' own environments."""

from __future__ import annotations

import pytest

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws
from tests.e2e.client import BOTO3, E2E, INSTALLED, Client
from tests.e2e.conftest import MakeClient


def run(python: Client, library: str) -> None:
    """Run the tests of a library."""
    own = ("--noconftest", "--rootdir", E2E / "python", "-c", "/dev/null", "-p", "no:cacheprovider", "--tb=short")
    python.run("-m", "pytest", "-q", *own, E2E / "python" / f"with_{library}.py")


@pytest.mark.parametrize("library", ["minio", "obstore", "pandas", "pyarrow", "pynamodb"])
def test_library(library: str, client: MakeClient, bucket: str) -> None:
    run(client(str(INSTALLED / "python"), BUCKET=bucket), library)


@pytest.mark.parametrize(
    "library",
    [
        "aws_encryption_sdk",
        "celery",
        "opentelemetry",
        "secretsmanager_caching",
        "watchtower",
        "websockets",
        "xray_sdk",
    ],
)
def test_library_beside_boto3(library: str, client: MakeClient, aws: Aws) -> None:
    running = find(int(aws.endpoint.rpartition(":")[2]))
    assert running is not None
    assert running.xray_daemon is not None
    pointed = {
        "AWS_XRAY_DAEMON_ADDRESS": running.xray_daemon,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{aws.endpoint}/v1/traces",
    }
    run(client(str(BOTO3 / "python"), **pointed), library)
