"""`run` tells where a lesson's time goes; `run_solved` proves that its exercises can be solved where they stand."""

import pytest

from crashcourse.errors import CourseError
from crashcourse.lessons.listing import listing
from crashcourse.lessons.run import run, run_solved

LESSON = '# %% [markdown]\n# # VGG\n# %%\n1\n# %% [markdown]\n# ## Exercise\n# %% exercise="vgg.double"\n'


def lines_of(course, text, **budget):
    said = []
    return run(course.write(text, **budget), say=said.append, **course.options), said


def test_a_run_prints_a_line_per_section_and_the_budget_and_writes_nothing(course):
    course.add_exercise("vgg.double", "1")
    fine, said = lines_of(course, LESSON)
    assert fine
    assert said[0] == "11_vgg: VGG"
    assert [line.split("  ")[-1] for line in said[1:3]] == ["VGG", "Exercise"]
    assert said[3].endswith("s  in all, of 60 s")
    assert said[4].endswith("MB at the peak, of 900 MB")
    assert not course.project.notebooks.exists()


def test_a_run_that_fails_or_is_over_budget_says_so(course):
    fine, said = lines_of(course, "# %%\n1 / 0\n")
    assert not fine
    assert "ZeroDivisionError" in said[-1]
    fine, said = lines_of(course, "# %%\n1\n", mb=10)
    assert not fine
    assert said[-1].startswith("  OVER BUDGET: the kernel held")


def test_a_solved_lesson_runs_with_the_references_source(course):
    course.add_exercise("vgg.double", "raise NotImplementedError", "print('✓ Passed · in 8 cases')")
    execution = run_solved(course.write(LESSON), catalogue=course.catalogue)
    assert "8 cases" in execution.notebook.cells[-1].outputs[0].text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("kept = bytearray(400_000_000); kept[::4096] = b'x' * len(kept[::4096])", "MB of its 300 MB"),
        ("import socket\ntry:\n    socket.getaddrinfo('example.org', 80)\nexcept OSError:\n    pass", "example.org"),
    ],
)
def test_a_solved_lesson_keeps_to_its_memory_and_offline(course, code, said):
    course.add_exercise("vgg.double", "1", "print('✓ Passed' if ready else '')")
    lesson = course.write(f"# %%\n{code}\nready = True\n{LESSON}", mb=300)
    with pytest.raises(CourseError, match=f"11_vgg, solved: .*{said}"):
        run_solved(lesson, catalogue=course.catalogue)


def test_a_solved_lesson_runs_what_its_exercises_touch_alone(course):
    course.add_exercise("vgg.double", "1", "def double(x):\n    return 2 * x\nprint('✓ Passed')")
    lesson = course.write(f"# %%\n1 / 0\n# %%\nthree = 3\n{LESSON}# %%\ndouble(three)\n# %%\n1 / 0\n")
    outputs = [cell.outputs for cell in run_solved(lesson, catalogue=course.catalogue).notebook.cells]
    assert len(outputs) == 3
    assert outputs[-1][0].data["text/plain"] == "6"


@pytest.mark.parametrize("solved", ["print('wrong')", "1", "print('not passed')"])
def test_a_solved_lesson_whose_exercise_is_not_passed_fails(course, solved):
    course.add_exercise("vgg.double", "1", solved)
    with pytest.raises(CourseError, match=r"vgg\.double, answered by its own reference, was not passed"):
        run_solved(course.write(LESSON), catalogue=course.catalogue)


def test_a_solution_that_needs_what_the_lesson_does_not_import_fails(course):
    course.add_exercise("vgg.double", "1", "torch.zeros(1)\nprint('✓ Passed')")
    with pytest.raises(CourseError, match="NameError"):
        run_solved(course.write(LESSON), catalogue=course.catalogue)


def test_the_list_tells_what_is_done(course):
    course.write(LESSON)
    course.write("# %%\n1\n", name="12_googlenet", title="GoogLeNet, wider and deeper")
    for name in ("vgg.a", "vgg.b", "vgg.c"):
        course.add_exercise(name, "1")
    table = listing(course.project, catalogue=course.catalogue, passed={"vgg.a", "vgg.c", "gone"}).splitlines()
    assert table[0].split() == ["lesson", "minutes", "exercises", "done"]
    assert table[1].split() == ["11", "VGG", "50", "2/3"]
    assert table[2].split()[-2:] == ["50", "-"]
    assert table[1].index("50") == table[2].index("50")
