"""Scores of rows on disk: whole or refused, of that trial or refused, deleted only where they were written here."""

import json
import stat
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_sweep.errors import RecordError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.saved import (
    BEST_WITH_VALUES,
    load_scores,
    load_scores_of,
    load_weights,
    load_weights_of,
    make_scores,
    numbered_files,
    save_scores,
    scores_file,
    scores_text,
    weights_file,
)
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.trial.result import Weights
from keras_sweep.trial.row_scores import Kind, arrays_digest, of_outputs, of_values
from tests.helpers.records import DENSE, SPEC, identical, new_study
from tests.helpers.results import result

arrays = hnp.arrays(
    st.one_of(hnp.floating_dtypes(endianness="="), hnp.integer_dtypes(endianness="="), st.just(np.dtype(bool))),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@settings(deadline=None)
@given(st.lists(arrays, max_size=4))
def test_any_arrays_come_back_bit_for_bit(some: list[npt.NDArray[np.generic]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights" / "000000.npz"
        write_arrays(path, tuple(some))
        assert identical(load_weights(path, arrays_digest(some)), tuple(some))


@pytest.mark.parametrize(
    "some",
    [
        (np.arange(6).astype(ml_dtypes.bfloat16).reshape(2, 3), np.ones(3, ml_dtypes.float8_e4m3fn)),
        (np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(10)[::2]),
    ],
    ids=["types that NumPy lacks", "column order and views"],
)
def test_unusual_arrays_come_back_too(tmp_path: Path, some: Weights) -> None:
    write_arrays(tmp_path / "000000.npz", some)
    assert identical(load_weights(tmp_path / "000000.npz", arrays_digest(some)), some)


def test_numpy_reads_the_file_without_pickle_and_it_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "weights" / "000000.npz"
    write_arrays(path, DENSE)
    with np.load(path, allow_pickle=False) as archive:
        assert identical(tuple(archive[name] for name in ("0", "1")), DENSE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


SMALL = (np.arange(5, dtype=np.float32), np.ones((2, 2)))
SCORES = of_values(np.ones(9))
SAVED: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "weights": (
        lambda path: write_arrays(path, SMALL),
        lambda path: [one.tobytes() for one in load_weights(path, arrays_digest(SMALL))],
    ),
    "scores": (
        lambda path: save_scores(path, SCORES),
        lambda path: load_scores(path, SCORES.digest).values().tolist(),
    ),
}


@pytest.mark.parametrize("what", SAVED)
def test_every_truncation_is_found_and_every_altered_byte_is_or_is_harmless(tmp_path: Path, what: str) -> None:
    path = tmp_path / "000000.npz"
    save, load = SAVED[what]
    save(path)
    whole, wanted = path.read_bytes(), load(path)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(RecordError, match=r"000000\.npz are damaged"):
            load(path)
    harmless = 0
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 0xFF]) + whole[index + 1 :])
        try:
            assert load(path) == wanted, index  # a date or another field that nobody reads
            harmless += 1
        except RecordError as error:
            assert "are damaged" in str(error)
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
    write_arrays(tmp_path / "000000.npz", (*DENSE[:1], DENSE[1] + 1))
    for digest in (arrays_digest(DENSE), None):
        with pytest.raises(RecordError, match="they are not those that the record tells of"):
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
        with pytest.raises(RecordError, match="are damaged"):
            load_weights(path, None)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(RecordError, match="are damaged"):
        load_weights(tmp_path / "text.npz", None)


