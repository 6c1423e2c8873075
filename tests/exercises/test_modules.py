"""Modules: layers first, then results and gradients with the reference's weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from crashcourse.exercises import Case, ModuleExercise, Report, catalogue


class Block(nn.Module):
    """A convolution, its normalisation, and a shortcut."""

    def __init__(self, channels: int, *, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Add what was learned to the input."""
        return x + torch.relu(self.norm(self.conv(x)))


def cases(seed: int) -> list[Case]:
    return [
        Case([torch.randn(2, 3, 4, 4)], build={"channels": 3}, label="three channels"),
        Case([torch.randn(2, 1, 5, 5)], build={"channels": 1, "kernel": 1}, label="one by one"),
    ]


def check(candidate: Any, **changes: Any) -> Report:
    settings: dict[str, Any] = {"name": "test.block", "title": "Block", "lesson": 1, "reference": Block, "cases": cases}
    return ModuleExercise(**(settings | {"modes": ("eval", "train")} | changes)).check(candidate)


def block(init: str, forward: str, base: type = nn.Module, *, super_init: bool = True) -> type:
    """A class with the given lines in `__init__` and `forward`."""
    start = "super().__init__(); " if super_init else ""
    source = f"class Block(Base):\n    def __init__(self, channels, *, kernel=3):\n        {start}{init}\n"
    source += f"    def forward(self, x):\n        {forward}\n" if forward else ""
    space: dict[str, Any] = {"torch": torch, "nn": nn, "Base": base}
    exec(source, space)
    return space["Block"]


INIT = "self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2); self.norm = nn.BatchNorm2d(channels)"
FORWARD = "return x + torch.relu(self.norm(self.conv(x)))"


def test_the_right_module_passes() -> None:
    """Else nobody could pass."""
    assert check(block(INIT, FORWARD)).passed


def test_other_names_pass_when_order_and_shapes_agree() -> None:
    """Else a learner would have to guess the reference's names."""
    assert check(
        block(INIT.replace("self.conv", "self.a").replace("self.norm", "self.b"), "return x + self.b(self.a(x)).relu()")
    ).passed


def test_a_function_that_returns_a_module_passes() -> None:
    """Else a stack could not be built by a function."""
    assert check(lambda channels, *, kernel=3: Block(channels, kernel=kernel)).passed


@pytest.mark.parametrize(
    ("init", "forward", "verdict", "words"),
    [
        ("raise NotImplementedError", FORWARD, "not attempted", "raise NotImplementedError"),
        (INIT, "raise NotImplementedError", "not attempted", "raise NotImplementedError"),
        (INIT, "", "error", "It has no forward"),
        (INIT, "self.conv(x)", "not attempted", "return"),
        (INIT, "return self.nothing(x)", "error", "nothing"),
        (INIT.replace("padding", "bias=False, padding"), FORWARD, "wrong", "numbers, buffers included"),
        (INIT.split(";")[0], "return x + torch.relu(self.conv(x))", "wrong", "norm.running_mean"),
        (INIT, "return torch.relu(self.norm(self.conv(x)))", "wrong", "values differ"),
        (INIT, "return torch.relu(x + self.norm(self.conv(x)))", "wrong", "values differ"),
        (INIT, "return x + torch.relu(self.conv(self.norm(x)))", "wrong", "values differ"),
        (INIT, FORWARD.replace("self.conv(x)", "self.conv(x).detach()"), "wrong", "no gradient arrives at conv.weight"),
        (INIT, FORWARD.replace("self.conv(x)", "self.conv(x.detach())"), "wrong", "gradient of x"),
        (INIT, "x += torch.relu(self.norm(self.conv(x))); return x", "wrong", "modified (x)"),
        ("self.parts = [nn.Conv2d(channels, channels, kernel)]", FORWARD, "wrong", "use nn.ModuleList"),
        ("self.parts = {'a': nn.Conv2d(channels, channels, kernel)}", FORWARD, "wrong", "use nn.ModuleDict"),
        ("self.scale = torch.ones(1, requires_grad=True)", FORWARD, "wrong", "nn.Parameter"),
    ],
)
def test_what_is_wrong_with_a_module_is_said(init: str, forward: str, verdict: str, words: str) -> None:
    """Else a learner would only know that something is."""
    report = check(block(init, forward))
    assert report.verdict == verdict, report.text
    assert words in report.text


def test_a_forgotten_super_init_is_explained() -> None:
    """Else the learner would meet torch's own message alone."""
    report = check(block(INIT, FORWARD, super_init=False))
    assert report.verdict == "error"
    assert "Call super().__init__()" in report.text


def test_what_is_no_module_is_an_error() -> None:
    """Else the check would break on it."""
    report = check(lambda channels, kernel=3: [1])
    assert report.verdict == "error"
    assert "nn.Module is expected" in report.text


def test_train_mode_is_compared_when_asked_for() -> None:
    """Else a network that is right only in eval mode would pass."""

    class Frozen(Block):
        def train(self, mode: bool = True) -> "Frozen":
            return super().train(False)

    assert check(Frozen, modes=("eval",)).passed
    assert check(Frozen).verdict == "wrong"


def test_initial_zeros_and_ones_cannot_hide_a_mistake() -> None:
    """Else a normalisation left out after a fresh BatchNorm would give the same numbers in eval mode."""
    report = check(block(INIT, "self.norm(x); return x + torch.relu(self.conv(x))"), modes=("eval",))
    assert report.verdict == "wrong"


def test_a_known_wrong_module_gets_its_hint() -> None:
    """Else hints would work for functions only."""
    no_shortcut = block(INIT, "return torch.relu(self.norm(self.conv(x)))")
    no_bias = block(INIT.replace("padding", "bias=False, padding"), FORWARD)
    wrong = {
        "shortcut": (no_shortcut, "Add x."),
        "bias": (no_bias, "Keep the bias."),
        "twice": (no_bias, "Never shown."),
    }
    renamed = block(INIT, "y = self.norm(self.conv(x)); return y.clamp(min=0)")
    assert check(renamed, wrong=wrong).hint == "Add x."
    assert check(block(INIT.replace("padding", "bias=False, padding"), FORWARD), wrong=wrong).hint == "Keep the bias."


def test_layers_made_in_another_order_are_explained() -> None:
    """Else a right network whose layers are matched the wrong way round would just be called wrong."""

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.second = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(torch.relu(self.first(x)))

    class Swapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b = nn.Linear(3, 3)
            self.a = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.relu(self.a(x)))

    report = check(Swapped, reference=Two, cases=lambda seed: [Case([torch.randn(2, 3)])], modes=("eval",))
    assert "in the order in which they are used" in report.text


def test_a_lazy_layer_is_refused_with_a_sentence() -> None:
    """Else its missing shape would end in a traceback of ours."""
    report = catalogue()["classification.vgg_features"].check(
        lambda stages, channels, **options: nn.Sequential(nn.LazyConv2d(4, 3))
    )
    assert report.verdict == "error"
    assert "lazy layer" in report.text
