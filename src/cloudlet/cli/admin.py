"""Calls to a running Cloudlet's own paths."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from cloudlet.cli import EXIT_NOT_RUNNING, CommandError
from cloudlet.edge.internal import ADMIN_HEADER
from cloudlet.edge.running import Running, find


def running_on(port: int) -> Running:
    """Return the Cloudlet that runs on a port. Raises CommandError where there is none."""
    running = find(port)
    if running is None:
        raise CommandError(f"no Cloudlet runs on port {port}", EXIT_NOT_RUNNING)
    return running


def call(running: Running, method: str, path: str, body: bytes | None = None) -> Any:
    """Return the answer of `/_cloudlet/<path>`. Raises CommandError."""
    request = urllib.request.Request(
        f"{running.endpoint}/_cloudlet/{path}", body, method=method, headers={ADMIN_HEADER: running.admin_token}
    )
    context = ssl.create_default_context(cafile=running.authority) if running.endpoint.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise CommandError(json.load(error).get("message", str(error))) from error
    except OSError as error:
        raise CommandError(f"{running.endpoint} does not answer: {error}") from error
