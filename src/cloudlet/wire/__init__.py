"""AWS's wire protocols, server's side, compiled from botocore's models.

`load` gives a service's model; its operations parse requests to parameters and serialise results, in every
protocol that the service speaks. No service contains wire code.
"""

from cloudlet.wire.body import decode_body
from cloudlet.wire.catalog import candidates, catalog
from cloudlet.wire.errors import InvalidRequest, InvalidResult, Undecodable, Violation, WireError
from cloudlet.wire.http import BodyStream, FileBody, FilePart, HttpRequest, HttpResponse
from cloudlet.wire.matching import identify
from cloudlet.wire.model import ServiceModel, load
from cloudlet.wire.operation import Operation

__all__ = [
    "BodyStream",
    "FileBody",
    "FilePart",
    "HttpRequest",
    "HttpResponse",
    "InvalidRequest",
    "InvalidResult",
    "Operation",
    "ServiceModel",
    "Undecodable",
    "Violation",
    "WireError",
    "candidates",
    "catalog",
    "decode_body",
    "identify",
    "load",
]
