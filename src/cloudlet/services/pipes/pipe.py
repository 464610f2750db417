"""Pipes: what is stored of them."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, Subspace
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.records import Records
from cloudlet.services.pipes import errors

Parameters = dict[str, Any]
"""Parameters as CreatePipe has them."""

EVERY = Subspace("pipe")
"""The pipes of all accounts."""


class Pipe(msgspec.Struct, frozen=True):
    """A pipe. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    id: str
    """Tells it from others of its name, and what is kept of it from what was kept of them."""
    source: str
    enrichment: str
    """Empty where there is none."""
    target: str
    role: str
    source_parameters: Parameters
    enrichment_parameters: Parameters
    target_parameters: Parameters
    description: str
    desired: str
    """RUNNING, STOPPED or DELETED."""
    state: str
    created: float
    modified: float
    started: float
    """From when on it takes what a stream has, if that is asked for."""
    reason: str = ""
    """Why it is in its state, where that is a failed one."""
    version: int = 0
    """Counts its changes."""
    log: Parameters = {}
    """Its LogConfiguration."""

    @property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.name)

    @property
    def source_arn(self) -> Arn:
        return Arn.parse(self.source)

    @property
    def target_arn(self) -> Arn:
        return Arn.parse(self.target)

    @property
    def filters(self) -> list[str]:
        """The patterns of which an event must match one; none where all events pass."""
        given = (self.source_parameters.get("FilterCriteria") or {}).get("Filters") or []
        return [each["Pattern"] for each in given if each.get("Pattern")]


_pipes = Records(EVERY, Pipe, lambda name: errors.not_found(f"Pipe {name}"))
decode, of_account, find = _pipes.decode, _pipes.get_space, _pipes.find
get, save, remove = _pipes.get, _pipes.save, _pipes.remove


def arn_of(account: str, region: str, name: str) -> str:
    return f"arn:{partition_of(region)}:pipes:{region}:{account}:pipe/{name}"
