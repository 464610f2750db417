"""Reading resources as they are, and which ones there are.

Properties come in the forms that AWS's schemas have.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import ITEM, Call, Properties, ResourceType, Source, find_path, render
from cloudlet.core.aws.resources.failures import ProvisioningError, is_not_found, is_transient, translate_error
from cloudlet.core.aws.resources.inputs import UnsupportedProperty, build_input, get_operation, list_members
from cloudlet.core.aws.resources.outputs import (
    collect_properties,
    fit_properties,
    list_candidates,
    list_renamed,
    render_call,
)
from cloudlet.core.aws.resources.provisioner import Instance, Invoke, Provisioner
from cloudlet.core.aws.resources.reading_declaration import ANSWER, BASE, Listing, Read, ReadEach, Reading
from cloudlet.core.aws.resources.registry import load_readings, load_resource_types, load_schema
from cloudlet.core.kernel.errors import AwsError
from cloudlet.wire import load

_TOKENS: Final = (
    ("nexttoken", "nexttoken"),
    ("nextmarker", "marker"),
    ("marker", "marker"),
    ("position", "position"),
    ("continuationtoken", "continuationtoken"),
    ("lastevaluatedtablename", "exclusivestarttablename"),
    ("trafficpolicyidmarker", "trafficpolicyidmarker"),
)
"""The members with tokens of pages, in lower case: of answers, and of inputs."""


_ALWAYS_THERE: Final = ("AWS::ECS::ClusterCapacityProviderAssociations",)
"""Types of what each resource of another type has from the first."""


def find_reading(declared: ResourceType) -> Reading | None:
    """Return how resources of a type are read; None where they cannot be."""
    found = load_readings().get(declared.name)
    if found is not None:
        return found
    return None if declared.read is None else Reading()


def find_listing(declared: ResourceType) -> Listing | None:
    """Return how resources of a type are listed; None where they cannot be."""
    found = load_readings().get(declared.name)
    if found is not None and found.list is not None:
        return found.list
    return None if declared.list is None else Listing(declared.list)


@cache
def is_put_over(name: str) -> bool:
    """Whether making a resource of a type changes one that has its identifier already."""
    declared, schema = load_resource_types()[name], load_schema(name)
    if declared.create is None or declared.exists is not None or name in _ALWAYS_THERE:
        return False
    if find_reading(declared) is None or schema.read_only.intersection(schema.identifier):
        return False
    return get_operation(declared.model, declared.create)[1].startswith(("Put", "Register"))


def parse_identifier(names: tuple[str, ...], text: str) -> dict[str, str]:
    """Return the parts of a primary identifier, by the properties' names. Raises ProvisioningError."""
    parts = text.split("|") if len(names) > 1 else [text]
    if len(parts) != len(names) or not all(parts):
        raise ProvisioningError(
            f"Identifier {text} is not valid for identifier [{', '.join(f'/properties/{name}' for name in names)}]"
        )
    return dict(zip(names, parts, strict=True))


