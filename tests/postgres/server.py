"""One PostgreSQL for all tests of a process that do not stop it."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from functools import cache
from itertools import count

from cloudlet.engines import postgres
from cloudlet.engines.postgres import PostgresServer

_numbers = count()


@cache
def shared_server() -> PostgresServer:
    """Return the server, started at the first call and stopped when the process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(postgres.temporary())


def fresh_keyspace() -> str:
    """Return a name that no other test has."""
    return f"test{next(_numbers)}"
