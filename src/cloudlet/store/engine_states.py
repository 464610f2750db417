"""The states of the embedded engine, and what may follow on each.

Two things go on at a time. The engine serves transactions, or cannot; and what was committed is on its way to the disk,
or is there. States and events are numbers, for each transaction looks at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

State = int
Event = int

# Whether transactions are served. From `BROKEN` on, nothing that was committed may be answered any more.
OPEN: Final[State] = 0
CLOSED: Final[State] = 1
BROKEN: Final[State] = 2
"""A write has failed. What is on disk is unknown, and has to be read from there."""
CLOSED_BROKEN: Final[State] = 3
"""A write has failed at the end."""

# The way of commits to the disk.
IDLE: Final[State] = 10
SCHEDULED: Final[State] = 11
"""The next turn of the event loop gathers what was committed, and synchronises it."""
IN_THREAD: Final[State] = 12
"""A thread waits for the disk. What is committed meanwhile waits for the next time."""

WRITE_FAILED: Final[Event] = 0
REOPENED: Final[Event] = 1
END: Final[Event] = 2
COMMITTED: Final[Event] = 10
TURN_BEGAN: Final[Event] = 11
HANDED_OVER: Final[Event] = 12
THREAD_ENDED: Final[Event] = 13

TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (OPEN, WRITE_FAILED): BROKEN,
    (OPEN, END): CLOSED,
    # Another write fails while nobody has asked for anything since the first.
    (BROKEN, WRITE_FAILED): BROKEN,
    (BROKEN, REOPENED): OPEN,
    (BROKEN, END): CLOSED_BROKEN,
    # What is on its way at the end may still fail.
    (CLOSED, WRITE_FAILED): CLOSED_BROKEN,
    (CLOSED_BROKEN, WRITE_FAILED): CLOSED_BROKEN,
    (CLOSED, END): CLOSED,
    (CLOSED_BROKEN, END): CLOSED_BROKEN,
    # Commits that come in the other two states share the synchronisation that follows anyway.
    (IDLE, COMMITTED): SCHEDULED,
    # Whoever is answered within the turn may commit again, which asks for another turn.
    (SCHEDULED, TURN_BEGAN): IDLE,
    (IDLE, HANDED_OVER): IN_THREAD,
    (IN_THREAD, THREAD_ENDED): IDLE,
}


def follow(state: State, event: Event) -> State:
    """Return the state that follows. Raises KeyError for an event that cannot happen in a state."""
    return TRANSITIONS[state, event]
