"""Every damage to a copy is found, and the copies can be made anew from the truth."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from nats.js import JetStreamContext
from sqlalchemy import Table, and_, bindparam, case, delete, insert, select, update

from broadcast_api.adapters.directory import Directory
from broadcast_api.adapters.entering import Person
from broadcast_api.adapters.schema import (
    audience_members,
    audiences,
    batches,
    broadcasts,
    decisions,
    deliveries,
    positions,
    runs,
)
from broadcast_api.duties.leader import lead_once, lock_of
from broadcast_api.repair import stream
from broadcast_api.repair import verify as comparing
from broadcast_api.repair.command import doubt, rebuild, verify
from broadcast_api.repair.doubt import Doubt
from broadcast_api.repair.rebuild import Rebuild
from broadcast_api.repair.rows import members
from broadcast_api.repair.verify import Verify
from broadcast_api.settings import Settings
from broadcast_contracts import Answer, CloseV1, Counts, Outcome, ResolveV1
from broadcast_contracts.topology import BROADCASTS, LEDGER, RECALL_LEDGER, event_subject
from broadcast_delivery.topology import ensure
from tests.integration.duties.parts import Parts, drained, relay_of, remake
from tests.integration.duties.stage import BATCH, Stage
from tests.integration.duties.workers import Owner, finish, finish_recall, nonce, recall_jobs, send_jobs
from tests.support.nats import NatsServer


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "PAUSES_SECONDS", (0.05,))
    monkeypatch.setattr(stream, "PATIENCE_SECONDS", 0.2)


class Lives:
    """Three broadcasts: `recalled` went all the way round and is sent again, `sent` was answered, `stopped` is half."""

    recalled: UUID
    sent: UUID
    stopped: UUID


@pytest.fixture
async def lives(stage: Stage, parts: Parts, js: JetStreamContext) -> Lives:
    lives = Lives()
    ids = stage.people(22)
    stage.people(3, "blocked")
    everyone, few = stage.audience(), stage.audience({"kind": "list"}, ids[:12])

    lives.recalled = stage.broadcast(few)
    stage.test(lives.recalled, ids[0])
    await parts.go()
    for job in await send_jobs(js, "test"):
        await finish(parts.ledger, job)
    stage.press("send", lives.recalled)
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    stage.press("recall", lives.recalled)
    await parts.go()
    for recall in await recall_jobs(js):
        await finish_recall(parts.recall_ledger, recall)
    await parts.go()

    lives.sent = stage.sending(everyone)
    await parts.go()
    jobs = await send_jobs(js)
    first = Owner(parts.ledger, jobs[0].key)
    await first.settle(Outcome.REFUSED, [0])
    await first.settle(Outcome.UNCONFIRMED, [1, 2, 3])
    await first.settle(Outcome.DELIVERED, range(4, 10))
    await first.seal()
    await finish(parts.ledger, jobs[1])
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    doubted = [row.recipient_id for row in stage.deliveries(lives.sent) if row.outcome == "unconfirmed"]
    stage.answer(lives.sent, Answer.DELIVERED, doubted[:1])
    stage.answer(lives.sent, Answer.RESEND, doubted[1:2])
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    stage.answer(lives.sent, Answer.LEAVE, None)

    lives.stopped = stage.sending(everyone)
    await parts.go()
    await send_jobs(js)
    owner = Owner(parts.ledger, stage.key(lives.stopped))
    await owner.settle(Outcome.DELIVERED, [0])
    await owner.open([1])
    await owner.append(ResolveV1(nonce=nonce()))
    await owner.append(CloseV1(nonce=nonce(), leg=1))
    stage.press("stop", lives.stopped)
    stage.press("send", lives.recalled)
    for _ in range(3):
        await parts.go()
    assert [stage.status(id) for id in (lives.recalled, lives.sent, lives.stopped)] == ["sending", "sent", "stopped"]
    await drained(relay_of(stage, js))
    return lives


async def compared(stage: Stage, js: JetStreamContext) -> list[str]:
    """What `verify` says, but for the summary."""
    said: list[str] = []
    agrees = await Verify(stage.database, stage.store, js, said.append).run(BATCH)
    assert agrees is (len(said) == 1), said
    return said[:-1]


async def rebuilt(stage: Stage, js: JetStreamContext) -> list[str]:
    said: list[str] = []
    work = Rebuild(stage.database, stage.store, js, BATCH, said.append)
    assert await lead_once(lock_of(stage.database), work.run)
    assert work.done
    return said


def all_rows(stage: Stage) -> dict[str, list[Any]]:
    """Everything but what the plan alone knows and what only makes sense while freezing."""
    tables = (broadcasts, audiences, audience_members, runs, decisions, batches, deliveries, positions)
    free = {
        "carried_out",
        "issued_leg",
        "issues",
        "issued_at",
        "ledger_since",
        "recall_issues",
        "recall_issued_at",
        "frozen_up_to",
    }
    with stage.database.read() as connection:
        return {
            table.name: sorted(
                (
                    {name: value for name, value in row._asdict().items() if name not in free}
                    for row in connection.execute(select(table))
                ),
                key=str,
            )
            for table in tables
        }


async def test_a_healthy_system_agrees_with_itself(stage: Stage, lives: Lives, js: JetStreamContext) -> None:
    assert await compared(stage, js) == []


DAMAGES: list[tuple[Table, dict[str, Any], str]] = [
    (broadcasts, {"status": "stopped"}, "the event log"),
    (broadcasts, {"version": 99}, "version 99"),
    (broadcasts, {"name": "other"}, "'other'"),
    (audiences, {"archived": True}, "archived True"),
    (runs, {"state": "sent"}, "the event log"),
    (runs, {"leg": 9}, "leg 9"),
    (runs, {"delivered": 77}, "delivered 77, its batches"),
    (runs, {"total": 77}, "total 77"),
    (decisions, {"answer": "leave"}, "answer 'leave'"),
    (batches, {"delivered": 7}, "delivered 7, its recipients"),
    (batches, {"size": 3}, "3 people"),
    (batches, {"sealed": False}, "sealed False, the ledger True"),
    (batches, {"in_flight": 3}, "in_flight 3"),
    (batches, {"version": 1}, "version 1, the ledger"),
    (batches, {"recall_version": 1}, "recall version 1"),
    (deliveries, {"outcome": "skipped"}, "outcome 'skipped', the ledger 'delivered'"),
    (deliveries, {"message_ids": "5"}, "message_ids '5'"),
    (deliveries, {"sent_at": 5}, "sent_at 5"),
    (deliveries, {"answer": "leave"}, "answer 'leave', the ledger None"),
    (deliveries, {"recall_outcome": "too_late"}, "recall_outcome 'too_late'"),
]


async def test_every_damage_is_found_and_named(stage: Stage, lives: Lives, js: JetStreamContext) -> None:
    for table, values, expected in DAMAGES:
        right = all_rows(stage)
        with stage.database.write() as connection:
            before = [row._asdict() for row in connection.execute(select(table))]
            connection.execute(update(table).values(values))
        found = await compared(stage, js)
        assert any(expected in line for line in found), (table.name, values, found)
        with stage.database.write() as connection:
            for row in before:
                key = [column == row[column.name] for column in table.primary_key]
                connection.execute(update(table).where(*key).values({name: row[name] for name in values}))
        assert all_rows(stage) == right


@pytest.mark.parametrize("table", [broadcasts, audiences, audience_members, decisions, batches], ids=lambda t: t.name)
async def test_rows_that_are_gone_are_missed_and_made_again(
    stage: Stage, lives: Lives, js: JetStreamContext, table: Table
) -> None:
    right = all_rows(stage)
    with stage.database.write() as connection:
        connection.execute(delete(audience_members))
        connection.execute(delete(table))
    assert await compared(stage, js)
    await rebuilt(stage, js)
    assert await compared(stage, js) == []
    assert all_rows(stage) == right


async def test_who_had_two_rows_stays_in_every_list_that_named_either(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    directory = Directory(stage.database)
    directory.upsert("main", [Person(None, external_id="E-1"), Person(7), Person(8), Person(None, external_id="E-2")])
    invited, come, other = (
        person.id
        for text in ({"external_id": "E-1"}, {"chat_id": 7}, {"chat_id": 8})
        for person in directory.page(**text)
    )
    lists = [[come, other], [invited], [invited, come], [other]]
    audiences_of = [stage.audience({"kind": "list"}, members) for members in lists]
    await parts.go()
    directory.upsert("main", [Person(7, external_id="E-1")])
    directory.upsert("main", [Person(7, external_id="E-2")])
    [now] = [person.id for person in directory.page(chat_id=7)]
    assert now not in (invited, come)
    right = [{now, other}, {now}, {now}, {other}]
    assert [members(stage.database, id) for id in audiences_of] == right
    assert await compared(stage, js) == []
    with stage.database.write() as connection:
        connection.execute(delete(audience_members))
    assert len(await compared(stage, js)) == 4
    await rebuilt(stage, js)
    assert [members(stage.database, id) for id in audiences_of] == right
    directory.erase(now)
    await rebuilt(stage, js)
    assert [members(stage.database, id) for id in audiences_of] == [{other}, set(), set(), {other}]
    assert await compared(stage, js) == []


async def test_a_row_that_nobody_decided_is_found(stage: Stage, lives: Lives, js: JetStreamContext) -> None:
    with stage.database.write() as connection:
        row = connection.execute(select(broadcasts).limit(1)).one()._asdict()
        connection.execute(insert(broadcasts).values({**row, "id": uuid4()}))
    (line,) = await compared(stage, js)
    assert line.endswith("has a row, but is not in the event log")


async def test_what_the_relay_did_not_publish_is_found(stage: Stage, lives: Lives, js: JetStreamContext) -> None:
    stage.broadcast()
    (line,) = await compared(stage, js)
    assert line.endswith("what follows it are not published")


async def test_what_somebody_else_published_is_found(stage: Stage, lives: Lives, js: JetStreamContext) -> None:
    await js.publish("broadcasts.event.sent.x", b"{}", headers={"Nats-Msg-Id": "forged"})
    (line,) = await compared(stage, js)
    assert "'forged'" in line


async def test_a_projection_that_lags_is_no_difference(
    stage: Stage, parts: Parts, lives: Lives, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "PAUSES_SECONDS", (1.0,))
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    look = Verify._look

    async def meanwhile(self: Verify, *about: Any) -> Any:
        try:
            return await look(self, *about)
        finally:
            while await parts.sends.step():
                pass

    monkeypatch.setattr(Verify, "_look", meanwhile)
    found = await compared(stage, js)
    assert found == []


async def damage_everything(stage: Stage) -> None:
    """Each derived column of each table; what is kept because nothing else knows it stays."""
    garbage: dict[Table, dict[str, Any]] = {
        broadcasts: {"status": "recalling", "name": "x", "version": 77, "run": 9, "stopping": True},
        audiences: {"name": "x", "archived": True, "version": 9},
        runs: {
            "state": "stopping",
            "leg": 7,
            "frozen": False,
            "total": 1,
            "size": 1,
            "content": {},
            **dict.fromkeys(("delivered", "failed", "blocked", "unconfirmed", "skipped", "recalled", "unrecalled"), 5),
        },
        decisions: {"answer": "leave", "recipients": [1]},
        batches: {
            "size": 1,
            "version": case((batches.c.version > 0, 1), else_=0),
            "closed_leg": 3,
            "in_flight": 4,
            "sealed": False,
            "issued_leg": 9,
            "issues": 0,
            **dict.fromkeys(("delivered", "failed", "blocked", "unconfirmed", "skipped", "recalled", "unrecalled"), 5),
            "recall_version": 1,
            "recall_sealed": True,
            "recall_issues": 0,
        },
        positions: {"notification_id": 1, "stream_sequence": 1},
    }
    with stage.database.write() as connection:
        # A batch that was never issued has no log: only its row can say so.
        logged = and_(batches.c.version > 0, batches.c.batch == deliveries.c.position // runs.c.batch_size)
        from_log = select(deliveries.c.run_id, deliveries.c.position).join(runs, runs.c.id == deliveries.c.run_id)
        of_batch = from_log.join(batches, and_(batches.c.run_id == runs.c.id, logged))
        rows = connection.execute(of_batch.where(deliveries.c.position >= 0))
        told = [{"of_run": row.run_id, "at": row.position} for row in rows]
        for table, values in garbage.items():
            connection.execute(update(table).values(values))
        connection.execute(delete(audience_members))
        outcome = {"outcome": "skipped", "reason": "x", "message_ids": "1", "sent_at": 1, "answer": "leave"}
        recall = {"recall_outcome": "too_late", "recall_reason": "x"}
        row = and_(deliveries.c.run_id == bindparam("of_run"), deliveries.c.position == bindparam("at"))
        connection.execute(update(deliveries).where(row).values(outcome | recall), told)


async def test_everything_derived_can_be_damaged_and_is_made_anew(
    stage: Stage, parts: Parts, lives: Lives, js: JetStreamContext
) -> None:
    right = all_rows(stage)
    await damage_everything(stage)
    assert len(await compared(stage, js)) > 20
    await rebuilt(stage, js)
    assert await compared(stage, js) == []
    assert all_rows(stage) == right


async def test_after_a_rebuild_everything_goes_on(
    stage: Stage, parts: Parts, lives: Lives, js: JetStreamContext
) -> None:
    await damage_everything(stage)
    await rebuilt(stage, js)
    again = Parts(stage.again(), js)
    stage.press("resume", lives.stopped)
    for _ in range(6):
        await again.go()
        await again.sweeper.step()
        for job in await send_jobs(js):
            await finish(again.ledger, job)
    await again.go()
    assert [stage.status(id) for id in (lives.recalled, lives.sent, lives.stopped)] == ["sent"] * 3
    assert stage.counts(lives.stopped).delivered == 21
    await drained(relay_of(stage, js))
    assert await compared(stage, js) == []


@pytest.mark.parametrize("lost", [LEDGER, RECALL_LEDGER], ids=lambda s: s.name)
async def test_what_the_streams_have_lost_is_kept_as_sql_has_it_and_said(
    stage: Stage, lives: Lives, js: JetStreamContext, lost: Any
) -> None:
    right = all_rows(stage)
    await js.purge_stream(lost.name)
    said: list[str] = []
    assert await Verify(stage.database, stage.store, js, said.append).run(BATCH)
    assert "SQL rows alone" in said[-1]
    assert not (await rebuilt(stage, js))[-1].startswith("0 ")
    assert await compared(stage, js) == []
    assert all_rows(stage) == right


async def test_after_a_restore_whoever_has_no_outcome_is_doubted_and_never_sent_to_by_a_resume(
    stage: Stage, lives: Lives, js: JetStreamContext, parts: Parts
) -> None:
    people = len(stage.deliveries(lives.stopped))
    known = stage.counts(lives.stopped)
    await remake(js, LEDGER, RECALL_LEDGER)
    said: list[str] = []
    for _ in range(2):
        await Doubt(stage.database, js, said.append).run([])
    assert said == [
        f"broadcast {lives.stopped}, run 1: {doubted} recipients are unconfirmed now" for doubted in (known.pending, 0)
    ]
    await parts.go()
    assert stage.counts(lives.stopped) == Counts(
        total=people,
        delivered=known.delivered,
        failed=known.failed,
        blocked=known.blocked,
        unconfirmed=known.unconfirmed + known.pending,
    )
    assert stage.status(lives.stopped) == "stopped"
    stage.press("resume", lives.stopped)
    for _ in range(4):
        await parts.go()
        for job in await send_jobs(js):
            if job.broadcast_id == lives.stopped:
                assert (await Owner(parts.ledger, job.key).look()).pending(range(len(job.chats))) == []
            await finish(parts.ledger, job)
    assert stage.status(lives.stopped) == "sent"
    assert stage.counts(lives.stopped).delivered == known.delivered


async def test_a_stream_that_has_aged_out_is_no_difference(stage: Stage, lives: Lives, js: JetStreamContext) -> None:
    last = (await js.stream_info(BROADCASTS.name)).state.last_seq
    await js.purge_stream(BROADCASTS.name, seq=last - 2)
    assert await compared(stage, js) == []
    await js.purge_stream(BROADCASTS.name)
    assert await compared(stage, js) == []
    await rebuilt(stage, js)
    assert await relay_of(stage, js).step() is False, "nothing is published again"


async def test_a_stream_that_holds_what_the_event_log_has_lost_may_be_removed_before_a_rebuild_or_after_it(
    stage: Stage, lives: Lives, js: JetStreamContext
) -> None:
    lost = event_subject("stopped", lives.stopped)
    for removed_before in (False, True):
        await js.publish(lost, b"{}", headers={"Nats-Msg-Id": f"{stage.store.epoch}:1000000:01234567"})
        (line,) = await compared(stage, js)
        assert f"stopped of broadcast {lives.stopped}" in line
        if removed_before:
            await js.delete_stream(BROADCASTS.name)
        await rebuilt(stage, js)
        if not removed_before:
            await js.delete_stream(BROADCASTS.name)
        await ensure(js, ("main",))
        await drained(relay_of(stage, js))
        assert await compared(stage, js) == []


async def test_the_commands_answer_with_their_exit_codes(
    stage: Stage, lives: Lives, nats_server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(
        nats_url=nats_server.url, database_url=stage.urls[0], event_store=stage.urls[1], batch_size=BATCH
    )
    assert await verify(settings) == 0
    assert "no differences" in capsys.readouterr().out
    with stage.database.write() as connection:
        connection.execute(update(runs).values(delivered=5))
    assert await verify(settings) == 1
    lock = lock_of(stage.database)
    assert lock.acquire()
    assert await rebuild(settings) == 1
    assert "a replica leads" in capsys.readouterr().out
    lock.release()
    assert await rebuild(settings) == 0
    assert await verify(settings) == 0
    assert await doubt(settings, [uuid4()]) == 0
    assert await verify(settings) == 0
    nats_server.stop()
    assert await doubt(settings) == 2
    assert await verify(settings) == 2
