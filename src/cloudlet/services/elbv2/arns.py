"""ARNs of load balancers and of what belongs to them.

A record has the name that its ARN ends with: `app/NAME/ID` for a load balancer, `app/NAME/ID/ID` for a listener of it,
`app/NAME/ID/ID/ID` for a rule, `NAME/ID` for target groups and trust stores.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.elbv2.errors import ValidationError

SERVICE: Final = "elasticloadbalancing"
LOAD_BALANCER: Final = "loadbalancer"
LISTENER: Final = "listener"
RULE: Final = "listener-rule"
TARGET_GROUP: Final = "targetgroup"
TRUST_STORE: Final = "truststore"
_NOUNS: Final = {
    LOAD_BALANCER: "load balancer",
    LISTENER: "listener",
    RULE: "listener rule",
    TARGET_GROUP: "target group",
    TRUST_STORE: "trust store",
}
_PARTS: Final = {LOAD_BALANCER: 3, LISTENER: 4, RULE: 5, TARGET_GROUP: 2, TRUST_STORE: 2}


def make_id() -> str:
    """Return the random end of an ARN."""
    return random_bytes(8).hex()


def make_arn(kind: str, account: str, region: str, name: str) -> str:
    """Return the ARN of a resource of a kind."""
    return str(Arn(partition_of(region), SERVICE, region, account, f"{kind}/{name}"))


def find_kind(text: str) -> str | None:
    """Return the kind of resource that an ARN is of; None for anything else."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    kind, _, name = arn.resource.partition("/")
    is_known = arn.service == SERVICE and len(name.split("/")) == _PARTS.get(kind)
    return kind if is_known else None


def parse_name(ctx: Context, kind: str, text: str) -> str:
    """Return the record's name in an ARN; "" in one of another account.

    Raises ValidationError for what is no such ARN.
    """
    if find_kind(text) != kind:
        raise ValidationError(f"'{text}' is not a valid {_NOUNS[kind]} ARN")
    arn = Arn.parse(text)
    if (arn.account, arn.region) != (ctx.account, ctx.region):
        return ""
    return arn.resource.partition("/")[2]


def get_load_balancer_name(name: str) -> str:
    """Return the record name of the load balancer that a listener or rule belongs to."""
    return "/".join(name.split("/")[:3])


def get_listener_name(name: str) -> str:
    """Return the record name of the listener that a rule belongs to."""
    return "/".join(name.split("/")[:4])
