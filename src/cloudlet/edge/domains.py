"""Which hosts are custom domain names, where the block that has them runs in a process of its own.

It is asked each time, so that a change counts from the next request on, whoever made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from cloudlet.core.kernel.web import DOMAINS
from cloudlet.engines.http_client import HttpError

if TYPE_CHECKING:
    from cloudlet.edge.fleet import SupervisedBlock

_MOST_KNOWN = 1000
_ANSWER_SECONDS = 10.0
"""How long a block is waited for: it may just be starting."""


class CustomDomains:
    """Asks blocks whether a host is theirs."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], None] = {}
        """What were domains when they were last asked for, those asked for last at the end."""

    async def has(self, member: SupervisedBlock, host: str) -> bool:
        """Whether a host is a domain of a block or, while that does not answer, was one when it last did."""
        if member.state == "available":
            # It was not used yet, and has no data.
            return False
        path = f"/_cloudlet/{member.name}/{DOMAINS}/{quote(host, safe='')}"
        asked = (member.name, host)
        try:
            status = (await member.ask("GET", path, {}, seconds=_ANSWER_SECONDS)).status
        except HttpError:
            status = 503
        if status not in (200, 404):
            return asked in self._known
        self._known.pop(asked, None)
        if status == 404:
            return False
        self._known[asked] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return True
