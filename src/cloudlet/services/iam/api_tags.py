"""The operations on the tags of users, roles, instance profiles and policies."""

from __future__ import annotations

from cloudlet.core import Context, Params, Transaction
from cloudlet.services.iam import managed
from cloudlet.services.iam.entities import INSTANCE_PROFILES, POLICIES, ROLES, USERS
from cloudlet.services.iam.entity_record import ManagedPolicy
from cloudlet.services.iam.tag_declarations import declare


async def _get_policy(ctx: Context, tx: Transaction, params: Params) -> ManagedPolicy:
    """Return the policy that a request names. Those of AWS have no tags, and take none."""
    return await managed.get_own(ctx, tx, params["PolicyArn"])


declare("User", USERS, USERS.get_named)
declare("Role", ROLES, ROLES.get_named)
declare("InstanceProfile", INSTANCE_PROFILES, INSTANCE_PROFILES.get_named)
declare("Policy", POLICIES, _get_policy)
