"""The domain name by which an API was asked, as events and logs tell it."""

from __future__ import annotations

import ipaddress

from cloudlet.core.web import Visit

_USUAL_PORTS = ("", "80", "443")


def domain_of(visit: Visit, api_id: str, region: str) -> str:
    """Return the name, with the port where that is an unusual one: functions call the API's clients back there.

    Who has named the API by the path gets a name below this machine's that means the same.
    """
    host, port = visit.host, visit.request.headers.get("host", "").rpartition(":")[2]
    if visit.prefix:
        host = f"{api_id}.execute-api.{region}.{_parent(host)}"
    return host if port in _USUAL_PORTS or not port.isdecimal() else f"{host}:{port}"


def _parent(host: str) -> str:
    try:
        number = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host or "localhost"
    # Names below a number mean nothing.
    return "localhost" if number.is_loopback else "amazonaws.com"
