import time

from keras_sweep.process.wall_time import WallTime

ROUNDING = 1e-6


def passed(wall):
    return time.perf_counter() - wall.started


def test_parts_and_the_rest_add_up_to_the_wall_time():
    wall = WallTime()
    with wall.part("data"):
        time.sleep(0.01)
    before = passed(wall)
    parts = wall.total()
    assert parts["data"] >= 0.01 and list(parts)[-1] == "other"
    assert before - ROUNDING <= sum(parts.values()) <= passed(wall) + ROUNDING


def test_a_part_inside_another_is_counted_as_the_inner_one():
    wall = WallTime()
    with wall.part("data"), wall.part("import"):
        time.sleep(0.01)
    assert wall.parts["import"] >= 0.01
    assert wall.parts["import"] + wall.parts["data"] <= passed(wall) + ROUNDING


def test_what_came_before_can_be_named():
    wall = WallTime(before=0.5)
    wall.add("start", wall.total()["other"])
    assert wall.parts["start"] >= 0.5
    assert wall.total()["other"] + wall.parts["start"] <= passed(wall) + ROUNDING


def test_a_part_is_split_as_what_is_in_it_and_never_into_more_than_there_was():
    wall = WallTime()
    wall.add("train", 10.0)
    wall.split("train", {"compile": 6.0, "train": 3.0}, rest="report")
    assert wall.parts == {"compile": 6.0, "train": 3.0, "report": 1.0}
    wall.split("train", {"compile": 3.0, "train": 3.0}, rest="report")
    assert wall.parts == {"compile": 7.5, "train": 1.5, "report": 1.0}


def test_a_part_that_took_no_time_is_split_into_parts_of_none():
    wall = WallTime()
    wall.split("train", {"compile": 6.0}, rest="report")
    assert wall.parts == {"compile": 0.0, "report": 0.0}
    wall.add("train", 2.0)
    wall.split("train", {"compile": 0.0}, rest="report")
    assert wall.parts == {"compile": 0.0, "report": 2.0}


def test_a_phase_is_told_when_it_begins():
    wall, told = WallTime(), []
    wall.tell = told.append
    with wall.phase("test"):
        assert told == ["test"]
    assert "test" in wall.parts