class Reader:
    """Reads resources of one type in an account and a region. Raises ProvisioningError, and what calls raise."""

    def __init__(self, name: str, invoke: Invoke, account: str, region: str) -> None:
        """Raises KeyError for a type that there is not."""
        self._declared = load_resource_types()[name]
        self._schema = load_schema(name)
        self._reading = find_reading(self._declared)
        self._invoke_operation = invoke
        self._provisioner = Provisioner(self._declared, self._schema, invoke, account, region)
        self._renamed = list_renamed(self._declared)

    @property
    def can_read(self) -> bool:
        """Whether resources of the type can be read."""
        return self._reading is not None

    @property
    def unread(self) -> frozenset[str]:
        """The properties that are never read."""
        names = () if self._reading is None else self._reading.unread
        return frozenset(names) | {path for path in self._schema.write_only if "/" not in path}

    def list_names(self) -> list[str]:
        """Return the properties that a resource is named by, which others may generate."""
        named = self._declared.named
        parts = [name for name in self._schema.identifier if name not in self._schema.read_only]
        return [*([] if named is None else [named.property]), *parts]

    async def is_taken(self, properties: Mapping[str, Any]) -> bool:
        """Whether making a resource would change one that has the identifier that properties give."""
        if not is_put_over(self._declared.name) or not all(name in properties for name in self._schema.identifier):
            return False
        return await self.find({name: properties[name] for name in self._schema.identifier}) is not None

    async def find(self, known: Mapping[str, Any]) -> Instance | None:
        """Return a resource as it is; None where it is not there.

        `known` has at least the parts of the primary identifier.
        """
        if self._reading is None:
            raise ProvisioningError(f"Resource type {self._declared.name} does not support READ action")
        base = self._reading.base or Read(self._declared.read or Call(""))
        attributes = self._provisioner.collect_attributes(known, {}, {})
        known = self._provisioner.get_known(Instance(known, attributes))
        answer = await self._ask(base.call, known)
        root = None if answer is None else self._find_root(base, answer, known)
        if answer is None or root is None:
            return None
        told = self._tell(base, root, answer, known)
        attributes = self._provisioner.collect_attributes({**known, **told}, attributes, root or answer)
        known = {**known, **told, **attributes}
        known[BASE] = answer
        for read in self._reading.others:
            if isinstance(read, ReadEach):
                told |= await self._read_each(read, known)
                continue
            more = await self._ask(read.call, known)
            more_root = None if more is None else self._find_root(read, more, known)
            if more is not None and more_root is not None:
                told |= self._tell(read, more_root, more, known)
        known |= told
        unread = self.unread
        properties = {name: value for name, value in told.items() if self._is_writable(name) and name not in unread}
        for name in self._schema.properties:
            # The parts of the identifier that are no attributes.
            if name in self._schema.identifier and self._is_writable(name) and name not in properties:
                properties |= {name: known[name]} if known.get(name) is not None else {}
        others = {name: value for name, value in told.items() if not self._is_writable(name)}
        for name in (*self._schema.identifier, *self._schema.read_only):
            if known.get(name) is not None and name not in properties:
                others.setdefault(name, known[name])
        return Instance(self._schema.drop_system_tags(properties), {**others, **attributes})

    async def _read_each(self, read: ReadEach, known: Properties) -> dict[str, Any]:
        answer = await self._ask(read.names, known) or {}
        found = [await self._ask(read.call, {**known, ITEM: name}) for name in _find_first_list(answer) or ()]
        return fit_properties(self._schema, {read.property: [one for one in found if one is not None]})

    def _is_writable(self, name: str) -> bool:
        return name in self._schema.properties and name not in self._schema.read_only

    async def _ask(self, call: Call, known: Properties) -> dict[str, Any] | None:
        """Return what an operation answers; None where it finds nothing."""
        model, operation = get_operation(self._declared.model, call)
        try:
            params = build_input(self._declared.model, call, known)
        except (UnsupportedProperty, KeyError, TypeError, ValueError):
            return None
        try:
            return render_call(self._declared, call, await self._invoke_operation(model, operation, params))
        except AwsError as error:
            if is_not_found(error):
                return None
            if is_transient(error):
                raise
            raise translate_error(error, load(model).service_id, "") from None

    def _find_root(self, read: Read, answer: dict[str, Any], known: Properties) -> Mapping[str, Any] | None:
        """Return the structure of an answer that has properties.

        It is empty where the reading names none, and None where the answer tells nothing.
        """
        if not read.root:
            return {}
        root = read.root({**known, ANSWER: answer}) if callable(read.root) else find_path(answer, read.root)
        return root if isinstance(root, Mapping) else None

    def _tell(self, read: Read, root: Mapping[str, Any], answer: dict[str, Any], known: Properties) -> dict[str, Any]:
        """Return the properties that an answer tells."""
        candidates = [root] if root else list(list_candidates(answer))
        told = {} if read.is_exact else collect_properties(self._schema, self._renamed, candidates)
        given: dict[str, Any] = {}
        for name, source in read.properties.items():
            told.pop(name, None)
            given[name] = self._find_source(source, root or answer, {**known, ANSWER: root or answer})
        return told | fit_properties(self._schema, given)

    def _find_source(self, source: Source | None, root: Mapping[str, Any], known: Properties) -> Any:
        if source is None:
            return None
        if callable(source):
            return source(known)
        if "{" in source:
            return render(source, known)
        return find_path(root, source) if source else root

    # Lists

    async def list_page(self, model: Mapping[str, Any], token: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return what is known of some resources, and the next page's token.

        Identifiers are among it. `model` has the properties that the list is limited by.
        """
        listing = find_listing(self._declared)
        if listing is None:
            raise ProvisioningError(f"Resource type {self._declared.name} does not support LIST action")
        model_name, operation = get_operation(self._declared.model, listing.call)
        known = self._provisioner.get_known(Instance(model, {}))
        try:
            params = build_input(self._declared.model, listing.call, known)
        except (UnsupportedProperty, KeyError, TypeError, ValueError):
            raise ProvisioningError("Missing or invalid ResourceModel property") from None
        self._check_required(model_name, operation, params)
        members = list_members(model_name, operation)
        page = next((members[name] for _, name in _TOKENS if name in members), None)
        if token is not None:
            if page is None:
                raise ProvisioningError("Invalid NextToken")
            params[page] = token
        try:
            raw = await self._invoke_operation(model_name, operation, params)
        except AwsError as error:
            if is_not_found(error):
                return [], None
            if is_transient(error):
                raise
            raise translate_error(error, load(model_name).service_id, "") from None
        answer = render_call(self._declared, listing.call, raw)
        items = find_path(answer, listing.items) if listing.items else _find_first_list(answer)
        found = [self._read_item(listing, item, known, model) for item in items or ()]
        return [one for one in found if one is not None], _find_token(answer)

    def list_required(self) -> list[str]:
        """Return the properties that a list has to be limited by."""
        listing = find_listing(self._declared)
        if listing is None:
            return []
        model, operation = get_operation(self._declared.model, listing.call)
        return self._find_missing(model, operation, listing.call.members)

    def _find_missing(self, model: str, operation: str, params: Mapping[str, Any]) -> list[str]:
        """Return the properties that members of an input which must be there come from."""
        source = load(model).operations[operation].input
        missing = [] if source is None else [name for name in source.shape.required if name not in params]
        renamed = {member.lower(): path for path, member in self._renamed.items()}
        names = {name.lower(): name for name in self._schema.properties}
        return [names.get(one.lower()) or renamed.get(one.lower()) or one for one in missing]

    def _check_required(self, model: str, operation: str, params: Mapping[str, Any]) -> None:
        if missing := self._find_missing(model, operation, params):
            raise ProvisioningError(
                "Missing or invalid ResourceModel property in "
                f"{self._declared.name} list handler request input. Required property: [{', '.join(missing)}]"
            )

    def _read_item(
        self, listing: Listing, item: Any, known: Properties, model: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return what an item of a list tells.

        None where that is no resource of the type.
        """
        names = self._schema.identifier
        told: dict[str, Any] = {}
        if isinstance(item, Mapping):
            told = collect_properties(self._schema, self._renamed, [item])
            told |= self._provisioner.collect_attributes({**model, **told}, {}, item)
        elif not listing.properties:
            told[next((name for name in names if name not in model), names[0])] = item
        for name, source in listing.properties.items():
            value = self._find_source(source, item if isinstance(item, Mapping) else {}, {**known, ITEM: item})
            if value is not None:
                told[name] = value
        told = {**model, **told}
        return told if all(told.get(name) is not None for name in names) else None

    def render_identifier(self, known: Mapping[str, Any]) -> str:
        """Return the primary identifier of what is known."""
        return "|".join(str(known.get(name, "")) for name in self._schema.identifier)


def _find_first_list(answer: Mapping[str, Any]) -> Any:
    return next((value for value in answer.values() if isinstance(value, list)), None)


def _find_token(answer: Mapping[str, Any]) -> str | None:
    by_name = {name.lower(): value for name, value in answer.items()}
    token = next((by_name[name] for name, _ in _TOKENS if by_name.get(name)), None)
    return None if token is None else str(token)
