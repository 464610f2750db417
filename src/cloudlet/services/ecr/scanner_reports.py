"""Reports of vulnerability scanners: what `trivy image --format json` and `grype -o json` write.

Trivy's `pkg/types/report.go` and `pkg/types/vulnerability.go`; Grype's `grype/presenter/models`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from cloudlet.services.ecr.scan_record import SEVERITIES, Finding

_NAMED_OTHERWISE: Final = {"NEGLIGIBLE": "INFORMATIONAL"}
_MAX_VALUE_CHARACTERS: Final = 256
"""API reference, "Attribute"."""


class Report(NamedTuple):
    """The outcome of a scan."""

    findings: list[Finding]
    """The most severe first."""
    counts: dict[str, int]
    """Severities → how many findings have them."""
    updated: float
    """The time of the vulnerability database, 0 where it does not say."""
    is_supported: bool
    """Whether it knows the operating system, or any package."""


_Score = tuple[str, float, str]
"""The major version of CVSS, a score, and its vector."""


class _TrivyScores(msgspec.Struct, rename="pascal"):
    v2_score: float = msgspec.field(name="V2Score", default=0.0)
    v2_vector: str = msgspec.field(name="V2Vector", default="")
    v3_score: float = msgspec.field(name="V3Score", default=0.0)
    v3_vector: str = msgspec.field(name="V3Vector", default="")


class _TrivyVulnerability(msgspec.Struct, rename="pascal"):
    id: str = msgspec.field(name="VulnerabilityID")
    pkg_name: str = ""
    installed_version: str = ""
    severity: str = ""
    severity_source: str = ""
    title: str = ""
    description: str = ""
    primary_url: str = msgspec.field(name="PrimaryURL", default="")
    cvss: dict[str, _TrivyScores] | None = msgspec.field(name="CVSS", default=None)


class _TrivyResult(msgspec.Struct, rename="pascal"):
    vulnerabilities: list[_TrivyVulnerability] | None = None


class _TrivyMetadata(msgspec.Struct):
    os: dict[str, object] | None = msgspec.field(name="OS", default=None)


class _TrivyReport(msgspec.Struct, rename="pascal"):
    metadata: _TrivyMetadata | None = None
    results: list[_TrivyResult] | None = None


class _TrivyDatabase(msgspec.Struct, rename="pascal"):
    updated_at: str = ""


class _TrivyVersion(msgspec.Struct):
    database: _TrivyDatabase | None = msgspec.field(name="VulnerabilityDB", default=None)


def parse_trivy(text: bytes, version: bytes) -> Report:
    """Return Trivy's report; `version` is what `trivy version --format json` says. Raises ValueError."""
    report = msgspec.json.decode(text, type=_TrivyReport)
    database = msgspec.json.decode(version, type=_TrivyVersion).database if version else None
    found = [_read_trivy(each) for result in report.results or () for each in result.vulnerabilities or ()]
    is_known = report.metadata is not None and report.metadata.os is not None
    return _make_report(found, "" if database is None else database.updated_at, is_known or bool(report.results))


def _read_trivy(each: _TrivyVulnerability) -> Finding:
    sources = each.cvss or {}
    order = dict.fromkeys((each.severity_source, "nvd", *sources))
    scores: list[_Score] = []
    for scored in (sources[name] for name in order if name in sources):
        scores += [("2", scored.v2_score, scored.v2_vector), ("3", scored.v3_score, scored.v3_vector)]
    attributes = _describe(each.pkg_name, each.installed_version, scores)
    return Finding(each.id, _read_severity(each.severity), each.primary_url, each.description or each.title, attributes)


class _GrypeMetrics(msgspec.Struct, rename="camel"):
    base_score: float = 0.0


class _GrypeScore(msgspec.Struct):
    version: str = ""
    vector: str = ""
    metrics: _GrypeMetrics = msgspec.field(default_factory=_GrypeMetrics)


class _GrypeVulnerability(msgspec.Struct, rename="camel"):
    id: str
    severity: str = ""
    description: str = ""
    data_source: str = ""
    cvss: list[_GrypeScore] | None = None


class _GrypePackage(msgspec.Struct):
    name: str = ""
    version: str = ""


class _GrypeMatch(msgspec.Struct, rename="camel"):
    vulnerability: _GrypeVulnerability
    artifact: _GrypePackage
    related_vulnerabilities: list[_GrypeVulnerability] | None = None


class _GrypeStatus(msgspec.Struct):
    built: str | None = None


class _GrypeDatabase(msgspec.Struct):
    built: str | None = None
    """In versions before 0.88; later ones have a status."""
    status: _GrypeStatus | None = None


class _GrypeDescriptor(msgspec.Struct):
    db: _GrypeDatabase | None = None


class _GrypeSystem(msgspec.Struct):
    name: str = ""


class _GrypeReport(msgspec.Struct):
    matches: list[_GrypeMatch] | None = None
    distro: _GrypeSystem | None = None
    descriptor: _GrypeDescriptor | None = None


def parse_grype(text: bytes) -> Report:
    """Return Grype's report. Raises ValueError."""
    report = msgspec.json.decode(text, type=_GrypeReport)
    found = [_read_grype(each) for each in report.matches or ()]
    database = None if report.descriptor is None else report.descriptor.db
    built = None if database is None else (database.status or database).built
    is_known = report.distro is not None and bool(report.distro.name)
    return _make_report(found, built or "", is_known or bool(found))


def _read_grype(match: _GrypeMatch) -> Finding:
    own = match.vulnerability
    described = [own, *(match.related_vulnerabilities or ())]
    scores = [
        (score.version[:1], score.metrics.base_score, score.vector) for each in described for score in each.cvss or ()
    ]
    description = next((each.description for each in described if each.description), "")
    attributes = _describe(match.artifact.name, match.artifact.version, scores)
    return Finding(own.id, _read_severity(own.severity), own.data_source, description, attributes)


def _describe(package: str, version: str, scores: Iterable[_Score]) -> dict[str, str]:
    """Return the attributes of a finding, with its first score of each CVSS version."""
    found = {"package_version": version, "package_name": package}
    for number, score, vector in scores:
        if number in ("2", "3") and vector and f"CVSS{number}_VECTOR" not in found:
            found |= {f"CVSS{number}_VECTOR": vector, f"CVSS{number}_SCORE": f"{score:g}"}
    return {key: value[:_MAX_VALUE_CHARACTERS] for key, value in found.items() if value}


def _read_severity(text: str) -> str:
    upper = text.upper()
    known = _NAMED_OTHERWISE.get(upper, upper)
    return known if known in SEVERITIES else "UNDEFINED"


def _make_report(found: list[Finding], updated: str, is_supported: bool) -> Report:
    found.sort(key=lambda each: (SEVERITIES.index(each.severity), each.name, each.attributes.get("package_name", "")))
    try:
        # Go's zero time is before the epoch.
        time = max(0.0, datetime.fromisoformat(updated).timestamp())
    except ValueError:
        time = 0.0
    return Report(found, dict(Counter(each.severity for each in found)), time, is_supported)
