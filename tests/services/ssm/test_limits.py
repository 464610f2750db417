"""How many parameters an account has at most."""

from __future__ import annotations

import pytest

from cloudlet.core import Subspace, Transaction
from tests.services.ssm.local import ACCOUNT, REGION, LocalSsm, local

__all__ = ["local"]


def _fill(ssm: LocalSsm, tier: str, count: int) -> None:
    """Have an account count as having so many parameters of a tier."""

    async def body(tx: Transaction) -> None:
        tx.add(Subspace("count").key(ACCOUNT, REGION, tier), count)

    ssm.transact(body)


@pytest.mark.parametrize(
    ("tier", "limit", "advice"),
    [
        ("Standard", 10_000, "upgrade to the advanced-parameter tier (charges apply)."),
        ("Advanced", 100_000, "delete existing parameters."),
    ],
)
def test_a_tier_has_its_limit(local: LocalSsm, tier: str, limit: int, advice: str) -> None:
    _fill(local, tier, limit - 1)
    local.put("/last", Tier=tier)
    refused = local.refused("PutParameter", Name="/more", Value="v", Type="String", Tier=tier)
    assert refused.code == "ParameterLimitExceeded"
    assert refused.message.startswith(f"You have reached the maximum number of {tier.lower()} parameters for this AWS")
    assert refused.message.endswith(advice)
    assert local.put("/last", Overwrite=True) == 2, "an update needs no room"
    local.call("DeleteParameter", Name="/last")
    local.put("/more", Tier=tier)


def test_intelligent_tiering_goes_on_with_advanced_parameters(local: LocalSsm) -> None:
    _fill(local, "Standard", 10_000)
    made = local.call("PutParameter", Name="/a", Value="v", Type="String", Tier="Intelligent-Tiering")
    assert made["Tier"] == "Advanced"


def _come_and_go(ssm: LocalSsm) -> int:
    """Create a parameter with all that it can have, delete it, and return how many rows there are then."""
    policies = '[{"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "1", "Unit": "Days"}}]'
    ssm.put("/a", Tier="Advanced", Policies=policies, Tags=[{"Key": "k", "Value": "v"}])
    ssm.put("/a", Overwrite=True)
    ssm.call("LabelParameterVersion", Name="/a", Labels=["x"])
    ssm.call("DeleteParameter", Name="/a")

    async def count_events(tx: Transaction) -> int:
        space = Subspace("told")
        return len(await tx.range(space.begin, space.end, limit=100))

    ssm.until(lambda: ssm.transact(count_events) == 0)
    return ssm.rows()


def test_nothing_is_left_of_a_parameter_that_is_deleted(local: LocalSsm) -> None:
    assert _come_and_go(local) == _come_and_go(local)
