"""The domain name by which an API was asked, as events and logs tell it."""

from __future__ import annotations

from cloudlet.core.kernel.web import DataPlaneRequest

_USUAL_PORTS = (":80", ":443")


def domain_of(visit: DataPlaneRequest) -> str:
    """Return the name, with the port where that is an unusual one: functions call the API's clients back there.

    Who has named the API by the path gets what was before it too: no name leads to that API alone.
    """
    host = visit.request.headers.get("host", "").lower()
    for port in _USUAL_PORTS:
        host = host.removesuffix(port)
    return f"{host}{visit.prefix}"


def prefix_of(domain: str) -> str:
    """Return the first label of a name, or what ends the path that stands for one: the id of the API."""
    return domain.rpartition("/")[2].partition(".")[0]
