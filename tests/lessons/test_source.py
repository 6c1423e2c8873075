"""A lesson's source: the header holds what the course must know, and a bad one is named by file and field."""

import re

import pytest

from crashcourse.errors import CourseError
from crashcourse.lessons.source import all_lessons, find_lesson, read_lesson

GOOD = {
    "title": "VGG",
    "part": "classification",
    "budget_seconds": "90",
    "budget_mb": "1500",
    "minutes_to_teach": "50",
    "needs": "[10]",
    "about": "[claims, lessons.source]",
}


def source_with(fields: dict[str, str]) -> str:
    lines = ["---", "jupyter:", "  crashcourse:", *(f"    {key}: {value}" for key, value in fields.items()), "---"]
    return "".join(f"# {line}\n" for line in lines) + "# %%\n1 + 1\n"


def test_every_field_of_the_header_is_read(tmp_path):
    path = tmp_path / "11_vgg.py"
    path.write_text(source_with(GOOD))
    lesson = read_lesson(path)
    assert (lesson.number, lesson.stem, lesson.name, lesson.title) == (11, "vgg", "11_vgg", "VGG")
    assert (lesson.part, lesson.budget_seconds, lesson.budget_mb) == ("classification", 90, 1500)
    assert (lesson.minutes_to_teach, lesson.needs, lesson.about) == (50, (10,), ("claims", "lessons.source"))
    assert [cell.source for cell in lesson.cells] == ["1 + 1"]
    assert lesson.header["needs"] == [10], "the header goes into JSON: lists, not tuples"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("title", "''", "title"),
        ("title", "[a]", "title"),
        ("part", "detection", "part"),
        ("budget_seconds", "91", "budget_seconds"),
        ("budget_seconds", "0", "budget_seconds"),
        ("budget_seconds", "soon", "budget_seconds"),
        ("budget_mb", "2001", "budget_mb"),
        ("budget_mb", "true", "budget_mb"),
        ("minutes_to_teach", "-5", "minutes_to_teach"),
        ("needs", "10", "needs"),
        ("needs", "[11]", "needs"),
        ("needs", "[ten]", "needs"),
        ("about", "claims", "about"),
        ("about", "[classification.vgh]", "crashcourse.classification.vgh"),
        ("minutes", "50", "Did you mean 'minutes_to_teach'"),
    ],
)
def test_a_bad_field_is_named_with_its_file(tmp_path, field, value, said):
    path = tmp_path / "11_vgg.py"
    path.write_text(source_with(GOOD | {field: value}))
    with pytest.raises(CourseError, match=re.escape(said)) as error:
        read_lesson(path)
    assert "11_vgg.py" in str(error.value)


@pytest.mark.parametrize("field", sorted(GOOD.keys() - {"budget_mb"}))
def test_a_missing_field_is_named(tmp_path, field):
    path = tmp_path / "11_vgg.py"
    path.write_text(source_with({key: value for key, value in GOOD.items() if key != field}))
    with pytest.raises(CourseError, match=f"11_vgg.py: the header lacks {field}"):
        read_lesson(path)


@pytest.mark.parametrize(
    "text", ["# %%\n1\n", "# ---\n# jupyter: [\n# ---\n# %%\n1\n", "# ---\n# jupyter:\n#   crashcourse: 3\n# ---\n"]
)
def test_a_source_without_a_readable_header_is_refused(tmp_path, text):
    path = tmp_path / "11_vgg.py"
    path.write_text(text)
    with pytest.raises(CourseError, match=r"11_vgg\.py"):
        read_lesson(path)


@pytest.mark.parametrize("name", ["vgg.py", "1_vgg.py", "11-vgg.py", "11_VGG.py"])
def test_a_file_not_named_like_a_lesson_is_refused(tmp_path, name):
    (tmp_path / name).write_text(source_with(GOOD))
    with pytest.raises(CourseError, match="two digits"):
        read_lesson(tmp_path / name)


def test_a_source_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "11_vgg.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CourseError, match=r"Could not read 11_vgg\.py"):
        read_lesson(tmp_path / "11_vgg.py")


@pytest.mark.parametrize("name", ["11", 11, "vgg", "11_vgg", "11_vgg.ipynb", "notebooks/11_vgg.ipynb", "11_vgg.py"])
def test_a_lesson_is_found_by_number_stem_or_name(course, name):
    course.write("# %%\n1\n")
    assert find_lesson(course.project, name).name == "11_vgg"


@pytest.mark.parametrize(("name", "said"), [("vggg", "Did you mean 'vgg'"), ("12", "no lesson 12"), ("", "Known")])
def test_an_unknown_lesson_is_refused_with_what_there_is(course, name, said):
    course.write("# %%\n1\n")
    with pytest.raises(CourseError, match=said):
        find_lesson(course.project, name)


def test_two_lessons_with_one_number_are_refused(course):
    course.write("# %%\n1\n")
    course.write("# %%\n1\n", name="11_vgg_again")
    with pytest.raises(CourseError, match="same number"):
        all_lessons(course.project)
