"""crashcourse: deep learning for images, as verified reference implementations and lessons that check themselves.

Importing this package is light: rooms such as `crashcourse.classification` load when they are first asked for.
"""

__version__ = "0.1.0"
