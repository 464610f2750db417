"""Changes of the records of a zone: all of a batch, or none.

What a batch leaves behind is checked as a whole, so that records may follow each other in any order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cloudlet.services.route53 import limits, places
from cloudlet.services.route53.endpoints import is_endpoint
from cloudlet.services.route53.errors import InvalidChangeBatch, InvalidInput
from cloudlet.services.route53.load_balancers import is_load_balancer
from cloudlet.services.route53.names import MalformedName, format_name, is_within, parse_name
from cloudlet.services.route53.record_set_record import Proximity, RecordSet
from cloudlet.services.route53.record_sets import Key, get_key, parse_record_set
from cloudlet.services.route53.values import InvalidValue, validate_value
from cloudlet.services.route53.zone_record import Zone

CREATE, DELETE, UPSERT = "CREATE", "DELETE", "UPSERT"
_POLICIES: Final = (
    "Weight",
    "Region",
    "Failover",
    "GeoLocation",
    "MultiValueAnswer",
    "CidrRoutingConfig",
    "GeoProximityLocation",
)
_KINDS: Final = {
    "Weight": "weighted",
    "Region": "latency",
    "Failover": "failover",
    "GeoLocation": "geolocation",
    "MultiValueAnswer": "multivalue answer",
    "CidrRoutingConfig": "CIDR",
    "GeoProximityLocation": "geoproximity",
}
_NO_ALIAS: Final = frozenset(("NS", "SOA"))
_NO_MULTIVALUE: Final = frozenset(("CNAME", "NS"))
Change = tuple[str, RecordSet]
"""An action and its record set."""


def parse_changes(zone: Zone, given: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Return the changes of a request. Raises InvalidInput and InvalidChangeBatch for what is wrong by itself."""
    changes, wrong = [], []
    for each in given:
        action, wanted = each["Action"], each["ResourceRecordSet"]
        _check_members(action, wanted)
        try:
            found = parse_record_set(wanted, _parse_proximity(wanted.get("GeoProximityLocation")))
        except MalformedName as error:
            name = wanted["Name"]
            wrong.append(f"FATAL problem: {error} encountered with '{name}'")
            continue
        wrong += _find_faults(zone, found) if action != DELETE else ()
        changes.append((action, found))
    _check_size(changes)
    wrong += _find_repeated(changes)
    if wrong:
        raise InvalidChangeBatch(wrong)
    return changes


def _check_members(action: str, given: Mapping[str, Any]) -> None:
    """Raise InvalidInput for members that do not go together."""
    identifier = given.get("SetIdentifier")
    within = f"in Change with [Action={action}, Name={given['Name']}, Type={given['Type']}, SetIdentifier="
    within += f"{identifier or 'null'}]"
    has_values = given.get("TTL") is not None and given.get("ResourceRecords") is not None
    has_any = given.get("TTL") is not None or given.get("ResourceRecords") is not None
    has_alias = given.get("AliasTarget") is not None
    choice = "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]"
    if has_alias and has_any:
        raise InvalidInput(f"Invalid request: {choice}, but found more than one {within}")
    if not has_alias and not has_values:
        missing = "none" if not has_any else "incomplete [TTL, and ResourceRecords]"
        raise InvalidInput(f"Invalid request: {choice}, but found {missing} {within}")
    policies = [name for name in _POLICIES if given.get(name) is not None]
    routing = f"Expected exactly one of [{', '.join(_POLICIES[:-1])}, or {_POLICIES[-1]}]"
    if identifier and not policies:
        raise InvalidInput(f"Invalid request: {routing}, but found none {within}")
    if len(policies) > 1:
        raise InvalidInput(f"Invalid request: {routing}, but found more than one {within}")
    if policies and not identifier:
        raise InvalidInput(f"Invalid request: Missing field 'SetIdentifier' {within}")
    if given.get("HealthCheckId") and not policies and not has_alias:
        raise InvalidInput(f"Invalid request: HealthCheckId requires a routing policy {within}")
    if given.get("TrafficPolicyInstanceId"):
        raise InvalidInput(f"Invalid request: a traffic policy instance makes its records itself {within}")
    if given.get("AZAffinity") is not None:
        raise InvalidInput(f"Invalid request: Cloudlet has one Availability Zone: no AZAffinity {within}")
    if has_alias and given.get("MultiValueAnswer"):
        raise InvalidInput(f"Invalid request: a multivalue answer record cannot be an alias {within}")


