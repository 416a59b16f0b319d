"""Scores of rows on disk: whole or refused, of that trial or refused, deleted only where they were written here."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record import saved
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.trial.row_scores import Kind, arrays_digest, from_outputs, from_values
from keras_sweep.trial.units import Units
from tests.helpers.records import DENSE, SPEC, identical, new_study
from tests.helpers.results import result

SMALL = (np.arange(5, dtype=np.float32), np.ones((2, 2)))
SCORES = from_values(np.ones(9))


@pytest.mark.parametrize("scores", [SCORES, replace(SCORES, units=Units.from_groups(np.arange(9) // 2))])
def test_every_truncation_is_found_and_every_altered_byte_is_or_is_harmless(tmp_path: Path, scores) -> None:
    path = tmp_path / "000000.npz"

    def load(path: Path) -> list[list[float]]:
        loaded = saved.load_scores(path, scores.digest)
        return [loaded.values().tolist(), [] if loaded.units is None else loaded.units.codes.tolist()]

    saved.save_scores(path, scores)
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
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=pickle)
    return stream.getvalue()


def test_another_trials_weights_are_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path / "000000.npz", (*DENSE[:1], DENSE[1] + 1))
    for digest in (arrays_digest(DENSE), None):
        with pytest.raises(RecordError, match=r"differ from those in the record|do not match the digest"):
            saved.load_weights(tmp_path / "000000.npz", digest)


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
            saved.load_weights(path, None)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(RecordError, match="are damaged"):
        saved.load_weights(tmp_path / "text.npz", None)


@pytest.mark.parametrize(
    ("name", "words"), [("000000.npz", "No such file"), pytest.param(".", "Is a directory", marks=pytest.mark.posix)]
)
def test_what_can_not_be_read_is_not_called_damaged(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(RecordError, match=words) as caught:
        saved.load_weights(tmp_path / name, None)
    assert "damaged" not in str(caught.value)


RIGHT = from_values(np.random.default_rng(0).random(1000) < 0.85)


def kept_scores(folder: SweepFolder) -> set[int]:
    return set(saved.list_numbered_files(folder.scores))


@pytest.mark.parametrize("scores", [RIGHT, from_values(np.arange(3) / 2), from_outputs(np.ones((3, 2)), np.zeros(3))])
def test_scores_come_back_bit_for_bit(tmp_path: Path, scores) -> None:
    saved.save_scores(tmp_path / "000000.npz", scores)
    assert saved.load_scores(tmp_path / "000000.npz", scores.digest).digest == scores.digest


def test_scores_on_disk_name_their_version_kind_and_rows() -> None:
    assert json.loads(saved.scores_text(from_values(np.arange(3) / 2))) == {"version": 1, "kind": "values", "rows": 3}


PATIENTS = Units.from_groups(np.array([7, 3, 7]), "patients")
BY_PATIENT = from_values(np.arange(3) / 2, PATIENTS)


@pytest.mark.parametrize(
    "scores",
    [BY_PATIENT, from_values(np.ones(3), PATIENTS), from_outputs(np.ones((3, 2)), np.zeros(3), units=PATIENTS)],
    ids=["values", "bits", "outputs"],
)
def test_scores_come_back_with_their_units(tmp_path: Path, scores) -> None:
    saved.save_scores(tmp_path / "000000.npz", scores)
    loaded = saved.load_scores(tmp_path / "000000.npz", scores.digest)
    assert (loaded.kind, loaded.rows, loaded.digest) == (scores.kind, 3, scores.digest)
    assert identical(loaded.arrays, scores.arrays)
    assert loaded.units.codes.tolist() == [1, 0, 1] and loaded.units.codes.dtype == np.int32
    assert loaded.units.describe() == PATIENTS.describe()


def test_scores_of_other_units_and_without_units_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.npz"
    others = [Units(np.array(codes, np.int32), 2, "patients") for codes in ([0, 1, 0], [0, 0, 1])]
    for scores in (*(replace(BY_PATIENT, units=units) for units in others), replace(BY_PATIENT, units=None)):
        saved.save_scores(path, scores)
        with pytest.raises(RecordError, match="differ from those in the record"):
            saved.load_scores(path, BY_PATIENT.digest)


@pytest.mark.parametrize(
    ("codes", "changes"),
    [
        (np.array([1, 0, 1], np.int64), {}),
        (np.array([1, 0, 1], np.float32), {}),
        (np.array([1, 0], np.int32), {}),
        (np.array([[1], [0], [1]], np.int32), {}),
        (np.array([-1, 0, 1], np.int32), {}),
        (np.array([1, 0, 2], np.int32), {}),
        (np.array([0, 0, 0], np.int32), {}),
        (PATIENTS.codes, {"count": 3}),
        (PATIENTS.codes, {"count": 2.0}),
        (PATIENTS.codes, {"count": None}),
        (PATIENTS.codes, {"count": 10**9}),
        (PATIENTS.codes, {"units": 7}),
        (PATIENTS.codes, {"units": ["patients"]}),
        (PATIENTS.codes, {"units": None}),  # an array without a meaning
        (None, {}),
    ],
)
def test_damaged_units_are_refused(tmp_path: Path, codes, changes) -> None:
    about = {**json.loads(saved.scores_text(BY_PATIENT)), **changes}
    arrays = (*BY_PATIENT.arrays, *([] if codes is None else [codes]))
    write_arrays(tmp_path / "000000.npz", arrays, text=json.dumps(about))
    with pytest.raises(RecordError, match=r"000000\.npz are damaged"):
        saved.load_scores(tmp_path / "000000.npz", arrays_digest(arrays, "values 3"))
    if codes is not None or changes:
        with pytest.raises(ValueError, match=r"do not fit the array of their numbers|must have \(type, length\)"):
            saved.make_scores("values", 3, arrays, about["units"], about["count"])


def test_a_trial_and_a_finalist_of_the_same_number_have_files_of_their_own(tmp_path: Path) -> None:
    folder, plain = SweepFolder(tmp_path), result(0, scores_digest=RIGHT.digest, weights_digest=arrays_digest(DENSE))
    saved.save_scores(saved.scores_file(folder, 0), RIGHT)
    write_arrays(saved.weights_file(folder, 0), DENSE)
    saved.save_scores(tmp_path / "finalists" / "scores" / "000000.npz", SCORES)
    write_arrays(tmp_path / "finalists" / "weights" / "000000.npz", SMALL)
    finalist = replace(plain, suggestion=replace(plain.suggestion, recipe=3))
    finalist = replace(finalist, scores_digest=SCORES.digest, weights_digest=arrays_digest(SMALL))
    assert saved.load_scores_of(folder, plain).rows == 1000
    assert saved.load_scores_of(folder, finalist).rows == 9
    assert identical(saved.load_weights_of(folder, plain), DENSE)
    assert identical(saved.load_weights_of(folder, finalist), SMALL)


def test_another_trials_scores_and_no_scores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.npz"
    saved.save_scores(path, from_values(np.ones(9)))
    with pytest.raises(RecordError, match=r"differ from those in the record|do not match the digest"):
        saved.load_scores(path, RIGHT.digest)
    write_arrays(path, DENSE)
    with pytest.raises(RecordError, match="are damaged"):
        saved.load_scores(path, RIGHT.digest)
    with pytest.raises(RecordError, match="No such file"):
        saved.load_scores(tmp_path / "000001.npz", RIGHT.digest)


def test_bits_are_kept_of_all_that_can_win_and_losses_of_the_best(tmp_path: Path) -> None:
    values = [0.001 * (number * 7 % 40) for number in range(40)]
    best = sorted(range(40), key=lambda number: -values[number])[: saved.BEST_WITH_VALUES]
    for name, scores, wanted in (("bits", RIGHT, set(range(40))), ("losses", from_values(np.arange(9.0)), set(best))):
        with new_study(tmp_path / name) as study:
            record = TrialRecord(study, SPEC.objective)
            for number, value in enumerate(values):
                light = record.add(result(number, value, scores=scores))
                assert light.scores is None and light.scores_digest == scores.digest
            assert kept_scores(study.folder) == wanted
            TrialRecord(study, SPEC.objective)  # as the next run begins
            assert kept_scores(study.folder) == wanted
            assert {one.scores_digest for one in study.results()} == {scores.digest}


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
        ("values", 3, (np.zeros((3, 1), np.float32),)),
        ("values", 3, (np.zeros(2, np.float32),)),
        ("bits", 3, (np.zeros(1, np.uint8), np.zeros(1, np.uint8))),
        ("outputs", 3, (np.zeros((3, 2), np.float32), np.float32(1))),
        ("outputs", 3, (np.zeros((3, 2), np.float32), np.zeros((2, 2), np.float32))),
        ("outputs", 3, (np.zeros((3, 2), np.float32),) * 4),
        ("outputs", 3, ()),
    ],
)
def test_what_is_not_of_its_form_is_refused(kind, rows, arrays):
    with pytest.raises(ValueError, match=r"must have \(type, length\)|is not a valid"):
        saved.make_scores(kind, rows, arrays)


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
    scores = saved.make_scores(kind, rows, arrays)
    assert (scores.kind, scores.rows, scores.arrays) == (Kind(kind), rows, arrays)
