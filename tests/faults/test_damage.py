"""Files of a finished sweep are damaged: each is named and moved aside, and what can be rebuilt is, bit for bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keras_sweep.record.weights import kept, weights_file
from tests.faults.sweeps import Driver, folder_of, looks, outcome

SPACE = "plain"
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "garbage": lambda data: b"\x8f\x00rubbish\xff" * 40,
}
damaged = pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with Driver() as started:
        yield started


@pytest.fixture(scope="module")
def whole(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert driver.run(folder, SPACE).code == 0
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path / "run"


def spoil(path: Path, damage: Callable[[bytes], bytes]) -> bytes:
    spoilt = damage(path.read_bytes())
    path.write_bytes(spoilt)
    return spoilt


@damaged
@pytest.mark.parametrize("name", ["card.json", "best.keras", "space.yaml"])
def test_a_file_beside_the_record_is_moved_aside_and_written_again(
    driver: Driver, whole: Path, folder: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    sweep = folder_of(folder, SPACE)
    spoilt = spoil(sweep.path / name, damage)
    ended = driver.run(folder, SPACE)
    assert ended.code == 0, ended.err
    assert name in ended.err
    assert f"{name}~1" in ended.err
    aside = sweep.path / f"{name}~1"
    assert aside.read_bytes() == spoilt
    aside.unlink()
    assert outcome(sweep) == outcome(folder_of(whole, SPACE))
    assert looks(sweep) == 1


@damaged
def test_the_winners_weights_are_trained_again(
    driver: Driver, whole: Path, folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    sweep = folder_of(folder, SPACE)
    winner = outcome(sweep)["card"]["trial"]
    path = weights_file(sweep, winner)
    spoilt = spoil(path, damage)
    sweep.best.unlink()
    ended = driver.run(folder, SPACE)
    assert ended.code == 0, ended.err
    assert f"{path.name}~1" in ended.err
    aside = path.with_name(f"{path.name}~1")
    assert aside.read_bytes() == spoilt
    aside.unlink()
    assert winner in kept(sweep)
    assert outcome(sweep) == outcome(folder_of(whole, SPACE))


@damaged
@pytest.mark.parametrize("more", [(), ("--more", "2")], ids=["again", "more"])
def test_a_damaged_record_is_refused_and_never_overwritten(
    driver: Driver, folder: Path, more: tuple[str, ...], damage: Callable[[bytes], bytes]
) -> None:
    sweep = folder_of(folder, SPACE)
    spoilt = spoil(sweep.study, damage)
    ended = driver.run(folder, SPACE, *more)
    assert ended.code == 1
    assert "study.db" in ended.err
    assert "Traceback" not in ended.err
    assert sweep.study.read_bytes() == spoilt
    assert driver.run(folder, SPACE, "--fresh").code == 0
    assert (sweep.path.parent / f"{SPACE}~1" / "study.db").read_bytes() == spoilt