def _parse_proximity(given: Mapping[str, Any] | None) -> Proximity | None:
    """Return where a geoproximity record is. Raises InvalidInput."""
    if given is None:
        return None
    region, coordinates, bias = given.get("AWSRegion"), given.get("Coordinates"), given.get("Bias") or 0
    if given.get("LocalZoneGroup"):
        raise InvalidInput("Invalid request: Cloudlet has no Local Zones.")
    if (region is None) == (coordinates is None):
        raise InvalidInput("Invalid request: GeoProximityLocation has exactly one of AWSRegion and Coordinates.")
    if region is not None:
        place = places.find_region(region)
        if place is None:
            raise InvalidInput(f"Invalid request: the AWS Region {region} does not exist.")
        return Proximity(place.latitude, place.longitude, bias, region)
    latitude, longitude = coordinates["Latitude"], coordinates["Longitude"]  # type: ignore[index]
    if abs(float(latitude)) > 90 or abs(float(longitude)) > 180:
        raise InvalidInput(f"Invalid request: no place on earth has the coordinates {latitude}, {longitude}.")
    return Proximity(float(latitude), float(longitude), bias, "", (latitude, longitude))


def _find_faults(zone: Zone, found: RecordSet) -> Iterable[str]:
    """Return what is wrong with a record set by itself."""
    labels, apex = parse_name(found.name), parse_name(zone.domain)
    if not is_within(labels, apex):
        yield f"RRSet with DNS name {found.name} is not permitted in zone {zone.domain}"
        return
    at_apex = labels == apex
    described = f"RRSet of type {found.type} with DNS name {found.name} is not permitted"
    if found.type == "CNAME" and at_apex:
        yield f"{described} at apex in zone {zone.domain}"
    if found.type == "SOA" and not at_apex:
        yield f"{described} in zone {zone.domain}: it is that of the zone itself"
    if found.type in ("DS", "NS") and b"*" in labels:
        yield f"{described} with a wildcard"
    if found.type == "DS" and at_apex:
        yield f"{described} at apex in zone {zone.domain}"
    if found.alias is not None and found.type in _NO_ALIAS:
        yield f"{described} as an alias"
    if found.policy and found.type in _NO_ALIAS and (found.type == "SOA" or found.is_multivalue):
        yield f"{described} with a routing policy"
    if found.is_multivalue and found.type in _NO_MULTIVALUE:
        yield f"{described} as a multivalue answer"
    if found.location is not None and not places.is_location(found.location):
        yield f"The geolocation of the RRSet with DNS name {found.name} does not exist"
    yield from _find_faulty_values(found)


def _find_faulty_values(found: RecordSet) -> Iterable[str]:
    if found.alias is not None:
        return
    if not found.values:
        yield f"RRSet with DNS name {found.name} and type {found.type} has no values"
    if len(found.values) > limits.MAX_VALUES:
        yield f"Number of records limit of {limits.MAX_VALUES} exceeded."
    if found.type in ("CNAME", "SOA") and len(found.values) > 1:
        yield f"RRSet of type {found.type} with DNS name {found.name} must have exactly one value"
    seen = set()
    for value in found.values:
        if value in seen:
            yield f"Duplicate Resource Record: '{value}'"
        seen.add(value)
        try:
            validate_value(found.type, value)
        except InvalidValue as error:
            yield f"Invalid Resource Record: 'FATAL problem: {error.code} ({error.why}) encountered with '{value}''"


