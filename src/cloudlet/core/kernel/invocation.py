"""One operation under way: run, run again after waiting, answered once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudlet.core.authorization import enforcement, system_tags
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.detour import Detour, follow
from cloudlet.core.kernel.errors import internal_failure, unavailable
from cloudlet.core.kernel.models import get_handler_key
from cloudlet.core.kernel.prerequisite import Prerequisite
from cloudlet.core.kernel.replies import answer_once
from cloudlet.core.kernel.service import FinalTransaction, Handler, Params, ResourceTags, Result
from cloudlet.core.kernel.wait_queues import Wait
from cloudlet.store import StoreError, Transaction
from cloudlet.store.blobs import MissingBlob
from cloudlet.store.eager import Outcome, begin, spawn
from cloudlet.wire import WireError

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.core")

Done = Callable[[Result, "WireError | None"], None]


_UNFINISHED = (Wait, Prerequisite, Detour)


def _drop(result: Result, error: WireError | None) -> None:
    """Answer nobody."""


class Invocation:
    """Runs `handler` and calls `done(result, error)` once; after `cancel`, never."""

    __slots__ = ("_block", "_closed", "_context", "_done", "_handler", "_params", "_waiting")

    def __init__(self, block: Block, handler: Handler, context: Context, params: Params, done: Done) -> None:
        self._block = block
        self._handler = handler
        self._context = context
        self._params = params
        self._done = done
        self._closed = False
        self._waiting = False

    def start(self) -> None:
        try:
            system_tags.check(self._context, self._params)
        except WireError as error:
            self.fail(error)
            return
        if self._handler.transactional:
            self._block.store.submit(self._body, self._finish)
            return
        outcome: Outcome[Result | FinalTransaction] = Outcome()
        rest = begin(self._handler.function(self._context, self._params), outcome)
        if rest is None:
            self._conclude(outcome)
        else:
            rest.run_in_background(lambda: self._conclude(outcome))

    def authorize(self) -> None:
        """Start the operation if its caller may call it; else answer that it may not."""
        context, handler, service = self._context, self._handler, self._block.service
        by_block = get_handler_key(handler.model, handler.name) in service.decides
        try:
            if service.resource_tags is not None and not by_block:
                tagged = enforcement.list_tagged(context, handler, self._params)
                if tagged:
                    spawn(self._authorize_by_tags(service.resource_tags, tagged))
                    return
            enforcement.check(context, handler, self._params, is_decided_by_block=by_block)
        except Exception as error:
            self.fail(error)
            return
        self.start()

    async def _authorize_by_tags(self, find_tags: ResourceTags, arns: list[str]) -> None:
        """Authorize once the tags of resources are known."""

        async def read(tx: Transaction) -> dict[str, Mapping[str, str]]:
            return {arn: await find_tags(self._context, tx, arn) for arn in arns}

        try:
            tags = await self._block.store.transact(read)
            enforcement.check(self._context, self._handler, self._params, is_decided_by_block=False, tags=tags)
        except Exception as error:
            self.fail(error)
            return
        self.start()

    def fail(self, error: BaseException) -> None:
        """Answer that the operation was not run."""
        self._finish(None, error)

    def cancel(self) -> None:
        """Answer nobody: the caller has gone. What is under way is done, and told to those who keep account."""
        self._done = _drop
        if self._waiting:
            self._block.lines.leave(self)

    def retry(self) -> None:
        if not self._closed and self._done is not _drop:
            self.start()

    def expire(self, answer: Any) -> None:
        self._closed = True
        self._answer(answer, None)

    def _body(self, tx: Transaction) -> Coroutine[Any, Any, Result]:
        if self._context.once:
            return answer_once(self._block, tx, self._context.once, partial(self._run, tx))
        return self._run(tx)

    def _run(self, tx: Transaction) -> Coroutine[Any, Any, Result]:
        if self._block.recorded and self._handler.is_noted:
            return self._run_recorded(tx)
        return self._handler.function(self._context, tx, self._params)

    async def _run_recorded(self, tx: Transaction) -> Result:
        """Run the operation, and record it in its transaction."""
        result: Result = await self._handler.function(self._context, tx, self._params)
        for record in self._block.recorded:
            record(tx, self._context, self._handler, self._params, result)
        return result

    def _conclude(self, outcome: Outcome[Result | FinalTransaction]) -> None:
        result = outcome.result
        if type(result) is FinalTransaction:
            self._block.store.submit(result.body, self._finish)
        else:
            self._finish(result, outcome.error)  # type: ignore[arg-type]

    def _finish(self, result: Result, error: BaseException | None) -> None:
        if self._closed:
            return
        if self._done is _drop and type(error) in _UNFINISHED:
            return
        if type(error) is Wait:
            self._waiting = True
            self._block.lines.enqueue(self, error)
            return
        if type(error) is Prerequisite:
            spawn(self._fetch(error))
            return
        if type(error) is Detour:
            spawn(self._follow(error))
            return
        if error is None and self._block.is_strict:
            # An operation that never asked for permission is an error of ours, not an answer.
            if not self._context.was_decided:
                error = AssertionError("no policy was looked at")
            self._block.cloud.denials.forget(self._context.request_id)
        self._closed = True
        if self._waiting:
            self._block.lines.leave(self)
        self._answer(result, None if error is None else self._known(error))

    async def _fetch(self, prerequisite: Prerequisite) -> None:
        """Fetch what the operation needs first, and run it again."""
        try:
            await prerequisite.fetch()
        except Exception as error:
            self._finish(None, error)
            return
        self.retry()

    async def _follow(self, detour: Detour) -> None:
        """Answer by what lies outside of the operation's transaction."""
        result: Result = None
        error: Exception | None = None
        try:
            result = await follow(detour.answer)
        except Exception as raised:
            error = raised
        self._finish(result, error)

    def _answer(self, result: Result, known: WireError | None) -> None:
        try:
            self._tell(result, known)
        except Exception:
            # The answer is due all the same: what was done is done.
            log.exception("what request %s did could not be noted", self._context.request_id)
        self._done(result, known)

    def _tell(self, result: Result, error: WireError | None) -> None:
        """Tell those who keep account of calls."""
        block = self._block
        observer = block.service.observer
        if observer is not None:
            observer(self._context, self._handler.name, self._params, result, error)
        for tell in block.answered:
            tell(self._context, self._handler, self._params, result, error)

    def _known(self, error: BaseException) -> WireError:
        if isinstance(error, WireError):
            return error
        name = f"{self._block.service.name}:{self._handler.name}"
        if isinstance(error, StoreError) and not isinstance(error, MissingBlob):
            log.error("%s: %s", name, error)
            return unavailable()
        log.error("%s failed (request %s)", name, self._context.request_id, exc_info=error)
        return internal_failure(self._context.request_id, self._block.service.internal_failure)
