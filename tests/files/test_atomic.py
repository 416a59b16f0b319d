import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files import atomic


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    atomic.write_text(path, "old")
    atomic.write_text(path, "größer")
    assert path.read_text(encoding="utf-8") == "größer"
    assert [each.name for each in tmp_path.iterdir()] == ["card.json"]
    with pytest.raises(RecordError, match=r"can't write .*card.json: No such file"):
        atomic.write_text(tmp_path / "no" / "card.json", "x")


@pytest.mark.posix
def test_a_file_is_its_owners_alone_unless_said_otherwise(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        atomic.write_bytes(tmp_path / "private", b"")
        atomic.write_bytes(tmp_path / "shared", b"", option="-o")
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"private": 0o600, "shared": 0o644}


def test_an_error_of_the_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic.replacing(path) as file:
        file.write(b"half")
        file.flush()
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_library_writes_to_a_path_of_the_same_suffix(tmp_path: Path) -> None:
    path = tmp_path / "best.keras"
    with atomic.replacing_path(path) as part:
        assert part.suffix == ".keras"
        assert part.parent == tmp_path
        part.write_bytes(b"model")
        assert not path.exists()
    assert path.read_bytes() == b"model"


@pytest.mark.parametrize(("option", "place"), [({}, "--sweeps-dir"), ({"option": "-o"}, "-o")])
def test_a_library_that_the_disk_fails_is_told_with_its_path_and_what_names_another(
    tmp_path: Path, option: dict[str, str], place: str
) -> None:
    path = tmp_path / "best.keras"
    with pytest.raises(RecordError) as full, atomic.replacing_path(path, **option) as part:
        part.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "Can't write data (file write failed: time = ...)")
    assert full.value.message == f"can't write {path}: No space left on device"
    with pytest.raises(RecordError) as refused, atomic.replacing_path(path, **option):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    check = "Check the owner and the permissions of the folder"
    assert refused.value.hint == f"{check}, or choose another folder with `{place}`"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.posix
def test_a_folder_that_takes_no_file_is_told_by_the_file_that_it_was_for() -> None:
    path = Path("/proc/self/model.onnx")
    told = pytest.raises(RecordError, match=r"can't write /proc/self/model.onnx: ")
    with told, atomic.replacing_path(path), atomic.folder_beside(path):
        raise AssertionError("it was made")


@pytest.mark.posix
def test_a_folder_beside_a_file_is_gone_at_the_end_and_those_of_dead_processes_are(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path, dead, alive = tmp_path / "model.onnx", ended.pid, os.getppid()
    (tmp_path / f".model.work.{dead}.part").mkdir()
    (tmp_path / f".model.work.{dead}.part" / "rows.npz").touch()
    for name in (f".model.{dead}.part.onnx", f".model.onnx.card.{dead}.part.json"):
        (tmp_path / name).touch()
    kept = [f".model.{alive}.part.onnx", f".other.{dead}.part.onnx", ".model.notes", f".model.{10**30}.part"]
    for name in kept:
        (tmp_path / name).touch()
    atomic.clear_parts(tmp_path, of=path)
    with atomic.folder_beside(path) as name:
        room = Path(name)
        assert (stat.S_IMODE(room.stat().st_mode), list(room.iterdir())) == (0o700, [])
        (room / "rows.npz").touch()
        assert room.name.endswith(f".{os.getpid()}.part")  # by which it is cleared where this process is killed
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(kept)


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "card.json").symlink_to(tmp_path / "target")
    atomic.write_text(tmp_path / "card.json", "new")
    assert (tmp_path / "target").read_text() == "precious"
    assert not (tmp_path / "card.json").is_symlink()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.posix
def test_is_for_the_user_alone(cache: Path) -> None:
    folder = atomic.user_cache("a", "b")
    assert folder == cache / "a" / "b"
    assert [mode(each) for each in (cache, cache / "a", folder)] == [0o700] * 3


@pytest.mark.posix
@pytest.mark.parametrize("shared", [0o755, 0o1777])
def test_a_folder_that_was_there_before_keeps_its_mode(cache: Path, shared: int) -> None:
    cache.mkdir()
    cache.chmod(shared)
    folder = atomic.user_cache("a")
    assert (mode(cache), mode(folder)) == (shared, 0o700)


@pytest.mark.posix
def test_nothing_is_kept_where_others_may_write(cache: Path, tmp_path: Path) -> None:
    atomic.user_cache("a").chmod(0o777)
    with pytest.raises(PermissionError, match="others can write to it"):
        atomic.user_cache("a", "b")
    assert mode(cache / "a") == 0o777
    (tmp_path / "mine").mkdir(mode=0o755)
    (cache / "linked").symlink_to(tmp_path / "mine")
    with pytest.raises(NotADirectoryError):
        atomic.user_cache("linked")
    assert mode(tmp_path / "mine") == 0o755


MARK = "made by sweep"


def test_a_folder_of_another_program_is_not_written_to(tmp_path: Path) -> None:
    ours, theirs, empty = tmp_path / "ours", tmp_path / "theirs", tmp_path / "empty"
    for place in (ours, theirs, empty):
        place.mkdir()
    (ours / "index.html").write_text(f"<!-- {MARK} -->")
    (theirs / "index.html").write_text("<html>")
    for place in (ours, empty, tmp_path / "none"):
        atomic.check_place(place, "index.html", MARK)
    with pytest.raises(UsageError, match=r"theirs exists, but `sweep` did not write it"):
        atomic.check_place(theirs, "index.html", MARK)
    (tmp_path / "link").symlink_to(ours)
    for place in (tmp_path / "link", theirs / "index.html"):
        with pytest.raises(UsageError, match="is a file or a link, not a folder"):
            atomic.check_place(place, "index.html", MARK)


def test_a_file_of_another_program_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "ours.html").write_text(MARK)
    (tmp_path / "theirs.html").write_text("x")
    atomic.check_file(tmp_path / "ours.html", MARK, "-o")
    atomic.check_file(tmp_path / "new.html", MARK, "-o")
    with pytest.raises(UsageError, match=r"theirs\.html exists, but `sweep` did not write it"):
        atomic.check_file(tmp_path / "theirs.html", MARK, "-o")
    with pytest.raises(UsageError, match="there is no folder"):
        atomic.check_file(tmp_path / "none" / "new.html", MARK, "-o")


def test_a_mark_counts_near_the_beginning_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for before, bears in ((0, True), (2000 - len(MARK), True), (2001 - len(MARK), False)):
        path.write_text("x" * before + MARK)
        assert atomic.has_mark(path, MARK) is bears
    assert not atomic.has_mark(tmp_path / "none.html", MARK)


def test_a_folder_appears_with_all_its_files_and_keeps_others(tmp_path: Path) -> None:
    place = tmp_path / "reports" / "dense"
    atomic.write_folder(place, {"a.md": "1", "b.md": "2"})
    (place / "mine.txt").write_text("kept")
    atomic.write_folder(place, {"b.md": "3"})
    assert {path.name: path.read_text() for path in place.iterdir()} == {"a.md": "1", "b.md": "3", "mine.txt": "kept"}
    assert [path.name for path in place.parent.iterdir()] == ["dense"]
