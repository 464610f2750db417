"""All building blocks of one Cloudlet, loaded when they are first used."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Literal

import cloudlet
from cloudlet.core.authorization.denials import Denials
from cloudlet.core.authorization.sources import PermissionSource
from cloudlet.core.host.file_owner import Owner, WrongFolder
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.clock import Clock
from cloudlet.core.kernel.context import TRACE_HEADER, Context
from cloudlet.core.kernel.errors import AwsError, unavailable
from cloudlet.core.kernel.identity import Credential, Principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.models import get_block_name, get_handler_key
from cloudlet.core.kernel.service import Params, Result, Service
from cloudlet.core.kernel.system_clock import SystemClock
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.core.kernel.vault import Vault
from cloudlet.store import Store, StoreError
from cloudlet.store.disk_space import DiskReserve
from cloudlet.wire import load
from cloudlet.wire.failures import status_of
from cloudlet.wire.validation import invalid

if TYPE_CHECKING:
    from cloudlet.core.kernel.observer import MakeObserver
    from cloudlet.core.kernel.peers import Peers
    from cloudlet.store.postgres import PostgresStore

log = logging.getLogger("cloudlet.core")

Auth = Literal["open", "strict"]
EVERY_OTHER = "*"
FILES_KEPT_SECONDS = 7 * 24 * 3600.0
_TRIED_AGAIN_SECONDS = 1.0
"""A block that cannot be opened is tried no sooner again: that takes time from all others."""


FindKey = Callable[[str, "str | None"], "Credential | None"]
"""Finds an access key, with its session token where it has one."""


def _knows_none(access_key: str, token: str | None) -> Credential | None:
    return None


@dataclass(frozen=True, slots=True)
class Config:
    """What a Cloudlet is started with."""

    data: Path
    auth: Auth = "open"
    services: frozenset[str] | None = None
    """The blocks that may be used; None means all."""
    durable: bool = True
    endpoint: str = "http://127.0.0.1:4566"
    store: str | None = None
    """The URL of the PostgreSQL that keeps the blocks' data; None: the data folder does."""
    files_kept_seconds: float = FILES_KEPT_SECONDS
    """For how long files outlive what they belong to, where the blocks' data is in a PostgreSQL."""
    peers: Mapping[str, str] = field(default_factory=dict)
    """The base URLs of blocks that run elsewhere, by name; `EVERY_OTHER` is where those are that are not named."""
    datagrams: Mapping[str, socket] = field(default_factory=dict)
    """The sockets that blocks take datagrams from, by name; these blocks run from the start."""
    listening: Mapping[str, socket] = field(default_factory=dict)
    """The sockets for connections at the same addresses."""
    traces_calls: bool = False
    """Whether the calls that applications make become segments in X-Ray."""
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"
    """What users' code runs in; "none": it sees and may do what Cloudlet may."""
    authority: Path | None = None
    """The file, in PEM, of the authority by which clients trust the endpoint, where that is Cloudlet's own."""
    owner: int = field(default_factory=os.getpid)
    """The id of the process that the keeper of programs and networks ends with."""


def _validate(service: Service, model: str, operation: str, params: Params) -> None:
    """Raise AwsError for parameters that the model's constraints do not allow."""
    found = load(model).operations.get(operation)
    if found is None or not (violations := found.violations(params)):
        return
    request = invalid(violations)
    request.operation = operation
    error = request if service.invalid_request is None else service.invalid_request(request)
    raise AwsError(error.code, error.message, status=error.status, **error.fields)


def list_blocks() -> dict[str, str]:
    """Return the blocks that exist: name as botocore has it → the module that declares it.

    A folder whose name is a Python keyword carries an underscore (`lambda_`); elsewhere it stands for a hyphen.
    """
    folder = Path(cloudlet.__file__).parent / "services"
    modules = sorted(api.parent.name for api in folder.glob("*/api.py"))
    return {module.removesuffix("_").replace("_", "-"): f"cloudlet.services.{module}.api" for module in modules}


