"""The short form of the benchmarks, held to its bounds; each has the machine to itself."""

import pytest

from tests.bench import files, pacing, planning, throughput

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]

TRIES = 3
"""Whoever else uses the machine may spoil a run: the best of a few counts."""


@pytest.mark.parametrize("dispatchers", [1, 4])
async def test_the_allowance_is_used_and_never_overdrawn(dispatchers: int) -> None:
    runs = []
    for _ in range(TRIES):
        runs.append(await pacing.run(rate=30, dispatchers=dispatchers, people=450))
        if any(used >= 0.97 and refused == 0 for used, refused in runs):
            return
    pytest.fail(f"used of the allowance, refusals: {runs}")


async def test_a_dispatcher_keeps_up_with_a_bare_aiogram_loop() -> None:
    ratios = []
    for _ in range(TRIES):
        ratios.append(await throughput.compare(people=2000, rounds=1))
        costs = ratios[-1].costs
        if ratios[-1].rate >= 0.75 and costs["dispatcher"] <= costs["bare"]:
            return
    pytest.fail(f"{ratios}")


async def test_the_first_message_does_not_wait_for_the_size_of_the_audience() -> None:
    small, _, small_memory = await planning.run(1_000)
    large, _, large_memory = await planning.run(200_000)
    assert large < 3 * small + 1
    assert large_memory < 1.5 * small_memory


async def test_fifty_megabytes_leave_once_and_are_never_all_in_memory_with_the_rest() -> None:
    cost = await files.run(people=60, rate=100)
    assert cost.uploaded < 1.01 * files.FILES * files.FILE_BYTES
    assert cost.memory < 150
