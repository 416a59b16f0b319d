"""Model files that are damaged or hostile are refused, by the check or by Keras itself."""

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
import numpy as np
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.files import model_file
from keras_sweep.files.model_file import DamagedModel, check_keras_file, file_digest

PARTS = ("metadata.json", "config.json", "model.weights.h5")


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


def archive(path: Path, parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
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


def test_a_sound_file_is_opened(saved: Path) -> None:
    check_keras_file(saved)
    x = np.ones((1, 3), np.float32)
    assert keras.models.load_model(saved)(x).shape == (1, 2)


def test_a_model_with_a_vocabulary_is_opened(tmp_path: Path) -> None:
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"])
    model = keras.Sequential([keras.Input((1,), dtype="string"), lookup])
    model.save(tmp_path / "words.keras")
    check_keras_file(tmp_path / "words.keras")


def test_every_truncation_and_every_altered_block_is_found(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    path = tmp_path / "model.keras"
    for size in range(0, len(whole), max(len(whole) // 60, 1)):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedModel, match=r"model\.keras is damaged"):
            check_keras_file(path)
    held = sum(len(data) for data in members(saved).values())
    found = 0
    for start in range(0, len(whole), 97):
        altered = bytearray(whole)
        altered[start] ^= 0xFF
        path.write_bytes(altered)
        assert file_digest(path) != file_digest(saved)
        try:
            check_keras_file(path)
        except DamagedModel:
            found += 1
    assert found > 0.9 * held / 97  # the rest are dates and names of the archive itself


@pytest.mark.parametrize(
    ("alter", "match"),
    [
        (lambda parts: parts.pop("config.json"), "holds no config.json"),
        (lambda parts: parts.update({"evil.py": b"x"}), "holds 'evil.py'"),
        (lambda parts: parts.update({"assets/../../x": b"x"}), "which no model file does"),
        (lambda parts: parts.update({"/etc/passwd": b"x"}), "which no model file does"),
        (lambda parts: parts.update({"assets/.hidden": b"x"}), "which no model file does"),
        (lambda parts: parts.update({"config.json": b"[]"}), "no JSON object"),
        (lambda parts: parts.update({"config.json": b"[" * 100_000}), "damaged"),
    ],
)
def test_what_no_model_file_holds_is_refused(
    saved: Path, tmp_path: Path, alter: Callable[[dict[str, bytes]], object], match: str
) -> None:
    parts = members(saved)
    alter(parts)
    with pytest.raises(DamagedModel, match=match):
        check_keras_file(archive(tmp_path / "bad.keras", parts))


def test_two_members_of_one_name_are_refused(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.keras"
    path.write_bytes(saved.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as file:
        file.writestr("config.json", "{}")
    with pytest.raises(DamagedModel, match="two members of one name"):
        check_keras_file(path)


def test_what_would_grow_without_measure_is_refused(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = {**members(saved), "assets/zeros": bytes(10_000_000)}
    with pytest.raises(DamagedModel, match="would grow"):
        check_keras_file(archive(tmp_path / "bomb.keras", bomb, zipfile.ZIP_DEFLATED))
    with pytest.raises(DamagedModel, match="bytes"):
        monkeypatch.setattr(model_file, "MOST_TEXT", 1000)
        check_keras_file(archive(tmp_path / "long.keras", bomb))
    monkeypatch.setattr(model_file, "MOST_BYTES", 1000)
    with pytest.raises(DamagedModel, match="larger than any model"):
        check_keras_file(saved)


def huge(group: h5py.Group) -> None:
    group.create_dataset("0", (10**7, 10**3), "f4", chunks=True)


def soft_link(group: h5py.Group) -> None:
    group["0"] = h5py.SoftLink("/layers/dense/vars/1")


def external_link(group: h5py.Group) -> None:
    group["0"] = h5py.ExternalLink("/etc/passwd", "/")


def external_data(group: h5py.Group) -> None:
    group.create_dataset("0", (3, 2), "u1", external=[("/etc/passwd", 0, 6)])


def virtual_data(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 2))
    group.create_virtual_dataset("0", layout)


@pytest.mark.parametrize(
    ("fill", "match"),
    [
        (huge, "declares 37.25 GB"),
        (soft_link, "SoftLink"),
        (external_link, "ExternalLink"),
        (external_data, "external Dataset"),
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


def test_a_missing_file_is_not_a_damaged_one(tmp_path: Path) -> None:
    for path in (tmp_path / "no.keras", tmp_path):
        with pytest.raises(RecordError) as caught:
            check_keras_file(path)
        assert not isinstance(caught.value, DamagedModel)
