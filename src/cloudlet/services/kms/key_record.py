"""Keys: what is stored of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from cloudlet.core.aws.arn import partition_of

CURRENT: Final = "CURRENT"
NON_CURRENT: Final = "NON_CURRENT"
PENDING_ROTATION: Final = "PENDING_ROTATION"
PENDING_REPLICAS: Final = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"

AWS: Final = "AWS"
CUSTOMER: Final = "CUSTOMER"
EXTERNAL: Final = "EXTERNAL"


class Material(msgspec.Struct, frozen=True, array_like=True):
    """One key material of a key. Times are in seconds since the epoch."""

    id: str
    secret: bytes
    """Encrypted by the cloud's vault; empty where it is not imported."""
    state: str = CURRENT
    rotated: float | None = None
    rotation: str = ""
    """AUTOMATIC or ON_DEMAND; empty for the first one and those not yet rotated to."""
    description: str | None = None
    valid_to: float | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it waits for a rotation, and its key can do without it."""
        return self.state in (PENDING_ROTATION, PENDING_REPLICAS)


class Key(msgspec.Struct, frozen=True):
    """A key in one region. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    """The key id."""
    spec: str
    usage: str
    origin: str
    created: float
    state: str
    policy: str
    materials: tuple[Material, ...]
    """From the oldest to the newest."""
    description: str = ""
    public_key: bytes = b""
    """In DER, of a key pair that has its material, or had it once."""
    manager: str = CUSTOMER
    tags: dict[str, str] = {}
    deletion_date: float | None = None
    deletion_window: int = 0
    """In days, for which a primary key is to wait once its replicas are deleted."""
    rotation_days: int = 0
    """The period of automatic rotation; 0 where there is none."""
    next_rotation: float | None = None
    primary_region: str = ""
    """Of a multi-Region key; empty for others."""
    regions: tuple[str, ...] = ()
    """Of a multi-Region key: where it and its related keys are."""

    @property
    def arn(self) -> str:
        return make_key_arn(self.account, self.region, self.name)

    @property
    def is_replica(self) -> bool:
        return bool(self.primary_region) and self.primary_region != self.region

    @property
    def is_imported(self) -> bool:
        """Whether its material is imported, or is to be."""
        return self.origin == EXTERNAL

    @property
    def current(self) -> Material | None:
        """The material that encrypts; None where nothing was imported yet."""
        return next((each for each in reversed(self.materials) if each.state == CURRENT), None)

    def find_material(self, material_id: str) -> Material | None:
        """Return one of its materials, None where it has no such one."""
        return next((each for each in self.materials if each.id == material_id), None)

    @property
    def lacks_material(self) -> bool:
        """Whether a material that it needs is not imported."""
        needed: Sequence[Material] = [each for each in self.materials if not each.is_pending]
        return not needed or any(not each.secret for each in needed)

    @property
    def valid_to(self) -> float | None:
        """The time at which the first of its materials expires."""
        return min((each.valid_to for each in self.materials if each.valid_to and not each.is_pending), default=None)


def make_key_arn(account: str, region: str, key_id: str) -> str:
    return f"arn:{partition_of(region)}:kms:{region}:{account}:key/{key_id}"
