"""A building block at work: its service, its store, its jobs."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from cloudlet.core.authorization.session_limits import find_denial
from cloudlet.core.background.jobs import keep_running
from cloudlet.core.host.file_owner import FileOwner
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.errors import make_internal_only, not_implemented
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.invocation import Done, Invocation
from cloudlet.core.kernel.observer import Observer
from cloudlet.core.kernel.service import Job, Listener, Params, Result, Service
from cloudlet.core.kernel.wait_queues import WaitQueues
from cloudlet.store import Store
from cloudlet.store.blobs import Blobs
from cloudlet.store.eager import settling, spawn

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

    from cloudlet.core.kernel.cloud import Cloud


def files_of(data: Path, name: str) -> Path:
    """Return the folder for the large values of a block."""
    return data / "blocks" / name / "blobs"


class Block:
    """One service, loaded and running in this process."""

    def __init__(self, cloud: Cloud, service: Service, store: Store) -> None:
        self.cloud = cloud
        self.service = service
        self.store = store
        self._principal = f"{service.name}.amazonaws.com"
        self.clock = cloud.clock
        config = cloud.config
        self.is_strict = config.auth == "strict"
        """Whether permissions are enforced."""
        folder = files_of(config.data, service.name)
        self.file_owner = None if config.store is None else FileOwner(store, folder)
        """The claim to its files, if its rows are not in the data folder."""
        self.blobs = Blobs(folder, durable=config.durable, marks=self.file_owner)
        """Its large values, in files."""
        self.attached: dict[object, object] = {}
        """The values that its service keeps beside it: see `cloudlet.core.kernel.per_block`."""
        self.lines = WaitQueues(store, cloud.clock)
        observers: list[Observer] = [made for make in cloud.observers if (made := make(self)) is not None]
        self.answered = tuple(each.answered for each in observers if each.answered is not None)
        """The functions that are told of each call once it is answered."""
        self.recorded = tuple(each.recorded for each in observers if each.recorded is not None)
        """The functions that are told of a change, within its transaction."""
        self.rejected = tuple(each.rejected for each in observers if each.rejected is not None)
        """The functions that are told of calls that the model refuses."""
        self._closing = tuple(each.close for each in observers if each.close is not None)
        jobs = list(service.jobs)
        if self.file_owner is not None and service.has_files:
            jobs.append(self.file_owner.keep)
        jobs.extend(each.job for each in observers if each.job is not None)
        datagrams = config.datagrams.get(service.name)
        if datagrams is not None and service.listener is not None:
            jobs.append(_listening(service.listener, datagrams))
        loop = asyncio.get_running_loop()
        self._jobs = [loop.create_task(keep_running(self, job.__name__, partial(job, self))) for job in jobs]

    def invoke(self, context: Context, operation: str, params: Params, done: Done) -> Invocation | None:
        """Run an operation, named as the block declares it. Returns what can be cancelled.

        `done(result, error)` is called once it is durable.
        """
        handler = self.service.handlers.get(operation)
        if handler is None:
            done(None, not_implemented(self.service.name, operation, self.service.instead.get(operation, "")))
            return None
        if handler.is_internal and context.principal.kind != "service":
            done(None, make_internal_only(handler.name))
            return None
        if context.principal.session is not None:
            denial = find_denial(context.principal, handler.model, handler.name)
            if denial is not None:
                done(None, denial)
                return None
        invocation = Invocation(self, handler, context, params, done)
        if not self.is_strict:
            invocation.start()
            return invocation
        permissions = self.cloud.permissions.find(context.principal)
        if permissions is None:
            spawn(self._authorize_later(invocation, context))
        else:
            context.permissions = permissions
            invocation.authorize()
        return invocation

    async def _authorize_later(self, invocation: Invocation, context: Context) -> None:
        """Start an invocation once IAM has answered what its caller may do."""
        try:
            context.permissions = await self.cloud.permissions.load(context.principal)
        except Exception as error:
            invocation.fail(error)
            return
        invocation.authorize()

    async def run(self, context: Context, operation: str, params: Params) -> Result:
        """Run an operation and return its result once it is durable. Raises AwsError."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        invocation = self.invoke(context, operation, params, settling(future))
        try:
            return await future
        except asyncio.CancelledError:
            if invocation is not None:
                invocation.cancel()
            raise

    async def call(
        self,
        service: str,
        operation: str,
        params: Params,
        *,
        account: str,
        region: str,
        source_arn: str = "",
        trace: str | None = None,
    ) -> Result:
        """Call another service's API as this one, in an account and a region.

        `source_arn` is the resource on whose behalf it calls, for the callee's policies; `trace` a trace header that is
        handed on. Raises AwsError.
        """
        principal = make_principal("service", account, self._principal, self.service.name, "")
        return await self.cloud.call(
            service,
            operation,
            params,
            principal=principal,
            account=account,
            region=region,
            source_arn=source_arn,
            trace=trace,
        )

    async def close(self) -> None:
        """Answer those who wait, stop the jobs and release the store."""
        self.lines.release_all()
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for close in self._closing:
            await close()
        await self.store.close()


def _listening(listener: Listener, datagrams: socket) -> Job:
    async def listen(block: Block) -> None:
        await listener(block, datagrams)

    return listen
