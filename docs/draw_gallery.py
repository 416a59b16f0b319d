"""Draw the pictures of the gallery: `python docs/draw_gallery.py` writes docs/pictures/gallery-*.png.

It runs the commands of docs/how-to/gallery.md in an empty folder and shows parts of their reports in headless Chromium.
`--folder FOLDER` takes a folder where they ran before. A picture `gallery-NAME-PART.png` has the section `PART` of the
report of the sweep NAME.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "gallery.md"
WIDTH, HEIGHT, SCALE = 1120, 1500, 0.8  # pixels of the window, and how it is scaled
COLORS = 64  # of a PNG


def main() -> None:
    """Run the commands, unless they ran before, and draw each picture of the page."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the gallery.")
    parser.add_argument("--folder", type=Path, help="where the commands ran before")
    before = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as empty:
        folder = before or Path(empty)
        if not before:
            run_commands(folder)
        for name, part in re.findall(r"pictures/gallery-([\w-]+)-(\w+)\.png", PAGE.read_text()):
            file = ROOT / "docs" / "pictures" / f"gallery-{name}-{part}.png"
            draw(folder / "reports" / name / "index.html", part, file, Path(empty))


def run_commands(folder: Path) -> None:
    """Run the commands of the page's `sh` blocks."""
    shutil.copytree(ROOT / "search_spaces", folder / "search_spaces")
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            subprocess.run([sys.executable, "-m", "keras_sweep", *shlex.split(line)[1:]], cwd=folder, check=True)


def draw(report: Path, part: str, file: Path, scratch: Path) -> None:
    """Write a section of a report as a small PNG."""
    hidden = f"<style>body > *, main > * {{display: none}} main, #{part} {{display: block}}</style></head>"
    page = scratch / "part.html"
    text = re.sub(r"<meta http-equiv=[^>]*>", "", report.read_text())  # the policy allows no further style
    page.write_text(text.replace("</head>", hidden, 1))
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    words += ["--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}", f"--force-device-scale-factor={SCALE}"]
    words += [f"--user-data-dir={scratch / 'chromium'}", f"--screenshot={file.resolve()}", page.resolve().as_uri()]
    subprocess.run(words, check=True, capture_output=True)
    image = Image.open(file).convert("RGB")
    empty = Image.new("RGB", image.size, image.getpixel((1, image.height - 1)))
    _, top, _, bottom = ImageChops.difference(image, empty).getbbox() or (0, 0, *image.size)
    image = image.crop((0, max(top - 12, 0), image.width, min(bottom + 12, image.height)))
    image.quantize(COLORS, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    main()
