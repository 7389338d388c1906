"""One sample of every message, and the golden files that fix how it is written."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from broadcast_contracts import (
    Actor,
    Answer,
    AnswerV1,
    ApprovalWithdrawnV1,
    AudienceFrozenV1,
    AudienceRef,
    BroadcastApprovedV1,
    BroadcastCreatedV1,
    BroadcastDeletedV1,
    BroadcastEditedV1,
    BroadcastRecalledV1,
    BroadcastSentV1,
    BroadcastStoppedV1,
    Cause,
    CloseV1,
    Content,
    Counts,
    File,
    FileIdV1,
    FileKind,
    Message,
    Outcome,
    PacingV1,
    ParkedV1,
    ParseMode,
    Posted,
    ProgressV1,
    RecallCountsV1,
    RecallJobV1,
    RecallRequestedV1,
    ReopenV1,
    ResendRequestedV1,
    ResolveV1,
    Result,
    RunControlV1,
    SealV1,
    SendCountsV1,
    SendingResumedV1,
    SendingStartedV1,
    SendJobV1,
    StopRequestedV1,
    TestRequestedV1,
    UnconfirmedAnsweredV1,
    encode,
)

GOLDEN = Path(__file__).parents[2] / "libs" / "contracts" / "golden"

ID = UUID("6f1c2a52-5a0e-4a5e-9c7f-0a4f4e0f7a11")
AUDIENCE = UUID("0b8f7c1e-1d7a-4d0f-8f57-3a5c9f0e2b44")
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
BY = Actor(name="Ирина Котова", position="начальник отдела")
COUNTS = Counts(total=10, delivered=6, failed=2, blocked=1, unconfirmed=1, skipped=0, pending=1, recalled=0)

SAMPLES: tuple[Message, ...] = (
    BroadcastCreatedV1(
        broadcast_id=ID,
        version=1,
        at=AT,
        by=BY,
        bot="main",
        title="Проверка связи",
        text="<b>Завтра</b> в 9:00",
        parse_mode=ParseMode.HTML,
        audience_id=AUDIENCE,
    ),
    BroadcastEditedV1(
        broadcast_id=ID,
        version=2,
        at=AT,
        by=BY,
        title="Проверка связи",
        text="Завтра в 10:00",
        parse_mode=ParseMode.NONE,
        audience_id=AUDIENCE,
        attachments=(
            File(sha256="0a" * 32, name="План.pdf", kind=FileKind.DOCUMENT, media_type="application/pdf", size=9),
        ),
    ),
    BroadcastApprovedV1(broadcast_id=ID, version=3, at=AT, by=Actor(name="Олег Белов", position="директор")),
    ApprovalWithdrawnV1(broadcast_id=ID, version=4, at=AT, by=BY),
    BroadcastDeletedV1(broadcast_id=ID, version=3, at=AT, by=BY),
    TestRequestedV1(broadcast_id=ID, version=3, at=AT, by=BY, test=1),
    SendingStartedV1(
        broadcast_id=ID, version=4, at=AT, by=BY, run=1, audience=AudienceRef(id=AUDIENCE, name="Все сотрудники")
    ),
    AudienceFrozenV1(broadcast_id=ID, version=5, at=AT, run=1, total=10, unreachable=1),
    StopRequestedV1(
        broadcast_id=ID, version=6, at=AT, run=1, cause=Cause.CONTENT_REFUSED, detail="Bad Request: message is too long"
    ),
    BroadcastStoppedV1(broadcast_id=ID, version=7, at=AT, run=1, counts=COUNTS),
    SendingResumedV1(broadcast_id=ID, version=8, at=AT, by=BY, run=1),
    UnconfirmedAnsweredV1(broadcast_id=ID, version=9, at=AT, by=BY, run=1, answer=Answer.RESEND, people=3),
    ResendRequestedV1(broadcast_id=ID, version=9, at=AT, by=BY, run=1, people=2),
    BroadcastSentV1(broadcast_id=ID, version=9, at=AT, run=1, counts=COUNTS),
    RecallRequestedV1(broadcast_id=ID, version=10, at=AT, by=BY, run=1),
    BroadcastRecalledV1(broadcast_id=ID, version=11, at=AT, run=1, counts=COUNTS),
    SendCountsV1(
        broadcast_id=ID,
        run=1,
        batch=0,
        version=42,
        total=10,
        delivered=6,
        failed=2,
        blocked=1,
        unconfirmed=1,
        skipped=0,
        pending=1,
        final=False,
    ),
    RecallCountsV1(
        broadcast_id=ID,
        run=1,
        batch=0,
        version=43,
        total=6,
        recalled=3,
        already_gone=1,
        too_late=1,
        refused=0,
        pending=1,
        final=False,
    ),
    SendJobV1(
        broadcast_id=ID,
        run=1,
        batch=0,
        bot="main",
        not_after=AT,
        leg=2,
        ledger_kept_since=AT,
        content=Content(
            text="<b>Завтра</b>",
            parse_mode=ParseMode.HTML,
            link_preview=False,
            silent=True,
            files=(
                File(sha256="0a" * 32, name="План.pdf", kind=FileKind.DOCUMENT, media_type="application/pdf", size=9),
            ),
        ),
        chats=[1001, 1002, 5_000_000_003],
    ),
    RecallJobV1(
        broadcast_id=ID,
        run=1,
        batch=0,
        bot="main",
        not_after=AT,
        posted=[Posted(i=0, chat=1001, messages=[7, 8], at=1_795_512_600)],
    ),
    ProgressV1(
        nonce="0f3c9a",
        owner="dispatcher@host:17:ab12cd34",
        opened=[3, 4],
        results=[
            Result(i=1, window=40, outcome=Outcome.DELIVERED, at=1_795_512_600, messages=[7]),
            Result(i=2, window=40, outcome=Outcome.BLOCKED, at=1_795_512_600, reason="Forbidden: bot was blocked"),
        ],
    ),
    ResolveV1(nonce="1a2b3c"),
    CloseV1(nonce="2b3c4d", leg=1, cause=Cause.BOT_UNAUTHORIZED, detail="Unauthorized"),
    ReopenV1(nonce="3c4d5e", leg=2),
    AnswerV1(nonce="5e6f7a", decision=12, answer=Answer.RESEND, recipients=[2, 5]),
    SealV1(
        nonce="4d5e6f", results=[Result(i=0, outcome=Outcome.DELIVERED, at=1_795_512_600, messages=[7], chat=-1005)]
    ),
    RunControlV1(leg=2, stopped=True),
    PacingV1(next_slot=1_795_512_600.25, paused_until=1_795_512_630.0),
    FileIdV1(uploading_by="dispatcher@host:17", until=1_795_512_660.0),
    ParkedV1(
        service="dispatcher",
        subject=f"broadcasts.job.send.main.{ID}.1.0",
        reason="broadcasts.job.send.v1: body: Invalid JSON",
        headers={"Nats-Msg-Id": "x"},
        body_base64="bm90IGpzb24=",
    ),
)


def main() -> None:
    """Write the golden files that are missing."""
    GOLDEN.mkdir(exist_ok=True)
    for sample in SAMPLES:
        path = GOLDEN / f"{sample.type}.json"
        if not path.exists():
            path.write_text(json.dumps(json.loads(encode(sample)), ensure_ascii=False, indent=2) + "\n")
            print(path.name)


if __name__ == "__main__":
    main()
