"""The record of a trust store."""

from __future__ import annotations

import msgspec

from cloudlet.services.elbv2 import arns


class Revocation(msgspec.Struct, frozen=True):
    id: int
    entries: int
    type: str = "CRL"


class TrustStore(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    region: str
    name: str
    """The end of the ARN: `NAME/ID`. Records are kept by name."""
    bundle: str
    """The authorities, in PEM."""
    authorities: int
    revocations: tuple[Revocation, ...] = ()
    last_revocation: int = 0

    @property
    def title(self) -> str:
        """The name that it was given."""
        return self.name.partition("/")[0]

    @property
    def arn(self) -> str:
        return arns.make_arn(arns.TRUST_STORE, self.account, self.region, self.name)
