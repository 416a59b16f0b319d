"""Model files that are hostile are refused by Keras itself, so that nothing here looks into them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import pytest


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model's file."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def with_weight(parts: dict[str, bytes], fill: Callable[[h5py.Group], object]) -> dict[str, bytes]:
    """The parts of `saved` with another first array in its dense layer."""
    stream = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(stream, "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        fill(group)
    return {**parts, "model.weights.h5": stream.getvalue()}


def virtual_data(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 2))
    group.create_virtual_dataset("0", layout)


@pytest.mark.parametrize(
    ("fill", "match"),
    [
        (lambda group: group.create_dataset("0", (10**7, 10**3), "f4", chunks=True), "declares 37.25 GB"),
        (lambda group: group.__setitem__("0", h5py.SoftLink("/layers/dense/vars/1")), "SoftLink"),
        (lambda group: group.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/")), "ExternalLink"),
        (lambda group: group.create_dataset("0", (3, 2), "u1", external=[("/etc/passwd", 0, 6)]), "external Dataset"),
        (virtual_data, "virtual Dataset"),
    ],
)
def test_keras_refuses_weights_that_promise_too_much_or_lie_elsewhere(
    saved: Path, tmp_path: Path, fill: Callable[[h5py.Group], None], match: str
) -> None:
    path = archive(tmp_path / "bad.keras", with_weight(members(saved), fill))
    with pytest.raises(ValueError, match=match):
        keras.models.load_model(path)


def test_a_model_with_code_in_it_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "code.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)]).save(path)
    with pytest.raises(ValueError, match="Lambda"):
        keras.models.load_model(path)


def test_a_config_that_names_other_code_is_not_opened(saved: Path, tmp_path: Path) -> None:
    parts = members(saved)
    config = json.loads(parts["config.json"])
    config.update(module="os", class_name="system", config={"command": "touch pwned"})
    path = archive(tmp_path / "code.keras", {**parts, "config.json": json.dumps(config).encode()})
    code = "import sys, keras; keras.models.load_model(sys.argv[1])"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1 and "Error" in done.stderr
    assert not (tmp_path / "pwned").exists()
