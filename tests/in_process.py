"""A Cloudlet within the test's own process, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.clock import Clock
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import Principal, root
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.core.telemetry.observers import OBSERVERS

T = TypeVar("T")
_PATIENCE_SECONDS = 20
_TURNS = 300
"""Of the event loop: more than anything takes that goes on without the clock."""


def in_block(name: str, folder: Path, scenario: Callable[[Block], Awaitable[None]]) -> None:
    """Do something with a block of a Cloudlet of its own."""

    async def run() -> None:
        cloud = Cloud(Config(folder, durable=False), TokenSealer(b"k" * 32), observers=OBSERVERS)
        try:
            await scenario(cloud.block(name))
        finally:
            await cloud.close()

    asyncio.run(run())


def make_policy(statement: dict[str, Any]) -> str:
    """Return a policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class MovableClock(Clock):
    """Stands still until it is moved; timers run when it has reached them."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        timer = (when, callback)
        self._timers.append(timer)

        def cancel() -> None:
            if timer in self._timers:
                self._timers.remove(timer)

        return cancel

    def advance(self, seconds: float) -> None:
        self.time += seconds
        due = [timer for timer in self._timers if timer[0] <= self.time]
        self._timers = [timer for timer in self._timers if timer[0] > self.time]
        for _, callback in due:
            callback()


class InProcess:
    """Runs a Cloudlet whose clock stands until it is moved. The tests of a block add how they call it."""

    block: str
    """The name of the block."""

    def __init__(self, config: Config, kind: type[Cloud] = Cloud) -> None:
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self._config = config
        self._kind = kind
        self.clock = MovableClock()
        self.cloud = self._open()

    def _open(self) -> Cloud:
        return self._kind(self._config, TokenSealer(b"k" * 32), self.clock, OBSERVERS)

    @property
    def now(self) -> float:
        return self.clock.time

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    def permit(self, principal: Principal, *actions: str) -> Principal:
        """Have IAM know a user, or the role of a session, that may take actions; return who that is in calls."""
        allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        kind = "User" if principal.kind == "user" else "Role"
        name = principal.arn.split("/")[1]
        named: dict[str, Any] = {f"{kind}Name": name}
        trust = {"Effect": "Allow", "Principal": {"AWS": principal.account}, "Action": "sts:AssumeRole"}
        more = {"AssumeRolePolicyDocument": make_policy(trust)} if kind == "Role" else {}
        made = self._call_iam(principal.account, f"Create{kind}", {**named, **more})[kind]
        self._call_iam(
            principal.account,
            f"Put{kind}Policy",
            {**named, "PolicyName": "own", "PolicyDocument": make_policy(allowed)},
        )
        if kind == "User":
            return Principal("user", principal.account, made["Arn"], made["UserId"])
        id = f"{made['RoleId']}:{principal.user_id.partition(':')[2]}"
        details = SessionDetails(issuer=made["Arn"], issued_at=self.now)
        return Principal("assumed-role", principal.account, principal.arn, id, "ASIAEXAMPLE", session=details)

    def _call_iam(self, account: str, operation: str, params: dict[str, Any]) -> Any:
        caller = root(account)
        return self.run(
            self.cloud.call("iam", operation, params, principal=caller, account=account, region="us-east-1")
        )

    def transact(self, body: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """Run a transaction on the block's store."""

        async def transact() -> T:
            return await self.cloud.block(self.block).store.transact(body)

        return self.run(transact())

    def rows(self) -> int:
        """Return how many rows the block's store has."""

        async def count(tx: Transaction) -> int:
            return len(await tx.range(b"\x00", b"\xff", limit=1_000_000))

        return self.transact(count)

    def advance(self, seconds: float) -> None:
        """Move the clock, and let what waits for it run."""

        async def move() -> None:
            await self.settle()
            self.clock.advance(seconds)
            await self.settle()

        self.run(move())

    async def settle(self) -> None:
        """Let everything that can go on without the clock go on."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the cloud go on until a condition holds. Fails where it never does."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "the condition never held"
            self.run(asyncio.sleep(0.001))

    def restart(self) -> None:
        """Close the cloud and open it again on the same data."""
        self.run(self.cloud.close())
        self.cloud = self._open()

        async def wake() -> None:
            self.cloud.start_blocks()
            await self.settle()

        self.run(wake())

    def close(self) -> None:
        self.run(self.cloud.close())
        self._runner.close()
