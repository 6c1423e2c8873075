"""What the lessons of part 2 say in words of their recorded studies."""

from pathlib import Path

from crashcourse.recipes import Record

RECORDS = Path(__file__).parents[2] / "course" / "records"


def test_roi_align_is_ahead_as_lesson_23_says():
    """A newer record says that boxes fit no better without the rounding, or that more objects are found."""
    runs = Record.read(RECORDS / "faster_rcnn_scenes.study.json").variants
    align, pool = (
        {metric: [seed.metrics[metric] for seed in runs[name]] for metric in ("map50", "map", "recall50")}
        for name in ("roi_align", "roi_pool")
    )
    for metric in ("map50", "map"):
        assert min(align[metric]) > max(pool[metric])
    assert sum(align["map"]) / sum(pool["map"]) > sum(align["map50"]) / sum(pool["map50"])
    assert min(align["recall50"]) < max(pool["recall50"])
