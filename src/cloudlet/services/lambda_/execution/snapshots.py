"""What published versions with SnapStart start from: a process each that is initialised already, and halted.

On AWS it is a snapshot of such a process, which is restored as often as it is wanted. Here it goes on once, and the
next one is initialised behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from cloudlet.core import AwsError
from cloudlet.services.lambda_.execution.surplus import surplus
from cloudlet.services.lambda_.execution.worker import InitError, Worker
from cloudlet.services.lambda_.functions.function import Version

log = logging.getLogger("cloudlet.lambda")

_MOST_HELD = 32
"""Processes that are halted take memory: of more versions than this, those that were wanted longest ago have none, of
the account that has most."""


class Snapshots:
    """The processes that are held."""

    def __init__(self, initialise: Callable[[Version], Awaitable[Worker]], end: Callable[[Worker], None]) -> None:
        """`initialise` makes one, or raises AwsError, InitError; `end` ends it."""
        self._initialise = initialise
        self._end = end
        self._held: OrderedDict[str, Worker] = OrderedDict()
        """Version's ARN → its process, the last that was wanted last."""
        self._making: dict[str, asyncio.Task[None]] = {}

    async def make(self, version: Version) -> None:
        """Have one ready for a version. Raises AwsError, InitError."""
        self.hold(version, await self._initialise(version))

    async def take(self, version: Version) -> Worker:
        """Return one that has gone on from where it was held. Raises AwsError, InitError."""
        worker = self._held.pop(version.arn, None)
        if worker is not None and not worker.is_restorable:
            self._end(worker)
            worker = None
        if worker is None:
            worker = await self._initialise(version)
        try:
            await worker.restore()
        except BaseException:
            self._end(worker)
            raise
        self._make_next(version)
        return worker

    def forget(self, arn: str) -> None:
        """Hold none any more for a version."""
        making = self._making.pop(arn, None)
        if making is not None:
            making.cancel()
        worker = self._held.pop(arn, None)
        if worker is not None:
            self._end(worker)

    def forget_revision(self, version: Version) -> None:
        """Hold none any more for a version, where that is still of this revision."""
        held = self._held.get(version.arn)
        if held is not None and held.version.revision == version.revision:
            self.forget(version.arn)

    async def close(self) -> None:
        """Make no more."""
        making = list(self._making.values())
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    def hold(self, version: Version, worker: Worker) -> None:
        """Have this one ready for a version, in place of another one."""
        self.forget(version.arn)
        self._held[version.arn] = worker
        for each in surplus(list(self._held.values()), lambda held: held.version.place.account, _MOST_HELD):
            del self._held[each.version.arn]
            self._end(each)

    def _make_next(self, version: Version) -> None:
        if version.arn not in self._held and version.arn not in self._making:
            self._making[version.arn] = asyncio.get_running_loop().create_task(self._next(version))

    async def _next(self, version: Version) -> None:
        try:
            worker = await self._initialise(version)
        except InitError as failed:
            log.warning("%s fails to be initialised again: %s", version.arn, failed.outcome.error)
        except AwsError as error:
            log.warning("%s cannot be initialised again: %s", version.arn, error)
        else:
            del self._making[version.arn]
            self.hold(version, worker)
        finally:
            self._making.pop(version.arn, None)
