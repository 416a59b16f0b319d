"""Draw the pictures of ARCHITECTURE.md and of the pages about lanes: `python docs/drawings.py` writes docs/drawings/.

Each picture has a background of its own, so it can be read on a light page and on a dark page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

FOLDER = Path(__file__).with_name("drawings")
# class -> (fill, line) on a light background, (fill, line) on a dark background
FILLS = {
    "plain": ("#ffffff", "#8a94a6", "#1f2430", "#7b8496"),
    "blue": ("#dbe9ff", "#3b74c9", "#1d3557", "#6ea3f0"),
    "green": ("#d9f2e1", "#2f8f56", "#1c3d2b", "#63c28b"),
    "orange": ("#ffe8cc", "#c9761a", "#4a3215", "#eda24c"),
    "purple": ("#eadfff", "#7a4fc4", "#35254f", "#ab86f0"),
    "grey": ("#eceff4", "#a3acbb", "#2a303c", "#667085"),
    "red": ("#ffdcd9", "#c2443a", "#4d2320", "#ef8279"),
}
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b2130}.code{font:12px ui-monospace,Menlo,Consolas,monospace}"
    ".small{font-size:11px}.head{font-weight:600}.faint{fill:#566074}.page{fill:#f8f9fb;stroke:#d5dae3}"
    ".arrow{fill:none;stroke:#566074;stroke-width:1.5;marker-end:url(#tip)}.dash{stroke-dasharray:4 3}"
    ".tip{fill:#566074}"
    + "".join(f".{name}{{fill:{fill};stroke:{line}}}" for name, (fill, line, *_) in FILLS.items())
    + "@media(prefers-color-scheme:dark){text{fill:#e6e9f0}.faint{fill:#a4adbd}.page{fill:#161a22;stroke:#343b48}"
    ".arrow{stroke:#a4adbd}.tip{fill:#a4adbd}"
    + "".join(f".{name}{{fill:{fill};stroke:{line}}}" for name, (*_, fill, line) in FILLS.items())
    + "}"
)


class Drawing:
    """Collect the elements of an SVG picture. Lengths are in pixels, from the top left."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts = [f'<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>']

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>')

    def box(self, x: float, y: float, width: float, height: float, fill: str, *lines: str, round: int = 4) -> None:
        """Draw a box with centered lines. A line in backticks is code; a line that begins with "~" is small."""
        self.parts.append(
            f'<rect class="{fill}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round}"/>'
        )
        for place, line in enumerate(lines):
            kind = "code" if line.startswith("`") else "small faint" if line.startswith("~") else ""
            middle = y + height / 2 + 4.5 + 16 * (place - (len(lines) - 1) / 2)
            self.text(x + width / 2, middle, line.strip("`~"), kind, "middle")

    def arrow(self, *points: tuple[float, float], dash: bool = False) -> None:
        path = " L".join(f"{x:g} {y:g}" for x, y in points)
        self.parts.append(f'<path class="arrow{" dash" if dash else ""}" d="M{path}"/>')

    def svg(self) -> str:
        tip = (
            '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path class="tip" d="M0 0L8 4L0 8z"/></marker>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img"><title>{escape(self.title)}</title>'
            f"<style>{STYLE}</style><defs>{tip}</defs>\n" + "\n".join(self.parts) + "\n</svg>\n"
        )


ROOMS = (  # from the top floor down, with the fill of the steps that use them
    ("cli/", "plain"),
    ("api/", "plain"),
    ("views/", "purple"),
    ("sweep/", "grey"),
    ("record/", "orange"),
    ("training/", "green"),
    ("space_file/", "plain"),
    ("search/", "blue"),
    ("models/", "plain"),
    ("data/", "plain"),
    ("process/", "plain"),
    ("files/", "plain"),
    ("honest/", "plain"),
    ("trial/", "plain"),
    ("space/", "plain"),
    ("errors.py", "plain"),
)


