"""A short form of `python -m tests.simulation`: some histories without a violation, and mutants that are noticed."""

import pytest

from tests.simulation.__main__ import simulate
from tests.simulation.mutants import MUTANTS
from tests.simulation.world import LOSSES

CHUNK = 10
PATIENCE = 60
"""Histories until a mutant must have been noticed."""

RARE = {
    "planner_ignores_the_stop": 65,
    "seal_is_not_final": 70,
    "shrunk_log_is_believed": 89,
    "empty_log_is_new": 569,
    "lost_attempts_are_none": 49,
    "lost_attempts_have_ended": 2129,
}
"""Noticed in one of a hundred histories or so: the search begins shortly before one of them."""

OF_LOSSES = {"shrunk_log_is_believed", "empty_log_is_new", "lost_attempts_are_none", "lost_attempts_have_ended"}
"""What matters only where a ledger is lost."""


@pytest.mark.parametrize("chunk", range(4))
def test_no_promise_is_broken_whatever_crashes(chunk: int) -> None:
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    violations = {seed: report.violations for seed in seeds if (report := simulate(seed)).violations}
    assert not violations, f"replay with `python -m tests.simulation --first SEED --seeds 1`: {violations}"


def test_a_history_is_replayed_by_its_seed() -> None:
    assert simulate(7) == simulate(7)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_a_missing_safety_mechanism_is_noticed(mutant: str) -> None:
    first, step = RARE.get(mutant, 0), LOSSES if mutant in OF_LOSSES else 1
    seeds = range(first, first + PATIENCE * step, step)
    assert any(simulate(seed, mutant).violations for seed in seeds), f"{mutant} went unnoticed"
