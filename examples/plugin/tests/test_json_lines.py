"""The source keeps the contract of sources."""

import json
from pathlib import Path

import pytest

from keras_sweep.space.data_spec import DataSpec, TableOptions
from keras_sweep.testing import SourceContract


class TestJsonLines(SourceContract):
    data = DataSpec("json_lines", "rows.jsonl", "price", options=TableOptions())
    missing = "nothing"

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        lines = [json.dumps({"rooms": row % 4, "garden": row % 2 == 0, "price": 100.0 + row}) for row in range(12)]
        (tmp_path / "rows.jsonl").write_text("\n".join(lines))
        return tmp_path
