"""The store: what is submitted runs on the view, and one task talks to the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from cloudlet.store.eager import settling, spawn
from cloudlet.store.interface import Body, Done, StoreError, T
from cloudlet.store.optimistic import OptimisticTransaction
from cloudlet.store.postgres import schema
from cloudlet.store.postgres.schema import Tables
from cloudlet.store.postgres.session import Hung, Lost, Refused, Session, check
from cloudlet.store.postgres.view import View
from cloudlet.store.transaction_runner import TransactionRunner
from cloudlet.store.watches import Watches

log = logging.getLogger("cloudlet.store")

# How long those who wait are kept waiting while the server does not answer; from then on everybody is told at once.
_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.2
_MEASURE_SECONDS = 5.0
# So many turns are taken by locking after another process was seen to have had one.
_CROWDED_TURNS = 16
# A transaction that reads without end does not keep the turn from other processes without end.
_READS_OF_A_TURN = 32
_PRUNE_TURNS = 1000
_TOPIC_BYTES = 8
_PAYLOAD_TOPICS = 400


class _Outcome(NamedTuple):
    """What a transaction came to; it holds once the group's commit has, or else the body runs again."""

    body: Body[Any]
    done: Done[Any]
    result: Any
    error: Exception | None
    topics: list[bytes]


class _UnknownOutcome(NamedTuple):
    """A commit of which a lost connection leaves open whether it took place."""

    session: bytes
    turn: int
    outcomes: list[_Outcome]


class _Waiting(NamedTuple):
    """Somebody who waits for the view to be the present state."""

    proceed: Callable[[], None]
    fail: Callable[[StoreError], None]


