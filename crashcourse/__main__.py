"""`python -m crashcourse`: the command line, also for `torchrun -m crashcourse train ...`."""

import sys

from crashcourse.cli import main

sys.exit(main())
