"""What a sweep is run with: pictures are read while Keras is imported."""

from pathlib import Path

from keras_sweep.data.image_sets import FASHION_MNIST
from tests.helpers.command import sweep
from tests.helpers.space_texts import DENSE


def test_pictures_that_are_damaged_end_the_command_though_keras_is_still_imported(tmp_path: Path) -> None:
    (tmp_path / "dense.yaml").write_text(DENSE)
    for file in FASHION_MNIST.files:
        (tmp_path / file).write_bytes(b"no picture")
    ended = sweep("run", "dense.yaml", cwd=tmp_path, new=True, SWEEP_DATA_DIR=str(tmp_path))
    assert (ended.code, ended.out) == (2, "")
    assert f"{tmp_path / FASHION_MNIST.images.file} can't be read" in ended.err
    assert "Remove it or replace it" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "sweeps").exists()


def test_pictures_read_beside_the_import_are_those_that_any_command_reads(tmp_path: Path) -> None:
    (tmp_path / "dense.yaml").write_text(DENSE.replace("trials: 64", "trials: 1"))
    sweep("run", "dense.yaml", "--quiet", cwd=tmp_path, new=True).ok()
    sweep("verify", "sweeps/dense/best.keras", cwd=tmp_path).ok()  # which compares the fingerprints of the rows
