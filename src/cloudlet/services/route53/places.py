"""Places on earth: AWS's Regions, and the locations of geolocation records.

Coordinates are those of the city that AWS names a Region by, to a degree: they order Regions by distance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from cloudlet.services.route53.record_set_record import GeoLocation

_EARTH_KILOMETRES: Final = 6371.0


class Place(NamedTuple):
    """A place on earth, as far as it is known."""

    latitude: float
    longitude: float
    continent: str = ""
    country: str = ""
    subdivision: str = ""


_REGIONS: Final = {
    "af-south-1": Place(-34, 18, "AF", "ZA"),
    "ap-east-1": Place(22, 114, "AS", "HK"),
    "ap-east-2": Place(25, 121, "AS", "TW"),
    "ap-northeast-1": Place(36, 140, "AS", "JP"),
    "ap-northeast-2": Place(38, 127, "AS", "KR"),
    "ap-northeast-3": Place(35, 136, "AS", "JP"),
    "ap-south-1": Place(19, 73, "AS", "IN"),
    "ap-south-2": Place(17, 78, "AS", "IN"),
    "ap-southeast-1": Place(1, 104, "AS", "SG"),
    "ap-southeast-2": Place(-34, 151, "OC", "AU"),
    "ap-southeast-3": Place(-6, 107, "AS", "ID"),
    "ap-southeast-4": Place(-38, 145, "OC", "AU"),
    "ap-southeast-5": Place(3, 102, "AS", "MY"),
    "ap-southeast-6": Place(-37, 175, "OC", "NZ"),
    "ap-southeast-7": Place(14, 101, "AS", "TH"),
    "ca-central-1": Place(46, -74, "NA", "CA"),
    "ca-west-1": Place(51, -114, "NA", "CA"),
    "cn-north-1": Place(40, 116, "AS", "CN"),
    "cn-northwest-1": Place(38, 106, "AS", "CN"),
    "eu-central-1": Place(50, 9, "EU", "DE"),
    "eu-central-2": Place(47, 8, "EU", "CH"),
    "eu-north-1": Place(59, 18, "EU", "SE"),
    "eu-south-1": Place(45, 9, "EU", "IT"),
    "eu-south-2": Place(42, -1, "EU", "ES"),
    "eu-west-1": Place(53, -6, "EU", "IE"),
    "eu-west-2": Place(52, 0, "EU", "GB"),
    "eu-west-3": Place(49, 2, "EU", "FR"),
    "il-central-1": Place(32, 35, "AS", "IL"),
    "me-central-1": Place(25, 55, "AS", "AE"),
    "me-south-1": Place(26, 51, "AS", "BH"),
    "mx-central-1": Place(21, -100, "NA", "MX"),
    "sa-east-1": Place(-24, -47, "SA", "BR"),
    "us-east-1": Place(39, -77, "NA", "US", "VA"),
    "us-east-2": Place(40, -83, "NA", "US", "OH"),
    "us-gov-east-1": Place(40, -83, "NA", "US", "OH"),
    "us-gov-west-1": Place(46, -120, "NA", "US", "OR"),
    "us-west-1": Place(37, -122, "NA", "US", "CA"),
    "us-west-2": Place(46, -120, "NA", "US", "OR"),
}
_CONTINENTS: Final = {
    "AF": "Africa",
    "AN": "Antarctica",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
_COUNTRIES: Final = {
    "AF": "AO Angola;BF Burkina Faso;BI Burundi;BJ Benin;BW Botswana;CD Congo, The Democratic Republic of the;CF "
    "Central "
    "African Republic;CG Congo;CI Côte d'Ivoire;CM Cameroon;CV Cape Verde;DJ Djibouti;DZ Algeria;EG Egypt;ER Eritrea;"
    "ET Ethiopia;GA Gabon;GH Ghana;GM Gambia;GN Guinea;GQ Equatorial Guinea;GW Guinea-Bissau;KE Kenya;KM Comoros;LR "
    "Liberia;LS Lesotho;LY Libya;MA Morocco;MG Madagascar;ML Mali;MR Mauritania;MU Mauritius;MW Malawi;MZ "
    "Mozambique;NA "
    "Namibia;NE Niger;NG Nigeria;RE Réunion;RW Rwanda;SC Seychelles;SD Sudan;SH Saint Helena;SL Sierra Leone;SN "
    "Senegal;"
    "SO Somalia;SS South Sudan;ST São Tomé and Príncipe;SZ Swaziland;TD Chad;TG Togo;TN Tunisia;TZ Tanzania;UG "
    "Uganda;YT "
    "Mayotte;ZA South Africa;ZM Zambia;ZW Zimbabwe",
    "AN": "AQ Antarctica;GS South Georgia and the South Sandwich Islands;TF French Southern Territories",
    "AS": "AE United Arab Emirates;AF Afghanistan;AM Armenia;AZ Azerbaijan;BD Bangladesh;BH Bahrain;BN Brunei;BT "
    "Bhutan;"
    "CC Cocos [Keeling] Islands;CN China;GE Georgia;HK Hong Kong;ID Indonesia;IL Israel;IN India;IO British "
    "Indian Ocean "
    "Territory;IQ Iraq;IR Iran;JO Jordan;JP Japan;KG Kyrgyzstan;KH Cambodia;KP North Korea;KR South Korea;KW Kuwait;KZ "
    "Kazakhstan;LA Laos;LB Lebanon;LK Sri Lanka;MM Myanmar [Burma];MN Mongolia;MO Macao;MV Maldives;MY "
    "Malaysia;NP Nepal;"
    "OM Oman;PH Philippines;PK Pakistan;PS Palestine;QA Qatar;SA Saudi Arabia;SG Singapore;SY Syria;TH Thailand;TJ "
    "Tajikistan;TM Turkmenistan;TW Taiwan;UZ Uzbekistan;VN Vietnam;YE Yemen",
    "EU": "AD Andorra;AL Albania;AT Austria;AX Åland;BA Bosnia and Herzegovina;BE Belgium;BG Bulgaria;BY Belarus;CH "
    "Switzerland;CY Cyprus;CZ Czech Republic;DE Germany;DK Denmark;EE Estonia;ES Spain;FI Finland;FO Faroe Islands;FR "
    "France;GB United Kingdom;GG Guernsey;GI Gibraltar;GR Greece;HR Croatia;HU Hungary;IE Ireland;IM Isle of Man;IS "
    "Iceland;IT Italy;JE Jersey;LI Liechtenstein;LT Lithuania;LU Luxembourg;LV Latvia;MC Monaco;MD Moldova;ME "
    "Montenegro;"
    "MK Macedonia;MT Malta;NL Netherlands;NO Norway;PL Poland;PT Portugal;RO Romania;RS Serbia;RU Russia;SE Sweden;SI "
    "Slovenia;SJ Svalbard and Jan Mayen;SK Slovakia;SM San Marino;TR Turkey;UA Ukraine;VA Vatican City;XK Kosovo",
    "NA": "AG Antigua and Barbuda;AI Anguilla;AW Aruba;BB Barbados;BL Saint Barthélemy;BM Bermuda;BQ Bonaire;BS "
    "Bahamas;BZ "
    "Belize;CA Canada;CR Costa Rica;CU Cuba;CW Curaçao;DM Dominica;DO Dominican Republic;GD Grenada;GL Greenland;GP "
    "Guadeloupe;GT Guatemala;HN Honduras;HT Haiti;JM Jamaica;KN Saint Kitts and Nevis;KY Cayman Islands;LC Saint "
    "Lucia;MF "
    "Saint Martin;MQ Martinique;MS Montserrat;MX Mexico;NI Nicaragua;PA Panama;PM Saint Pierre and Miquelon;PR Puerto "
    "Rico;SV El Salvador;SX Sint Maarten;TC Turks and Caicos Islands;TT Trinidad and Tobago;US United States;VC Saint "
    "Vincent and the Grenadines;VG British Virgin Islands;VI U.S. Virgin Islands",
    "OC": "AS American Samoa;AU Australia;CK Cook Islands;FJ Fiji;FM Federated States of Micronesia;GU Guam;KI "
    "Kiribati;MH "
    "Marshall Islands;MP Northern Mariana Islands;NC New Caledonia;NF Norfolk Island;NR Nauru;NU Niue;NZ New "
    "Zealand;PF "
    "French Polynesia;PG Papua New Guinea;PN Pitcairn Islands;PW Palau;SB Solomon Islands;TK Tokelau;TL East Timor;TO "
    "Tonga;TV Tuvalu;UM U.S. Minor Outlying Islands;VU Vanuatu;WF Wallis and Futuna;WS Samoa",
    "SA": "AR Argentina;BO Bolivia;BR Brazil;CL Chile;CO Colombia;EC Ecuador;FK Falkland Islands;GF French Guiana;GY "
    "Guyana;PE Peru;PY Paraguay;SR Suriname;UY Uruguay;VE Venezuela",
}
_SUBDIVISIONS: Final = {
    "UA": "05 Vinnytska oblast;07 Volynska oblast;09 Luhanska oblast;12 Dnipropetrovska oblast;14 Donetska oblast;18 "
    "Zhytomyrska oblast;21 Zakarpatska oblast;23 Zaporizka oblast;26 Ivano-Frankivska oblast;30 Kyiv;32 Kyivska "
    "oblast;35 "
    "Kirovohradska oblast;40 Sevastopol;43 Avtonomna Respublika Krym;46 Lvivska oblast;48 Mykolaivska oblast;51 Odeska "
    "oblast;53 Poltavska oblast;56 Rivnenska oblast;59 Sumska oblast;61 Ternopilska oblast;63 Kharkivska oblast;65 "
    "Khersonska oblast;68 Khmelnytska oblast;71 Cherkaska oblast;74 Chernihivska oblast;77 Chernivetska oblast",
    "US": "AK Alaska;AL Alabama;AR Arkansas;AZ Arizona;CA California;CO Colorado;CT Connecticut;DC District of "
    "Columbia;DE "
    "Delaware;FL Florida;GA Georgia;HI Hawaii;IA Iowa;ID Idaho;IL Illinois;IN Indiana;KS Kansas;KY Kentucky;LA "
    "Louisiana;"
    "MA Massachusetts;MD Maryland;ME Maine;MI Michigan;MN Minnesota;MO Missouri;MS Mississippi;MT Montana;NC North "
    "Carolina;ND North Dakota;NE Nebraska;NH New Hampshire;NJ New Jersey;NM New Mexico;NV Nevada;NY New York;OH "
    "Ohio;OK "
    "Oklahoma;OR Oregon;PA Pennsylvania;RI Rhode Island;SC South Carolina;SD South Dakota;TN Tennessee;TX "
    "Texas;UT Utah;VA "
    "Virginia;VT Vermont;WA Washington;WI Wisconsin;WV West Virginia;WY Wyoming",
}


def _split(text: str) -> dict[str, str]:
    return dict(each.split(" ", 1) for each in text.split(";"))


CONTINENT_NAMES: Final = _CONTINENTS
COUNTRY_NAMES: Final = {code: name for text in _COUNTRIES.values() for code, name in _split(text).items()}
CONTINENT_OF: Final = {code: continent for continent, text in _COUNTRIES.items() for code in _split(text)}
SUBDIVISION_NAMES: Final = {country: _split(text) for country, text in _SUBDIVISIONS.items()}
EVERYWHERE: Final = "*"


def find_region(name: str) -> Place | None:
    """Return where a Region is."""
    return _REGIONS.get(name)


def measure_distance(one: Place, latitude: float, longitude: float) -> float:
    """Return how far a place is from another one, in kilometres along the earth's surface."""
    first, second = math.radians(one.latitude), math.radians(latitude)
    turned = math.radians(longitude - one.longitude)
    height = math.sin((second - first) / 2) ** 2
    height += math.cos(first) * math.cos(second) * math.sin(turned / 2) ** 2
    return 2 * _EARTH_KILOMETRES * math.asin(min(1.0, math.sqrt(height)))


def is_location(given: GeoLocation) -> bool:
    """Whether a geolocation record may have a location."""
    if given.continent:
        return given.continent in _CONTINENTS and not given.country and not given.subdivision
    if given.subdivision:
        return given.subdivision in SUBDIVISION_NAMES.get(given.country, {})
    return given.country == EVERYWHERE or given.country in COUNTRY_NAMES


def list_locations() -> Iterator[GeoLocation]:
    """Return all locations: continents, everywhere, and countries with their parts (ListGeoLocations)."""
    for continent in sorted(_CONTINENTS):
        yield GeoLocation(continent)
    yield GeoLocation(country=EVERYWHERE)
    for country in sorted(COUNTRY_NAMES):
        yield GeoLocation(country=country)
        for subdivision in sorted(SUBDIVISION_NAMES.get(country, {})):
            yield GeoLocation(country=country, subdivision=subdivision)