def _check_size(changes: Sequence[Change]) -> None:
    """Raise InvalidChangeBatch for more than a batch may have; an UPSERT counts twice."""
    records = sum((2 if action == UPSERT else 1) * max(1, len(found.values)) for action, found in changes)
    if records > limits.MAX_CHANGES:
        raise InvalidChangeBatch([f"Number of records limit of {limits.MAX_CHANGES} exceeded."])
    characters = sum((2 if action == UPSERT else 1) * sum(map(len, found.values)) for action, found in changes)
    if characters > limits.MAX_CHANGE_CHARACTERS:
        raise InvalidChangeBatch([f"Number of characters limit of {limits.MAX_CHANGE_CHARACTERS} exceeded."])


def _find_repeated(changes: Sequence[Change]) -> Iterable[str]:
    """Return what is wrong with repeated changes. A record set may be deleted and then created."""
    actions: dict[Key, list[str]] = defaultdict(list)
    for action, found in changes:
        actions[get_key(found)].append(action)
    for (name, kind, _), done in actions.items():
        if len(done) > 1 and done != [DELETE, CREATE]:
            yield f"The request contains an invalid set of changes for a resource record set '{kind} {name}'"


def apply_changes(zone: Zone, there: Mapping[Key, RecordSet], changes: Sequence[Change]) -> dict[Key, RecordSet]:
    """Return what is at the names of a batch once it is done. Raises InvalidChangeBatch.

    `there` are all record sets of those names, and of the targets of aliases.
    """
    after, wrong = dict(there), []
    for action, found in changes:
        key = get_key(found)
        shown = f"[name='{found.name}', type='{found.type}'"
        shown += f", set-identifier='{found.identifier}']" if found.identifier else "]"
        known = after.get(key)
        if action == CREATE and known is not None:
            wrong.append(f"Tried to create resource record set {shown} but it already exists")
        elif action == DELETE and known is None:
            wrong.append(f"Tried to delete resource record set {shown} but it was not found")
        elif action == DELETE and known is not None and not _is_same(known, found):
            wrong.append(
                f"Tried to delete resource record set {shown} but the values provided do not match the current values"
            )
        elif known is not None and known.traffic_policy_instance and not found.traffic_policy_instance:
            wrong.append(f"Tried to change resource record set {shown} but a traffic policy instance made it")
        if action == DELETE:
            after.pop(key, None)
        else:
            after[key] = found
    wrong += _find_conflicts(zone, after, changes)
    if wrong:
        raise InvalidChangeBatch(wrong)
    return after


def _is_same(known: RecordSet, given: RecordSet) -> bool:
    """Whether two record sets are the same. The order of values does not count."""
    if sorted(known.values) != sorted(given.values):
        return False
    return all(
        getattr(known, field) == getattr(given, field)
        for field in known.__struct_fields__
        if field not in ("values", "traffic_policy_instance")
    )


def _find_conflicts(zone: Zone, after: Mapping[Key, RecordSet], changes: Sequence[Change]) -> Iterable[str]:
    """Return the conflicts at the names that a batch has changed."""
    limit = limits.MAX_SETS if zone.linked_service is None else limits.MAX_MANAGED_SETS
    by_name: dict[str, list[RecordSet]] = defaultdict(list)
    for found in after.values():
        by_name[found.name].append(found)
    for action, found in changes:
        if after.get(get_key(found)) != found:
            continue
        beside = by_name[found.name]
        other = next((each.type for each in beside if each.type != found.type), "")
        if found.type == "CNAME" and other:
            yield (
                f"RRSet of type CNAME with DNS name {found.name} is not permitted as it conflicts with other records "
                f"with the same DNS name in zone {zone.domain}"
            )
        elif any(each.type == "CNAME" for each in beside) and found.type != "CNAME":
            yield (
                f"RRSet of type {found.type} with DNS name {found.name} is not permitted because a conflicting RRSet "
                f"of type CNAME with the same DNS name already exists in zone {zone.domain}"
            )
        others = [each for each in beside if each.type == found.type and each != found]
        yield from _find_policy_conflicts(found, others, limit)
        if action != DELETE:
            yield from _find_alias_faults(zone, found, by_name)
    apex = by_name.get(zone.domain)
    if apex is not None:
        if not any(each.type == "SOA" for each in apex):
            yield "A HostedZone must contain exactly one SOA record."
        if not any(each.type == "NS" for each in apex):
            yield "A HostedZone must contain at least one NS record for the zone itself."


