"""`python -m cloudlet` is the command line."""

import sys

from cloudlet.cli import main

sys.exit(main())
