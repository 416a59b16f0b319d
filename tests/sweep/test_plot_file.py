from pathlib import Path

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.sweep.plot_file import check_plot_path


@pytest.mark.parametrize(
    ("name", "said"), [("x.png", "writes .svg, but got 'x.png'"), ("no/x.svg", "there is no folder")]
)
def test_a_path_that_takes_no_drawing_is_refused(tmp_path: Path, name, said):
    with pytest.raises(UsageError, match=said):
        check_plot_path(tmp_path / name)
