"""Pull-through cache rules in the store, and as the API shows them."""

from __future__ import annotations

import re
from typing import Any, Final

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.ecr.cache_rule_record import CacheRule

ROOT: Final = "ROOT"
ECR_HOST: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?", re.ASCII
)
_HOSTS: Final = {
    "ecr": ECR_HOST,
    "ecr-public": re.compile(r"public\.ecr\.aws"),
    "quay": re.compile(r"quay\.io"),
    "k8s": re.compile(r"registry\.k8s\.io"),
    "docker-hub": re.compile(r"registry-1\.docker\.io"),
    "github-container-registry": re.compile(r"ghcr\.io"),
    "azure-container-registry": re.compile(r"[a-zA-Z0-9-]+\.azurecr\.io"),
    "gitlab-container-registry": re.compile(r"registry\.gitlab\.com"),
    "chainguard": re.compile(r"cgr\.dev"),
}
"""The kinds of upstream registries → their hosts. User guide, "Sync an upstream registry with …"."""
NEED_CREDENTIALS: Final = frozenset(
    (
        "azure-container-registry",
        "chainguard",
        "docker-hub",
        "github-container-registry",
        "gitlab-container-registry",
    )
)


class RuleNotFound(AwsError):
    """A prefix that no rule has."""

    def __init__(self, prefix: str) -> None:
        super().__init__(
            "PullThroughCacheRuleNotFoundException", f"The pull through cache rule '{prefix}' does not exist"
        )


_records: Final = Records(Subspace("cache-rule"), CacheRule, RuleNotFound)
find, get, save, remove, decode, get_space = (
    _records.find,
    _records.get,
    _records.save,
    _records.remove,
    _records.decode,
    _records.get_space,
)


def find_kind(host: str) -> str | None:
    """Return the kind of upstream registry that a host is."""
    return next((kind for kind, pattern in _HOSTS.items() if pattern.fullmatch(host)), None)


async def choose(tx: Transaction, account: str, region: str, name: str) -> CacheRule | None:
    """Return the rule for a repository: the one of the longest prefix, at last ROOT."""
    parts = name.split("/")
    for count in range(len(parts) - 1, -1, -1):
        found = await find(tx, account, region, "/".join(parts[:count]) or ROOT)
        if found is not None:
            return found
    return None


def get_upstream_name(rule: CacheRule, name: str) -> str:
    """Return the name that a repository has in the upstream registry."""
    rest = name if rule.name == ROOT else name.removeprefix(f"{rule.name}/")
    return rest if rule.upstream_prefix in ("", ROOT) else f"{rule.upstream_prefix}/{rest}"


def to_api(rule: CacheRule) -> dict[str, Any]:
    """Return a rule as the API shows it."""
    return {
        "ecrRepositoryPrefix": rule.name,
        "upstreamRegistryUrl": rule.url,
        "createdAt": rule.created,
        "updatedAt": rule.updated,
        "registryId": rule.account,
        "upstreamRegistry": rule.upstream,
        "credentialArn": rule.credential or None,
        "customRoleArn": rule.role or None,
        "upstreamRepositoryPrefix": rule.upstream_prefix or None,
    }
