"""Records of resource operation requests."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cloudlet.core.aws.resources.caller import Caller
from cloudlet.services.cloudcontrol.states import Status


class Request(msgspec.Struct, frozen=True):
    """A request to create, update or delete a resource. Times are in seconds since the epoch."""

    account: str
    region: str
    token: str
    """The token that it is known by, and that calls for it have."""
    type: str
    operation: Literal["CREATE", "UPDATE", "DELETE"]
    status: Status
    started: float
    caller: Caller
    role: str = ""
    client_token: str = ""
    digest: str = ""
    """The digest of what was asked for.

    The same client token with another one is a conflict.
    """
    identifier: str = ""
    properties: dict[str, Any] = {}
    """The properties that the resource is to have."""
    before: dict[str, Any] = {}
    """The properties that it had, of one that is changed or deleted."""
    attributes: dict[str, Any] = {}
    is_begun: bool = False
    """Whether the call that makes, changes or deletes it may have been made."""
    is_made: bool = False
    """Whether that call has been answered."""
    message: str = ""
    code: str = ""
    """The error code of a request that has failed."""
    model: str = ""
    """The properties of the resource that was made or changed, as JSON."""
    patch: str = ""
    """The patch document of an update."""
