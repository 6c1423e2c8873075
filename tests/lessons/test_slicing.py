"""The cells that an exercise touches, by the names that cells read and write."""

import pytest

from crashcourse.lessons.slicing import Names, modules_of, names_of, touched


def names(read: str = "", bound: str = "", changed: str = "") -> Names:
    return Names(*(frozenset(text.split()) for text in (read, bound, changed)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = y + 1", names("y", "x")),
        ("x = 1\nz = x", names("", "x z")),
        ("x = x + 1", names("x", "x")),
        ("x += 1", names("x", "x")),
        ("a, (b, *c) = d", names("d", "a b c")),
        ("import numpy as np, os.path\nfrom torch import nn as layers", names("", "np os layers")),
        ("def f(a: int, b=c):\n    d = a + e\n    return d", names("int c e d", "f")),
        ("class A(B):\n    pass", names("B", "A")),
        ("for i in j:\n    k = i", names("j", "i k")),
        ("[a for a in b]", names("b")),
        ("with open(f) as g:\n    h = g", names("open f", "g h")),
        ("f = lambda q: q + r", names("r", "f")),
        ("x[0] = y", names("x y", "", "x")),
        ("x.y.z = 1", names("x", "", "x")),
        ("del x[0]", names("x", "", "x")),
        ("x.append(y)", names("x y", "", "x")),
        ("x = []\nx.append(y)", names("y", "x")),
        ("try:\n    f()\nexcept OSError as error:\n    print(error)", names("f OSError print")),
        ("print(f'{a} of {b}')", names("print a b")),
        ("if (n := f()) > 1:\n    m = n", names("f n", "n m")),
    ],
)
def test_the_names_of_a_cell(source: str, expected: Names) -> None:
    """Fails if a cell that is needed would be left out, or one that is not would be run."""
    assert names_of(source) == expected


CELLS = [
    "import torch",  # 0
    "data = torch.ones(3)",  # 1: what the exercise's use needs
    "run = train(data)",  # 2: takes long, and has nothing to do with it
    "def double(x):\n    return 2 * x",  # 3: the exercise
    "parts = {}",  # 4
    "parts['a'] = data",  # 5: changes what cell 6 reads
    "print(double(parts['a']))",  # 6
    "print(run)",  # 7
    "double = 3",  # 8: another thing of the same name
    "print(double)",  # 9
]


def slice_of(cells: list[str], *roots: int) -> list[int]:
    return touched(list(map(names_of, cells)), roots, constant=modules_of(cells))


def test_what_uses_an_exercise_and_what_that_needs_are_kept() -> None:
    """Fails if the solved lesson ran a cell of no concern to it, or stopped for want of a name."""
    assert slice_of(CELLS, 3) == [0, 1, 3, 4, 5, 6]
    assert slice_of(CELLS) == []


def test_a_needed_name_brings_its_last_writer_alone() -> None:
    """Fails if a name that was given a new value brought in the cell of its old one."""
    assert slice_of(["x = slow()", "x = 1", "def f():\n    return x"], 2) == [1, 2]
    assert slice_of(["x = slow()", "x = x + 1", "def f():\n    return x"], 2) == [0, 1, 2]


def test_a_call_on_a_module_changes_nothing() -> None:
    """Fails if `torch.manual_seed(0)` in a slow cell made everything that uses torch rest on that cell."""
    cells = ["import torch", "torch.manual_seed(0)\nrun = slow()", "def f():\n    return torch.ones(1)"]
    assert slice_of(cells, 2) == [0, 2]
