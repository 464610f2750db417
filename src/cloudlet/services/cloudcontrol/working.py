"""Carrying out requests.

Each step is written down before the next is taken, so that a crash repeats none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws.resources.caller import bind_invoke
from cloudlet.core.aws.resources.failures import ProvisioningError, is_transient, translate_error
from cloudlet.core.aws.resources.provisioner import Instance, Invoke, Provisioner
from cloudlet.core.aws.resources.reader import Reader
from cloudlet.core.aws.resources.registry import load_resource_types, load_schema
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import token as random_token
from cloudlet.services.cloudcontrol import errors, requests, states
from cloudlet.services.cloudcontrol.json_patch import InvalidPatch, apply_patch, parse_patch
from cloudlet.services.cloudcontrol.request_record import Request

BY: Final = "cloudformation.amazonaws.com"
"""The service that calls: operations of Cloud Control API are a part of CloudFormation."""
_SUFFIX_CHARACTERS: Final = 12
_RETRY_SECONDS: Final = 120.0
_MAX_STABILIZING_SECONDS: Final = 36 * 3600.0
"""The time that a resource may take until it is ready."""
_FIRST_PAUSE_SECONDS: Final = 0.2
_MAX_PAUSE_SECONDS: Final = 5.0


def make_invoke(block: Block, request: Request) -> Invoke:
    """Return what calls operations for a request: by its role, or else as its caller."""
    role = request.role
    principal = make_session(role, "AWSCloudFormation", BY) if role else request.caller.make_principal(BY)
    return bind_invoke(block, principal, request.account, request.region)


async def _carry_out(block: Block, key: Key) -> float | None:
    """Do a step of a request; return after how many seconds to look again."""
    vault = block.cloud.vault
    account, region, token = key
    request = await block.store.transact(lambda tx: requests.find(tx, vault, account, region, token))
    if request is None or states.is_final(request.status):
        return None
    work = _Work(block, request)
    try:
        pause = await work.run()
    except ProvisioningError as failure:
        await work.fail(failure)
        return None
    except AwsError as error:
        elapsed = block.clock.now() - request.started
        if is_transient(error) and elapsed < _RETRY_SECONDS:
            return _extend_pause(_FIRST_PAUSE_SECONDS, elapsed)
        await work.fail(translate_error(error, request.type.split("::")[1], token))
        return None
    elapsed = block.clock.now() - request.started
    if pause is not None and elapsed > _MAX_STABILIZING_SECONDS:
        await work.fail(ProvisioningError("Exceeded attempts to wait", "NotStabilized", token))
        return None
    return None if pause is None else _extend_pause(pause, elapsed)


REQUESTS: Final = Reconciler("requests", _carry_out, patience_seconds=1.0)


def _extend_pause(pause: float, elapsed: float) -> float:
    """Return a pause that grows with the time that a request takes."""
    return max(pause, min(elapsed / 10, _MAX_PAUSE_SECONDS))


class _Work:
    """One request at work."""

    def __init__(self, block: Block, request: Request) -> None:
        self._block = block
        self._request = request
        self._was_begun = request.is_begun
        declared, schema = load_resource_types()[request.type], load_schema(request.type)
        invoke = make_invoke(block, request)
        self._provisioner = Provisioner(declared, schema, invoke, request.account, request.region)
        self._reader = Reader(request.type, invoke, request.account, request.region)

    async def run(self) -> float | None:
        """Go on with the request; return after how many seconds to look again."""
        if self._request.status == "CANCEL_IN_PROGRESS":
            # What is done of it stays.
            await self._conclude("CANCEL_COMPLETE")
            return None
        works: Mapping[str, Callable[[], Awaitable[float | None]]] = {
            "CREATE": self._create,
            "UPDATE": self._update,
            "DELETE": self._delete,
        }
        return await works[self._request.operation]()

    async def fail(self, failure: ProvisioningError) -> None:
        self._request = replace(self._request, message=failure.message, code=failure.code)
        await self._conclude("FAILED")

    async def _save(self, changed: Request) -> None:
        """Write the request down, unless it was cancelled meanwhile."""
        vault = self._block.cloud.vault

        async def write(tx: Transaction) -> Request | None:
            now = await requests.find(tx, vault, changed.account, changed.region, changed.token)
            if now is None or now.status != "IN_PROGRESS":
                return now
            await requests.lock(tx, changed)
            requests.save(tx, vault, changed)
            return changed

        now = await self._block.store.transact(write)
        self._request = changed if now is None else replace(changed, status=now.status)

    async def _conclude(self, status: states.Status) -> None:
        vault = self._block.cloud.vault
        await self._block.store.transact(lambda tx: requests.conclude(tx, vault, self._request, status))

    async def _succeed(self, instance: Instance) -> None:
        shown = {
            name: value
            for name, value in {**instance.properties, **instance.attributes}.items()
            if name not in self._reader.unread
        }
        identifier = self._provisioner.get_identifier(instance)
        self._request = replace(self._request, identifier=identifier, model=requests.render_model(shown))
        await self._conclude("SUCCESS")

    # Creating

    async def _create(self) -> float | None:
        if not self._request.is_begun:
            await self._begin_to_create()
        request = self._request
        if not request.is_made:
            if request.status != "IN_PROGRESS":
                return 0
            attributes = await self._provisioner.create(
                request.properties, self._make_name(), request.token, is_repeated=self._was_begun
            )
            await self._save(replace(request, attributes=attributes, is_made=True))
            request = self._request
        instance = Instance(request.properties, request.attributes)
        attributes, pause = await self._provisioner.complete(instance, request.token)
        if pause is not None:
            return pause
        await self._succeed(Instance(request.properties, attributes))
        return None

    async def _begin_to_create(self) -> None:
        request = self._request
        has_name = self._provisioner.has_given_name(request.properties)
        if (has_name and await self._provisioner.exists(request.properties)) or await self._reader.is_taken(
            request.properties
        ):
            raise ProvisioningError(
                f"Resource of type '{request.type}' with identifier '{self._find_given_name()}' already exists.",
                "AlreadyExists",
                request.token,
            )
        kind = request.type.rpartition("::")[2]
        named = self._provisioner.assign_name(request.properties, kind, random_token(_SUFFIX_CHARACTERS))
        await self._save(replace(request, properties=named, is_begun=True))

    def _find_given_name(self) -> str:
        known = self._request.properties
        return "|".join(str(known.get(name, "")) for name in load_schema(self._request.type).identifier).strip(
            "|"
        ) or next((str(value) for key, value in known.items() if key.endswith("Name")), "")

    def _make_name(self) -> str:
        """Return the identifier of what has no name of its own."""
        return f"{self._request.type.rpartition('::')[2]}-{self._request.token[:13].replace('-', '')}"

    # Changing and deleting

    async def _update(self) -> float | None:
        request = self._request
        if not request.is_begun:
            await self._begin_to_update()
            request = self._request
        if not request.is_made:
            if request.status != "IN_PROGRESS":
                return 0
            old = Instance(request.before, request.attributes)
            attributes = await self._provisioner.update(old, request.properties, request.token)
            await self._save(replace(self._request, attributes=attributes, is_made=True))
        request = self._request
        attributes, pause = await self._provisioner.refresh(Instance(request.properties, request.attributes))
        if pause is not None:
            return pause
        await self._succeed(Instance(request.properties, attributes))
        return None

    async def _begin_to_update(self) -> None:
        """Apply the patch to the resource as it is now.

        No other request changes it any more.
        """
        request, schema = self._request, load_schema(self._request.type)
        known = {**request.before, **request.attributes}
        names = (*schema.identifier, *schema.create_only)
        found = await self._reader.find({name: known[name] for name in names if known.get(name) is not None})
        if found is None:
            raise errors.make_not_found(request.type, request.identifier)
        try:
            properties = apply_patch(dict(found.properties), parse_patch(request.patch))
        except InvalidPatch as error:
            raise ProvisioningError(f"Invalid patch update: {error}", token=request.token) from None
        before, attributes = dict(found.properties), dict(found.attributes)
        await self._save(replace(request, properties=properties, before=before, attributes=attributes, is_begun=True))

    async def _delete(self) -> float | None:
        request = self._request
        if not request.is_begun:
            known = dict(request.before)
            if self._reader.can_read:
                found = await self._reader.find(known)
                if found is None:
                    raise errors.make_not_found(request.type, request.identifier)
                request = replace(request, before=dict(found.properties), attributes=dict(found.attributes))
            await self._save(replace(request, is_begun=True))
        request = self._request
        if request.status != "IN_PROGRESS":
            return 0
        pause = await self._provisioner.delete(Instance(request.before, request.attributes), request.token)
        if pause is None:
            await self._conclude("SUCCESS")
        return pause
