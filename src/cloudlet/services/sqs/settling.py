"""What a consumer does with a message it has received: delete it, or change how long it stays hidden."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Transaction
from cloudlet.services.sqs import contents, errors, limits, receipts
from cloudlet.services.sqs.flights import InFlightMessages
from cloudlet.services.sqs.messages import State
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.receipts import Receipt

_HANDLE_LIFE: Final = limits.VISIBILITY_SECONDS * 1000
"""No delivery lasts longer than the longest visibility timeout: after 12 hours a handle has expired everywhere."""


class Deletion:
    """Messages that one transaction deletes by their receipt handles: each is added, and then all are deleted."""

    __slots__ = ("_flights", "_gone", "_left", "_now", "_queue", "_tx")

    def __init__(self, tx: Transaction, queue: Queue, now: int) -> None:
        self._tx = tx
        self._queue = queue
        self._now = now
        self._flights = InFlightMessages(tx, queue)
        self._left: dict[bytes, State] = {}
        self._gone: set[bytes] = set()
        """Messages deleted by the handle of an earlier delivery, which flights do not know."""

    async def add(self, handle: str) -> None:
        """Delete the message of a handle. Raises AwsError for one that is not valid.

        It is no error if the message is gone already, nor if it was received again.
        """
        tx, queue = self._tx, self._queue
        receipt = receipts.read(handle, queue.record.id)
        place = receipt.place
        if place in self._left or place in self._gone:
            return
        state = await self._flights.find(place, receipt.nonce, receipt.due)
        if state is not None and state.nonce == receipt.nonce and (state.due > self._now or not queue.fifo):
            self._flights.leave(place, state)
            self._left[place] = state
            return
        message = await contents.message(tx, queue, place)
        if message is None:
            return
        _check_life(queue, handle, receipt, self._now)
        await contents.remove(tx, queue, place, message, self._now)
        self._gone.add(place)

    async def finish(self) -> None:
        """Delete those that were in flight."""
        if self._left:
            self._flights.write()
            await contents.remove_in_flight(self._tx, self._queue, self._left, self._now)


def _check_life(queue: Queue, handle: str, receipt: Receipt, now: int) -> None:
    """Raise AwsError for a handle that has expired: on a FIFO queue with its visibility timeout, else much later."""
    if receipt.due <= now if queue.fifo else receipt.received + _HANDLE_LIFE < now:
        raise errors.expired_handle(handle)


async def change_visibility(
    tx: Transaction, queue: Queue, flights: InFlightMessages, handle: str, seconds: int, now: int
) -> None:
    """Let a message become visible `seconds` from now, be it in flight or not. Raises AwsError if it is gone."""
    if not 0 <= seconds <= limits.VISIBILITY_SECONDS:
        raise errors.invalid_value("VisibilityTimeout", seconds, "Must be between 0 and 43200, if provided.")
    receipt = receipts.read(handle, queue.record.id)
    place = receipt.place
    state = await flights.find(place, receipt.nonce, receipt.due)
    is_visible = False
    if state is None or state.nonce != receipt.nonce or state.due <= now:
        message = await contents.message(tx, queue, place)
        if message is None:
            raise errors.not_changeable(handle)
        _check_life(queue, handle, receipt, now)
        if state is None:
            state = await contents.visible(tx, queue, place, message.group)
            is_visible = state is not None
        if state is None:
            state = await flights.search(place, now)
        if state is None:
            raise errors.not_changeable(handle)
    due = now + seconds * 1000
    if due > state.received + _HANDLE_LIFE:
        raise errors.invalid_value(
            "VisibilityTimeout",
            seconds,
            f"Total VisibilityTimeout for the message is beyond the limit [{limits.VISIBILITY_SECONDS} seconds]",
        )
    if is_visible:
        await contents.hide(tx, queue, place, state, due)
    else:
        sooner = due < state.due
        flights.change_due(place, state, due)
        if sooner:
            tx.notify(queue.topic)
