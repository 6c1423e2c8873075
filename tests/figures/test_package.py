"""The room as a whole: light to import, every public name there, every helper refusing an empty alt text."""

import subprocess
import sys

import pytest
import torch

import crashcourse.figures as figures
from crashcourse.errors import CourseError


def test_importing_the_room_loads_no_library_that_draws():
    code = (
        "import sys, crashcourse.figures, crashcourse.figures.widgets, crashcourse.figures.images, "
        "crashcourse.figures.live, crashcourse.figures.network, crashcourse.figures.widgets.choice, "
        "crashcourse.figures.widgets.receptive_field; "
        "print([m for m in ('matplotlib', 'ipywidgets', 'IPython', 'PIL', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_every_public_name_is_listed_once_and_can_be_had():
    assert sorted(figures.__all__) == sorted(figures._HOME_OF)
    for name in figures.__all__:
        assert getattr(figures, name).__doc__ or name == "COLOURS"


def test_a_submodule_never_hides_a_helper_of_the_same_name():
    modules = {home.split(".")[0] for home in figures._HOMES}
    assert not modules & set(figures.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        figures.nonsense  # noqa: B018


IMAGES = torch.zeros(2, 1, 8, 8)
CALLS = {
    "image_grid": lambda alt: figures.image_grid(IMAGES, alt=alt),
    "filters": lambda alt: figures.filters(torch.zeros(2, 3, 3, 3), alt=alt),
    "feature_maps": lambda alt: figures.feature_maps(torch.zeros(2, 8, 8), alt=alt),
    "before_after": lambda alt: figures.before_after(IMAGES, IMAGES, alt=alt),
    "worst_errors": lambda alt: figures.worst_errors(
        IMAGES, torch.tensor([0, 1]), torch.tensor([[0.0, 1.0], [0.0, 1.0]]), ("a", "b"), alt=alt
    ),
    "learning_curves": lambda alt: figures.learning_curves([{"loss": 1.0}], alt=alt),
    "confusion_matrix": lambda alt: figures.confusion_matrix(
        torch.tensor([0, 1]), torch.tensor([1, 1]), ("a", "b"), alt=alt
    ),
    "network_diagram": lambda alt: figures.network_diagram(torch.nn.Linear(3, 2), (3,), alt=alt),
    "receptive_field_explorer": lambda alt: figures.receptive_field_explorer([(3, 1)], alt=alt),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_helper_writes_an_alt_text_and_takes_another(name, displayed):
    assert CALLS[name](None) is None
    assert len(displayed[0]["data"]["text/plain"]) >= 30
    CALLS[name]("Something else to be seen here.")
    assert displayed[2]["data"]["text/plain"] == "Something else to be seen here."


@pytest.mark.parametrize("name", CALLS)
def test_each_helper_refuses_an_empty_alt_text(name):
    with pytest.raises(CourseError, match="alt text"):
        CALLS[name]("")
