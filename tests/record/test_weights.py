import stat
import tempfile
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_sweep.errors import RecordError
from keras_sweep.record.saved import (
    DamagedWeights,
    delete_others,
    load_weights,
    save_weights,
    saved_trials,
    weights_file,
)
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.trial.row_scores import arrays_digest
from tests.helpers.records import DENSE, identical

arrays = hnp.arrays(
    st.one_of(hnp.floating_dtypes(endianness="="), hnp.integer_dtypes(endianness="="), st.just(np.dtype(bool))),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@settings(deadline=None)
@given(st.lists(arrays, max_size=4))
def test_any_arrays_come_back_bit_for_bit(some: list[npt.NDArray[np.generic]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights" / "000000.npz"
        save_weights(path, tuple(some))
        assert identical(load_weights(path, arrays_digest(some)), tuple(some))


def test_types_that_numpy_lacks_come_back_too(tmp_path: Path) -> None:
    some = (np.arange(6).astype(ml_dtypes.bfloat16).reshape(2, 3), np.ones(3, ml_dtypes.float8_e4m3fn))
    save_weights(tmp_path / "000000.npz", some)
    assert identical(load_weights(tmp_path / "000000.npz", arrays_digest(some)), some)


def test_column_order_and_views_come_back_equal(tmp_path: Path) -> None:
    some = (np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(10)[::2])
    save_weights(tmp_path / "000000.npz", some)
    for read, one in zip(load_weights(tmp_path / "000000.npz", arrays_digest(some)), some, strict=True):
        np.testing.assert_array_equal(read, one)


def test_numpy_reads_the_file_without_pickle(tmp_path: Path) -> None:
    save_weights(tmp_path / "000000.npz", DENSE)
    with np.load(tmp_path / "000000.npz", allow_pickle=False) as archive:
        assert identical(tuple(archive[name] for name in ("0", "1")), DENSE)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "weights" / "000000.npz"
    save_weights(path, DENSE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = tmp_path / "000000.npz"
    save_weights(path, DENSE)
    whole = path.read_bytes()
    for size in [*range(0, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedWeights, match=r"000000\.npz are damaged"):
            load_weights(path, arrays_digest(DENSE))


def test_every_altered_byte_is_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "000000.npz"
    small = (np.arange(5, dtype=np.float32), np.ones((2, 2)))
    save_weights(path, small)
    whole = bytearray(path.read_bytes())
    harmless = 0
    for index in range(len(whole)):
        altered = bytearray(whole)
        altered[index] ^= 0xFF
        path.write_bytes(altered)
        try:
            read = load_weights(path, arrays_digest(small))
            assert identical(read, small), index  # a date or another field that nobody reads
            harmless += 1
        except DamagedWeights:
            pass
    assert harmless < len(whole) / 2


def _archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.comment = f"keras-sweep weights: {len(members)} arrays".encode()
        for name, data in members.items():
            archive.writestr(name, data)


def _npy(array: npt.NDArray[np.generic], *, pickle: bool = False) -> bytes:
    import io

    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=pickle)
    return stream.getvalue()


def test_another_trials_weights_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "000000.npz", (*DENSE[:1], DENSE[1] + 1))
    for digest in (arrays_digest(DENSE), None):
        with pytest.raises(DamagedWeights, match="they are not those that the record tells of"):
            load_weights(tmp_path / "000000.npz", digest)


def test_what_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    good = _npy(np.zeros(3))
    huge = _npy(np.zeros(3)).replace(b"(3,), }", b"(999999999999,), }".ljust(7))
    bad: list[tuple[dict[str, bytes], int]] = [
        ({"0.npy": _npy(np.array([print], dtype=object), pickle=True)}, zipfile.ZIP_STORED),
        ({"0.npy": good}, zipfile.ZIP_DEFLATED),
        ({"1.npy": good}, zipfile.ZIP_STORED),
        ({"0.npy": good, "2.npy": good}, zipfile.ZIP_STORED),
        ({"../0.npy": good}, zipfile.ZIP_STORED),
        ({"0.npy": good, "evil.py": b"x"}, zipfile.ZIP_STORED),
        ({"0.npy": huge}, zipfile.ZIP_STORED),
        ({"0.npy": b"\x93NUMPY\x01\x00\x05\x00{...}"}, zipfile.ZIP_STORED),
        ({"0.nosuchtype.npy": good}, zipfile.ZIP_STORED),
        ({"0.finfo.npy": good}, zipfile.ZIP_STORED),
    ]
    for number, (members, compression) in enumerate(bad):
        path = tmp_path / f"{number:06d}.npz"
        _archive(path, members, compression)
        with pytest.raises(DamagedWeights):
            load_weights(path, None)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DamagedWeights):
        load_weights(tmp_path / "text.npz", None)


def test_a_missing_file_is_not_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="No such file") as caught:
        load_weights(tmp_path / "000000.npz", None)
    assert not isinstance(caught.value, DamagedWeights)


def test_objects_are_not_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be numbers"):
        save_weights(tmp_path / "000000.npz", (np.array([None]),))
    assert list(tmp_path.iterdir()) == []


def test_only_the_wanted_are_kept(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "dense")
    folder.make()
    delete_others(folder.weights, [1])
    assert saved_trials(folder) == []
    for number in (0, 3, 12, 1_234_567):
        save_weights(weights_file(folder, number), DENSE)
    (folder.weights / "notes.txt").write_text("mine")
    (folder.weights / ".000009.5.part.npz").write_bytes(b"half")
    delete_others(folder.weights, [3, 1_234_567, 99])
    assert saved_trials(folder) == [3, 1_234_567]
    assert sorted(path.name for path in folder.weights.iterdir()) == ["000003.npz", "1234567.npz", "notes.txt"]
