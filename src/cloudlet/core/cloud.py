"""All building blocks of one Cloudlet, loaded when they are first used."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cloudlet
from cloudlet.core.block import Block
from cloudlet.core.clock import Clock
from cloudlet.core.context import Context
from cloudlet.core.errors import AwsError, unavailable
from cloudlet.core.identity import Principal
from cloudlet.core.ids import uuid4
from cloudlet.core.service import Params, Result, Service
from cloudlet.core.tokens import TokenSealer
from cloudlet.store.embedded import EmbeddedStore

Auth = Literal["open", "strict"]


@dataclass(frozen=True, slots=True)
class Config:
    """What a Cloudlet is started with."""

    data: Path
    auth: Auth = "open"
    services: frozenset[str] | None = None
    """The blocks that may be used; None means all."""
    durable: bool = True
    endpoint: str = "http://localhost:4566"


def built() -> dict[str, str]:
    """Return the blocks that exist: name as botocore has it → the module that declares it.

    A folder whose name is a Python keyword carries an underscore (`lambda_`); elsewhere it stands for a hyphen.
    """
    folder = Path(cloudlet.__file__).parent / "services"
    return {
        module.name.removesuffix("_").replace("_", "-"): f"cloudlet.services.{module.name}.api"
        for module in pkgutil.iter_modules([str(folder)])
        if module.ispkg
    }


class Cloud:
    """Gives out blocks. Used from one event loop."""

    def __init__(self, config: Config, tokens: TokenSealer, clock: Clock | None = None) -> None:
        self.config = config
        self.tokens = tokens
        self.clock = clock or Clock()
        self._modules = built()
        self._blocks: dict[str, Block] = {}
        self._stopped = False

    def states(self) -> dict[str, str]:
        """Return each block's state: "running", "available" (not used yet) or "disabled"."""
        return {
            name: "running" if name in self._blocks else "available" if self.enabled(name) else "disabled"
            for name in sorted(self._modules)
        }

    def enabled(self, name: str) -> bool:
        return self.config.services is None or name in self.config.services

    def block(self, name: str) -> Block:
        """Return a block, loading it where this is its first use. Raises AwsError for what is not to be had."""
        block = self._blocks.get(name)
        if block is None:
            if self._stopped:
                raise unavailable()
            if name not in self._modules:
                raise AwsError(
                    "NotImplemented", f"Cloudlet has no service {name} yet. See docs/coverage.md.", status=501
                )
            if not self.enabled(name):
                raise AwsError("ServiceUnavailable", f"The service {name} is not enabled (--services).", status=503)
            block = self._load(name)
        return block

    def _load(self, name: str) -> Block:
        service: Service = importlib.import_module(self._modules[name]).service
        store = EmbeddedStore(self._folder(name), durable=self.config.durable)
        block = self._blocks[name] = Block(self, service, store)
        return block

    def _folder(self, name: str) -> Path:
        return self.config.data / "blocks" / name

    def wake(self) -> None:
        """Load the blocks that have data, so that their jobs go on where they were stopped."""
        for name in self._modules:
            if self.enabled(name) and self._folder(name).exists():
                self.block(name)

    async def call(
        self,
        service: str,
        operation: str,
        params: Params,
        *,
        principal: Principal,
        account: str,
        region: str,
        source_arn: str = "",
    ) -> Result:
        """Call a service's API from within. Raises AwsError."""
        block = self.block(service)
        context = Context(
            block, principal, account, region, uuid4(), self.config.endpoint, secure=True, source_arn=source_arn
        )
        return await block.run(context, operation, params)

    async def dismiss(self) -> None:
        """Answer all requests that wait for something, as if their time were up: the cloud is stopping."""
        for block in self._blocks.values():
            block.lines.dissolve()

    async def close(self) -> None:
        """Stop all blocks."""
        blocks, self._blocks = list(self._blocks.values()), {}
        await asyncio.gather(*(block.close() for block in blocks))

    async def stopped(self, change: Callable[[], None]) -> None:
        """Run `change` on the data folder while no block is running, then go on."""
        self._stopped = True
        try:
            await self.close()
            await asyncio.to_thread(change)
        finally:
            self._stopped = False
            self.wake()