@pytest.mark.parametrize(("name", "words"), [("000000.npz", "No such file"), (".", "Is a directory")])
def test_what_can_not_be_read_is_not_called_damaged(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(RecordError, match=words) as caught:
        load_weights(tmp_path / name, None)
    assert "damaged" not in str(caught.value)


def test_objects_are_not_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be numbers"):
        write_arrays(tmp_path / "000000.npz", (np.array([None]),))
    assert list(tmp_path.iterdir()) == []


RIGHT = of_values(np.random.default_rng(0).random(1000) < 0.85)


def kept_scores(folder: SweepFolder) -> set[int]:
    return set(numbered_files(folder.scores))


@pytest.mark.parametrize("scores", [RIGHT, of_values(np.arange(3) / 2), of_outputs(np.ones((3, 2)), np.zeros(3))])
def test_scores_come_back_bit_for_bit(tmp_path: Path, scores) -> None:
    save_scores(tmp_path / "000000.npz", scores)
    assert load_scores(tmp_path / "000000.npz", scores.digest).digest == scores.digest


def test_scores_on_disk_name_their_version_kind_and_rows() -> None:
    assert json.loads(scores_text(of_values(np.arange(3) / 2))) == {"version": 1, "kind": "values", "rows": 3}


def test_a_trial_and_a_finalist_of_the_same_number_have_files_of_their_own(tmp_path: Path) -> None:
    folder, plain = SweepFolder(tmp_path), result(0, scores_digest=RIGHT.digest, weights_digest=arrays_digest(DENSE))
    save_scores(scores_file(folder, 0), RIGHT)
    write_arrays(weights_file(folder, 0), DENSE)
    save_scores(tmp_path / "finalists" / "scores" / "000000.npz", SCORES)
    write_arrays(tmp_path / "finalists" / "weights" / "000000.npz", SMALL)
    finalist = replace(plain, suggestion=replace(plain.suggestion, recipe=3))
    finalist = replace(finalist, scores_digest=SCORES.digest, weights_digest=arrays_digest(SMALL))
    assert load_scores_of(folder, plain).rows == 1000
    assert load_scores_of(folder, finalist).rows == 9
    assert identical(load_weights_of(folder, plain), DENSE)
    assert identical(load_weights_of(folder, finalist), SMALL)


def test_another_trials_scores_and_no_scores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.npz"
    save_scores(path, of_values(np.ones(9)))
    with pytest.raises(RecordError, match="not those that the record tells of"):
        load_scores(path, RIGHT.digest)
    write_arrays(path, DENSE)
    with pytest.raises(RecordError, match="are damaged"):
        load_scores(path, RIGHT.digest)
    with pytest.raises(RecordError, match="No such file"):
        load_scores(tmp_path / "000001.npz", RIGHT.digest)


def test_bits_are_kept_of_all_that_can_win_and_losses_of_the_best(tmp_path: Path) -> None:
    values = [0.001 * (number * 7 % 40) for number in range(40)]
    best = sorted(range(40), key=lambda number: -values[number])[:BEST_WITH_VALUES]
    for name, scores, wanted in (("bits", RIGHT, set(range(40))), ("losses", of_values(np.arange(9.0)), set(best))):
        with new_study(tmp_path / name) as study:
            record = TrialRecord(study, SPEC.objective)
            for number, value in enumerate(values):
                light = record.add(result(number, value, scores=scores))
                assert light.scores is None and light.scores_digest == scores.digest
            assert kept_scores(study.folder) == wanted
            TrialRecord(study, SPEC.objective)  # as the next run begins
            assert kept_scores(study.folder) == wanted
            assert {one.scores_digest for one in study.results()} == {scores.digest}


def test_a_trial_that_waits_keeps_its_scores(tmp_path: Path) -> None:
    with new_study(tmp_path) as study:
        TrialRecord(study, SPEC.objective).wait(result(1, 0.9, scores=RIGHT, weights=DENSE))
        record = TrialRecord(study, SPEC.objective)
        waiting = record.waiting([1])[1]
        assert waiting.scores is not None and waiting.scores.digest == RIGHT.digest
        record.add(result(0, 0.8, scores=of_values(np.ones(9))))
        record.add(waiting)
        assert load_scores(scores_file(study.folder, 1), study.results()[1].scores_digest or "").rows == 1000


def test_a_trial_whose_scores_can_not_be_written_is_not_recorded(tmp_path: Path) -> None:
    with new_study(tmp_path) as study:
        record = TrialRecord(study, SPEC.objective)
        study.folder.scores.write_text("no folder")
        with pytest.raises(RecordError):
            record.add(result(0, scores=RIGHT))
        assert study.results() == []
        study.folder.scores.unlink()
        record.add(replace(result(0), scores=RIGHT))
        assert kept_scores(study.folder) == {0}


@pytest.mark.parametrize(
    ("kind", "rows", "arrays"),
    [
        ("bits", 9, (np.zeros(1, np.uint8),)),
        ("bits", 8, (np.zeros((1, 4), np.uint8),)),
        ("values", 3, (np.zeros(3, np.float64),)),
        ("values", 3, ()),
        ("outputs", 3, (np.zeros((3, 2), np.float32),)),
        ("votes", 3, (np.zeros(3, np.float32),)),
    ],
)
def test_what_is_not_of_its_form_is_refused(kind, rows, arrays):
    with pytest.raises(ValueError, match=r"scores of|is not a valid"):
        make_scores(kind, rows, arrays)


@pytest.mark.parametrize(
    ("kind", "rows", "arrays"),
    [
        ("bits", 9, (np.zeros(2, np.uint8),)),
        ("bits", 8, (np.zeros(1, np.uint8),)),
        ("values", 3, (np.zeros(3, np.float32),)),
        ("outputs", 3, (np.zeros((3, 2), np.float32), np.zeros(3, np.float32))),
        ("outputs", 3, (np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32), np.zeros(3, np.float32))),
    ],
)
def test_what_is_of_its_form_is_taken(kind, rows, arrays):
    scores = make_scores(kind, rows, arrays)
    assert (scores.kind, scores.rows, scores.arrays) == (Kind(kind), rows, arrays)


@pytest.mark.parametrize(
    ("kind", "arrays"),
    [
        ("values", (np.zeros((3, 1), np.float32),)),
        ("values", (np.zeros(2, np.float32),)),
        ("bits", (np.zeros(1, np.uint8), np.zeros(1, np.uint8))),
        ("outputs", (np.zeros((3, 2), np.float32), np.float32(1))),
        ("outputs", (np.zeros((3, 2), np.float32), np.zeros((2, 2), np.float32))),
        ("outputs", (np.zeros((3, 2), np.float32),) * 4),
        ("outputs", ()),
    ],
)
def test_arrays_of_another_number_shape_or_length_are_refused(kind, arrays):
    with pytest.raises(ValueError, match="scores of 3 rows as"):
        make_scores(kind, 3, arrays)
