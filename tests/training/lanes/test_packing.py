from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.training.lanes.packing import CPU, LANE_COUNTS, Device, Job, device_here, halves, lane_count, pack

jobs = st.lists(
    st.builds(Job, number=st.integers(0, 999), key=st.sampled_from("abc"), epochs=st.integers(1, 20)),
    unique_by=lambda job: job.number,
    max_size=40,
)
limits = st.fixed_dictionaries({key: st.integers(1, 8) for key in "abc"})


@given(jobs, limits)
def test_every_trial_is_packed_once_with_trials_of_its_key_within_the_limit(jobs, limits):
    packed = pack(jobs, limits)
    keys = {job.number: job.key for job in jobs}
    assert sorted(number for group in packed for number in group) == sorted(keys)
    for group in packed:
        assert len({keys[number] for number in group}) == 1
        assert len(group) <= limits[keys[group[0]]]


@given(jobs, limits)
def test_no_key_has_more_programs_than_it_needs(jobs, limits):
    packed = pack(jobs, limits)
    keys = {job.number: job.key for job in jobs}
    for key, limit in limits.items():
        count = sum(value == key for value in keys.values())
        assert sum(keys[group[0]] == key for group in packed) == -(-count // limit)


@given(jobs, limits, st.randoms())
def test_packing_is_a_function_of_the_trials_whatever_their_order(jobs, limits, random):
    shuffled = random.sample(jobs, len(jobs))
    assert pack(jobs, limits) == pack(list(jobs), limits)
    assert set(pack(shuffled, limits)) == set(pack(jobs, limits))


@given(jobs, limits)
def test_those_that_train_longest_come_first(jobs, limits):
    epochs = {job.number: job.epochs for job in jobs}
    for group in pack(jobs, limits):
        lengths = [epochs[number] for number in group]
        assert lengths == sorted(lengths, reverse=True)


@given(st.lists(st.integers(0, 999), min_size=1, max_size=64, unique=True).map(tuple))
def test_a_program_is_parted_in_two_of_about_as_many_lanes(numbers):
    parts = halves(numbers)
    assert [number for part in parts for number in part] == list(numbers)
    assert len(parts) == min(len(numbers), 2)
    assert len(parts[0]) - len(parts[-1]) in (0, 1)


@given(st.integers(1, 200))
def test_a_program_has_one_of_few_lane_counts(lanes):
    assert lane_count(lanes) >= lanes
    assert lane_count(lanes) in LANE_COUNTS or lanes > max(LANE_COUNTS)


@pytest.mark.parametrize(
    ("lanes", "count"), [(1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (64, 64), (65, 65)]
)
def test_a_lane_count_is_the_next_power_of_two_up_to_64(lanes, count):
    assert lane_count(lanes) == count


def test_the_longest_of_a_key_share_its_first_program_those_of_equal_length_by_their_numbers():
    jobs = [Job(0, "a", 2), Job(1, "b", 9), Job(2, "a", 5), Job(3, "a", 2), Job(4, "a", 7), Job(5, "b", 9)]
    assert pack(jobs, {"a": 2, "b": 3}) == [(4, 2), (0, 3), (1, 5)]
    assert halves((4, 2, 0)) == [(4, 2), (0,)] and halves((4,)) == [(4,)]


def test_a_cpu_has_few_lanes_of_a_gigabyte():
    assert CPU.is_cpu and CPU.text == "cpu: up to 4 lanes a program, in 1 GiB"


@pytest.mark.parametrize(("memory", "bytes"), [({"bytes_limit": 80 << 30}, 40 << 30), (None, 1 << 30), ({}, 1 << 30)])
def test_an_accelerator_has_many_lanes_in_half_of_its_memory(monkeypatch, memory, bytes):
    """Or in a gigabyte, where JAX does not say how much it has. Of several devices the first trains."""
    first, second = (
        SimpleNamespace(platform="gpu", device_kind=kind, memory_stats=lambda: memory) for kind in ("H100", "A100")
    )
    monkeypatch.setattr("jax.local_devices", lambda: [first, second])
    device = device_here()
    assert device == Device("gpu", "H100", bytes, 64) and not device.is_cpu