def list_blocks_with_data(config: Config, names: Iterable[str]) -> list[str]:
    """Return those of the blocks that have data, or may have some."""
    return [name for name in names if config.store is not None or get_block_folder(config, name).exists()]


def open_store(config: Config, name: str) -> Store:
    """Return the store of a block. Raises StoreError."""
    if config.store is None:
        # Imported late: RocksDB takes ten megabytes, which one that is not used, or has a PostgreSQL, can do without.
        from cloudlet.store.embedded import EmbeddedStore

        return EmbeddedStore(get_block_folder(config, name), durable=config.durable, reserve=DiskReserve(config.data))
    return postgres_engine(config.store)(config.store, name)


def postgres_engine(url: str) -> type[PostgresStore]:
    """Return the engine for a PostgreSQL. Raises StoreError where there is none, or the URL is not of one."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise StoreError("the store's URL begins with postgresql://")
    try:
        from cloudlet.store.postgres import PostgresStore
    except ModuleNotFoundError as error:
        raise StoreError(f"a store on PostgreSQL needs {error.name}: pip install {error.name}") from error
    return PostgresStore


def get_block_folder(config: Config, name: str) -> Path:
    """Return the folder of a block's data."""
    return config.data / "blocks" / name


class Cloud:
    """Gives out blocks. Used from one event loop."""

    def __init__(
        self, config: Config, tokens: TokenSealer, clock: Clock | None = None, observers: Sequence[MakeObserver] = ()
    ) -> None:
        self.config = config
        self.observers = observers
        """The makers of what observes each block."""
        self.tokens = tokens
        self.vault = Vault(tokens.derive_key("secrets at rest"))
        """Encrypts the secrets that blocks keep."""
        self.permissions = PermissionSource(self)
        """The source of what principals may do."""
        self.clock: Clock = clock or SystemClock()
        self.denials = Denials(self.clock)
        self.find_key: FindKey = _knows_none
        """What is known of an access key, for signatures that are in a request's body, where the front door is not."""
        self._modules = list_blocks()
        self._peers: Peers | None = None
        self._blocks: dict[str, Block] = {}
        self._tried_again: dict[str, float] = {}
        """When blocks that could not be opened are tried again, by `time.monotonic`."""
        self._stopped = False

    def states(self) -> dict[str, str]:
        """Return each block's state: "running", "available" (not used yet), "elsewhere" or "disabled"."""
        return {name: self._state(name) for name in sorted(self._modules)}

    def _state(self, name: str) -> str:
        if name in self._blocks:
            return "running"
        if self.enabled(name):
            return "available"
        return "disabled" if self._elsewhere(name) is None else "elsewhere"

    def _elsewhere(self, name: str) -> str | None:
        """Return the base URL of a block that does not run here."""
        peers = self.config.peers
        return None if self.enabled(name) else peers.get(name) or peers.get(EVERY_OTHER)

    def running(self) -> Mapping[str, Block]:
        """Return the blocks that are in use, by name, now and later."""
        return self._blocks

    def enabled(self, name: str) -> bool:
        return self.config.services is None or name in self.config.services

    def has(self, name: str) -> bool:
        """Whether there is such a block, here or elsewhere."""
        return name in self._modules and (self.enabled(name) or self._elsewhere(name) is not None)

    def block(self, name: str) -> Block:
        """Return a block, loading it where this is its first use. Raises AwsError for what is not to be had.

        One whose data cannot be opened is not to be had now, and tried again when it is asked for a second later.
        """
        block = self._blocks.get(name)
        if block is None:
            if self._stopped:
                raise unavailable()
            if name not in self._modules:
                raise AwsError(
                    "NotImplemented",
                    f"Cloudlet has no service {name} yet. `cloudlet coverage` lists those that it has.",
                    status=501,
                )
            if not self.enabled(name):
                raise AwsError("ServiceUnavailable", f"The service {name} is not enabled (--services).", status=503)
            if time.monotonic() < self._tried_again.get(name, 0.0):
                raise unavailable()
            try:
                block = self._opened(name)
            except (StoreError, OSError) as error:
                self._tried_again[name] = time.monotonic() + _TRIED_AGAIN_SECONDS
                log.error("the block %s cannot be started: %s", name, error)
                raise unavailable() from error
        return block

    def _opened(self, name: str) -> Block:
        block = self._blocks.get(name)
        if block is None:
            service: Service = importlib.import_module(self._modules[name]).service
            block = self._blocks[name] = Block(self, service, open_store(self.config, name))
        return block

    def load_all(self) -> None:
        """Load every block that may be used. Raises StoreError where the data of one cannot be opened."""
        for name in filter(self.enabled, self._modules):
            self._opened(name)

    async def claim_files(self) -> None:
        """See that the files of the blocks in use are in this data folder. Raises WrongFolder.

        Where the database is away, it is seen later.
        """
        owners = [block.file_owner for block in self._blocks.values() if block.service.has_files and block.file_owner]
        for outcome in await asyncio.gather(*(owner.renew() for owner in owners), return_exceptions=True):
            if isinstance(outcome, WrongFolder) or not isinstance(outcome, StoreError | Owner):
                raise outcome

    def start_blocks(self) -> list[str]:
        """Load the blocks that have data, so that their jobs go on where they were stopped, and those that listen.

        Return those that cannot be opened. They keep no other from starting, and are tried again when asked for.
        """
        failed = []
        for name in sorted(self._to_wake()):
            try:
                self.block(name)
            except AwsError:
                failed.append(name)
        return failed

    def _to_wake(self) -> set[str]:
        return {*list_blocks_with_data(self.config, filter(self.enabled, self._modules)), *self.config.datagrams}

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
        trace: str | None = None,
        once: str = "",
    ) -> Result:
        """Call a service's API from within, wherever it runs. Raises AwsError.

        `once` is the token of a call that may be made again after a crash: an operation that is one transaction is done
        once, and answers the second time as the first.
        """
        name = get_block_name(service)
        block = self._blocks.get(name)
        if block is None:
            address = self._elsewhere(name)
            if address is not None:
                return await self._way_to_peers().call(
                    address,
                    service,
                    operation,
                    params,
                    principal=principal,
                    region=region,
                    source_arn=source_arn,
                    trace=trace,
                    once=once,
                )
            block = self.block(name)
        _validate(block.service, service, operation, params)
        context = Context(
            block,
            principal,
            account,
            region,
            uuid4(),
            self.config.endpoint,
            secure=True,
            protocol="none",
            headers={TRACE_HEADER: trace} if trace else {},
            source_arn=source_arn,
            once=once,
        )
        try:
            return await block.run(context, get_handler_key(service, operation), params)
        except AwsError as error:
            # As it has one that comes from another process: whether a call is made again may depend on it.
            error.status = status_of(error, load(service).error_shape(error.code))
            raise

    def _way_to_peers(self) -> Peers:
        if self._peers is None:
            from cloudlet.core.kernel.peers import Peers

            self._peers = Peers(self.tokens, self.clock)
        return self._peers

    async def release_waiting_requests(self) -> None:
        """Answer all requests that wait for something, as if their time were up: the cloud is stopping."""
        for block in self._blocks.values():
            block.lines.release_all()

    async def close(self) -> None:
        """Stop all blocks; none is loaded any more, whoever asks for it."""
        self._stopped = True
        blocks = list(self._blocks.values())
        self._blocks.clear()
        await asyncio.gather(*(block.close() for block in blocks))
        if self._peers is not None:
            await self._peers.close()

    async def run_while_stopped(self, change: Callable[[], None]) -> None:
        """Run `change` on the data folder while no block is running, then go on."""
        try:
            await self.close()
            await asyncio.to_thread(change)
        finally:
            self._stopped = False
            self._tried_again.clear()
            self.permissions.forget()
            self.start_blocks()
