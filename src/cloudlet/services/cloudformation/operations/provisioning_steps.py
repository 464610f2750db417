"""One resource's way through an operation: begun, called, done. Each step is written down before the next is taken."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws.resources import provisioner
from cloudlet.core.aws.resources.failures import ProvisioningError, ReasonedError, is_transient, translate_error
from cloudlet.core.aws.resources.reader import Reader, is_put_over
from cloudlet.core.aws.tags import STACK_TAGS
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import token as random_token
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import stacks
from cloudlet.services.cloudformation.compiling import OWN_TYPES, mask
from cloudlet.services.cloudformation.provisioning.handlers import Handler, Later, Work, get_given_name, make_handler
from cloudlet.services.cloudformation.stack_record import Event, Instance, Resource, Stack
from cloudlet.services.cloudformation.templates.dynamic_references import has_references, resolve_references

BY: Final = "cloudformation.amazonaws.com"
_SUFFIX_CHARACTERS: Final = 12
_SUFFIX_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_RETRY_SECONDS: Final = 120.0
_FIRST_PAUSE_SECONDS: Final = 0.2
_MAX_PAUSE_SECONDS: Final = 5.0
MAX_REASON_CHARACTERS: Final = 4000


@dataclass
class Steps:
    """The steps of the resources of one stack, in one phase of one operation."""

    block: Block
    stack: Stack
    phase: str
    """The mark on resources that are done in this phase."""
    resources: dict[str, Resource]
    """The resources as they are stored."""
    retries: dict[str, int] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    """Values that events do not show."""

    # Records and events

    async def _write(self, resource: Resource, *events: tuple[str, str, Mapping[str, Any] | None]) -> Resource:
        """Save a resource in the state of the last of some events.

        An event is a status, a reason, and properties.
        """
        now = self.block.clock.now()
        status, reason, _ = events[-1] if events else (resource.status, resource.reason, None)
        changed = replace(resource, status=status, reason=reason, updated=now if events else resource.updated)

        async def write(tx: Transaction) -> None:
            stacks.save_resource(tx, self.block.cloud.vault, changed)
            for event_status, event_reason, properties in events:
                stacks.add_event(tx, self.stack, self._make_event(changed, event_status, event_reason, properties, now))

        await self.block.store.transact(write)
        self.resources[resource.name] = changed
        return changed

    async def _forget(self, resource: Resource, *events: tuple[str, str, Mapping[str, Any] | None]) -> None:
        """Remove a resource, with events."""
        now = self.block.clock.now()

        async def remove(tx: Transaction) -> None:
            stacks.remove_resource(tx, resource)
            for status, reason, properties in events:
                stacks.add_event(tx, self.stack, self._make_event(resource, status, reason, properties, now))

        await self.block.store.transact(remove)
        self.resources.pop(resource.name, None)

    def _make_event(
        self, resource: Resource, status: str, reason: str, properties: Mapping[str, Any] | None, now: float
    ) -> Event:
        return Event(
            f"{resource.name}-{status}-{uuid4()}",
            resource.name,
            resource.type,
            resource.physical_id,
            status,
            now,
            reason[:MAX_REASON_CHARACTERS],
            "" if properties is None else json.dumps(mask(properties, self.hidden)),
            self.stack.operation.token,
            self.stack.operation.current_id,
        )

    # Calls

    def is_new(self, resource: Resource) -> bool:
        """Whether the running operation made a resource, or tried to."""
        return resource.made_by == self.stack.operation.id

    def _make_handler(self, resource: Resource) -> Handler:
        surroundings = (self.block, self.stack, resource.name, resource.type, self.invoke, resource.started)
        return make_handler(Work(*surroundings, resource.creation_policy))

    async def invoke(
        self, model: str, operation: str, params: dict[str, Any], *, once: str = "", region: str = ""
    ) -> Any:
        """Call an operation by the stack's role, or else as the caller."""
        stack = self.stack
        caller = stack.operation.caller
        if stack.role:
            principal = make_session(stack.role, "AWSCloudFormation", BY)
        elif caller is not None:
            principal = caller.make_principal(BY)
        else:
            raise ReasonedError("The operation has no caller")
        # A stack that is made for a resource knows by this whose it is.
        parent = stack.arn if model == "cloudformation" else ""
        return await self.block.cloud.call(
            model,
            operation,
            params,
            principal=principal,
            account=stack.account,
            region=region or stack.region,
            source_arn=parent,
            once=once,
        )

    async def resolve(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return properties with what their dynamic references refer to."""
        if not has_references(properties):
            return dict(properties)
        resolved: dict[str, Any] = await resolve_references(dict(properties), self.invoke)
        return resolved

    async def _try(self, resource: Resource, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do what may fail in passing. Raises ProvisioningError, and Later to try again."""
        try:
            return await work()
        except AwsError as error:
            if not is_transient(error):
                raise translate_error(error, "CloudFormation", resource.token) from None
            count = self.retries[resource.name] = self.retries.get(resource.name, 0) + 1
            pause = min(_FIRST_PAUSE_SECONDS * 2 ** (count - 1), _MAX_PAUSE_SECONDS)
            if count * _MAX_PAUSE_SECONDS > _RETRY_SECONDS:
                raise translate_error(error, "CloudFormation", resource.token) from None
            raise Later(pause) from None

    # Making

    async def create(self, resource: Resource, properties: dict[str, Any], status: str, reason: str = "") -> None:
        """Make a resource, or another one in its place, in states that begin with `status`."""
        handler = self._make_handler(resource)
        is_repeated = resource.making is not None
        if resource.making is None:
            suffix = random_token(_SUFFIX_CHARACTERS, _SUFFIX_ALPHABET)
            named = handler.assign_name(properties, f"{self.stack.name}-{resource.name}", suffix)
            resource = replace(
                resource,
                making=Instance("", named, {}, next((key for key in named if key not in properties), "")),
                is_made=False,
                made_by=self.stack.operation.id if resource.instance is None else resource.made_by,
                token=uuid4(),
                started=self.block.clock.now(),
            )
            if self._can_import(resource) and await self._try(
                resource, partial(self._import, resource, handler, properties)
            ):
                return
            if await self._try(resource, partial(self._is_taken, resource, handler, properties)):
                await self._write(resource, (f"{status}_IN_PROGRESS", reason, properties))
                raise ReasonedError(self._describe_taken(resource, properties))
            resource = await self._write(resource, (f"{status}_IN_PROGRESS", reason, properties))
            handler = self._make_handler(resource)
        making = resource.making
        assert making is not None  # noqa: S101
        called = await self.resolve(making.properties)
        if not resource.is_made:
            attributes = await self._call_create(resource, handler, called, is_repeated=is_repeated)
            made = provisioner.Instance(called, attributes)
            making = replace(making, physical_id=handler.get_reference(made), attributes=attributes)
            resource = replace(resource, making=making, is_made=True)
            if not await self._is_complete_at_once(resource, handler, made, status):
                resource = await self._write(
                    resource, (f"{status}_IN_PROGRESS", "Resource creation Initiated", making.properties)
                )
                await self._complete(resource, handler, called, status)
            return
        await self._complete(resource, handler, called, status)

    async def _call_create(
        self, resource: Resource, handler: Handler, properties: dict[str, Any], *, is_repeated: bool
    ) -> Any:
        """Make a resource, with CloudFormation's own tags if allowed; return its attributes."""
        name = self._make_name(resource)
        for tagged in self._list_taggings(resource, handler, properties):
            create = partial(handler.create, tagged, name, resource.token, is_repeated=is_repeated)
            try:
                return await self._try(resource, create)
            except ProvisioningError as error:
                if error.code != "AccessDenied" or tagged == properties:
                    raise
        raise AssertionError("there is always one to try")

    def _list_taggings(self, resource: Resource, handler: Handler, properties: dict[str, Any]) -> list[dict[str, Any]]:
        """Return properties to try one after the other: with CloudFormation's own tags, and without."""
        tagged = self._add_tags(resource, handler, properties)
        return [properties] if tagged == properties else [tagged, properties]

    def _add_tags(self, resource: Resource, handler: Handler, properties: dict[str, Any]) -> dict[str, Any]:
        """Return properties with the tags that CloudFormation gives what it makes."""
        if resource.type.startswith(OWN_TYPES) or not isinstance(handler, provisioner.Provisioner):
            return properties
        values = (resource.name, self.stack.arn, self.stack.name)
        return handler.add_system_tags(properties, dict(zip(STACK_TAGS, values, strict=True)))

    def _can_import(self, resource: Resource) -> bool:
        return self.stack.operation.imports_existing and resource.deletion_policy in ("Retain", "RetainExceptOnCreate")

    async def _import(self, resource: Resource, handler: Handler, properties: dict[str, Any]) -> bool:
        """Make a resource that there is already the stack's; return whether there is one."""
        if not handler.has_given_name(properties):
            return False
        called = await self.resolve(properties)
        attributes = await handler.find(called)
        if attributes is None:
            return False
        reference = handler.get_reference(provisioner.Instance(called, attributes))
        # What the operation did not make it does not delete either: it is not new.
        found = replace(resource, instance=Instance(reference, properties, attributes), making=None, made_by="")
        await self._write(
            replace(found, done=self.phase),
            ("IMPORT_IN_PROGRESS", "Resource import started.", properties),
            ("IMPORT_COMPLETE", "Resource import completed.", properties),
        )
        return True

    async def adopt(
        self, resource: Resource, properties: dict[str, Any], identifier: Mapping[str, str], tags: str
    ) -> None:
        """Make the resource that has an identifier the stack's.

        `tags` is the property with the stack's tags, where it has some.
        """
        resource = replace(resource, made_by=self.stack.operation.id)
        if resource.status != "IMPORT_IN_PROGRESS":
            resource = await self._write(resource, ("IMPORT_IN_PROGRESS", "Resource import started.", properties))
        stack = self.stack
        reader = Reader(resource.type, self.invoke, stack.account, stack.region)
        found = await self._try(resource, lambda: reader.find(identifier))
        if found is None:
            name = "|".join(identifier.values())
            raise ProvisioningError(
                f"Resource of type '{resource.type}' with identifier '{name}' was not found.", "NotFound"
            )
        live = {**found.properties, **identifier}
        made_up = next((name for name in reader.list_names() if name in live and name not in properties), "")
        named = {**properties, made_up: live[made_up]} if made_up else properties
        handler = self._make_handler(resource)
        # Attributes that only creating it tells otherwise.
        attributes, _ = await self._try(
            resource, lambda: handler.refresh(provisioner.Instance(named, found.attributes))
        )
        reference = handler.get_reference(provisioner.Instance(named, attributes))
        instance = Instance(reference, named, attributes, made_up)
        events: list[tuple[str, str, Mapping[str, Any] | None]] = [
            ("IMPORT_COMPLETE", "Resource import completed.", properties)
        ]
        former = provisioner.Instance(found.properties, found.attributes)
        wanted = {**found.properties, tags: properties[tags]} if tags else dict(found.properties)
        wanted = self._add_tags(resource, handler, wanted)
        if wanted != found.properties:
            await self._try(resource, lambda: handler.update(former, wanted, uuid4()))
            reason = "Apply stack-level tags to imported resource if applicable."
            events += [("UPDATE_IN_PROGRESS", reason, properties), ("UPDATE_COMPLETE", "", properties)]
        await self._write(replace(resource, instance=instance, done=self.phase), *events)

    async def release(self, resource: Resource) -> None:
        """Give back a resource that was to be imported; it stays as it is."""
        await self._forget(
            resource,
            ("IMPORT_ROLLBACK_IN_PROGRESS", "", None),
            ("IMPORT_ROLLBACK_COMPLETE", "", None),
        )

    async def _is_complete_at_once(
        self, resource: Resource, handler: Handler, made: provisioner.Instance, status: str
    ) -> bool:
        """Complete a resource that waits for nothing with one transaction in the place of two."""
        if not isinstance(handler, provisioner.Provisioner) or not handler.is_complete_once_made(made):
            return False
        making = resource.making
        assert making is not None  # noqa: S101
        await self._write(
            replace(
                resource, instance=making, making=None, before=resource.before or resource.instance, done=self.phase
            ),
            (f"{status}_IN_PROGRESS", "Resource creation Initiated", making.properties),
            (f"{status}_COMPLETE", "", making.properties),
        )
        return True

    async def _complete(self, resource: Resource, handler: Handler, called: dict[str, Any], status: str) -> None:
        making = resource.making
        assert making is not None  # noqa: S101
        attributes, pause = await self._call_complete(resource, handler, called, making.attributes)
        if pause is not None:
            raise Later(self._extend_pause(resource, pause))
        reference = handler.get_reference(provisioner.Instance(called, attributes))
        done = replace(making, physical_id=reference, attributes=attributes)
        before = resource.before or resource.instance
        await self._write(
            replace(resource, instance=done, making=None, before=before, done=self.phase),
            (f"{status}_COMPLETE", "", making.properties),
        )

    async def _call_complete(
        self, resource: Resource, handler: Handler, properties: dict[str, Any], attributes: Mapping[str, Any]
    ) -> Any:
        for tagged in self._list_taggings(resource, handler, properties):
            instance = provisioner.Instance(tagged, attributes)
            try:
                return await self._try(resource, partial(handler.complete, instance, resource.token))
            except ProvisioningError as error:
                if error.code != "AccessDenied" or tagged == properties:
                    raise
        raise AssertionError("there is always one to try")

    async def _is_taken(self, resource: Resource, handler: Handler, properties: Mapping[str, Any]) -> bool:
        """Whether there is a resource with the name, or the identifier, that properties give."""
        if handler.has_given_name(properties) and await handler.exists(await self.resolve(properties)):
            return True
        if not isinstance(handler, provisioner.Provisioner) or not is_put_over(resource.type):
            return False
        reader = Reader(resource.type, self.invoke, self.stack.account, self.stack.region)
        return await reader.is_taken(await self.resolve(properties))

    def _describe_taken(self, resource: Resource, properties: Mapping[str, Any]) -> str:
        name = get_given_name(resource.type, properties) or resource.name
        return ProvisioningError(
            f"Resource of type '{resource.type}' with identifier '{name}' already exists.",
            "AlreadyExists",
            resource.token,
        ).reason

    def _extend_pause(self, resource: Resource, pause: float) -> float:
        """Return a pause that grows with the time that a resource takes."""
        elapsed = self.block.clock.now() - resource.started
        return max(pause, min(elapsed / 10, _MAX_PAUSE_SECONDS))

    # Changing

    async def update(self, resource: Resource, properties: dict[str, Any]) -> None:
        """Update a resource in place."""
        handler = self._make_handler(resource)
        old = resource.instance
        assert old is not None  # noqa: S101
        if resource.making is None:
            resource = replace(
                resource,
                making=Instance(old.physical_id, properties, old.attributes, old.made_up),
                is_made=False,
                before=resource.before or old,
                token=uuid4(),
                started=self.block.clock.now(),
            )
            resource = await self._write(resource, ("UPDATE_IN_PROGRESS", "", properties))
            handler = self._make_handler(resource)
        making = resource.making
        assert making is not None  # noqa: S101
        called = await self.resolve(making.properties)
        if not resource.is_made:
            before = self._add_tags(resource, handler, await self.resolve(old.properties))
            former, tagged = provisioner.Instance(before, old.attributes), self._add_tags(resource, handler, called)
            attributes = await self._try(resource, lambda: handler.update(former, tagged, resource.token))
            making = replace(making, attributes=attributes)
            resource = await self._write(replace(resource, making=making, is_made=True))
        instance = provisioner.Instance(called, making.attributes)
        attributes, pause = await self._try(resource, lambda: handler.refresh(instance, resource.token))
        if pause is not None:
            raise Later(self._extend_pause(resource, pause))
        reference = handler.get_reference(provisioner.Instance(called, attributes))
        done = replace(making, physical_id=reference, attributes=attributes)
        await self._write(
            replace(resource, instance=done, making=None, done=self.phase), ("UPDATE_COMPLETE", "", making.properties)
        )

    async def revert(self, resource: Resource) -> None:
        """Bring back the resource that there was before the operation."""
        before = resource.before
        if self.is_new(resource) or before is None:
            await self._write(replace(resource, done=self.phase))
            return
        if resource.instance is not None and resource.instance.physical_id != before.physical_id:
            # It was replaced: the new one is what is deleted afterwards.
            await self._write(
                replace(resource, instance=before, before=resource.instance, making=None, done=self.phase),
                ("UPDATE_COMPLETE", "", before.properties),
            )
            return
        if resource.making is not None and resource.making.physical_id != before.physical_id:
            # A replacement that was not finished.
            await self._write(
                replace(resource, instance=before, before=resource.making, making=None, done=self.phase),
                ("UPDATE_COMPLETE", "", before.properties),
            )
            return
        if resource.status != "UPDATE_IN_PROGRESS" or (
            resource.making and resource.making.properties != before.properties
        ):
            # Where the update was not finished, it is not known what of it was done.
            # Where bringing it back has failed, it is as the update left it.
            is_reverting = resource.making is not None and resource.making.properties == before.properties
            changed = resource.instance if is_reverting else resource.making or resource.instance
            resource = await self._write(replace(resource, instance=changed, making=None))
        await self.update(resource, before.properties)

    async def keep(self, resource: Resource) -> None:
        """Save a resource that stays as it is; there is no event of that."""
        await self._write(replace(resource, done=self.phase))

    # Deleting

    async def delete_instance(self, resource: Resource, instance: Instance) -> None:
        """Delete one instance of a resource. Raises Later while it is not gone."""
        handler = self._make_handler(resource)
        called = provisioner.Instance(await self.resolve(instance.properties), instance.attributes)
        pause = await self._try(resource, lambda: handler.delete(called, resource.token))
        if pause is not None:
            raise Later(self._extend_pause(resource, pause))

    async def remove(self, resource: Resource, *, is_retained: bool, is_forgotten: bool) -> None:
        """Delete a resource; what is left of it is that it was deleted, or nothing."""
        if resource.making is not None and not resource.is_made and resource.status.endswith("_IN_PROGRESS"):
            resource = await self._find_unanswered(resource)
        instances = [one for one in (resource.making, resource.before, resource.instance) if one is not None]
        alive = {one.physical_id: one for one in instances if one.physical_id}
        if not alive and resource.making is None:
            gone = replace(resource, before=None, done=self.phase)
            await (self._forget(resource) if is_forgotten else self._write(gone, ("DELETE_COMPLETE", "", None)))
            return
        properties = instances[-1].properties
        if is_retained:
            event = ("DELETE_SKIPPED", "", properties)
            await (
                self._forget(resource, event)
                if is_forgotten
                else self._write(replace(resource, done=self.phase), event)
            )
            return
        if resource.status != "DELETE_IN_PROGRESS":
            resource = await self._write(
                replace(resource, token=uuid4(), started=self.block.clock.now()),
                ("DELETE_IN_PROGRESS", "", properties),
            )
        for instance in alive.values():
            await self.delete_instance(resource, instance)
        event = ("DELETE_COMPLETE", "", properties)
        done = replace(resource, done=self.phase)
        await (self._forget(resource, event) if is_forgotten else self._write(done, event))

    async def _find_unanswered(self, resource: Resource) -> Resource:
        """Return a resource with what a call has made whose answer was lost.

        The call is made again, which is the same one: it makes nothing, or what would have been made.
        """
        making = resource.making
        assert making is not None  # noqa: S101
        if resource.instance is not None and making.physical_id == resource.instance.physical_id:
            return resource
        handler = self._make_handler(resource)
        called = await self.resolve(making.properties)
        try:
            attributes = await self._call_create(resource, handler, called, is_repeated=True)
        except ProvisioningError:
            return resource
        reference = handler.get_reference(provisioner.Instance(called, attributes))
        made = replace(making, physical_id=reference, attributes=attributes)
        return await self._write(replace(resource, making=made, is_made=True))

    def _make_name(self, resource: Resource) -> str:
        """Return the name of what has no name of its own."""
        return f"{self.stack.name}-{resource.name}-{resource.token[:8]}{resource.token[9:13]}"

    async def clean_up(self, resource: Resource, *, is_retained: bool) -> None:
        """Delete what an update has replaced, or what it made and was rolled back."""
        old = resource.before
        current = resource.instance
        if old is None or current is None or old.physical_id == current.physical_id or not old.physical_id:
            await self._write(replace(resource, before=None, making=None, done=self.phase))
            return
        status, reason = resource.status, resource.reason
        if is_retained:
            await self._write_event_of(resource, old, "DELETE_SKIPPED")
        else:
            if resource.making is None:
                resource = replace(resource, making=old, token=uuid4(), started=self.block.clock.now(), is_made=True)
                await self._write_event_of(resource, old, "DELETE_IN_PROGRESS")
                resource = await self._write(resource)
            await self.delete_instance(resource, old)
            await self._write_event_of(resource, old, "DELETE_COMPLETE")
        await self._write(replace(resource, before=None, making=None, status=status, reason=reason, done=self.phase))

    async def _write_event_of(self, resource: Resource, instance: Instance, status: str) -> None:
        """Write an event of an instance that is not the resource any more."""
        now = self.block.clock.now()
        event = self._make_event(replace(resource, making=instance), status, "", instance.properties, now)

        async def write(tx: Transaction) -> None:
            stacks.add_event(tx, self.stack, event)

        await self.block.store.transact(write)

    async def fail(self, resource: Resource, status: str, reason: str) -> None:
        """Write down why a resource failed."""
        properties = (resource.making or resource.instance or Instance("", {})).properties
        begun = f"{status.removesuffix('_FAILED')}_IN_PROGRESS"
        events = [] if resource.status == begun else [(begun, "", properties)]
        await self._write(replace(resource, done=self.phase, failed=self.phase), *events, (status, reason, properties))

    async def cancel(self, resource: Resource, status: str) -> None:
        """Write down that a resource was given up as another one failed."""
        await self.fail(
            resource,
            status,
            "Resource creation cancelled" if status.startswith("CREATE") else "Resource update cancelled",
        )
