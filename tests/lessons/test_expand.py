"""From source to cells: stubs, recorded numbers, ids, slide types and tags; and what an author may not write."""

import re

import nbformat.v4 as v4
import pytest

from crashcourse.errors import CourseError
from crashcourse.lessons.expand import expand
from crashcourse.lessons.normalise import normalise

STUB = '@exercise("vgg.double")\ndef double(x):\n    raise NotImplementedError'
LESSON = """# %% [markdown]
# # Title
# %% [markdown]
# ## Section
# %% [markdown]
# ### Closer
# %% [markdown]
# plain prose
# %%
1 + 1
# %% exercise="vgg.double"
# %% [markdown] slideshow={"slide_type": "notes"}
# ## For the teacher
# %% tags=["long"]
gpu_cell("vgg_garments")
"""


@pytest.fixture
def expanded(course):
    course.add_exercise("vgg.double", STUB + "\n", "def double(x):\n    return 2 * x")
    return lambda text=LESSON, **more: expand(course.write(text), **course.options, **more)


def test_slide_types_follow_headings_and_exercises_and_an_author_may_say_otherwise(expanded):
    types = [cell.metadata["slideshow"]["slide_type"] for cell in expanded().cells]
    assert types == ["slide", "slide", "subslide", "-", "-", "subslide", "notes", "-"]


def test_an_exercise_cell_becomes_the_stub_and_is_marked(expanded):
    cell = expanded().cells[5]
    assert cell.source == STUB
    assert cell.metadata["tags"] == ["exercise"]
    assert cell.metadata["crashcourse"] == {"exercise": "vgg.double"}


def test_a_solved_lesson_holds_the_references_own_source(expanded):
    assert expanded(solved=True).cells[5].source == "def double(x):\n    return 2 * x"


def test_a_gpu_cell_is_tagged_beside_the_authors_tags(expanded):
    assert expanded().cells[7].metadata["tags"] == ["long", "gpu"]


def test_the_result_of_a_guess_is_folded_away_until_the_cell_is_run(course):
    text = LESSON.replace('tags=["long"]', 'tags=["guess"]')
    course.add_exercise("vgg.double", STUB + "\n", "def double(x):\n    return 2 * x")
    cells = expand(course.write(text), **course.options).cells
    assert cells[7].metadata["jupyter"] == {"outputs_hidden": True}
    assert all("jupyter" not in cell.metadata for cell in cells[:7])
    assert normalise(v4.new_notebook(cells=cells)).cells[7].metadata["jupyter"] == {"outputs_hidden": True}


def test_ids_come_from_the_lesson_and_the_place(expanded):
    assert [cell.id for cell in expanded().cells][:2] == ["11-vgg-000", "11-vgg-001"]
    assert expanded() == expanded()


def test_the_header_and_the_kernel_are_in_the_metadata(expanded):
    metadata = expanded().metadata
    assert metadata["crashcourse"]["title"] == "VGG"
    assert metadata["kernelspec"]["name"] == "python3"
    assert "jupytext" not in metadata


def test_records_enter_prose_but_not_code(expanded):
    text = (
        "# %% [markdown]\n# {record:vgg_garments.study.accuracy:.1%} on {record:vgg_garments.study.hardware}, $x_{i}$\n"
    )
    cells = expanded(text + '# %%\n"{record:a}"\n# %% exercise="vgg.double"\n').cells
    assert cells[0].source == "95.1% on one core, $x_{i}$"
    assert cells[1].source == '"{record:a}"'


def test_a_record_that_is_not_there_yet_is_said_to_be_missing(expanded):
    text = '# %% [markdown]\n# It reached {record:vgg_garments.gpu.accuracy:.1%}.\n# %% exercise="vgg.double"\n'
    assert expanded(text).cells[0].source == "It reached (not yet recorded)."


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("# %% [markdown]\n# {record:vgg_garments.study.acuracy:.1%}\n", "acuracy"),
        ("# %% [markdown]\n# {record:resnet.study.accuracy}\n", "resnet"),
        ("# %% [markdown]\n# {record:vgg_garments.accuracy}\n", "needs a recipe, a scale and a field"),
        ("# %% [markdown]\n# {record:vgg_garments.study.hardware:.1%}\n", "format"),
        ("# %% [markdown]\n# {record vgg_garments}\n", "record is written"),
        ("# %%\n!ls\n", "no magics"),
        ("# %%\n%time 3\n", "no magics"),
        ("# %%\nx = !ls\n", "no magics"),
        ("# %%\nget_ipython().system('ls')\n", "plain Python"),
        ("# %%\nimport math?\n", "no magics"),
        ("# %%\n\n# %%\n1\n", "empty"),
        ('# %% [markdown] slideshow={"slide_type": "slid"}\n# x\n', "Did you mean 'slide'"),
        ('# %% exersise="vgg.double"\n', "exersise"),
        ('# %% exercise="vgg.doubel"\n', "Did you mean 'vgg.double'"),
        ('# %% exercise="vgg.double"\n', "twice"),
        ('# %% exercise="conv.other"\n', "belongs to lesson 10"),
        ("# %% [raw]\n# text\n", "raw cells"),
    ],
)
def test_what_an_author_may_not_write(expanded, course, cell, said):
    course.add_exercise("conv.other", "pass", lesson=10)
    with pytest.raises(CourseError, match=re.escape(said)) as error:
        expanded(cell + '# %% exercise="vgg.double"\n')
    assert "11_vgg.py" in str(error.value)


def test_an_exercise_cell_that_holds_code_is_refused(expanded):
    with pytest.raises(CourseError, match="empty in the source"):
        expanded('# %% exercise="vgg.double"\ndef double(x): ...\n')


def test_an_exercise_that_no_cell_shows_is_an_error(expanded):
    with pytest.raises(CourseError, match=r"no cell for vgg\.double"):
        expanded("# %%\n1\n")
