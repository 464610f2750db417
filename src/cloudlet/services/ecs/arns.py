"""The ARNs of ECS's resources.

They are in the long format, with the cluster's name (developer guide, "Amazon Resource Names (ARNs) and IDs").
"""

from __future__ import annotations

from cloudlet.core.aws.arn import Arn, partition_of


def make_arn(region: str, account: str, kind: str, *names: str) -> str:
    """Return the ARN of a resource: its kind and the names that lead to it."""
    return str(Arn(partition_of(region), "ecs", region, account, "/".join((kind, *names))))


def parse_names(kind: str, text: str, account: str, region: str) -> list[str]:
    """Return the names in an ARN of a kind.

    What is no ARN is a name alone. An ARN of another kind, account or region has none.
    """
    if not text.startswith("arn:"):
        return [text]
    try:
        arn = Arn.parse(text)
    except ValueError:
        return []
    found, *names = arn.resource.split("/")
    return names if (arn.service, arn.account, arn.region, found) == ("ecs", account, region, kind) else []
