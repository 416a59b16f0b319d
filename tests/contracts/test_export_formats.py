"""What every export format promises: a card, and a file that computes from raw rows what the recorded model does."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.command import python
from tests.helpers.ran import ran_as
from tests.helpers.space_texts import small

from keras_sweep import Sweep
from keras_sweep.errors import UsageError
from keras_sweep.sweep.export import EXPORT_FORMATS, check_target

# Plain names, a name that no graph of TensorFlow takes, texts and gaps.
TABLE = "height (cm),weight,colour of eyes,kind\n" + "".join(
    f"{160 + row % 30},{'' if row % 7 == 0 else row % 11},{('blue', 'green', 'bräunlich')[row % 3]},{'ab'[row % 2]}\n"
    for row in range(120)
)
SPACE = small(data="{csv: rows.csv, target: kind}", model="dense", search="{sampler: random, trials: 1, seed: 42}")
OPEN = {
    "keras": "import keras\nopened = keras.models.load_model(path)",
    "onnx": "import onnxruntime\nsession = OPEN\nopened = lambda rows: session.run(None, rows)[0]",
    "savedmodel": "import tensorflow\nmodel = tensorflow.saved_model.load(path)\nopened = model.serve",
    "litert": "import ai_edge_litert.interpreter\nrun = OPEN\nopened = lambda rows: run(**rows)['output_0']",
}
COMPUTE = """
import json, sys
import numpy as np
path, answer = sys.argv[1:]
card = json.load(open(path.replace(".keras", "") + ".card.json"))
known = {"path": "rows.csv"}
exec(card["data"]["inputs"], known)
names = card.get("format", {}).get("inputs")
rows = {names[name] if names else name: array for name, array in known["x"].items()}
%s
np.save(answer, np.asarray(opened(rows)))
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("table")
    (folder / "rows.csv").write_text(TABLE)
    return ran_as(folder, "table", SPACE)


# Two of these import TensorFlow twice, which tests/sweep/test_convert.py computes by, too; the third traces for long.
SLOW = ("savedmodel", "litert", "onnx")


class TestEveryExportFormat:
    @pytest.mark.parametrize(
        "name", [pytest.param(one, marks=pytest.mark.soak if one in SLOW else ()) for one in EXPORT_FORMATS]
    )
    def test_writes_a_model_of_raw_rows_and_its_card_and_nothing_beside_them(
        self, name: str, swept: Sweep, tmp_path: Path
    ) -> None:
        path = tmp_path / f"model{EXPORT_FORMATS[name].suffix}"
        assert swept.export(path, format=name) == path
        card_file = tmp_path / ("model.card.json" if name == "keras" else f"{path.name}.card.json")
        assert sorted(one.name for one in tmp_path.iterdir()) == sorted([path.name, card_file.name])
        card = json.loads(card_file.read_text())
        if name != "keras":
            assert card["format"]["name"] == name
            assert card["format"]["rows"] == 20 and card["format"]["greatest_difference"] <= 1e-5
        code = COMPUTE % OPEN[name].replace("OPEN", card["open"])
        python(code, path, tmp_path / "outputs.npy", cwd=swept.path.parents[1]).ok()
        held, outputs = swept.validation(), np.load(tmp_path / "outputs.npy")
        expected = swept.load_model().predict(held.x, verbose=0)
        apart = np.abs(outputs[:, None] - expected[None]).max(axis=2).min(axis=0)  # the file has the other rows, too
        assert outputs.shape == (120, 2) and apart.max() < 1e-5

    @pytest.mark.parametrize("name", EXPORT_FORMATS)
    def test_refuses_other_suffixes_and_folders(self, name: str, tmp_path: Path) -> None:
        form = EXPORT_FORMATS[name]
        (tmp_path / f"folder{form.suffix}").mkdir()
        (tmp_path / f"folder{form.suffix}" / "file").touch()
        other = "folder.savedmodel/file" if form.folder else "model.other"
        for wrong in (other, f"folder{form.suffix}", f"nowhere/model{form.suffix}"):
            with pytest.raises(UsageError):
                check_target(tmp_path / wrong, form)
