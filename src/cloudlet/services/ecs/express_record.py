"""Express services as they are stored, beside the service that each of them is."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ecs.ingress_states import find_resource_status

_EXPRESS: Final = Subspace("express-service")
_KEPT_CONFIGURATIONS: Final = 20


class Configuration(msgspec.Struct, frozen=True):
    """The part of a configuration that the members of its service revision do not have."""

    check_path: str
    scaling: dict[str, Any]
    """`minTaskCount`, `maxTaskCount`, `autoScalingMetric` and `autoScalingTargetValue`."""
    given_groups: list[str] = []
    """The security groups that the caller named."""


class Express(msgspec.Struct, frozen=True):
    """A service as Express Mode knows it, with what was made for it."""

    account: str
    region: str
    cluster: str
    service: str
    role: str
    """The ARN of the infrastructure role."""
    route: str
    log_group: str
    updated: float
    newest: Configuration
    revisions: dict[str, Configuration] = {}
    """The configurations by the ids of their revisions, the newest last."""
    manages_log_group: bool = True
    has_log_group: bool = False
    alarmed: list[str] = []
    """The target groups that the alarm looks at."""
    target: str = ""
    """The ARN of the scalable target."""
    policy: str = ""
    """The ARN of the scaling policy."""
    scaled: dict[str, Any] = {}
    """The scaling that both have."""
    is_leaving: bool = False
    failure: str = ""
    """The reason why the next step did not succeed."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.account, self.region, self.cluster, self.service

    @property
    def alarm(self) -> str:
        """The name of the alarm that finds faulty deployments."""
        return f"{self.cluster}/{self.service}/ExpressModeRollback"

    @property
    def resource(self) -> str:
        """The id of the service as a scalable resource."""
        return f"service/{self.cluster}/{self.service}"

    def get_status(self, arn: object) -> str:
        """Return the state of one of its resources."""
        return find_resource_status(str(arn or ""), self.failure, is_leaving=self.is_leaving)

    def get_configuration(self, revision: str) -> Configuration:
        """Return the configuration of a revision; one that UpdateService made has the newest."""
        return self.revisions.get(revision, self.newest)


_encode = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Express).decode


def add_configuration(
    revisions: dict[str, Configuration], id: str, configuration: Configuration
) -> dict[str, Configuration]:
    """Return the configurations with another one, without the oldest of many."""
    kept = list(revisions.items())[1 - _KEPT_CONFIGURATIONS :]
    return {**dict(kept), id: configuration}


async def find(tx: Transaction, key: tuple[str, str, str, str]) -> Express | None:
    """Return what Express Mode knows of a service, or None."""
    raw = await tx.get(_EXPRESS.key(*key))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, express: Express) -> None:
    """Write what Express Mode knows of a service."""
    tx.put(_EXPRESS.key(*express.key), _encode(express))


def remove(tx: Transaction, key: tuple[str, str, str, str]) -> None:
    """Forget what Express Mode knows of a service."""
    tx.delete(_EXPRESS.key(*key))
