"""Calls to a running Cloudlet's own paths."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from cloudlet.edge.internal import ADMIN_HEADER
from cloudlet.edge.running import Running


class AdminError(Exception):
    """The running Cloudlet refused or could not be reached; the text says why."""


def call(running: Running, method: str, path: str) -> Any:
    """Return the answer of `/_cloudlet/<path>`. Raises AdminError."""
    request = urllib.request.Request(
        f"{running.endpoint}/_cloudlet/{path}", method=method, headers={ADMIN_HEADER: running.admin_token}
    )
    context = ssl.create_default_context(cafile=running.authority) if running.endpoint.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise AdminError(json.load(error).get("message", str(error))) from error
    except OSError as error:
        raise AdminError(f"{running.endpoint} does not answer: {error}") from error
