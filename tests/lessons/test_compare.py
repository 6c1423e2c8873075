"""What counts as measured: numbers after ≈ and pictures, and nothing else."""

import copy

import nbformat.v4 as v4
import pytest

from crashcourse.claims import approximately
from crashcourse.lessons.compare import blank_measured, same_but_for_measured
from crashcourse.lessons.normalise import normalise, parse, serialise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("accuracy ≈ 0.913 (at least 0.9)", "accuracy ≈ 0.9 (at least 0.9)"),
        ("took ≈ 9.99 s", "took ≈ 10.0 s"),
        ("|  ≈ 9.99 | a", "| ≈ 10.0  | a"),
        ("x ≈ -1.2e-05", "x ≈ 3.00e+02"),
        ("x ≈ nan", "x ≈ 1"),
        ("≈ 61.5%", "≈ 7%"),
        *[(f"v {approximately(v)} u", "v ≈ 1 u") for v in (0.0, 1e9, -3e-9, 123456.0, float("inf"))],
    ],
)
def test_measured_numbers_do_not_count(one, other):
    assert blank_measured(one) == blank_measured(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("accuracy ≈ 0.913 (at least 0.9)", "accuracy ≈ 0.913 (at least 0.8)"),
        ("took ≈ 9.99 s", "took ≈ 9.99 ms"),
        ("shape 3", "shape 4"),
        ("≈ 3\n4", "≈ 3\n5"),
        ("x ≈ 3 4", "x ≈ 3 5"),
        ("≈ none", "≈ some"),
    ],
)
def test_everything_else_counts(one, other):
    assert blank_measured(one) != blank_measured(other)


def built(text="loss ≈ 0.1", png="AAAA", source="train()", alt="a curve"):
    picture = v4.new_output("display_data", data={"image/png": png, "text/plain": alt})
    outputs = [v4.new_output("stream", name="stdout", text=text), picture]
    return v4.new_notebook(cells=[v4.new_code_cell(source, id="a", outputs=outputs, execution_count=1)])


def test_a_notebook_is_the_same_when_only_pictures_and_measured_numbers_differ():
    assert same_but_for_measured(built(), built(text="loss ≈ 0.2", png="BBBB"))


@pytest.mark.parametrize("change", [{"text": "lost ≈ 0.1"}, {"source": "train(2)"}, {"alt": "two curves"}])
def test_a_notebook_differs_when_a_word_differs(change):
    assert not same_but_for_measured(built(), built(**change))


def test_normalising_strips_what_varies_and_nothing_a_reader_sees():
    raw = built()
    raw.metadata["widgets"] = {"state": {}}
    raw.metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    raw.cells[0].metadata["execution"] = {"iopub.status.busy": "2024-01-01"}
    raw.cells[0]["execution_count"] = 17
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "abc"}, "text/plain": "slider"}
    raw.cells[0].outputs.append(v4.new_output("execute_result", data=view, execution_count=17))
    before = copy.deepcopy(raw)
    clean = normalise(raw)
    assert raw == before, "the notebook given must be left as it is"
    text = serialise(clean)
    for varying in ("widgets", "3.11.7", "2024", "model_id", "17"):
        assert varying not in text
    assert "slider" in text
    assert "loss ≈ 0.1" in text
    assert serialise(normalise(parse(text, "x"))) == text, "a file that is read and written again is the same file"
