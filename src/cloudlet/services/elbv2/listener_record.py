"""The records of listeners and rules."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.elbv2 import arns


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    region: str
    name: str
    """The end of the ARN: `app/NAME/ID/ID`. Records are kept by name."""
    port: int
    protocol: str
    default_rule: str
    """The id of the default rule."""
    actions: tuple[dict[str, Any], ...]
    """The actions of the default rule, without secrets."""
    secret: bytes = b""
    """The client secret of an action, encrypted."""
    policy: str = ""
    certificate: str = ""
    """The default certificate."""
    certificates: tuple[str, ...] = ()
    """The certificate list, which may have the default one, too."""
    alpn: tuple[str, ...] = ()
    authentication: dict[str, Any] | None = None
    attributes: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return arns.make_arn(arns.LISTENER, self.account, self.region, self.name)

    @property
    def load_balancer_arn(self) -> str:
        name = arns.get_load_balancer_name(self.name)
        return arns.make_arn(arns.LOAD_BALANCER, self.account, self.region, name)

    @property
    def default_rule_arn(self) -> str:
        return arns.make_arn(arns.RULE, self.account, self.region, f"{self.name}/{self.default_rule}")

    @property
    def trust_store(self) -> str:
        """The ARN of the trust store that client certificates are verified by."""
        return str((self.authentication or {}).get("TrustStoreArn", ""))


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    region: str
    name: str
    """The end of the ARN: `app/NAME/ID/ID/ID`. Records are kept by name."""
    priority: int
    conditions: tuple[dict[str, Any], ...]
    actions: tuple[dict[str, Any], ...]
    transforms: tuple[dict[str, Any], ...] = ()
    secret: bytes = b""
    """The client secret of an action, encrypted."""

    @property
    def arn(self) -> str:
        return arns.make_arn(arns.RULE, self.account, self.region, self.name)
