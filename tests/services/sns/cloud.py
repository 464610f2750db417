"""SNS within the test's own process: strict where wanted, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cloudlet.core import AwsError, Transaction
from cloudlet.core.block import Block
from cloudlet.core.cloud import Auth, Cloud, Config
from cloudlet.core.identity import Principal, root
from cloudlet.core.tokens import TokenSealer
from tests.services.sqs.conftest import MovableClock

ACCOUNT = "111111111111"
OTHER = "222222222222"
REGION = "eu-west-1"
OWNER = root(ACCOUNT, ACCOUNT)
STRANGER = root(OTHER, OTHER)
_PATIENCE_SECONDS = 20
T = TypeVar("T")


class LocalSns:
    """Calls operations of SNS as the root of an account, and moves the clock."""

    def __init__(self, folder: Path, auth: Auth) -> None:
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self.folder = folder
        self.clock = MovableClock()
        config = Config(data=folder, auth=auth, durable=False)
        self.cloud = Cloud(config, TokenSealer(b"k" * 32), self.clock)

    def call(
        self, operation: str, *, by: Principal = OWNER, service: str = "sns", source_arn: str = "", **params: Any
    ) -> dict[str, Any]:
        """Call an operation and return its result. Raises AwsError."""
        account = by.account if by.kind != "anonymous" else ACCOUNT
        called = self.cloud.call(
            service, operation, params, principal=by, account=account, region=REGION, source_arn=source_arn
        )
        return dict(self._runner.run(called) or {})

    def refused(self, operation: str, *, by: Principal = OWNER, source_arn: str = "", **params: Any) -> AwsError:
        """Call an operation that is refused; return the error."""
        with pytest.raises(AwsError) as caught:
            self.call(operation, by=by, source_arn=source_arn, **params)
        return caught.value

    def page(self, name: str) -> tuple[str, bytes]:
        """Return the type and the content of a page."""
        block = self.cloud.block("sns")
        return self._runner.run(_shown(block, name))

    def transact(self, body: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """Run a transaction on the block's store, which has been called before."""
        return self._runner.run(self.cloud.block("sns").store.transact(body))

    def advance(self, seconds: float) -> None:
        """Move the clock, and let what waits for it run."""

        async def move() -> None:
            await self.settle()
            self.clock.advance(seconds)
            await self.settle()

        self._runner.run(move())

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the cloud go on until a condition holds. Fails where it never does."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "the condition never held"
            self._runner.run(asyncio.sleep(0.01))

    async def settle(self) -> None:
        """Let everything that can go on without the clock go on."""
        for _ in range(100):
            await asyncio.sleep(0)

    def close(self) -> None:
        self._runner.run(self.cloud.close())
        self._runner.close()


async def _shown(block: Block, name: str) -> tuple[str, bytes]:
    return await block.service.pages[name](block)


@contextmanager
def local_sns(folder: Path, auth: Auth = "open") -> Iterator[LocalSns]:
    """Run a Cloudlet until the end of the `with` block."""
    sns = LocalSns(folder, auth)
    try:
        yield sns
    finally:
        sns.close()
