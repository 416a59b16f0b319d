from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.training.lanes.packing import CPU, Device, Job, find_device, pack, round_lane_count, split_in_half

jobs = st.lists(
    st.builds(Job, number=st.integers(0, 999), key=st.sampled_from("abc"), epochs=st.integers(1, 20)),
    unique_by=lambda job: job.number,
    max_size=40,
)
limits = st.fixed_dictionaries({key: st.integers(1, 8) for key in "abc"})


@given(jobs, limits, st.randoms())
def test_packing_is_a_function_of_the_trials_in_as_few_programs_as_each_key_needs(jobs, limits, random):
    packed, of = pack(jobs, limits), {job.number: job for job in jobs}
    assert set(pack(random.sample(jobs, len(jobs)), limits)) == set(packed)  # whatever their order
    assert sorted(number for group in packed for number in group) == sorted(of)
    for group in packed:
        (key,) = {of[number].key for number in group}
        lengths = [of[number].epochs for number in group]
        assert len(group) <= limits[key] and lengths == sorted(lengths, reverse=True)
    for key, limit in limits.items():
        count = sum(job.key == key for job in jobs)
        assert sum(of[group[0]].key == key for group in packed) == -(-count // limit)


@pytest.mark.parametrize(
    ("lanes", "count"), [(1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (64, 64), (65, 65)]
)
def test_a_lane_count_is_the_next_power_of_two_up_to_64(lanes, count):
    assert round_lane_count(lanes) == count


def test_the_longest_of_a_key_share_its_first_program_those_of_equal_length_by_their_numbers():
    jobs = [Job(0, "a", 2), Job(1, "b", 9), Job(2, "a", 5), Job(3, "a", 2), Job(4, "a", 7), Job(5, "b", 9)]
    assert pack(jobs, {"a": 2, "b": 3}) == [(4, 2), (0, 3), (1, 5)]
    assert split_in_half((4, 2, 0)) == [(4, 2), (0,)] and split_in_half((4,)) == [(4,)]


@pytest.mark.parametrize(("memory", "bytes"), [({"bytes_limit": 80 << 30}, 40 << 30), (None, 1 << 30), ({}, 1 << 30)])
def test_an_accelerator_has_many_lanes_in_half_of_its_memory(monkeypatch, memory, bytes):
    """Or in a gigabyte, where JAX does not say how much it has. Of several devices the first trains."""
    first, second = (
        SimpleNamespace(platform="gpu", device_kind=kind, memory_stats=lambda: memory) for kind in ("H100", "A100")
    )
    monkeypatch.setattr("jax.local_devices", lambda: [first, second])
    device = find_device()
    assert device == Device("gpu", "H100", bytes, 64) and not device.is_cpu
    assert CPU.is_cpu and CPU.text == "cpu: up to 4 lanes a program, in 1 GiB"
