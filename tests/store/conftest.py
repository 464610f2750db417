"""The engines that the store's suite runs against."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloudlet.store import Store
from cloudlet.store.embedded import EmbeddedStore
from cloudlet.store.postgres import PostgresStore
from tests.postgres.server import fresh_keyspace, shared_server

ENGINES: dict[str, Callable[[Path], Store]] = {
    "embedded": lambda folder: EmbeddedStore(folder),
    "embedded-ephemeral": lambda folder: EmbeddedStore(folder, durable=False),
    "postgres": lambda folder: PostgresStore(shared_server().url, fresh_keyspace()),
}


@pytest.fixture(params=list(ENGINES))
def run_with_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Callable[[Store], Any]], Any]:
    """Run an async function of a fresh store to its end."""

    def run(scenario: Callable[[Store], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            store = ENGINES[request.param](tmp_path / "store")
            try:
                return await scenario(store)
            finally:
                await store.close()

        return asyncio.run(main())

    return run
