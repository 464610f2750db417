"""CloudWatch Logs of an account, and a Cloudlet whose clock the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.core.kernel.service import Params, Result
from cloudlet.testing.server import Aws
from tests.in_process import InProcess

ACCOUNT, REGION = "111111111111", "eu-west-1"
_SERVICES = frozenset({"logs", "cloudwatch"})


@pytest.fixture
def logs(aws: Aws) -> Any:
    """A client of an account of its own."""
    return aws.client("logs")


class Call(NamedTuple):
    """A call of another service by CloudWatch Logs."""

    service: str
    operation: str
    params: Params
    account: str
    source_arn: str


class StandIns(Cloud):
    """A cloud in which some services are played by the test."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.played: dict[str, Callable[[Call], Result]] = {}
        """What answers for a service."""
        self.calls: list[Call] = []

    async def call(self, service: str, operation: str, params: Params, **more: Any) -> Result:
        if service in self.played:
            called = Call(service, operation, params, more["account"], more.get("source_arn", ""))
            self.calls.append(called)
            return self.played[service](called)
        return await super().call(service, operation, params, **more)


class LocalLogs(InProcess):
    """Calls operations within this process, and moves the clock."""

    block = "logs"
    cloud: StandIns

    def __init__(self, folder: Path, config: Config | None = None) -> None:
        super().__init__(config or Config(data=folder, services=_SERVICES, durable=False), StandIns)

    @property
    def millis(self) -> int:
        return int(self.clock.now() * 1000)

    def call(self, operation: str, *, service: str = "logs", **params: Any) -> dict[str, Any]:
        """Call an operation and return its result. Raises AwsError."""
        return self.call_as(root(ACCOUNT), operation, params, service)

    def call_as(
        self,
        principal: Principal,
        operation: str,
        params: dict[str, Any],
        service: str = "logs",
        account: str = ACCOUNT,
    ) -> dict[str, Any]:
        """Call an operation as somebody else."""
        called = self.cloud.call(service, operation, params, principal=principal, account=account, region=REGION)
        result: Any = self.run(called)
        return dict(result or {})


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalLogs]:
    """A Cloudlet in this process, with a clock that stands until it is moved."""
    running = LocalLogs(tmp_path)
    try:
        yield running
    finally:
        running.close()
