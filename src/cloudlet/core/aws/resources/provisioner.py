"""Making, updating and deleting one resource by the operations that its type's declaration names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.resources.declaration import (
    FORMER,
    GENERATED,
    ITEM,
    NAME,
    Call,
    Items,
    Part,
    Properties,
    ResourceType,
    find_path,
    render,
)
from cloudlet.core.aws.resources.failures import (
    ProvisioningError,
    is_existing,
    is_not_found,
    is_transient,
    translate_error,
)
from cloudlet.core.aws.resources.inputs import UnsupportedProperty, build_input, get_operation, list_members
from cloudlet.core.aws.resources.resource_schema import Schema
from cloudlet.core.kernel.errors import AwsError
from cloudlet.wire import load


class Invoke(Protocol):
    """Calls an operation of one of AWS's models, as whoever the resource is provisioned for."""

    def __call__(
        self, model: str, operation: str, params: dict[str, Any], *, once: str = "", region: str = ""
    ) -> Awaitable[Any]:
        """Return the answer; a call with a token is done once.

        `region` is given where it is not the resource's.
        """


_POLL_SECONDS: Final = 0.1
_MAX_POLLS: Final = 600


@dataclass(frozen=True, slots=True)
class Instance:
    """A resource that there is, or that is being made."""

    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]


