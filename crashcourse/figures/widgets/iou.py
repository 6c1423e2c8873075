"""Two boxes to drag while their IoU is told: with the mouse or a finger, or with Tab and the arrow keys.

Live, it is a picture in SVG with a few lines of script, and needs no kernel: it goes on working in a saved page. The
numbers of script and package are compared by a test in a browser.
"""

import html
import json
import math
import uuid
from collections.abc import Sequence

import torch

from crashcourse.detection.boxes import box_area, intersection_and_union
from crashcourse.environment import is_live
from crashcourse.errors import CourseError
from crashcourse.figures.boxes import draw_box
from crashcourse.figures.display import Drawing, present
from crashcourse.figures.style import COLOURS, LIGHT, course_style, figure

SIDE = 20  # of the field in which the two boxes lie
Box = tuple[int, int, int, int]
INKS = {"a": COLOURS["blue"], "b": COLOURS["vermilion"]}


def iou_explorer(
    box_a: Sequence[int] = (2, 3, 12, 13), box_b: Sequence[int] = (6, 8, 16, 18), *, alt: str | None = None
) -> None:
    """Show two boxes and their IoU. Live: to be dragged and stretched. Static: as given.

    Args:
        box_a, box_b: xyxy, whole numbers between 0 and 20, with x1 < x2 and y1 < y2.
        alt: alt text in place of the automatic one, for the static figure.

    Raises:
        CourseError: a box that is not like that.
    """
    a, b = _checked(box_a), _checked(box_b)
    if not is_live():
        present(draw_iou(a, b), alt)
        return
    from IPython.display import display

    display({"text/html": iou_page(a, b), "text/plain": iou_message(a, b)}, raw=True)


def iou_message(box_a: Box, box_b: Box) -> str:
    """What the picture says, in words."""
    a, b = torch.tensor([box_a]).float(), torch.tensor([box_b]).float()
    shared, union = (round(value.item()) for value in intersection_and_union(a, b))
    areas = f"Areas {round(box_area(a).item())} and {round(box_area(b).item())}"
    iou = math.floor(1000 * shared / union + 0.5) / 1000  # as the script rounds
    return f"{areas}; they share {shared} and cover {union} together. IoU = {shared} / {union} = {iou:.3f}"


def draw_iou(box_a: Sequence[int], box_b: Sequence[int]) -> Drawing:
    """The picture of the explorer, not shown."""
    from matplotlib.patches import Rectangle

    a, b = _checked(box_a), _checked(box_b)
    with course_style():
        fig, axes = figure(width=4.2, height=4.0)
        x1, y1, x2, y2 = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
        if x1 < x2 and y1 < y2:
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, color=COLOURS["green"], alpha=0.45, linewidth=0))
        draw_box(axes, a, "blue", "a", width=3)
        draw_box(axes, b, "vermilion", "b", width=3)
        ticks = range(0, SIDE + 1, 5)
        axes.set(xlim=(0, SIDE), ylim=(SIDE, 0), xticks=ticks, yticks=ticks, xlabel="x", ylabel="y", aspect="equal")
        words = iou_message(a, b)
        axes.set_title(words.rsplit(". ", 1)[1])
    return Drawing(fig, words)


def iou_page(box_a: Box, box_b: Box) -> str:
    """The live picture as HTML. Where scripts do not run, it is the same picture, standing still."""
    name = f"crashcourse-iou-{uuid.uuid4().hex}"
    grid = "".join(
        f'<path d="M0 {at}H{SIDE}M{at} 0V{SIDE}" stroke="{LIGHT}" stroke-width="0.05"/>'
        f'<text x="{at}" y="{SIDE + 1.1}" text-anchor="middle">{at}</text>'
        f'<text x="-0.4" y="{at + 0.3}" text-anchor="end">{at}</text>'
        for at in range(0, SIDE + 1, 5)
    )
    words = html.escape(iou_message(box_a, box_b))
    # JupyterLab leaves the arrow keys alone inside of what bears lm-suppress-shortcuts.
    return f"""<div id="{name}" data-lm-suppress-shortcuts="true" style="max-width:26em">
<style>#{name} g:focus{{outline:none}} #{name} g:focus .body{{stroke-width:0.45;stroke-dasharray:1.2 0.4}}</style>
<svg viewBox="-2 -1 23.5 23.5" style="width:100%;background:white;touch-action:none;font:0.8px sans-serif" role="group"
 aria-label="Two boxes in a field of {SIDE} by {SIDE}. The arrow keys move a box, with Shift they stretch it.">
{grid}<rect class="shared" fill="{COLOURS["green"]}" fill-opacity="0.45"/>
{_svg_box("a", box_a)}{_svg_box("b", box_b)}</svg>
<p role="status" aria-live="polite" style="margin:4px 0">{words}</p>
<p style="margin:4px 0;font-size:90%">Drag a box, or one of its corners. Keys: Tab chooses a box, the arrows move it,
Shift and an arrow moves its lower right corner.</p></div>
<script>{_SCRIPT.replace("NAME", json.dumps(name)).replace("SIDE", str(SIDE))}</script>"""


