"""Turns of starts: as many functions are initialised at once as there are processors, others wait.

Initialisation has ten seconds, and many at once would take that long together. One that only waits, for an answer of
the network, say, needs no processor: others begin meanwhile.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque

from cloudlet.services.lambda_.functions.function import Place

_LONG_SECONDS = 10.0
"""The time that AWS gives an initialisation; a longer one holds up only its own function."""


class Turn:
    """The turn of one start."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.is_idle = False
        """Whether it takes no processor time now."""
        self.is_long = False


class Turns:
    """Accounts take turns, and functions within each of them. Used from one event loop."""

    def __init__(self, at_once: int | None = None) -> None:
        self._at_once = len(os.sched_getaffinity(0)) if at_once is None else at_once
        self._held: dict[Turn, asyncio.TimerHandle] = {}
        self._waiting: dict[str, dict[Place, deque[asyncio.Future[Turn]]]] = {}
        """Account → function → who waits; the first is the next."""

    async def take(self, place: Place) -> Turn:
        """Return the turn of a function's start once that has come; it is to be given back."""
        if self._may_begin(place):
            return self._begun(place)
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(place.account, {}).setdefault(place, deque()).append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(turn.result())
            else:
                self._forget(place, turn)
            raise

    def give_back(self, turn: Turn) -> None:
        """End a turn."""
        timer = self._held.pop(turn, None)
        if timer is not None:
            timer.cancel()
            self._go_on()

    def note(self, turn: Turn, *, is_idle: bool) -> None:
        """Note whether what holds a turn takes processor time now."""
        turn.is_idle = is_idle
        self._go_on()

    def _may_begin(self, place: Place) -> bool:
        busy = sum(not turn.is_idle and (not turn.is_long or turn.place == place) for turn in self._held)
        return busy < self._at_once

    def _begun(self, place: Place) -> Turn:
        turn = Turn(place)
        self._held[turn] = asyncio.get_running_loop().call_later(_LONG_SECONDS, self._take_long, turn)
        return turn

    def _take_long(self, turn: Turn) -> None:
        turn.is_long = True
        self._go_on()

    def _go_on(self) -> None:
        """Give turns to those who wait, as far as there is room."""
        while (place := self._next()) is not None:
            turn = self._pop(place)
            # One that was cancelled in this turn of the loop does not know yet.
            if not turn.done():
                turn.set_result(self._begun(place))

    def _next(self) -> Place | None:
        places = (place for functions in self._waiting.values() for place in functions)
        return next(filter(self._may_begin, places), None)

    def _pop(self, place: Place) -> asyncio.Future[Turn]:
        """Return who waits first of a function, which is the last in the row then, as is its account."""
        functions = self._waiting.pop(place.account)
        waiting = functions.pop(place)
        turn = waiting.popleft()
        if waiting:
            functions[place] = waiting
        if functions:
            self._waiting[place.account] = functions
        return turn

    def _forget(self, place: Place, turn: asyncio.Future[Turn]) -> None:
        functions = self._waiting.get(place.account, {})
        waiting = functions.get(place)
        if waiting is not None and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del functions[place]
            if not functions:
                del self._waiting[place.account]
