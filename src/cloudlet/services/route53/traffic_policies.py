"""Traffic policies: documents with rules, and the records that follow from them.

API Reference, "Traffic policy document format". The records of an instance are in a space of its own, as if it were a
zone; in its hosted zone there is one, at the name of the instance, that leads to them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Subspace
from cloudlet.core.aws.records import Records
from cloudlet.services.route53 import errors, places
from cloudlet.services.route53.endpoints import is_endpoint
from cloudlet.services.route53.load_balancers import is_load_balancer
from cloudlet.services.route53.names import MalformedName, format_name, parse_name
from cloudlet.services.route53.record_set_record import Alias, GeoLocation, Proximity, RecordSet
from cloudlet.services.route53.traffic_policy_record import TrafficPolicy, TrafficPolicyInstance
from cloudlet.services.route53.values import InvalidValue, validate_value

POLICIES: Final = Records(Subspace("traffic-policy"), TrafficPolicy, errors.NoSuchTrafficPolicy)
INSTANCES: Final = Records(
    Subspace("traffic-policy-instance"), TrafficPolicyInstance, errors.NoSuchTrafficPolicyInstance
)
FORMAT_VERSION: Final = "2015-10-01"
MAX_RULE_STEPS: Final = 50
_TYPES: Final = ("A", "AAAA", "CAA", "CNAME", "MX", "NAPTR", "PTR", "SPF", "SRV", "TXT")
_ITEMS: Final = {
    "failover": "",
    "geo": "Locations",
    "geoproximity": "GeoproximityLocations",
    "latency": "Regions",
    "multivalue": "Items",
    "weighted": "Items",
}
_Item = Mapping[str, Any]


class InvalidTrafficPolicyDocument(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("InvalidTrafficPolicyDocument", message)


def parse_document(text: str) -> dict[str, Any]:
    """Return a document that makes sense. Raises InvalidTrafficPolicyDocument."""
    try:
        document = json.loads(text)
    except ValueError:
        raise InvalidTrafficPolicyDocument("The document is not valid JSON.") from None
    if not isinstance(document, dict) or document.get("AWSPolicyFormatVersion") != FORMAT_VERSION:
        raise InvalidTrafficPolicyDocument(f"AWSPolicyFormatVersion must be {FORMAT_VERSION}.")
    if document.get("RecordType") not in _TYPES:
        raise InvalidTrafficPolicyDocument(f"RecordType must be one of {', '.join(_TYPES)}.")
    try:
        make_records(document, "T", "example.com.", 60)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidTrafficPolicyDocument(f"The document is not valid: {error}") from None
    return document


def make_records(
    document: Mapping[str, Any], instance: str, domain: str, ttl: int
) -> tuple[RecordSet, list[RecordSet]]:
    """Return the record at the name of an instance, and those that it leads to. Raises InvalidTrafficPolicyDocument."""
    maker = _Maker(document, instance, domain, ttl)
    if (document.get("StartRule") is None) == (document.get("StartEndpoint") is None):
        raise InvalidTrafficPolicyDocument("The document has exactly one of StartRule and StartEndpoint.")
    start = {"EndpointReference": document.get("StartEndpoint"), "RuleReference": document.get("StartRule")}
    root = maker.make(domain, start, 0)
    return replace(root, traffic_policy_instance=instance), maker.made


class _Maker:
    """A maker of the records of a document."""

    def __init__(self, document: Mapping[str, Any], instance: str, domain: str, ttl: int) -> None:
        self._type: str = document["RecordType"]
        self._endpoints: Mapping[str, Any] = document.get("Endpoints") or {}
        self._rules: Mapping[str, Any] = document.get("Rules") or {}
        self._instance = instance
        self._domain = domain
        self._ttl = ttl
        self._names: dict[str, str] = {}
        self.made: list[RecordSet] = []

    def make(self, name: str, item: _Item, depth: int, identifier: str = "") -> RecordSet:
        """Return a record that leads to what an item refers to, without a policy."""
        health_check = item.get("HealthCheck") or ""
        if item.get("EndpointReference"):
            return self._make_endpoint(name, item, identifier, health_check)
        if not item.get("RuleReference"):
            raise InvalidTrafficPolicyDocument("Each item has an EndpointReference or a RuleReference.")
        target = self._make_rule(item["RuleReference"], depth)
        evaluates = item.get("EvaluateTargetHealth", True) is not False
        alias = Alias(self._instance, target, evaluates)
        return RecordSet(name, self._type, identifier, alias=alias, health_check=health_check)

    def _make_endpoint(self, name: str, item: _Item, identifier: str, health_check: str) -> RecordSet:
        reference = item["EndpointReference"]
        endpoint = self._endpoints.get(reference)
        if endpoint is None:
            raise InvalidTrafficPolicyDocument(f"The endpoint {reference} is not defined.")
        value = endpoint["Value"]
        if endpoint.get("Type", "value") != "value":
            try:
                target = format_name(parse_name(value))
            except MalformedName as error:
                raise InvalidTrafficPolicyDocument(f"The endpoint {reference} is not valid: {error}") from None
            if not is_endpoint(target) and not is_load_balancer(target):
                raise InvalidTrafficPolicyDocument(f"Cloudlet has no endpoint {value}.")
            alias = Alias("", target, item.get("EvaluateTargetHealth") is True)
            return RecordSet(name, self._type, identifier, alias=alias, health_check=health_check)
        try:
            validate_value(self._type, value)
        except InvalidValue as error:
            raise InvalidTrafficPolicyDocument(f"The endpoint {reference} is not valid: {error.why}.") from None
        return RecordSet(name, self._type, identifier, self._ttl, (value,), health_check=health_check)

    def _make_rule(self, reference: str, depth: int) -> str:
        """Return the name at which the records of a rule are."""
        if reference in self._names:
            return self._names[reference]
        rule = self._rules.get(reference)
        if rule is None:
            raise InvalidTrafficPolicyDocument(f"The rule {reference} is not defined.")
        if depth > MAX_RULE_STEPS:
            raise InvalidTrafficPolicyDocument("The rules go in circles, or too deep.")
        kind = rule.get("RuleType")
        if kind not in _ITEMS:
            raise InvalidTrafficPolicyDocument(f"The rule type {kind} is not valid.")
        items = list(_list_items(rule, kind))
        # A rule that refers to itself finds no name, and ends by its depth.
        made = [
            self._route(kind, item, self.make("", item, depth + 1, str(number))) for number, item in enumerate(items, 1)
        ]
        name = f"rule-{len(self._names) + 1}.{self._domain}"
        self._names[reference] = name
        self.made += [replace(each, name=name) for each in made]
        return name

    def _route(self, kind: str, item: _Item, found: RecordSet) -> RecordSet:
        """Return a record with the policy of its rule."""
        if kind == "failover":
            return replace(found, failover=item["Role"])
        if kind == "weighted":
            weight = int(item["Weight"])
            if not 0 <= weight <= 255:
                raise InvalidTrafficPolicyDocument(f"The weight {weight} is not between 0 and 255.")
            return replace(found, weight=weight)
        if kind == "multivalue":
            return replace(found, is_multivalue=True)
        if kind == "latency":
            if places.find_region(item["Region"]) is None:
                raise InvalidTrafficPolicyDocument(f"The AWS Region {item['Region']} does not exist.")
            return replace(found, region=item["Region"])
        if kind == "geo":
            location = GeoLocation(
                item.get("Continent") or "", item.get("Country") or "", item.get("Subdivision") or ""
            )
            if item.get("IsDefault"):
                location = GeoLocation(country=places.EVERYWHERE)
            if not places.is_location(location):
                raise InvalidTrafficPolicyDocument("A location of the rule does not exist.")
            return replace(found, location=location)
        return replace(found, proximity=_parse_proximity(item))


def _list_items(rule: Mapping[str, Any], kind: str) -> Iterator[_Item]:
    """Return the items of a rule; those of a failover rule with their roles."""
    if kind != "failover":
        yield from rule[_ITEMS[kind]]
        return
    for role in ("Primary", "Secondary"):
        if rule.get(role):
            yield {**rule[role], "Role": role.upper()}


def _parse_proximity(item: _Item) -> Proximity:
    bias = int(item.get("Bias") or 0)
    if not -99 <= bias <= 99:
        raise InvalidTrafficPolicyDocument(f"The bias {bias} is not between -99 and 99.")
    region = (item.get("Region") or "").removeprefix("aws:route53:")
    if not region:
        return Proximity(float(item["Latitude"]), float(item["Longitude"]), bias)
    place = places.find_region(region)
    if place is None:
        raise InvalidTrafficPolicyDocument(f"The AWS Region {region} does not exist.")
    return Proximity(place.latitude, place.longitude, bias, region)
