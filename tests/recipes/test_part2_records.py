"""What the lessons of part 2 say in words of their recorded studies."""

from pathlib import Path

from crashcourse.recipes import Record

RECORDS = Path(__file__).parents[2] / "course" / "records"


def test_what_both_weights_at_1_cost_as_lesson_21_says():
    """A newer record says that the two weights of YOLO's loss are worth nothing, or that other objects suffer."""
    runs = Record.read(RECORDS / "yolo_scenes.study.json").variants
    values = {
        (name, metric): [seed.metrics[metric] for seed in seeds]
        for name, seeds in runs.items()
        for metric in ("recall50", "map50_small", "map50_large", "map50")
    }
    for metric in ("recall50", "map50_small"):
        assert max(values["equal", metric]) < min(values["per_cell", metric])
    large, usual = values["equal", "map50_large"], values["per_cell", "map50_large"]
    assert min(large) < max(usual)
    assert min(usual) < max(large)
    assert max(values["per_box", "map50"]) < max(values["per_cell", "map50"])


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
