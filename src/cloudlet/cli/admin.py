"""Calls to a running Cloudlet's own paths."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from cloudlet.cli import EXIT_NOT_RUNNING, CommandError
from cloudlet.edge.instances import ADMIN_HEADER, Instance, find


def running_on(port: int) -> Instance:
    """Return the Cloudlet that runs on a port. Raises CommandError where there is none."""
    running = find(port)
    if running is None:
        raise CommandError(f"no Cloudlet runs on port {port}", EXIT_NOT_RUNNING)
    return running


def call(running: Instance, method: str, path: str, body: bytes | None = None) -> Any:
    """Return the answer of `/_cloudlet/<path>`, which is JSON. Raises CommandError."""
    return json.loads(fetch(running, method, path, body))


def fetch(running: Instance, method: str, path: str, body: bytes | None = None) -> bytes:
    """Return the answer of `/_cloudlet/<path>` as it is. Raises CommandError."""
    request = urllib.request.Request(
        f"{running.endpoint}/_cloudlet/{path}", body, method=method, headers={ADMIN_HEADER: running.admin_token}
    )
    try:
        with urllib.request.urlopen(request, timeout=60, context=trust(running)) as response:
            answer: bytes = response.read()
            return answer
    except urllib.error.HTTPError as error:
        raise CommandError(json.load(error).get("message", str(error))) from error
    except OSError as error:
        raise CommandError(f"{running.endpoint} does not answer: {error}") from error


def trust(running: Instance) -> ssl.SSLContext | None:
    """Return whom to trust to be the Cloudlet that runs, where it listens with TLS."""
    if not running.endpoint.startswith("https"):
        return None
    if running.certificate is None:
        return ssl.create_default_context(cafile=running.authority)
    # A certificate that its user has brought may name other machines than this one, and be signed by anybody.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(running.certificate)
    return context
