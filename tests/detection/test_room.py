"""What the room of detection offers by name."""

import importlib
import inspect
from pathlib import Path

import crashcourse.detection as room

FOLDER = Path(room.__file__).parent
# Helpers that other modules of the room share; a lesson has no need of their names.
INSIDE = {"backbone", "detection_images", "regions", "scored_image", "ssd_maps"}


def test_every_public_name_is_there_and_is_not_a_module():
    """A name in `__all__` is missing, given twice, or hidden by the module of the same name (`nms`, `roi_align`)."""
    assert len(set(room.__all__)) == len(room.__all__)
    assert [name for name in room.__all__ if not hasattr(room, name)] == []
    assert [name for name in room.__all__ if inspect.ismodule(getattr(room, name))] == []


def test_every_module_gives_the_room_a_name():
    """A module is added, and what it defines is not to be had from `crashcourse.detection`."""
    homes = {getattr(getattr(room, name), "__module__", "").rpartition(".")[2] for name in room.__all__}
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert modules - homes <= INSIDE


def test_importing_a_module_leaves_the_function_of_its_name():
    """`from crashcourse.detection import nms` gives a module once somebody has imported from that module."""
    for name in ("average_precision", "nms", "roi_align", "roi_pool", "segment_proposals"):
        module = importlib.import_module(f"crashcourse.detection.{name}")
        assert getattr(room, name) is getattr(module, name)
