"""Parameter Store within the test's own process, as whoever a test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import Principal, root
from tests.in_process import InProcess

ACCOUNT = "123456789012"
OTHER = "210987654321"
REGION = "us-east-1"


class LocalSsm(InProcess):
    """Runs a Cloudlet that has nothing else, and calls its Parameter Store."""

    block = "ssm"

    def __init__(self, folder: Path, auth: Literal["open", "strict"]) -> None:
        super().__init__(Config(folder, auth=auth, durable=False, services=frozenset((self.block,))))

    def call(self, operation: str, *, by: Principal | None = None, service: str = "ssm", **params: Any) -> Any:
        """Call an operation as a principal: the root of the account, unless another one is named."""
        caller = by or root(ACCOUNT)
        called = self.cloud.call(service, operation, params, principal=caller, account=caller.account, region=REGION)
        return self.run(called)

    def refused(self, operation: str, **params: Any) -> AwsError:
        """Make a call that is refused; return the error."""
        try:
            self.call(operation, **params)
        except AwsError as error:
            return error
        raise AssertionError(f"{operation} was not refused")

    def put(self, name: str, value: str = "v", **more: Any) -> int:
        """Put a parameter of the type String; return the number of its version."""
        number: int = self.call("PutParameter", **{"Name": name, "Value": value, "Type": "String", **more})["Version"]
        return number


@contextmanager
def _local_ssm(folder: Path, auth: Literal["open", "strict"]) -> Iterator[LocalSsm]:
    local = LocalSsm(folder, auth)
    try:
        yield local
    finally:
        local.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalSsm]:
    """Parameter Store that enforces no permissions."""
    with _local_ssm(tmp_path, "open") as made:
        yield made


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[LocalSsm]:
    """Parameter Store that enforces permissions."""
    with _local_ssm(tmp_path, "strict") as made:
        yield made
