"""What a gateway makes of a request as it arrives, whatever the type of its API."""

from __future__ import annotations

from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.web import DataPlaneRequest

_REQUEST_ID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def fresh_id() -> str:
    """Return an id for a request, in the form of API Gateway's extended ones."""
    return "".join([_REQUEST_ID[byte & 63] for byte in random_bytes(15)]) + "="


def headers(visit: DataPlaneRequest, at: float) -> dict[str, str]:
    """Return the headers as integrations get them, with what a gateway adds; `at` is in seconds since the epoch."""
    result = dict(visit.request.headers)
    before = result.get("x-forwarded-for")
    result["x-forwarded-for"] = f"{before}, {visit.peer}" if before else visit.peer
    result["x-forwarded-proto"] = "https" if visit.secure else "http"
    port = result.get("host", "").rpartition(":")[2]
    result["x-forwarded-port"] = port if port.isdecimal() else ("443" if visit.secure else "80")
    if TRACE_HEADER not in result:
        result[TRACE_HEADER] = f"Root=1-{int(at):08x}-{random_bytes(12).hex()}"
    return result
