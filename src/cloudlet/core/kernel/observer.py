"""Observers: what keeps account of the calls that blocks answer, such as an audit trail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from cloudlet.core.kernel.service import Handler, Job, Params, Result
from cloudlet.store import Transaction
from cloudlet.wire import InvalidRequest, WireError

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.core.kernel.context import Context

Answered = Callable[["Context", Handler, Params, Result, "WireError | None"], None]
Recorded = Callable[[Transaction, "Context", Handler, Params, Result], None]
Rejected = Callable[["Context", Handler, InvalidRequest, WireError], None]


class Observer(NamedTuple):
    """The functions by which an observer of one block is told of its calls."""

    answered: Answered | None = None
    """Hears of each call once it is answered."""
    recorded: Recorded | None = None
    """Hears of a call that changes something, within the transaction that does it."""
    rejected: Rejected | None = None
    """Hears of a call whose parameters the model refuses."""
    job: Job | None = None
    """Runs as long as the block."""
    close: Callable[[], Awaitable[None]] | None = None
    """Called when the block is closed."""


MakeObserver = Callable[["Block"], Observer | None]
"""Returns the observer of a block; None where it is not observed."""
