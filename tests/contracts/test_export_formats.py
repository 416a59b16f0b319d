"""What every export format promises: it writes one file with its suffix, over an older one too."""

from pathlib import Path

import keras
import pytest

from keras_sweep.errors import UsageError
from keras_sweep.sweep.export import EXPORT_FORMATS, check_target


@pytest.mark.parametrize("name", EXPORT_FORMATS)
class TestEveryExportFormat:
    def test_writes_a_file_and_nothing_beside_it(self, name: str, tmp_path: Path) -> None:
        form = EXPORT_FORMATS[name]
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        path = tmp_path / f"model{form.suffix}"
        for _ in ("new", "over the older one"):
            check_target(path, form)
            form.write(model, path)
            assert [one.name for one in tmp_path.iterdir()] == [path.name] and path.stat().st_size > 0

    def test_refuses_other_suffixes_and_folders(self, name: str, tmp_path: Path) -> None:
        form = EXPORT_FORMATS[name]
        (tmp_path / f"folder{form.suffix}").mkdir()
        for wrong in ("model.other", f"folder{form.suffix}", f"nowhere/model{form.suffix}"):
            with pytest.raises(UsageError):
                check_target(tmp_path / wrong, form)
