"""What runs us: a notebook or a shell, a person who watches or a build that compares."""

import os
import sys


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"


def is_static() -> bool:
    """Whether output must be final and comparable: set by builds and tests with `CRASHCOURSE_STATIC=1`.

    Live bars, live figures and widgets then give way to their one static form.
    """
    return os.environ.get("CRASHCOURSE_STATIC", "") not in ("", "0")


def is_live() -> bool:
    """Whether a person watches a notebook: widgets and live updates are welcome."""
    return in_notebook() and not is_static()
