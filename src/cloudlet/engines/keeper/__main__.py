"""Start a keeper: `python -m cloudlet.engines.keeper SOCKET OWNER`."""

import sys
from pathlib import Path

from cloudlet.engines.keeper.process import main

main(Path(sys.argv[1]), int(sys.argv[2]))
