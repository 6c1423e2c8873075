"""Seconds of the processor, which other programs do not lengthen."""

import time
from collections.abc import Callable


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start