def _svg_box(name: str, box: Box) -> str:
    x1, y1, x2, y2 = box
    ink = INKS[name]
    handles = "".join(
        f'<rect data-corner="{x}{y}" x="{box[x] - 0.5}" y="{box[y] - 0.5}" width="1" height="1" fill="{ink}"'
        ' style="cursor:move"/>'
        for x in (0, 2)
        for y in (1, 3)
    )
    return (
        f'<g data-box="{json.dumps(box)}" data-name="{name}" tabindex="0" role="application" '
        f'aria-label="Box {name}: {x1}, {y1} to {x2}, {y2}" style="cursor:grab">'
        f'<rect class="body" x="{x1}" y="{y1}" width="{x2 - x1}" height="{y2 - y1}" fill="none" pointer-events="all" '
        f'stroke="{ink}" stroke-width="0.25"/><text x="{x1 + 0.5}" y="{y1 + 1.2}" fill="{ink}" font-weight="bold" '
        f'style="font-size:1.2px;pointer-events:none">{name}</text>{handles}</g>'
    )


_SCRIPT = """
(() => {
  const root = document.getElementById(NAME);
  const svg = root.querySelector("svg");
  const [a, b] = root.querySelectorAll("g[data-box]");
  const box = new Map([a, b].map((g) => [g, JSON.parse(g.dataset.box)]));

  const set = (rect, [x1, y1, x2, y2]) => {
    const sides = { x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1) };
    for (const [name, value] of Object.entries(sides)) rect.setAttribute(name, value);
  };
  const area = ([x1, y1, x2, y2]) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);

  function draw() {
    for (const [g, sides] of box) {
      const [x1, y1, x2, y2] = sides;
      set(g.querySelector(".body"), sides);
      const name = g.querySelector("text");
      name.setAttribute("x", x1 + 0.5);
      name.setAttribute("y", y1 + 1.2);
      for (const handle of g.querySelectorAll("[data-corner]")) {
        handle.setAttribute("x", sides[handle.dataset.corner[0]] - 0.5);
        handle.setAttribute("y", sides[handle.dataset.corner[1]] - 0.5);
      }
      g.setAttribute("aria-label", `Box ${g.dataset.name}: ${x1}, ${y1} to ${x2}, ${y2}`);
    }
    const [p, q] = [box.get(a), box.get(b)];
    const both = [...[0, 1].map((i) => Math.max(p[i], q[i])), ...[2, 3].map((i) => Math.min(p[i], q[i]))];
    set(root.querySelector(".shared"), both);
    const shared = area(both);
    const union = area(p) + area(q) - shared;
    root.querySelector("[role=status]").textContent =
      `Areas ${area(p)} and ${area(q)}; they share ${shared} and cover ${union} together. ` +
      `IoU = ${shared} / ${union} = ${(Math.floor(1000 * shared / union + 0.5) / 1000).toFixed(3)}`;
  }

  // The sides in `moved` (0 and 2 are x, 1 and 3 are y) go by (dx, dy), as far as the field and a width of 1 allow.
  function change(g, start, moved, dx, dy) {
    const sides = [...start];
    for (const [low, high, step] of [[0, 2, dx], [1, 3, dy]]) {
      const one = moved.includes(low), other = moved.includes(high);
      const least = one ? -start[low] : start[low] + 1 - start[high];
      const most = other ? SIDE - start[high] : start[high] - 1 - start[low];
      const by = Math.min(most, Math.max(least, step));
      if (one) sides[low] += by;
      if (other) sides[high] += by;
    }
    box.set(g, sides);
    draw();
  }

  const place = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  for (const g of [a, b]) {
    g.addEventListener("pointerdown", (event) => {
      const from = place(event), start = box.get(g);
      const moved = [...(event.target.dataset.corner || "0123")].map(Number);
      const follow = (e) => {
        const to = place(e);
        change(g, start, moved, Math.round(to.x - from.x), Math.round(to.y - from.y));
      };
      const stop = () => {
        g.removeEventListener("pointermove", follow);
        g.removeEventListener("pointerup", stop);
        g.removeEventListener("pointercancel", stop);
      };
      g.setPointerCapture(event.pointerId);
      g.addEventListener("pointermove", follow);
      g.addEventListener("pointerup", stop);
      g.addEventListener("pointercancel", stop);
      g.focus();
      event.preventDefault();
    });
    g.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      change(g, box.get(g), event.shiftKey ? [2, 3] : [0, 1, 2, 3], ...step);
      event.preventDefault();
      event.stopPropagation();
    });
  }
})();
"""


def _checked(box: Sequence[int]) -> Box:
    try:
        x1, y1, x2, y2 = (int(value) for value in box)
        good = (x1, y1, x2, y2) == tuple(box) and 0 <= x1 < x2 <= SIDE and 0 <= y1 < y2 <= SIDE
    except (TypeError, ValueError):
        good = False
    if not good:
        raise CourseError(
            f"A box here is (x1, y1, x2, y2), whole numbers from 0 to {SIDE} with x1 < x2 and y1 < y2; got {box!r}."
        )
    return x1, y1, x2, y2
