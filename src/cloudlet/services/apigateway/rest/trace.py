"""What is told of a request's way through a REST API: execution logs, and what TestInvokeMethod shows.

Developer guide, "Set up CloudWatch logging for REST APIs in API Gateway". The texts follow the examples there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cloudlet.services.apigateway.clf import MONTHS

_LONGEST = 1024
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SECRETS = frozenset(("authorization", "x-amz-security-token", "x-amz-signature", "x-api-key"))
"""Headers, and parameters of the query, that nobody's log shows."""
_LETTERS = 6
"""So many of a secret are shown: those at its end."""
_SHORTEST = 2 * _LETTERS
Now = Callable[[], float]


def masked(secret: str) -> str:
    """Return a secret as logs show it."""
    kept = _LETTERS if len(secret) >= _SHORTEST else 0
    return "*" * (len(secret) - kept) + secret[len(secret) - kept :]


class Trace:
    """The lines of one request."""

    __slots__ = ("_secrets", "failed", "is_on", "lines", "now", "with_data")

    def __init__(self, is_on: bool, *, with_data: bool, now: Now) -> None:
        """`with_data`: headers and bodies are told too."""
        self.is_on = is_on
        self.with_data = with_data
        self.now = now
        self.failed = False
        self._secrets: list[str] = []
        self.lines: list[tuple[int, str]] = []
        """Times in milliseconds since the epoch, and what was said then."""

    def note(self, text: str) -> None:
        if self.is_on:
            self.lines.append((int(self.now() * 1000), text))

    def hide(self, headers: Mapping[str, str], queries: Mapping[str, str], others: Iterable[str]) -> None:
        """Show secrets nowhere: those that a request has in headers and query, and others."""
        found = [value for given in (headers, queries) for name, value in given.items() if name.lower() in _SECRETS]
        # What is short is hidden where it is named only: it may be a part of anything.
        self._secrets = [value for value in (*found, *others) if len(value) >= _SHORTEST]

    def data(self, what: str, value: bytes | str | Mapping[str, Any]) -> None:
        """Tell of headers, parameters or a body, where these are wanted."""
        if not self.is_on or not self.with_data:
            return
        if isinstance(value, bytes):
            value = value[: _LONGEST + max(map(len, self._secrets), default=0)].decode("utf-8", "replace")
        elif not isinstance(value, str):
            pairs = ((key, masked(str(each)) if key.lower() in _SECRETS else each) for key, each in value.items())
            value = "{" + ", ".join(f"{key}={each}" for key, each in pairs) + "}"
        for secret in self._secrets:
            value = value.replace(secret, masked(secret))
        shown = value if len(value) <= _LONGEST else f"{value[:_LONGEST]} [TRUNCATED]"
        self.note(f"{what}: {shown}")

    def error(self, text: str) -> None:
        """Tell why it ends without what it asked for."""
        self.failed = True
        self.note(f"Execution failed due to configuration error: {text}" if text else "Execution failed")

    def shown(self) -> str:
        """Return the lines as TestInvokeMethod shows them."""
        return "".join(f"{_stamp(millis)} : {text}\n" for millis, text in self.lines)


def _stamp(millis: int) -> str:
    at = time.gmtime(millis / 1000)
    return (
        f"{_DAYS[at.tm_wday]} {MONTHS[at.tm_mon - 1]} {at.tm_mday:02} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} UTC {at.tm_year}"
    )