def draw_run() -> Drawing:
    drawing = Drawing(740, 500, "The rooms of the package, and what sweep run does from the command to the record")
    drawing.text(20, 28, "Rooms", "head")
    for place, (room, fill) in enumerate(ROOMS):
        drawing.box(20, 40 + 26 * place, 110, 22, fill, f"`{room}`")
    drawing.arrow((146, 44), (146, 452))
    drawing.text(20, 478, "A module imports only from", "small faint")
    drawing.text(20, 492, "its room and the rooms below.", "small faint")

    drawing.text(190, 28, "What sweep run space.yaml does", "head")
    drawing.box(190, 40, 150, 40, "plain", "`cli/run.py`", "~the command")
    drawing.box(376, 40, 150, 40, "plain", "`api/run.py`", "~ks.run")
    drawing.box(562, 40, 158, 40, "plain", "`api/session.py`", "~signals, log, views")
    drawing.arrow((340, 60), (374, 60))
    drawing.arrow((526, 60), (560, 60))
    drawing.box(376, 106, 150, 40, "plain", "`space_file/read.py`", "~YAML becomes a spec")
    drawing.box(562, 106, 158, 40, "grey", "`sweep/run.py`", "~lock, data, runner, record")
    drawing.arrow((451, 80), (451, 104))
    drawing.arrow((641, 80), (641, 104))
    drawing.arrow((562, 136), (546, 136), (546, 162), (370, 162), (370, 176))

    drawing.box(190, 178, 360, 196, "grey", round=8)
    drawing.text(204, 198, "sweep/loop.py: until all trials are recorded", "small faint")
    drawing.box(206, 210, 150, 56, "blue", "search/", "~the engine suggests", "~a generation")
    drawing.box(384, 210, 150, 56, "green", "training/", "~the runner trains it", "~in groups of lanes")
    drawing.box(384, 306, 150, 56, "orange", "record/", "~a finished trial is", "~written in its turn")
    drawing.box(206, 306, 150, 56, "blue", "search/", "~the engine learns", "~the results")
    drawing.arrow((356, 238), (382, 238))
    drawing.arrow((459, 266), (459, 304))
    drawing.text(466, 290, "results", "small faint")
    drawing.arrow((384, 334), (358, 334))
    drawing.arrow((281, 306), (281, 268))

    drawing.arrow((370, 374), (370, 400))
    for place, (name, what) in enumerate(
        (("finalists.py", "new seeds"), ("winner.py", "refit, test rows"), ("export.py", "model and card"))
    ):
        drawing.box(190 + 123 * place, 402, 114, 44, "grey", f"`{name}`", f"~{what}")
        if place:
            drawing.arrow((181 + 123 * place, 424), (188 + 123 * place, 424))
    drawing.text(190, 470, "The last three are in sweep/.", "small faint")

    drawing.box(600, 178, 120, 196, "purple", "views/", "~listen and draw:", "~board, log, JSON,", "~summary")
    drawing.arrow((550, 276), (598, 276), dash=True)
    drawing.text(574, 268, "events", "small faint", "middle")
    return drawing


def draw_program() -> Drawing:
    drawing = Drawing(740, 330, "Three trials by fit are three loops; as lanes they are one program with one more axis")
    rates = ("0.01", "0.1", "0.3")
    fills = ("blue", "green", "orange")
    drawing.text(20, 28, "fit: three loops", "head")
    for place, (rate, fill) in enumerate(zip(rates, fills, strict=True)):
        top = 46 + 90 * place
        drawing.box(20, top, 76, 60, "plain", "batch")
        drawing.box(130, top, 170, 60, fill, f"trial {place}", f"~weights [in, out], rate {rate}")
        drawing.arrow((96, top + 30), (128, top + 30))
        drawing.arrow((300, top + 20), (322, top + 20), (322, top + 72), (215, top + 72), (215, top + 62))
    drawing.text(390, 28, "lanes: one program", "head")
    drawing.box(390, 126, 76, 80, "plain", "batch", "~read once")
    drawing.arrow((466, 166), (496, 166))
    drawing.box(498, 46, 222, 240, "grey", round=8)
    drawing.text(609, 66, "weights [T, in, out], rates [T]", "small faint", "middle")
    for place, (rate, fill) in enumerate(zip(rates, fills, strict=True)):
        drawing.box(514, 78 + 66 * place, 190, 54, fill, f"lane {place}", f"~its weights, rate {rate}")
    drawing.arrow((640, 286), (640, 312), (560, 312), (560, 288))
    drawing.text(600, 306, "step", "small faint", "middle")
    drawing.text(20, 318, "T is the number of lanes.", "small faint")
    return drawing


def draw_structure() -> Drawing:
    drawing = Drawing(740, 372, "Models of different widths and depths in one structure")

    def model(left: float, head: str, layers: Sequence[tuple[int, int, str, bool]]) -> None:
        """Draw the layers of a model: own width, width in the program, text, whether the model lacks the layer."""
        drawing.text(left + 100, 62, head, "head", "middle")
        for place, (own, width, text, is_absent) in enumerate(layers):
            top = 78 + 62 * place
            if width > own:
                drawing.box(left + 100 - width / 2, top, width, 34, "plain")
            if is_absent:
                drawing.box(left + 100 - width / 2, top, width, 34, "grey", text)
            else:
                drawing.box(left + 100 - width / 2, top, own, 34, "green", text)
            if place + 1 < len(layers):
                drawing.arrow((left + 100, top + 34), (left + 100, top + 60))

    drawing.text(20, 28, "Three trials, one program", "head")
    model(
        20,
        "hidden: [64, 64]",
        [
            (96, 96, "input", False),
            (190, 190, "64 units", False),
            (190, 190, "64 units", False),
            (80, 80, "output", False),
        ],
    )
    model(
        270,
        "hidden: [32, 64]",
        [
            (96, 96, "input", False),
            (95, 190, "32 units", False),
            (190, 190, "64 units", False),
            (80, 80, "output", False),
        ],
    )
    model(
        520,
        "hidden: [64]",
        [
            (96, 96, "input", False),
            (190, 190, "64 units", False),
            (190, 190, "returns its input", True),
            (80, 80, "output", False),
        ],
    )
    drawing.box(20, 330, 22, 16, "green")
    drawing.text(50, 343, "the trial's own weights", "small faint")
    drawing.box(216, 330, 22, 16, "plain")
    drawing.text(246, 343, "zero, with gradient zero: it stays zero", "small faint")
    drawing.box(480, 330, 22, 16, "grey")
    drawing.text(510, 343, "a layer that the trial lacks", "small faint")
    return drawing


