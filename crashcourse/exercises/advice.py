"""What common error messages of Python and torch mean, in one sentence each."""

import re

from crashcourse.exercises.failure import Failure

_ADVICE = (
    (r"before Module\.__init__\(\) call", "Call super().__init__() as the first line of __init__."),
    (
        r'missing the required "forward" function',
        "It has no forward. Return nn.Sequential(*layers), or write a class with a method of that name.",
    ),
    (
        r"is not a Module subclass",
        "nn.Sequential takes modules, one by one: nn.Sequential(*layers), and nn.ReLU() in place of F.relu.",
    ),
    (r"has no attribute 'astype'", "That is NumPy's name for it: a tensor has .float(), or .to(dtype)."),
    (r"can't be cast to the desired output type", "In place, a tensor keeps its dtype: make a new tensor (x = x / 2)."),
    (r"call numpy\(\) on Tensor that requires grad", "Stay in torch: with numpy, no gradient can flow back."),
    (
        r"positional argument|unexpected keyword argument|multiple values for argument",
        "It is called with other arguments than it takes: keep the first line as it was given.",
    ),
    (r"must match the size of tensor|shapes cannot be multiplied", "Print the shapes just before this line."),
    (
        r"referenced before assignment|cannot access local variable",
        "The name is set on one path through the code only.",
    ),
    (r"in-place operation", "Use an operation that makes a new tensor (x = x + 1 instead of x += 1)."),
    (r"expected scalar type|same dtype|dtype", "Two tensors differ in dtype: convert one of them."),
)


def advice(failure: Failure) -> str:
    """A sentence about an error, "" when there is nothing to add to its message."""
    if failure.kind == "RecursionError":
        return "The function calls itself without end: in the cell, its name means your own function."
    if failure.kind == "NameError":
        return "The name is not defined here: import it, or spell it as it is spelled where it is made."
    return next((sentence for pattern, sentence in _ADVICE if re.search(pattern, failure.message)), "")
