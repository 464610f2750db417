"""Direct operations that end with a transaction, whose answer is their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.service import FinalTransaction, Handler
from cloudlet.core.kernel.tokens import TokenSealer

ACCOUNT = "111122223333"
Body = Callable[[Transaction], Coroutine[Any, Any, Result]]
Call = Callable[[], Coroutine[Any, Any, Result]]


@asynccontextmanager
async def concluding(folder: Path, monkeypatch: pytest.MonkeyPatch, body: Body, *, waits: bool) -> AsyncIterator[Call]:
    """Calls an operation that, after it has waited for something or at once, ends with a transaction."""

    async def operation(ctx: Context, params: Params) -> FinalTransaction:
        if waits:
            await asyncio.sleep(0)
        return FinalTransaction(body)

    cloud = Cloud(Config(folder), TokenSealer(bytes(32)))
    handlers = cloud.block("sqs").service.handlers
    monkeypatch.setitem(handlers, "ListQueues", Handler("sqs", "ListQueues", operation, transactional=False))
    try:
        yield lambda: asyncio.wait_for(
            cloud.call("sqs", "ListQueues", {}, principal=root(ACCOUNT), account=ACCOUNT, region="us-east-1"), 10
        )
    finally:
        await cloud.close()


@pytest.mark.parametrize("waits", [False, True])
def test_the_answer_is_that_of_the_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: bool) -> None:
    async def body(tx: Transaction) -> Result:
        before = await tx.get(b"key") or b"0"
        await asyncio.sleep(0)
        tx.put(b"key", str(int(before) + 1).encode())
        return {"Count": int(before) + 1}

    async def main() -> None:
        async with concluding(tmp_path, monkeypatch, body, waits=waits) as call:
            # Each reads what the others change: those that conflict are run again.
            answers = await asyncio.gather(*(call() for _ in range(5)))
            assert sorted(answer["Count"] for answer in answers if answer is not None) == [1, 2, 3, 4, 5]

    uvloop.run(main())


@pytest.mark.parametrize("waits", [False, True])
def test_an_error_of_the_transaction_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: bool) -> None:
    async def body(tx: Transaction) -> Result:
        tx.put(b"key", b"value")
        raise AwsError("NoSuchThing", "There is no such thing.")

    async def main() -> None:
        async with concluding(tmp_path, monkeypatch, body, waits=waits) as call:
            with pytest.raises(AwsError, match="There is no such thing"):
                await call()

    uvloop.run(main())