def draw_layouts() -> Drawing:
    drawing = Drawing(740, 300, "How the flat and the stacked layout store a kernel of two lanes")
    drawing.text(20, 28, "A kernel [in, out] of two lanes, in = 4, out = 3", "head")

    def cells(left: float, top: float, rows: int, columns: int, fill: Callable[[int, int], str]) -> None:
        for row in range(rows):
            for column in range(columns):
                drawing.box(left + 24 * column, top + 24 * row, 22, 22, fill(row, column), round=2)

    drawing.text(20, 58, "flat: [out * T, in]", "code")
    cells(20, 70, 6, 4, lambda row, _: ("blue", "orange")[row % 2])
    for row in range(6):
        drawing.text(122, 86 + 24 * row, f"output {row // 2}, lane {row % 2}", "small faint")
    drawing.text(20, 244, "One optimizer updates the whole array.", "small faint")
    drawing.text(20, 262, "Rates become a column beside it: each row", "small faint")
    drawing.text(20, 278, "has the rate of its lane.", "small faint")

    drawing.text(390, 58, "stacked: [T, in, out]", "code")
    cells(390, 70, 4, 3, lambda *_: "blue")
    cells(490, 70, 4, 3, lambda *_: "orange")
    drawing.text(425, 186, "lane 0", "small faint", "middle")
    drawing.text(525, 186, "lane 1", "small faint", "middle")
    drawing.text(390, 244, "Keras's own training step is mapped over", "small faint")
    drawing.text(390, 262, "the first axis by jax.vmap.", "small faint")
    return drawing


def draw_generation() -> Drawing:
    drawing = Drawing(740, 392, "The groups of a generation over the epochs, with a rung at epoch 6")
    left, epoch_width, top = 110, 48, 66
    drawing.text(20, 28, "A generation: two groups, a rung at epoch 6", "head")
    for epoch in range(12):
        drawing.text(left + epoch_width * (epoch + 0.5), 54, str(epoch + 1), "small faint", "middle")
    drawing.text(98, 54, "epoch", "small faint", "end")

    def lane(name: str, y: float, first: int, last: int, fill: str, note: str = "") -> None:
        """Draw the epochs of a lane, counted from 1."""
        drawing.text(98, y + 15, name, "small", "end")
        for epoch in range(first, last + 1):
            drawing.box(left + epoch_width * (epoch - 1) + 1, y, epoch_width - 2, 20, fill, round=2)
        if note:
            drawing.text(left + epoch_width * last + 6, y + 15, note, "small faint")

    drawing.text(20, top + 8, "group A", "head")
    lane("trial 0", top + 16, 1, 6, "blue")
    lane("trial 1", top + 40, 1, 6, "blue")
    lane("trial 2", top + 64, 1, 6, "blue")
    lane("trial 3", top + 88, 1, 4, "blue", "early stopping")
    drawing.text(20, top + 136, "group B", "head")
    lane("trial 4", top + 144, 1, 6, "orange")
    lane("trial 5", top + 168, 1, 6, "orange")
    lane("trial 6", top + 192, 1, 3, "orange", "all its epochs")
    rung = left + epoch_width * 6
    for y, ends in ((top + 16, 12), (top + 64, 12), (top + 144, 10)):
        for epoch in range(7, ends + 1):
            drawing.box(left + epoch_width * (epoch - 1) + 1, y, epoch_width - 2, 20, "green", round=2)
    for y in (top + 40, top + 168):
        drawing.text(rung + 6, y + 15, "pruned", "small faint")
    drawing.parts.append(f'<path class="arrow" style="marker-end:none;stroke-width:2" d="M{rung} 60V{top + 222}"/>')
    drawing.text(rung, top + 240, "rung: all lanes wait, the pruner compares them", "small faint", "middle")
    drawing.text(rung + 6, top + 262, "survivors are packed again:", "small faint")
    drawing.box(rung + 166, top + 250, 22, 16, "green")
    drawing.text(rung + 196, top + 262, "group C", "small faint")
    drawing.text(
        20,
        top + 292,
        "In this process a segment is one epoch of a group: a thread per core trains them.",
        "small faint",
    )
    drawing.text(20, top + 310, "A worker trains several epochs, to the next rung or end of a lane.", "small faint")
    return drawing


DRAWINGS = {
    "run": draw_run,
    "program": draw_program,
    "structure": draw_structure,
    "layouts": draw_layouts,
    "generation": draw_generation,
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg())
