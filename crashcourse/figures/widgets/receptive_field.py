"""The receptive-field explorer: which input pixels one output of a stack of convolutions sees.

Sizes by Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks" (Distill, 2019), through
`crashcourse.classification.convolution`; the pixels by following every tap of every kernel down to the input.
"""

import html
from collections.abc import Sequence
from typing import Any

from crashcourse.classification.convolution import output_size, receptive_field_steps
from crashcourse.environment import is_live
from crashcourse.errors import CourseError
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import COLOURS, FULL_WIDTH, GREY, LIGHT, course_style, figure, plain_axes
from crashcourse.figures.widgets.picture import picture_html, show_widget

Layer = tuple[int, int, int]  # kernel, stride, dilation
MOST_LAYERS = 8
LARGEST_FIELD = 1000
MOST_LINES = 600
MOST_PIXELS = 120
KERNELS, STRIDES, DILATIONS = (1, 3, 5, 7), (1, 2, 3), (1, 2, 3)


def receptive_field_explorer(
    layers: Sequence[Sequence[int]] = ((3, 1), (3, 1)), *, input_size: int = 64, alt: str | None = None
) -> None:
    """Show what one output sees. Live: with sliders for layers, kernel, stride and dilation. Static: for `layers`.

    Args:
        layers: `(kernel, stride)` or `(kernel, stride, dilation)` of each layer, input first. The sliders start with as
            many layers, all like the first.
        input_size: height and width of the input whose output size is told.
        alt: alt text in place of the automatic one, for the static figure.
    """
    stack = checked_layers(layers)
    if is_live():
        show_widget(explorer_widget(stack, input_size), message(stack, input_size))
    else:
        present(draw_receptive_field(stack, input_size=input_size), alt)


def draw_receptive_field(layers: Sequence[Sequence[int]], *, input_size: int = 64) -> Drawing:
    """The picture of the explorer for one stack, not shown: the stack from the side, and the input from above."""
    stack = checked_layers(layers)
    field = receptive_field_steps(stack)[-1][0]
    with course_style():
        shape = {"gridspec_kw": {"width_ratios": [1.55, 1]}}
        fig, (side, above) = figure(1, 2, width=FULL_WIDTH, height=max(2.9, 1.4 + 0.42 * len(stack)), **shape)
        _draw_side(side, stack)
        _draw_above(above, stack)
        layers_word = "1 layer" if len(stack) == 1 else f"{len(stack)} layers"
        fig.suptitle(f"{layers_word}: one output sees {field}×{field} pixels", x=0.01, ha="left")
    return Drawing(fig, message(stack, input_size))


def message(stack: Sequence[Layer], input_size: int) -> str:
    """What the picture says, in words: what is seen, how far apart neighbours look, and the output's size."""
    field, jump = receptive_field_steps(stack)[-1]
    used = len(seen(stack)[0])
    said = f"One output of {described(stack)} sees {field}×{field} input pixels"
    said += f", but uses only {used * used:,} of these {field * field:,}." if used < field else "."
    said += f" Two neighbouring outputs look {jump} pixel{'s' if jump > 1 else ''} apart."
    size: int | None = input_size
    try:
        for kernel, stride, dilation in stack:
            size = output_size(size, kernel, stride, 0, dilation)
    except ValueError:
        return f"{said} A {input_size}×{input_size} input is too small for it without padding."
    return f"{said} Without padding, a {input_size}×{input_size} input gives a {size}×{size} output."


def described(stack: Sequence[Layer]) -> str:
    """The stack in words: `3 layers of 3×3, stride 1`."""

    def one(layer: Layer) -> str:
        kernel, stride, dilation = layer
        return f"{kernel}×{kernel}, stride {stride}" + (f", dilation {dilation}" if dilation > 1 else "")

    if len(set(stack)) == 1:
        return f"{len(stack)} layer{'s' if len(stack) > 1 else ''} of {one(stack[0])}"
    return f"{len(stack)} layers ({'; '.join(one(layer) for layer in stack)})"


def seen(stack: Sequence[Layer]) -> list[dict[int, int]]:
    """For every level, input first and output last: `{position: number of paths from output 0}` along one side."""
    levels = [{0: 1}]
    for kernel, stride, dilation in reversed(stack):
        below: dict[int, int] = {}
        for place, paths in levels[-1].items():
            for tap in range(kernel):
                below[place * stride + tap * dilation] = below.get(place * stride + tap * dilation, 0) + paths
        levels.append(below)
    return levels[::-1]


def checked_layers(layers: Sequence[Sequence[int]]) -> list[Layer]:
    """The layers as `(kernel, stride, dilation)`.

    Raises:
        CourseError: a layer is not two or three whole numbers of at least 1, or the stack is too large to draw.
    """
    try:
        stack = [(*(int(value) for value in layer), 1)[:3] for layer in layers if _is_layer(layer)]
    except (TypeError, ValueError):
        stack = []
    if not stack or len(stack) != len(layers):
        raise CourseError(
            f"Layers are (kernel, stride) or (kernel, stride, dilation), whole numbers of at least 1; got {layers!r}. "
            "For example: [(3, 1), (3, 2)]."
        )
    field = receptive_field_steps(stack)[-1][0]
    if len(stack) > MOST_LAYERS or field > LARGEST_FIELD:
        raise CourseError(
            f"At most {MOST_LAYERS} layers that see at most {LARGEST_FIELD} pixels can be drawn; got {len(stack)} "
            f"layers that see {field}."
        )
    return stack


