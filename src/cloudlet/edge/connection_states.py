"""The states of a connection, by what its client may send next.

What may follow on each is in one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

State = int
Event = int

START: Final[State] = 0
"""The client has sent nothing yet."""
BETWEEN: Final[State] = 1
"""A request has come whole, and no other one has begun to come."""
HEAD: Final[State] = 2
COLLECTED_BODY: Final[State] = 3
"""A small body comes, which is given to the handler as a whole."""
STREAMED_BODY: Final[State] = 4
"""A body comes that the handler reads while it does."""
UPGRADABLE: Final[State] = 5
"""The client wants to leave HTTP with the last request, and sends none behind it."""
SWITCHED: Final[State] = 6
"""Another protocol has the connection."""
BROKEN: Final[State] = 7
"""The rest of what comes cannot be read. The client is answered what it has asked, and no more."""
CLOSING: Final[State] = 8

REQUEST_BEGAN: Final[Event] = 0
COLLECTING_BEGAN: Final[Event] = 1
STREAMING_BEGAN: Final[Event] = 2
REQUEST_ENDED: Final[Event] = 3
UPGRADE_ASKED: Final[Event] = 4
UPGRADED: Final[Event] = 5
MALFORMED: Final[Event] = 6
CLOSED: Final[Event] = 7
_EVENTS: Final = 8

_IN_HTTP: Final = (START, BETWEEN, HEAD, COLLECTED_BODY, STREAMED_BODY)
TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (START, REQUEST_BEGAN): HEAD,
    (BETWEEN, REQUEST_BEGAN): HEAD,
    (HEAD, COLLECTING_BEGAN): COLLECTED_BODY,
    (HEAD, STREAMING_BEGAN): STREAMED_BODY,
    (COLLECTED_BODY, REQUEST_ENDED): BETWEEN,
    (STREAMED_BODY, REQUEST_ENDED): BETWEEN,
    (BETWEEN, UPGRADE_ASKED): UPGRADABLE,
    (UPGRADABLE, UPGRADED): SWITCHED,
    # The parser refuses what comes, or a limit does. What was asked before is still answered.
    **{(state, MALFORMED): BROKEN for state in _IN_HTTP},
    (BROKEN, MALFORMED): BROKEN,
    (CLOSING, MALFORMED): CLOSING,
    **{(state, CLOSED): CLOSING for state in (*_IN_HTTP, UPGRADABLE, SWITCHED, BROKEN, CLOSING)},
}
_NEXT: Final[list[State]] = [
    TRANSITIONS.get((state, event), -1) for state in range(CLOSING + 1) for event in range(_EVENTS)
]


def follow(state: State, event: Event) -> State:
    """Return the state that follows. Raises ValueError for an event that cannot happen in a state."""
    after = _NEXT[state * _EVENTS + event]
    if after < 0:
        raise ValueError(f"event {event} in state {state}")
    return after


def is_receiving(state: State) -> bool:
    """Whether a request has begun to come, and is not there as a whole."""
    return HEAD <= state <= STREAMED_BODY
