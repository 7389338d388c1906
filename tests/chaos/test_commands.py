"""Officials press buttons at the worst moments."""

import asyncio
import time
from statistics import median

import pytest

from tests.chaos.run import Run
from tests.chaos.stage import PEOPLE, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300)]

LAST_SEND_SECONDS, WORST_SECONDS = 0.25, 1.0
"""How long after the answer to Stop the last message leaves: mostly, and at worst on a machine that is overloaded."""

PARALLEL = 50


async def test_stop_at_a_random_instant_is_true_at_once(stage: Stage) -> None:
    run = await stage.sending(at=(0.0, 0.7))
    late: list[float] = []
    for _ in range(3):
        late += await stopped_truly(run)
        await stage.close_the_books(run)
        await run.insist("resume")
        await asyncio.sleep(stage.luck.uniform(0, 0.5))
    assert median(late) < LAST_SEND_SECONDS
    assert max(late) < WORST_SECONDS
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


async def stopped_truly(run: Run) -> list[float]:
    """Stop; answers how many seconds later the last message left, or nothing when everybody had been reached."""
    answer = await run.insist("stop")
    answered = time.monotonic()
    if answer.status_code == 409:
        return []
    await run.until(lambda state: state["status"] in ("stopped", "sent"))
    at_rest = time.monotonic()
    await asyncio.sleep(0.7)
    last = (await run.sent_at())[-1]
    assert last < at_rest, "nothing leaves once it is stopped"
    return [last - answered]


@pytest.mark.chaos
async def test_twenty_stops_and_resumes(stage: Stage) -> None:
    run = await stage.sending(at=(0.0, 0.02))
    for _ in range(20):
        assert (await run.insist("stop")).status_code == 202
        await run.until_status("stopped")
        assert (await run.insist("resume")).status_code == 202
        await asyncio.sleep(stage.luck.uniform(0, 0.1))
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_a_recall_after_two_days_deletes_what_it_can_and_says_what_stays(stage: Stage) -> None:
    run = await stage.sending()
    await run.insist("stop")
    early = (await run.until_status("stopped"))["counts"]["delivered"]
    await stage.system.emulator("POST", "/clock", {"advance_seconds": 49 * 3600})
    await run.insist("resume")
    await run.until_status("sent")
    await run.press("recall")
    recalled = await run.until_status("created")
    assert recalled["counts"]["unrecalled"] == early
    assert recalled["counts"]["recalled"] == PEOPLE - early
    assert {row["recall_outcome"] for row in await run.rows()} == {"too_late", "recalled"}
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_stop_and_recall_by_two_officials_who_saw_the_same(stage: Stage) -> None:
    """One of two presses wins, and who sees what is no longer so is told."""
    run = await stage.sending()
    version = (await run.state())["version"]
    stop, recall = await asyncio.gather(run.press("stop", version), run.press("recall", version))
    assert (stop.status_code, recall.status_code) in ((202, 409), (202, 412))
    version = (await run.until_status("stopped"))["version"]
    resume, recall = await asyncio.gather(run.press("resume", version), run.press("recall", version))
    answers = sorted((resume.status_code, recall.status_code))
    assert answers in ([202, 409], [202, 412])
    assert (await run.press("recall", version)).status_code in (409, 412)
    await run.until_status("sent" if resume.status_code == 202 else "created")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_fifty_sends_at_once_are_one_run(stage: Stage) -> None:
    run = await stage.run()
    key = stage.luck.choice(("", "the same press"))
    answers = await asyncio.gather(*(run.press("send", key=key) for _ in range(PARALLEL)))
    accepted = sum(answer.status_code == 202 for answer in answers)
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert accepted == (PARALLEL if key else 1)
    assert (await run.until_status("sent"))["run"] == 1
    await stage.close_the_books(run)
