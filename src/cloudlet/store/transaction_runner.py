"""Running the bodies of optimistic transactions: at once where they do not wait, again where what they read changed."""

from __future__ import annotations

from typing import Any, Final, Protocol

from cloudlet.store.eager import Outcome, Suspended, begin, spawn
from cloudlet.store.interface import Body, Conflict, Done, StoreError
from cloudlet.store.optimistic import ConflictDetector, OptimisticTransaction, State

_MAX_TRIES: Final = 100


class CommitPipeline(Protocol):
    """What becomes of transactions."""

    def is_ready(self, transaction: OptimisticTransaction) -> bool:
        """Whether it can be told right now if others have changed what the transaction read."""

    async def ready(self, transaction: OptimisticTransaction) -> None:
        """Wait until it can be told. Raises StoreError where that will not be."""

    def finish(
        self,
        body: Body[Any],
        done: Done[Any],
        transaction: OptimisticTransaction,
        result: Any,
        error: Exception | None,
    ) -> None:
        """Commit a transaction, or undo it for an error of its body; what it read is what the state still says."""


class TransactionRunner:
    """Runs transactions on a state and hands those that nobody has interfered with to `commits`."""

    __slots__ = ("_commits", "_state", "history")

    def __init__(self, state: State, history: ConflictDetector, commits: CommitPipeline) -> None:
        self._state = state
        self._commits = commits
        self.history = history

    def run(self, body: Body[Any], done: Done[Any]) -> None:
        """Run a body in a transaction. See `cloudlet.store.interface.Store.submit`."""
        transaction = OptimisticTransaction(self._state)
        outcome: Outcome[Any] = Outcome()
        try:
            work = body(transaction)
        except Exception as error:
            # There is nothing to await, and it may be run long after it was submitted.
            done(None, error)
            return
        # A body that never waits sees no other commit between its first read and its own.
        self.history.enter(transaction.version)
        rest = begin(work, outcome)
        if rest is None and transaction.version == self._state.version and self._commits.is_ready(transaction):
            self.history.leave(transaction.version)
            self._commits.finish(body, done, transaction, outcome.result, outcome.error)
        else:
            spawn(self._contend(body, done, transaction, outcome, rest))

    async def _contend(
        self,
        body: Body[Any],
        done: Done[Any],
        transaction: OptimisticTransaction,
        outcome: Outcome[Any],
        rest: Suspended | None,
    ) -> None:
        """Carry on a transaction during which others commit."""
        try:
            for _ in range(_MAX_TRIES):
                if rest is not None:
                    await rest
                try:
                    await self._commits.ready(transaction)
                except StoreError as error:
                    done(None, error)
                    return
                if transaction.version == self._state.version or not self.history.conflicts(transaction):
                    self._commits.finish(body, done, transaction, outcome.result, outcome.error)
                    return
                before, transaction = transaction, OptimisticTransaction(self._state)
                self.history.enter(transaction.version)
                self.history.leave(before.version)
                outcome = Outcome()
                try:
                    work = body(transaction)
                except Exception as error:
                    outcome.error, rest = error, None
                else:
                    rest = begin(work, outcome)
            done(None, Conflict(f"gave up after {_MAX_TRIES} conflicts"))
        finally:
            self.history.leave(transaction.version)
