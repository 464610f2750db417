"""`python -m benchmarks.engines`: load each engine, measure them in turns, kill them, copy them; print a table."""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.engines.maps import MAPS
from benchmarks.engines.table import render
from benchmarks.engines.turns import alone
from benchmarks.machine import describe

_Samples = dict[str, dict[str, list[float]]]
_KILLED_AFTER_ROWS = 50_000


class Run:
    """One run: its folder, its limits, and what was found so far."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.engines: list[str] = arguments.engines.split(",")
        self.rows: int = arguments.rows
        self.seconds: float = arguments.seconds
        self.load_seconds: float = arguments.load_seconds
        self.rounds: int = arguments.rounds
        self.lock: Path | None = arguments.lock
        self.folder = folder
        self.loaded: dict[str, int] = {}
        self.samples: _Samples = {engine: {} for engine in self.engines}

    def everything(self) -> None:
        for engine in self.engines:
            self._work(engine, "load", self.rows, self.load_seconds)
            self.loaded[engine] = int(self.samples[engine]["rows"][0])
        for number in range(self.rounds):
            for engine in self.engines[number % len(self.engines) :] + self.engines[: number % len(self.engines)]:
                for workload in ("reopen", "puts", "reads", "queue"):
                    self._work(engine, workload, self.loaded[engine], self.seconds)
                self._snapshot(engine)
        for engine in self.engines:
            self._kill(engine)
            shutil.rmtree(self.folder / engine)

    def _work(self, engine: str, workload: str, rows: int, seconds: float) -> None:
        print(f"{datetime.datetime.now():%H:%M:%S} {engine} {workload}", file=sys.stderr)
        with alone(self.lock):
            load = os.getloadavg()[0]
            done = subprocess.run(self._command(engine, workload, rows, seconds), check=True, stdout=subprocess.PIPE)
        for name, figure in json.loads(done.stdout).items():
            self.samples[engine].setdefault(name, []).append(figure)
        self.samples[engine].setdefault("load_average", []).append(load)

    def _snapshot(self, engine: str) -> None:
        self._work(engine, "snapshot", self.loaded[engine], self.seconds)
        for copy in self.folder.glob(f"{engine}-*"):
            shutil.rmtree(copy)

    def _kill(self, engine: str) -> None:
        """Kill a process that writes, and see what is left."""
        first = self.loaded[engine]
        with (
            alone(self.lock),
            subprocess.Popen(
                self._command(engine, "write_until_killed", first, self.seconds), stdout=subprocess.PIPE
            ) as writer,
        ):
            assert writer.stdout is not None
            acknowledged = first
            for line in writer.stdout:
                acknowledged = int(line)
                if acknowledged >= first + _KILLED_AFTER_ROWS:
                    writer.kill()
        self._work(engine, "recover", acknowledged, self.seconds)

    def _command(self, engine: str, workload: str, rows: int, seconds: float) -> list[str]:
        folder = str(self.folder / engine)
        return [sys.executable, "-m", "benchmarks.engines.work", engine, workload, folder, str(rows), str(seconds)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of 300 B (default %(default)s)")
    parser.add_argument("--engines", default=",".join(MAPS), help="the first is what others are divided by")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are of so many (default %(default)s)")
    parser.add_argument("--load-seconds", type=float, default=230, help="an engine not loaded by then goes on as it is")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="on the disk to measure; left as it was")
    parser.add_argument("--lock", type=Path, help="a file that is locked (flock) during each measurement")
    parser.add_argument("--json", type=Path, help="write all samples there")
    arguments = parser.parse_args()
    unknown = set(arguments.engines.split(",")) - set(MAPS)
    if unknown:
        parser.error(f"unknown engines: {', '.join(sorted(unknown))}")

    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="engines-") as folder:
        machine = describe(Path(folder))
        run = Run(arguments, Path(folder))
        run.everything()
    medians = {
        engine: {name: median(values) for name, values in figures.items()} for engine, figures in run.samples.items()
    }
    command = f"python -m benchmarks.engines {' '.join(sys.argv[1:])}"
    date = f"{datetime.datetime.now():%Y-%m-%d %H:%M}"
    print(f"{date}  {command}")
    print(", ".join(f"{name} {about}" for name, about in machine.items()))
    print(render(medians))
    print(f"Medians of {run.rounds} rounds. In brackets: divided by {run.engines[0]}'s. ↑ more is better, ↓ less is.")
    if arguments.json is not None:
        report = {"date": date, "command": command, "machine": machine, "samples": run.samples}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