class PostgresStore:
    """See `cloudlet.store.interface.Store`. Used from one event loop only. It connects when it is first used.

    While the server is down a transaction fails with StoreError, once some seconds were spent in trying to reach it;
    that goes on in the background. Raises ValueError for a keyspace whose name cannot be part of a table's.
    """

    def __init__(self, url: str, keyspace: str) -> None:
        self._url = url
        self._tables = Tables(keyspace)
        self._view = View(self._wake)
        self._runner = TransactionRunner(self._view, self._view.history, self)
        self._watches = Watches()
        self._work = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None
        self._closed = False
        self._failing_since: float | None = None
        self._down: StoreError | None = None
        self._current = False
        self._crowded = 0
        self._waiting: list[_Waiting] = []
        self._outcomes: list[_Outcome] = []
        self._group: list[_Outcome] = []
        self._doubt: _UnknownOutcome | None = None
        self._heard: dict[bytes, None] = {}
        self._size = 0
        self._origin = ""
        self._is_connected = False

    @staticmethod
    async def check(url: str, connections: int) -> bool:
        """Return whether a server is there, which is to have room for so many connections of this process.

        Raises StoreError where it says that it will have nothing to do with us.
        """
        return await check(url, connections)

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def is_available(self) -> bool:
        return self._is_connected and self._failing_since is None

    # -- transactions

    def submit(self, body: Body[T], done: Done[T]) -> None:
        if self._closed:
            done(None, StoreError("the store is not open"))
        elif self._current:
            self._runner.run(body, done)
        else:
            self._await_present(partial(self._runner.run, body, done), partial(done, None))

    async def transact(self, body: Body[T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.submit(body, settling(future))
        return await future

    def is_ready(self, transaction: OptimisticTransaction) -> bool:
        return self._current and not (transaction.adds and self._view.unread_counters(transaction))

    async def ready(self, transaction: OptimisticTransaction) -> None:
        while not self.is_ready(transaction):
            if self._current:
                await asyncio.gather(*map(self._view.fetch, self._view.unread_counters(transaction)))
            else:
                present: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                settle = settling(present)
                self._await_present(partial(settle, None, None), partial(settle, None))
                await present

    def finish(
        self,
        body: Body[Any],
        done: Done[Any],
        transaction: OptimisticTransaction,
        result: Any,
        error: Exception | None,
    ) -> None:
        topics: list[bytes] = []
        if error is None:
            longest = max(map(len, transaction.changes.writes), default=0)
            if longest > schema.LONGEST_KEY:
                error = StoreError(f"a key of {longest} bytes is too long; {schema.LONGEST_KEY} are allowed")
            else:
                try:
                    self._view.apply(transaction)
                    topics = [_digest(topic) for topic in transaction.topics]
                except StoreError as failure:
                    error = failure
        self._outcomes.append(_Outcome(body, done, result, error, topics))
        self._wake()

    def _await_present(self, proceed: Callable[[], None], fail: Callable[[StoreError], None]) -> None:
        if self._down is not None:
            fail(_told(self._down))
            return
        self._waiting.append(_Waiting(proceed, fail))
        self._wake()

    def _wake(self) -> None:
        self._work.set()
        if self._driver is None:
            self._driver = spawn(self._drive())

    # -- the task that talks to the database

    async def _drive(self) -> None:
        while not (self._closed and self._is_idle()):
            session: Session | None = None
            try:
                session = await self._connect()
                await self._serve(session)
            except StoreError as error:
                self._start_over()
                is_refused = session is None and not isinstance(error, Lost)
                await self._bear(error, hopeless=is_refused or isinstance(error, Hung))
            except Exception as error:
                log.exception("the store %s failed", self._tables.keyspace)
                self._start_over()
                await self._bear(StoreError(f"the store failed: {error}"), hopeless=True)
            finally:
                self._is_connected = False
                if session is not None:
                    await session.close()

    async def _bear(self, error: StoreError, *, hopeless: bool) -> None:
        """Try again: at once after the first failure, from then on with pauses; after a while tell those who wait."""
        now = asyncio.get_running_loop().time()
        first = self._failing_since is None
        if self._failing_since is None:
            self._failing_since = now
            log.warning("%s", error)
        if hopeless or self._down is not None or now - self._failing_since > _PATIENCE_SECONDS:
            self._give_up(error)
        elif first:
            return
        await asyncio.sleep(_RETRY_SECONDS)

    def _is_idle(self) -> bool:
        return not (self._waiting or self._outcomes or self._view.history or self._doubt)

    async def _connect(self) -> Session:
        """Connect, and find out what a lost connection has left undone. Raises Lost, Hung, Refused or NewerData."""
        session = await Session.open(self._url, self._tables, self._noticed, self._work.set)
        try:
            if self._doubt is not None:
                await self._settle(session, self._doubt)
            self._size = await session.size()
            if self._failing_since is not None:
                await session.commits()
        except BaseException:
            session.terminate()
            raise
        self._origin, self._is_connected = session.origin, True
        if self._failing_since is not None:
            log.warning("the store %s is back", self._tables.keyspace)
            # What was notified meanwhile nobody has heard.
            _call(self._watches.call_all)
        self._down = None
        return session

    async def _settle(self, session: Session, doubt: _UnknownOutcome) -> None:
        committed = await session.settle(doubt.session, doubt.turn)
        self._doubt = None
        if committed:
            self._release(doubt.outcomes)
        else:
            self._run_again(doubt.outcomes)

    async def _serve(self, session: Session) -> None:
        time = asyncio.get_running_loop().time
        measured = time()
        while True:
            turn = self._view.turn
            if time() - measured > _MEASURE_SECONDS:
                # An idle connection can end without anybody saying so: this finds out.
                self._size = await session.size()
                measured = time()
            elif not (self._waiting or self._outcomes or self._view.wants_reads()):
                if self._closed and self._is_idle():
                    return
                await self._rest()
                session.check()
            elif self._crowded or turn is None:
                await self._take_turn(session)
            else:
                await self._go_on(session, turn)
            self._failing_since = None

    async def _rest(self) -> None:
        """Wait for work."""
        self._work.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._work.wait(), _MEASURE_SECONDS)

    async def _go_on(self, session: Session, turn: int) -> None:
        """Work on the state of a turn, and see whether it is still the last one."""
        await self._proceed()
        if self._view.wants_reads():
            if not await self._view.read(session):
                self._lose()
                return
            await asyncio.sleep(0)
        if self._outcomes:
            await self._commit(session, turn, taken=False)

    async def _take_turn(self, session: Session) -> None:
        """Work while no other process can commit."""
        try:
            turn = await session.take()
        except Refused as error:
            self._give_up(error)
            raise
        others = await self._view.catch_up(session, turn)
        self._crowded = _CROWDED_TURNS if others and self._crowded else max(0, self._crowded - 1)
        await self._proceed()
        for _ in range(_READS_OF_A_TURN):
            if not self._view.wants_reads():
                break
            await self._view.read(session)
            await asyncio.sleep(0)
        self._current = self._crowded == 0
        await self._commit(session, turn, taken=True)

    async def _proceed(self) -> None:
        """Let everybody run who waits for the present state."""
        self._current = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            _call(each.proceed)
        await asyncio.sleep(0)

    async def _commit(self, session: Session, turn: int, *, taken: bool) -> None:
        """Commit what has gathered as one group after a turn; while that is under way the next may gather."""
        self._group, self._outcomes = self._outcomes, []
        self._heard.clear()
        changes = self._view.take_pending()
        topics = dict.fromkeys(topic for outcome in self._group for topic in outcome.topics)
        if not changes and not topics:
            if taken:
                await session.release()
            elif await session.turn() != turn:
                self._lose()
                return
        else:
            try:
                committed = await session.commit(turn, changes, _payloads(list(topics)), taken=taken)
            except Lost:
                self._doubt, self._group = _UnknownOutcome(session.id, turn + 1, self._group), []
                raise
            except Refused as error:
                group, self._group = self._group, []
                _fail(group, error)
                raise
            if not committed:
                self._lose()
                return
            turn += 1
        self._view.turn = turn
        group, self._group = self._group, []
        self._release(group)
        heard, self._heard = self._heard, {}
        _call(partial(self._watches.call, heard))
        if turn % _PRUNE_TURNS == 0:
            await session.prune(turn)

    def _release(self, outcomes: list[_Outcome]) -> None:
        for outcome in outcomes:
            _call(partial(self._watches.call, outcome.topics))
            _call(partial(outcome.done, outcome.result, outcome.error))

    def _lose(self) -> None:
        """Another process has had a turn: what was done meanwhile is done again, with the turn taken first."""
        self._crowded = _CROWDED_TURNS
        self._start_over()

    def _start_over(self) -> None:
        """Forget the state, and run again what has not been committed."""
        self._current = False
        self._view.forget()
        outcomes = self._group + self._outcomes
        self._group, self._outcomes = [], []
        self._run_again(outcomes)

    def _run_again(self, outcomes: list[_Outcome]) -> None:
        self._waiting[:0] = [
            _Waiting(partial(self._runner.run, outcome.body, outcome.done), partial(outcome.done, None))
            for outcome in outcomes
        ]

    def _give_up(self, error: StoreError) -> None:
        """Tell everybody who waits that the server is down, and those to come."""
        if self._down is None:
            log.warning("the store %s is down: %s", self._tables.keyspace, error)
        self._down = error
        doubt, self._doubt = self._doubt, None
        if doubt is not None:
            _fail(doubt.outcomes, StoreError(f"whether this has been written is not known: {error}"))
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            _call(partial(each.fail, _told(error)))
        self._view.abandon_reads(_told(error))

    # -- watches

    def watch(self, topic: bytes, callback: Callable[[], None]) -> Callable[[], None]:
        self._wake()
        return self._watches.add(_digest(topic), callback)

    def _noticed(self, payload: str) -> None:
        size = 2 * _TOPIC_BYTES
        topics = [bytes.fromhex(payload[at : at + size]) for at in range(0, len(payload), size)]
        self._watches.call(topics)
        if self._group:
            # It can come right before the answer that nothing has changed, out of which somebody will watch.
            self._heard.update(dict.fromkeys(topics))

    # -- the rest

    def size(self) -> int:
        """Return the bytes of the keyspace's tables and indexes, as of some seconds ago."""
        return self._size

    async def close(self) -> None:
        self._closed = True
        if self._driver is not None:
            self._work.set()
            await self._driver


def _fail(outcomes: list[_Outcome], error: StoreError) -> None:
    for outcome in outcomes:
        _call(partial(outcome.done, None, _told(error)))


def _told(error: StoreError) -> StoreError:
    """Return an error for one of many who are told the same: what one of them raises has its traceback to itself."""
    return StoreError(str(error))


def _call(who: Callable[[], None]) -> None:
    """Call somebody whose failure is no affair of the others, who wait for their answers."""
    try:
        who()
    except Exception:
        log.exception("a transaction could not be answered")


def _digest(topic: bytes) -> bytes:
    """Return what stands for a topic in notifications, which have little room. Another of the same wakes in vain."""
    return blake2b(topic, digest_size=_TOPIC_BYTES).digest()


def _payloads(topics: list[bytes]) -> list[str]:
    return [b"".join(topics[at : at + _PAYLOAD_TOPICS]).hex() for at in range(0, len(topics), _PAYLOAD_TOPICS)]