class Provisioner:
    """Provisions resources of one type in an account and a region. Raises ProvisioningError, and what calls raise."""

    def __init__(self, declared: ResourceType, schema: Schema, invoke: Invoke, account: str, region: str) -> None:
        self._declared = declared
        self._schema = schema
        self._invoke_operation = invoke
        partition = partition_of(region)
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        self._place = {"account": account, "region": region, "partition": partition, "url_suffix": suffix}

    # Identity

    def assign_name(self, properties: Mapping[str, Any], prefix: str, suffix: str) -> dict[str, Any]:
        """Return properties with a name of two texts, where one is needed."""
        named = self._declared.named
        if named is None or properties.get(named.property):
            return dict(properties)
        end = suffix + named.suffix(properties)
        name = f"{prefix[: named.max_length - len(end) - 1]}-{end}"
        if named.is_alphanumeric:
            name = "".join(filter(str.isalnum, name))
        return {**properties, named.property: name.lower() if named.is_lower else name}

    def has_given_name(self, properties: Mapping[str, Any]) -> bool:
        """Whether properties have a name that others may have, too."""
        named = self._declared.named
        return named is not None and bool(properties.get(named.property))

    def get_identifier(self, instance: Instance) -> str:
        """Return the primary identifier, as the Cloud Control API has it."""
        known = {**instance.properties, **instance.attributes}
        return "|".join(str(known.get(name, "")) for name in self._schema.identifier)

    def get_reference(self, instance: Instance) -> str:
        """Return what Ref returns, which is the physical id."""
        ref = self._declared.ref
        if callable(ref):
            return str(ref(self.get_known(instance)))
        if ref:
            return render(ref, self.get_known(instance)) or ""
        return self.get_identifier(instance)

    def get_known(self, instance: Instance) -> dict[str, Any]:
        """Return all that is known of a resource: where it is, its properties and attributes."""
        return {**self._place, **instance.properties, **instance.attributes}

    # Tags

    def add_system_tags(self, properties: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Return properties with CloudFormation's own tags, where some operation takes them."""
        schema = self._schema
        tagged = schema.add_tags(properties, tags) if schema.has_system_tags else dict(properties)
        is_taken = not schema.has_system_tags or self._is_creatable_with(schema.tag_property, tagged)
        return tagged if is_taken else dict(properties)

    # What is done

    async def exists(self, properties: Mapping[str, Any]) -> bool:
        """Whether there is a resource with the name that properties have."""
        call = self._declared.exists or self._declared.read
        if call is None:
            return False
        try:
            found = await self._invoke(call, {**self._place, **properties})
        except AwsError as error:
            if is_not_found(error):
                return False
            raise
        # Some lists by a prefix find nothing, and fail not.
        return any(bool(value) for value in found.values()) if isinstance(found, Mapping) and found else True

    async def find(self, properties: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the attributes of the resource with a name; None where there is none."""
        if not await self.exists(properties):
            return None
        call = self._declared.exists or self._declared.read
        assert call is not None  # noqa: S101
        known = {**self._place, **properties}
        attributes = self.collect_attributes(known, {}, await self._invoke(call, known))
        attributes, _ = await self.refresh(Instance(properties, attributes))
        return attributes

    async def create(
        self, properties: Mapping[str, Any], name: str, token: str, *, is_repeated: bool
    ) -> dict[str, Any]:
        """Make a resource; return the attributes that are known by now, its identifier among them.

        `name` is the identifier of what has no operation that makes it. `is_repeated` tells that this was tried
        before: what is there already is taken for the same one.
        """
        self._check_creatable(properties)
        create = self._choose_create(properties)
        known = {**self._place, **properties, NAME: name}
        if create is None:
            return self.collect_attributes(known, {self._schema.identifier[0]: name}, {})
        try:
            known_to_call = {**known, **await self._generate(properties, {})}
            answer = await self._invoke(create, known_to_call, token, once=token)
        except AwsError as error:
            if not (is_repeated and is_existing(error)):
                raise self._translate(error, create, token) from None
            answer = {}
        return self.collect_attributes(known, {}, answer)

    def _choose_create(self, properties: Mapping[str, Any]) -> Call | None:
        found = next((call for name, call in self._declared.alternatives.items() if name in properties), None)
        return found or self._declared.create

    async def _generate(self, properties: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an operation generates for the others, where that is asked for."""
        if self._declared.generate is None:
            return {}
        name, call = self._declared.generate
        if name not in properties or properties[name] == old.get(name):
            return {}
        return {GENERATED: await self._invoke(call, {**self._place, **properties})}

    async def complete(self, instance: Instance, token: str) -> tuple[dict[str, Any], float | None]:
        """Do what is missing of a new resource.

        Return its attributes, and after how many seconds to look again.
        """
        attributes, pause = await self.refresh(instance)
        if pause is not None:
            return attributes, pause
        instance = Instance(instance.properties, attributes)
        for part in self._declared.parts:
            await self._put_part(part, None, instance, token)
        return attributes, None

    def is_complete_once_made(self, instance: Instance) -> bool:
        """Whether nothing is missing of a resource that has just been made."""
        declared = self._declared
        if declared.ready or any(name not in instance.attributes for name in self._list_wanted()):
            return False
        known = self.get_known(instance)
        return not any(
            self._list_items(part, known) if isinstance(part, Items) else part.name in instance.properties
            for part in declared.parts
            if not (isinstance(part, Items) and part.is_made)
        )

    async def refresh(self, instance: Instance, token: str = "") -> tuple[dict[str, Any], float | None]:
        """Return the attributes, and the seconds to wait where the resource is not ready."""
        declared = self._declared
        attributes = dict(instance.attributes)
        missing = [name for name in self._list_wanted() if name not in attributes]
        if not declared.ready and not missing:
            return attributes, None
        answer: Any = {}
        if declared.read is not None:
            try:
                answer = await self._invoke(declared.read, self.get_known(instance))
            except AwsError as error:
                raise self._translate(error, declared.read, "") from None
            attributes = self.collect_attributes(instance.properties, attributes, answer)
        for ready in declared.ready:
            state = find_path(answer, ready.member)
            if state in ready.bad:
                reason = (ready.reason and find_path(answer, ready.reason)) or f"it is {state}"
                raise ProvisioningError(str(reason), "NotStabilized")
            if state not in ready.good:
                return attributes, _POLL_SECONDS
        for call in declared.lookups if missing else ():
            found = await self._invoke(call, self.get_known(Instance(instance.properties, attributes)))
            attributes = self.collect_attributes(instance.properties, attributes, found)
        return attributes, None

    async def _wait(self, instance: Instance) -> None:
        """Wait until a resource can be changed again."""
        for _ in range(_MAX_POLLS if self._declared.ready else 0):
            _, pause = await self.refresh(instance)
            if pause is None:
                return
            await asyncio.sleep(pause)

    async def update(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        """Bring a resource from its properties to others; return its attributes."""
        before, after = self.get_known(old), self.get_known(Instance(new, old.attributes))
        self._check_updatable(before, after, self._schema.find_changes(old.properties, new))
        after |= {FORMER: dict(old.properties), **await self._generate(new, old.properties)}
        if self._declared.is_recreated and self._is_base_changed(before, after):
            return await self._recreate(old, new, token)
        answer: Any = {}
        for call in self._declared.updates:
            if self._build(call, before) != self._build(call, after):
                answer = await self._update_by(call, after, token)
                await self._wait(old)
        updated = Instance(new, self.collect_attributes({**self._place, **new}, dict(old.attributes), answer))
        for part in self._declared.parts:
            await self._put_part(part, old, updated, token)
        await self._update_tags(old, updated)
        return dict(updated.attributes)

    def _is_base_changed(self, before: Properties, after: Properties) -> bool:
        create = self._declared.create
        return create is not None and self._build(create, before) != self._build(create, after)

    async def _recreate(self, old: Instance, new: Mapping[str, Any], token: str) -> dict[str, Any]:
        await self.delete(old)
        name = str(old.attributes.get(self._schema.identifier[0], ""))
        attributes = await self.create(new, name, token, is_repeated=True)
        attributes, _ = await self.complete(Instance(new, attributes), token)
        return attributes

    async def delete(self, instance: Instance, token: str = "") -> float | None:
        """Delete a resource; return the seconds to wait where it is not gone yet.

        One that is not there is deleted.
        """
        known = self.get_known(instance)
        declared = self._declared
        try:
            if declared.is_deleted_later and not await self.exists(known):
                return None
            for part in declared.parts:
                if isinstance(part, Items) and part.is_removed_first and part.remove is not None:
                    for item in self._list_items(part, known).values():
                        await self._ignore_missing(part.remove, {**known, ITEM: item})
            if declared.delete is not None:
                await self._ignore_missing(declared.delete, known)
        except UnsupportedProperty as error:
            raise ProvisioningError(f"{error}") from None
        return _POLL_SECONDS if declared.is_deleted_later else None

    async def read(self, instance: Instance) -> dict[str, Any]:
        """Return what reading a resource answers."""
        if self._declared.read is None:
            return {}
        answer = await self._invoke(self._declared.read, self.get_known(instance))
        return dict(answer or {})

    # Parts

    async def _put_part(self, part: Part | Items, old: Instance | None, new: Instance, token: str) -> None:
        before = {} if old is None else self.get_known(old)
        after = self.get_known(new) | ({} if old is None else {FORMER: dict(old.properties)})
        if isinstance(part, Part):
            if part.name in new.properties:
                wanted = self._build(part.put, after)
                if old is None or part.name not in old.properties or self._build(part.put, before) != wanted:
                    await self._change(part.put, after, token)
            elif part.name in before and part.remove is not None:
                await self._ignore_missing(part.remove, before, token)
            return
        if old is None and part.is_made:
            return
        had = self._list_items(part, before) if old is not None else {}
        wants = self._list_items(part, after)
        for key, item in had.items():
            if key not in wants and part.remove is not None:
                await self._ignore_missing(part.remove, {**before, ITEM: item}, token)
        for key, item in wants.items():
            if key not in had or had[key] != item:
                call = part.change if part.change is not None and key in had else part.add
                await self._change(call, {**after, ITEM: item}, token)
                await self._wait(new)

    def _list_items(self, part: Items, known: Properties) -> dict[Any, Any]:
        """Return the items of a set, by what tells them apart."""
        items = part.items(known) if callable(part.items) else find_path(known, part.items)
        key = part.key or _make_key
        return {key(item): item for item in items or ()}

    async def _update_tags(self, old: Instance, new: Instance) -> None:
        name, declared = self._schema.tag_property, self._declared
        had, wants = _get_tags(old.properties.get(name)), _get_tags(new.properties.get(name))
        gone = [key for key in had if key not in wants]
        added = {key: value for key, value in wants.items() if had.get(key) != value}
        known = self.get_known(new)
        if gone and declared.untagging is not None:
            await self._change(declared.untagging, {**known, "TagKeys": gone}, "")
        if added and declared.tag is not None:
            tags = [{"Key": key, "Value": value} for key, value in added.items()]
            await self._change(declared.tag, {**known, "Tags": tags}, "")

    # Calls

    async def _update_by(self, call: Call, known: Properties, token: str) -> Any:
        try:
            return await self._invoke(call, known, token)
        except AwsError as error:
            if self._declared.unchanged and self._declared.unchanged in error.message:
                return {}
            raise self._translate(error, call, token) from None

    async def _change(self, call: Call, known: Properties, token: str) -> None:
        try:
            await self._invoke(call, known, token)
        except AwsError as error:
            if is_existing(error):
                return
            raise self._translate(error, call, token) from None

    async def _ignore_missing(self, call: Call, known: Properties, token: str = "") -> None:
        """Remove something, which an earlier attempt may have done."""
        try:
            await self._invoke(call, known, token)
        except AwsError as error:
            undeletable = self._declared.undeletable
            if not is_not_found(error) and not (undeletable and undeletable in error.message):
                raise self._translate(error, call, token) from None

    async def _invoke(self, call: Call, known: Properties, token: str = "", *, once: str = "") -> Any:
        model, operation = get_operation(self._declared.model, call)
        params = self._build(call, known, token=token)
        region = "" if call.region is None else call.region(known)
        return await self._invoke_operation(model, operation, params, once=once, region=region)

    def _build(self, call: Call, known: Properties, token: str = "") -> dict[str, Any]:
        try:
            return build_input(self._declared.model, call, known, token)
        except UnsupportedProperty as error:
            raise ProvisioningError(
                f"Cloudlet does not support the property {error} of {self._declared.name}"
            ) from None
        except (KeyError, TypeError, ValueError) as error:
            raise ProvisioningError(f"Invalid properties for {call.operation}: {error!r}") from None

    def _translate(self, error: AwsError, call: Call, token: str) -> Exception:
        if is_transient(error):
            return error
        model, _ = get_operation(self._declared.model, call)
        return translate_error(error, load(model).service_id, token)

    # What was told, and what is covered

    def _list_wanted(self) -> list[str]:
        """Return the attributes that have to be known before a resource is complete."""
        read_only = [name for name in self._schema.identifier if name in self._schema.read_only]
        declared = self._declared.attributes
        told = (name for name, source in declared.items() if isinstance(source, str) and "{" not in source)
        return [*read_only, *told]

    def collect_attributes(
        self, properties: Mapping[str, Any], known: Mapping[str, Any], answer: Any
    ) -> dict[str, Any]:
        """Return attributes with those that an answer tells, or that follow from what is known."""
        answer = answer if isinstance(answer, Mapping) else {}
        inner = next(iter(answer.values()), None) if len(answer) == 1 else None
        inner = inner if isinstance(inner, Mapping) else {}
        told = {name.lower(): value for name, value in {**answer, **inner}.items()}
        found = dict(known)
        for name in self._schema.read_only:
            if "/" not in name and name not in self._declared.attributes and told.get(name.lower()) is not None:
                found[name] = told[name.lower()]
        for name, source in self._declared.attributes.items():
            if callable(source):
                value: Any = source({**self._place, **properties, **found})
            elif "{" in source:
                value = render(source, {**self._place, **properties, **found})
            else:
                value = find_path(answer, source)
                value = find_path(inner, source) if value is None else value
            if value is not None:
                found[name] = value
        return {name: value if isinstance(value, _PLAIN) else str(value) for name, value in found.items()}

    def _check_creatable(self, properties: Mapping[str, Any]) -> None:
        """Raise ProvisioningError for a property that no operation takes."""
        # An empty list asks for nothing.
        for name in [name for name, value in properties.items() if value != []]:
            if not self._is_creatable_with(name, properties):
                raise ProvisioningError(f"Cloudlet does not support the property {name} of {self._declared.name}")

    def _is_creatable_with(self, name: str, properties: Mapping[str, Any]) -> bool:
        """Whether some operation takes a property of a new resource."""
        create = self._choose_create(properties)
        calls = [] if create is None else [create]
        properties = {**self._place, **properties}
        # What another property says, too, makes no difference where it is missing, but where it is another.
        others = ({k: v for k, v in properties.items() if k != name}, {**properties, name: _OTHER})
        return any(self._is_covered(name, calls, properties, other) for other in others)

    def _check_updatable(self, before: Properties, after: Properties, changed: list[str]) -> None:
        declared = self._declared
        for name in changed:
            if name == self._schema.tag_property and declared.tag is not None:
                continue
            one = {**before, name: after[name]} if name in after else {k: v for k, v in before.items() if k != name}
            calls = list(declared.updates)
            if declared.is_recreated and declared.create is not None:
                calls.append(declared.create)
            if not self._is_covered(name, calls, one, before):
                raise ProvisioningError(
                    f"Cloudlet cannot update the property {name} of {declared.name}", "NotUpdatable"
                )

    def _is_covered(self, name: str, calls: list[Call], one: Properties, other: Properties) -> bool:
        """Whether a property that differs between two resources changes some call."""
        declared = self._declared
        if declared.generate is not None and declared.generate[0] == name:
            return True
        if name in declared.unlisted or any(isinstance(part, Part) and part.name == name for part in declared.parts):
            return True
        for call in calls:
            model, operation = get_operation(declared.model, call)
            member = list_members(model, operation).get(name.lower())
            if member is not None and member not in call.members:
                return True
        if any(self._build(call, one) != self._try_build(call, other) for call in calls):
            return True
        return any(
            self._list_items(part, one) != self._try_list_items(part, other)
            for part in declared.parts
            if isinstance(part, Items)
        )

    def _try_build(self, call: Call, known: Properties) -> dict[str, Any] | None:
        try:
            return build_input(self._declared.model, call, known)
        except _UNFIT:
            return None

    def _try_list_items(self, part: Items, known: Properties) -> dict[str, Any] | None:
        try:
            return self._list_items(part, known)
        except _UNFIT:
            return None


_UNFIT: Final = (UnsupportedProperty, AttributeError, KeyError, TypeError, ValueError)
"""The errors of builders that get a value which no property has."""
_OTHER: Final = "\0"
"""A value that no property has."""
_PLAIN: Final = (str, int, float, bool, list, dict)


def _make_key(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, sort_keys=True)


def _get_tags(tags: Any) -> dict[str, Any]:
    """Return tags, as a list or a map, by their keys."""
    if isinstance(tags, Mapping):
        return dict(tags)
    return {tag["Key"]: tag.get("Value", "") for tag in _list_tags(tags)}


def _list_tags(tags: Any) -> Iterator[Mapping[str, Any]]:
    for tag in tags or ():
        if isinstance(tag, Mapping) and "Key" in tag:
            yield tag
