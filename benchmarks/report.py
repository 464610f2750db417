"""The outcome of a run, for people and for machines, with what makes its figures doubtful."""

import datetime
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from benchmarks.scenarios import Speed
from benchmarks.table import Row, render

# A client that uses so much of its core may be what limits a figure, rather than the server.
BUSY_CLIENT_CORES = 0.9
# So much work of others on the machine takes from the server or the client.
BUSY_OTHERS_CORES = 0.25


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Measurement:
    """One speed, of one contender in one round."""

    key: str
    contender: str
    speed: Speed


@dataclass(frozen=True)
class Report:
    """Everything a run found out."""

    command: str
    seconds: int
    machine: Mapping[str, object]
    settings: Mapping[str, object]
    contenders: Mapping[str, Mapping[str, object]]
    rows: Sequence[Row]
    measurements: Sequence[Measurement]
    problems: Sequence[str]
    noted_doubts: Sequence[str]
    date: str = field(default_factory=_now)

    def text(self) -> str:
        """The table, and around it what one has to know to read it."""
        lines = [
            "",
            f"{self.date}  {self.command}  ({self.seconds} s)",
            ", ".join(f"{name} {value}" for name, value in self.machine.items()),
            *(f"{name} {self._describe(about)}" for name, about in self.contenders.items()),
            "",
            render(self.rows, list(self.contenders)),
            "",
            f"Medians of {self.settings['rounds']} rounds (deep queue: one). In brackets Cloudlet's figure "
            "divided by the peer's. ↑ more is better, ↓ less is better.",
            *(f"DOUBTFUL {doubt}" for doubt in self.doubts()),
            *(f"FAILED {problem}" for problem in self.problems),
        ]
        return "\n".join(lines)

    def json(self) -> str:
        """All of it, every sample too."""
        everything = {
            "date": self.date,
            "command": self.command,
            "seconds": self.seconds,
            "machine": self.machine,
            "settings": self.settings,
            "contenders": self.contenders,
            "rows": [row.as_json() for row in self.rows],
            "measurements": [
                {"key": one.key, "contender": one.contender, **asdict(one.speed)} for one in self.measurements
            ],
            "doubts": list(self.doubts()),
            "problems": self.problems,
        }
        return json.dumps(everything, indent=1) + "\n"

    def doubts(self) -> Iterator[str]:
        """What may not be the server's figure but that of the client, or of other work on the machine; and repeats."""
        yield from self.noted_doubts
        speeds: dict[tuple[str, str], list[Speed]] = defaultdict(list)
        for one in self.measurements:
            speeds[one.contender, one.key].append(one.speed)
        for (contender, key), measured in speeds.items():
            client = median(speed.client_cores for speed in measured)
            others = median(speed.other_cores for speed in measured)
            repeated = sum(speed.repeated for speed in measured)
            if repeated:
                yield f"{contender} {key}: {repeated} messages came twice while the first consumer still had them"
            if client > BUSY_CLIENT_CORES:
                yield f"{contender} {key}: the client was busy {client:.0%} of the time and may be the limit"
            if others > BUSY_OTHERS_CORES:
                yield f"{contender} {key}: other work on the machine took {others:.2f} cores"

    def _describe(self, about: Mapping[str, object]) -> str:
        if about["version"] is None:
            return "was not measured"
        verifies = "verified" if about["verifies_signatures"] else "not verified"
        return f"{about['version']}, state {about['state']}, signatures {verifies}"
