"""One workload in a process of its own: engine, workload, folder, rows and seconds in, figures as JSON out."""

import json
import sys
from pathlib import Path

import uvloop

from benchmarks.engines.workloads import WORKLOADS


def main() -> None:
    engine, name, folder, rows, seconds = sys.argv[1:]
    figures = uvloop.run(WORKLOADS[name](engine, Path(folder), int(rows), float(seconds)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