def _find_policy_conflicts(found: RecordSet, others: Sequence[RecordSet], limit: int) -> Iterable[str]:
    """Return why a record set cannot be beside others of its name and type."""
    policy, kind = found.policy, _KINDS.get(found.policy, "")
    named = f"RRSet with DNS name {found.name}, type {found.type}"
    if not others:
        return
    if not policy:
        yield f"{named} cannot be created as other RRSets exist with the same name and type."
        return
    named += f", SetIdentifier {found.identifier}"
    if any(each.policy != policy for each in others):
        yield f"{named} cannot be created as a non-{kind} set exists with the same name and type."
        return
    if len(others) >= limit:
        yield f"{named} cannot be created as there are {limit} RRSets with the same name and type."
    if policy == "Weight" and any(
        each.alias is None and found.alias is None and each.ttl != found.ttl for each in others
    ):
        yield (
            f"RRSet with DNS name {found.name} and type {found.type}, SetIdentifier {found.identifier} cannot be "
            "created "
            "as weighted sets must contain the same TTL."
        )
    if policy == "Region" and any(each.region == found.region for each in others):
        yield (
            f"{named}, and Region Name={found.region} cannot be created because a latency RRSet with the same "
            "name, type "
            "and region already exists."
        )
    if policy == "Failover" and any(each.failover == found.failover for each in others):
        yield (
            f"{named}, and Failover {found.failover} cannot be created because a failover RRSet with the same "
            "name, type "
            "and failover already exists."
        )
    if policy == "GeoLocation" and any(each.location == found.location for each in others):
        yield (
            f"{named} cannot be created because a geolocation RRSet with the same name, type and location "
            "already exists."
        )
    if policy == "CidrRoutingConfig" and any(each.cidr == found.cidr for each in others):
        yield f"{named} cannot be created because a CIDR RRSet with the same name, type and location already exists."


def _find_alias_faults(zone: Zone, found: RecordSet, by_name: Mapping[str, Sequence[RecordSet]]) -> Iterable[str]:
    if found.alias is None:
        return
    target = found.alias
    tried = f"Tried to create an alias that targets {target.name}, type {found.type} in zone {target.zone}"
    if target.zone != zone.name:
        if not is_endpoint(target.name) and not is_load_balancer(target.name):
            yield f"{tried}, but the alias target name does not lie within the target zone"
        elif found.type not in ("A", "AAAA"):
            yield f"{tried}, but that target was not found"
        return
    if not is_within(parse_name(target.name), parse_name(zone.domain)):
        yield f"{tried}, but the alias target name does not lie within the target zone"
    if not any(each.type == found.type for each in by_name.get(target.name, ())) or target.name == found.name:
        yield f"{tried}, but that target was not found"


def list_names(zone: Zone, changes: Iterable[Change]) -> set[str]:
    """Return the names whose record sets a batch is checked against."""
    names = set()
    for _, found in changes:
        names.add(found.name)
        if found.alias is not None and found.alias.zone == zone.name:
            names.add(found.alias.name)
    return names


def to_domain(text: str) -> str:
    """Return a name as Route 53 shows it. Raises MalformedName."""
    return format_name(parse_name(text))
