"""The operations on resources, which are the same for all seven kinds."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.appmesh import errors, limits, port_rules, spec_rules, storing
from cloudlet.services.appmesh.block import service
from cloudlet.services.appmesh.errors import BadRequest
from cloudlet.services.appmesh.kinds import KINDS, MESH, Kind, get_name_member
from cloudlet.services.appmesh.resource_record import Place, Resource

_ACTIVE: Final = "ACTIVE"
_DELETED: Final = "DELETED"


def _find_place(ctx: Context, kind: Kind, params: Params, name: str) -> Place:
    """Return the key of what a request is about. Raises Forbidden for the mesh of another account."""
    owner = params.get("meshOwner")
    if owner is not None and owner != ctx.account:
        raise errors.Forbidden("Meshes are not shared between accounts: meshOwner must be your own account.")
    belongs_to = KINDS.get(kind.owner)
    has_owner = belongs_to is not None and belongs_to is not MESH
    router = params[get_name_member(belongs_to)] if belongs_to is not None and has_owner else ""
    return storing.make_place(ctx, kind, params["meshName"], router, name)


async def _check_owners(tx: Transaction, place: Place) -> None:
    """Raise NotFound unless the mesh is there, and what a resource belongs to in it."""
    if place.mesh:
        await storing.get(tx, Place(place.account, place.region, "", MESH.title, "", place.mesh))
    if place.owner:
        owner = KINDS[place.kind].owner
        await storing.get(tx, Place(place.account, place.region, place.mesh, owner, "", place.owner))


async def _check_references(tx: Transaction, place: Place, spec: dict[str, Any]) -> None:
    """Raise NotFound unless all is there that a specification refers to.

    Raises BadRequest where ports do not fit.
    """
    for title, name in KINDS[place.kind].list_references(spec):
        await storing.get(tx, Place(place.account, place.region, place.mesh, title, "", name))
    await port_rules.check_ports(tx, place, spec)


def to_api(resource: Resource, status: str = _ACTIVE) -> dict[str, Any]:
    """Return a resource as the API has it."""
    place = resource.place
    return {
        **_list_names(place),
        "metadata": {**_describe(resource), "uid": resource.uid},
        "spec": resource.spec,
        "status": {"status": status},
    }


def _list_names(place: Place) -> dict[str, str]:
    kind = KINDS[place.kind]
    names = {"meshName": place.mesh or place.name, get_name_member(kind): place.name}
    return {**names, get_name_member(KINDS[kind.owner]): place.owner} if place.owner else names


def _describe(resource: Resource) -> dict[str, Any]:
    place = resource.place
    return {
        "arn": place.arn,
        "createdAt": resource.created,
        "lastUpdatedAt": resource.updated,
        "meshOwner": place.account,
        "resourceOwner": place.account,
        "version": resource.version,
    }


def _is_repeated(found: Resource, token: str, spec: dict[str, Any]) -> bool:
    """Whether a call with the same client token was answered before. Raises Conflict for another specification."""
    if not token or found.token != token:
        return False
    if found.spec != spec:
        raise errors.Conflict("The client token was used for a previous request with different specifications.")
    return True


def _get_request(params: Params) -> tuple[str, dict[str, Any]]:
    """Return the client token and the specification of a request."""
    spec_rules.check_token(params.get("clientToken"))
    return params.get("clientToken") or "", dict(params.get("spec") or {})


def _declare(kind: Kind) -> None:
    """Declare the operations on one kind."""

    @service.operation(f"Create{kind.title}")
    async def create(ctx: Context, tx: Transaction, params: Params) -> Result:
        place = _find_place(ctx, kind, params, params[get_name_member(kind)])
        token, spec = _get_request(params)
        spec_rules.check_name(kind.title, place.name)
        spec_rules.check_spec(kind.title, spec)
        await _check_owners(tx, place)
        found = await storing.find(tx, place)
        if found is not None:
            if _is_repeated(found, token, spec):
                return {kind.member: to_api(found)}
            where = f" under mesh {place.mesh}" if place.mesh else ""
            raise errors.Conflict(f"{storing.describe(place)} already exists{where} for account {ctx.account}")
        if len(await storing.list_resources(tx, place, kind, place.owner, kind.quota)) == kind.quota:
            raise errors.LimitExcess(f"There can be {kind.quota} {kind.plural} in a {kind.owner or 'Region'}.")
        await _check_references(tx, place, spec)
        given = {tag["key"]: tag["value"] for tag in params.get("tags") or ()}
        tags.save(tx, place.arn, tags.merge({}, given, BadRequest, errors.TooManyTags))
        now = ctx.now()
        made = Resource(place, uuid4(), spec, now, now, token=token)
        storing.save(tx, made, None)
        return {kind.member: to_api(made)}

    @service.operation(f"Update{kind.title}")
    async def update(ctx: Context, tx: Transaction, params: Params) -> Result:
        place = _find_place(ctx, kind, params, params[get_name_member(kind)])
        token, spec = _get_request(params)
        spec_rules.check_spec(kind.title, spec)
        await _check_owners(tx, place)
        found = await storing.get(tx, place)
        if _is_repeated(found, token, spec):
            return {kind.member: to_api(found)}
        await _check_references(tx, place, spec)
        changed = replace(found, spec=spec, updated=ctx.now(), version=found.version + 1, token=token)
        storing.save(tx, changed, found)
        return {kind.member: to_api(changed)}

    @service.operation(f"Describe{kind.title}")
    async def describe(ctx: Context, tx: Transaction, params: Params) -> Result:
        place = _find_place(ctx, kind, params, params[get_name_member(kind)])
        await _check_owners(tx, place)
        return {kind.member: to_api(await storing.get(tx, place))}

    @service.operation(f"Delete{kind.title}")
    async def delete(ctx: Context, tx: Transaction, params: Params) -> Result:
        place = _find_place(ctx, kind, params, params[get_name_member(kind)])
        await _check_owners(tx, place)
        found = await storing.get(tx, place)
        await _check_unused(tx, place)
        tags.save(tx, place.arn, {})
        storing.remove(tx, found)
        return {kind.member: to_api(found, _DELETED)}

    @service.operation(f"List{kind.plural}")
    async def list_all(ctx: Context, tx: Transaction, params: Params) -> Result:
        place = _find_place(ctx, kind, {"meshName": "", **params}, "")
        await _check_owners(tx, place)
        space = storing.RESOURCES.sub(place.account, place.region, place.mesh, kind.title, place.owner)

        def select(raw: bytes) -> dict[str, Any]:
            found = storing.decode(raw)
            return {**_list_names(found.place), **_describe(found)}

        token, limit = params.get("nextToken"), params.get("limit") or limits.MAX_PAGE_ITEMS
        shown, following = await listing.list_page(tx, space, token, limit, select, BadRequest("Invalid nextToken."))
        return {kind.list_member: shown, "nextToken": following}


async def _check_unused(tx: Transaction, place: Place) -> None:
    """Raise ResourceInUse for what others belong to or refer to."""
    in_mesh = place if place.mesh else replace(place, mesh=place.name)
    owned = [kind for kind in KINDS.values() if kind.owner == place.kind]
    for kind in owned:
        if await storing.has_any(tx, in_mesh, kind, place.name if place.mesh else ""):
            raise errors.ResourceInUse(
                f"{storing.describe(place)} cannot be deleted because it has active {kind.plural}"
            )
    referrers = await storing.list_referrers(tx, place)
    if any(each.kind == "VirtualService" for each in referrers):
        raise errors.ResourceInUse(
            f"{storing.describe(place)} cannot be deleted because it is a VirtualService provider"
        )
    if referrers:
        kind_name = "GATEWAY_ROUTE" if referrers[0].kind == "GatewayRoute" else "ROUTE"
        names = ", ".join(each.name for each in referrers)
        raise errors.ResourceInUse(
            f"{place.kind} {place.name} is being referenced in the following: {kind_name}: [{names}]"
        )


for _kind in KINDS.values():
    _declare(_kind)