def _is_layer(layer: Sequence[int]) -> bool:
    return len(layer) in (2, 3) and all(isinstance(value, int) and value >= 1 for value in layer)


def _draw_side(axes: Any, stack: list[Layer]) -> None:
    """Every level a row of cells, each above the middle of what it sees, with lines to its taps."""
    from matplotlib.collections import LineCollection

    levels, steps = seen(stack), [(1, 1), *receptive_field_steps(stack)]
    places = [[_middle(place, step) for place in level] for level, step in zip(levels, steps, strict=True)]
    lines = _taps(stack, levels, steps)
    if len(lines) <= MOST_LINES:
        axes.add_collection(LineCollection(lines, colors=GREY, linewidths=0.7, alpha=0.6, zorder=1))
    field = steps[-1][0]
    size = max(1.0, min(11.0, 190 / field))
    axes.plot(range(field), [0] * field, "s", color=LIGHT, markersize=size)  # pixels between the taps
    for height, row in enumerate(places):
        colour = COLOURS["vermilion"] if height == len(stack) else COLOURS["sky"] if height else COLOURS["blue"]
        axes.plot(row, [height] * len(row), "s", color=colour, markersize=max(size, 6) if len(row) == 1 else size)
    plain_axes(axes)
    axes.set(xlim=(-0.8, field - 0.2), ylim=(-0.45, len(stack) + 0.45))
    names = ["input", *(f"layer {n}" for n in range(1, len(stack) + 1))]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_title("from the side", weight="normal")


def _middle(place: int, step: tuple[int, int]) -> float:
    field, jump = step
    return place * jump + (field - 1) / 2


def _taps(stack: list[Layer], levels: list[dict[int, int]], steps: list[tuple[int, int]]) -> list[Any]:
    """A line from every cell to each cell below that its kernel meets."""
    lines = []
    for height, (kernel, stride, dilation) in enumerate(stack, start=1):
        for place in levels[height]:
            top = (_middle(place, steps[height]), height)
            below = [place * stride + tap * dilation for tap in range(kernel)]
            lines += [(top, (_middle(one, steps[height - 1]), height - 1)) for one in below]
    return lines


def _draw_above(axes: Any, stack: list[Layer]) -> None:
    """The input pixels: blue where seen, the darker the more paths lead to the output."""
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    paths = seen(stack)[0]
    field, margin = max(paths) + 1, max(1, (max(paths) + 1) // 12)
    row = np.zeros(field + 2 * margin)
    row[[place + margin for place in paths]] = list(paths.values())
    row = _thinned(row)
    share = np.outer(row, row) / row.max() ** 2
    inks = LinearSegmentedColormap.from_list("paths", ["#CFE6F5", COLOURS["blue"]])
    axes.imshow(np.ma.masked_equal(share, 0), cmap=inks, vmin=0, vmax=1, interpolation="nearest")
    plain_axes(axes)
    axes.set_facecolor("white")
    if field <= 41:
        edges = np.arange(len(row) + 1) - 0.5
        axes.hlines(edges, -0.5, len(row) - 0.5, color=LIGHT, lw=0.8)
        axes.vlines(edges, -0.5, len(row) - 0.5, color=LIGHT, lw=0.8)
    axes.set_title("the input from above", weight="normal")
    axes.set_xlabel("darker: more paths" if len(set(paths.values())) > 1 else "all with equal weight", size=11)


def _thinned(row: Any) -> Any:
    """A row of at most `MOST_PIXELS`, each the largest of its neighbours, so that no thin line is lost."""
    import numpy as np

    step = -(-len(row) // MOST_PIXELS)
    return np.pad(row, (0, -len(row) % step)).reshape(-1, step).max(1)


def explorer_widget(stack: list[Layer], input_size: int) -> Any:
    """The sliders and the picture that follows them, as an ipywidgets `VBox`."""
    import ipywidgets

    kernel, stride, dilation = stack[0]
    sliders = {
        "layers": _slider("layers", range(1, max(6, len(stack) + 1)), len(stack)),
        "kernel": _slider("kernel", KERNELS, kernel),
        "stride": _slider("stride", STRIDES, stride),
        "dilation": _slider("dilation", DILATIONS, dilation),
    }
    picture = ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        chosen = {name: slider.value for name, slider in sliders.items()}
        layer = (chosen["kernel"], chosen["stride"], chosen["dilation"])
        picture.value = _picture_html([layer] * chosen["layers"], input_size)

    for slider in sliders.values():
        slider.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*sliders.values(), picture])


def _slider(name: str, values: Sequence[int], value: int) -> Any:
    import ipywidgets

    options = sorted({*values, value})
    wide = ipywidgets.Layout(width="min(26em, 100%)")
    return ipywidgets.SelectionSlider(
        options=options, value=value, description=name, continuous_update=False, layout=wide
    )


def _picture_html(stack: list[Layer], input_size: int) -> str:
    """The picture and its words; the words alone where the stack is too large to draw."""
    try:
        drawing = draw_receptive_field(stack, input_size=input_size)
    except CourseError as problem:
        return f'<p role="status">{html.escape(str(problem))}</p>'
    return picture_html(drawing)
