"""The arithmetic of slots, without a clock."""

import heapq
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcast_contracts import PacingV1
from broadcast_telegram.gcra import (
    AFTER_PAUSE_SECONDS,
    HORIZON_SECONDS,
    LEAD_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Budget,
    Grant,
)

NOW = 1_800_000_000.0


def granted(plan: Grant | float) -> Grant:
    assert isinstance(plan, Grant)
    return plan


def most_in_a_second(times: list[float]) -> int:
    times = sorted(times)
    start, most = 0, 0
    for end, time in enumerate(times):
        while time - times[start] >= 1.0:
            start += 1
        most = max(most, end - start + 1)
    return most


@settings(max_examples=40)
@given(st.sampled_from([1.0, 5.0, 30.0, 250.0, 1000.0]), st.integers(1, 6), st.integers(20, 300), st.integers(0, 2**32))
def test_any_replicas_together_hold_the_rate_and_use_it(rate: float, replicas: int, want: int, seed: int) -> None:
    budget, random, state = Budget(rate), Random(seed), PacingV1()
    turns = [(NOW, replica) for replica in range(replicas)]
    slots: list[float] = []
    end = NOW + 6.0
    while turns[0][0] < end:
        now, replica = heapq.heappop(turns)
        plan = budget.plan(state, want, now)
        if isinstance(plan, Grant):
            slots += [plan.first + k * budget.interval for k in range(plan.count)]
            state, plan = plan.then, 0.0
        heapq.heappush(turns, (now + plan + random.uniform(0.0005, 0.02), replica))
    assert most_in_a_second(slots) <= rate
    in_time = [slot for slot in slots if NOW + 1 <= slot < end - 1]
    assert len(in_time) >= 0.97 * rate * (end - NOW - 2) - 2


@given(st.floats(0.5, 1000), st.integers(1, 500), st.floats(-10, 10))
def test_no_slot_lies_beyond_the_horizon_or_in_the_past(rate: float, want: int, next_slot: float) -> None:
    budget = Budget(rate)
    plan = budget.plan(PacingV1(next_slot=NOW + next_slot), want, NOW)
    if isinstance(plan, Grant):
        last = plan.first + (plan.count - 1) * budget.interval
        assert NOW + LEAD_SECONDS <= plan.first <= last <= NOW + HORIZON_SECONDS + 1e-6
        assert 1 <= plan.count <= min(want, budget.chunk())
        assert plan.then.next_slot == pytest.approx(last + budget.interval)
    else:
        assert plan > 0


def test_nothing_is_granted_during_a_pause_and_the_first_slot_comes_after_it() -> None:
    budget, state = Budget(30), PacingV1(paused_until=NOW + 3)
    assert budget.plan(state, 5, NOW) == pytest.approx(3)
    assert granted(budget.plan(state, 5, NOW + 3)).first == pytest.approx(NOW + 3 + AFTER_PAUSE_SECONDS)


def test_a_grant_keeps_the_pause_on_record() -> None:
    state = PacingV1(paused_until=NOW - 1)
    assert granted(Budget(30).plan(state, 5, NOW)).then.paused_until == NOW - 1


def test_a_broken_clock_silences_nobody_for_long() -> None:
    budget = Budget(30)
    granted(budget.plan(PacingV1(next_slot=NOW + 86_400), 1, NOW))
    assert budget.plan(PacingV1(paused_until=NOW + 10**6), 1, NOW) == pytest.approx(LONGEST_PAUSE_SECONDS)


@pytest.mark.parametrize("weight", [2, 3, 10])
def test_heavier_slots_are_so_much_rarer(weight: int) -> None:
    budget, state, times, now = Budget(30), PacingV1(), list[float](), NOW
    while len(times) < 61:
        plan = budget.plan(state, 20, now, weight)
        if isinstance(plan, Grant):
            times += [plan.first + k * budget.interval * weight for k in range(plan.count)]
            state = plan.then
        else:
            now += plan
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert gaps == pytest.approx([weight * budget.interval] * len(gaps), rel=1e-4)


def test_the_slot_of_an_album_of_a_slow_bot_is_no_nonsense() -> None:
    budget = Budget(1)
    state = granted(budget.plan(PacingV1(), 1, NOW, 10)).then
    plan = budget.plan(state, 1, NOW)
    assert isinstance(plan, float)
    assert plan > 9
