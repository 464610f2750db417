"""The operations on the locations that geolocation records may have."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.route53 import pages, places
from cloudlet.services.route53.block import service
from cloudlet.services.route53.record_set_record import GeoLocation


def _describe(found: GeoLocation) -> dict[str, str]:
    shown: dict[str, str] = {}
    if found.continent:
        shown |= {"ContinentCode": found.continent, "ContinentName": places.CONTINENT_NAMES[found.continent]}
    if found.country:
        name = "Default" if found.country == places.EVERYWHERE else places.COUNTRY_NAMES[found.country]
        shown |= {"CountryCode": found.country, "CountryName": name}
    if found.subdivision:
        name = places.SUBDIVISION_NAMES[found.country][found.subdivision]
        shown |= {"SubdivisionCode": found.subdivision, "SubdivisionName": name}
    return shown


@service.operation("GetGeoLocation")
async def get_geo_location(ctx: Context, tx: Transaction, params: Params) -> Result:
    wanted = GeoLocation(
        params.get("ContinentCode") or "", params.get("CountryCode") or "", params.get("SubdivisionCode") or ""
    )
    if wanted == GeoLocation():
        wanted = GeoLocation(country=places.EVERYWHERE)
    if not places.is_location(wanted):
        raise AwsError("NoSuchGeoLocation", "Route 53 doesn't support the specified geographic location.")
    return {"GeoLocationDetails": _describe(wanted)}


@service.operation("ListGeoLocations")
async def list_geo_locations(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit = pages.read_limit(params)
    first = GeoLocation(
        params.get("StartContinentCode") or "",
        params.get("StartCountryCode") or "",
        params.get("StartSubdivisionCode") or "",
    )
    every = list(places.list_locations())
    begin = 0
    if first != GeoLocation():
        begin = next((index for index, each in enumerate(every) if each == first), len(every))
    page, rest = every[begin : begin + limit], every[begin + limit :]
    shown = {
        "GeoLocationDetailsList": [_describe(each) for each in page],
        "IsTruncated": bool(rest),
        "MaxItems": str(limit),
    }
    if rest:
        parts = zip(
            ("Continent", "Country", "Subdivision"),
            (rest[0].continent, rest[0].country, rest[0].subdivision),
            strict=True,
        )
        shown |= {f"Next{member}Code": part for member, part in parts if part}
    return shown
