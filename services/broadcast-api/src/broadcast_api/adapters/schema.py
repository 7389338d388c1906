"""The SQL tables: the directory, the read models, the plan of each run and a row for every recipient of it.

Everything here but the directory (`recipients`, `former_recipients`, `recipient_tags`), its `imports` and
`telegram_updates` can be rebuilt from the event store and the ledgers; `repair/rebuild.py` names the few columns that
must be kept for it.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    exists,
    literal_column,
    text,
)

metadata = MetaData()

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER
Time = DateTime(timezone=True)
TRACEPARENT = 55
"""Characters (W3C Trace Context, version 00)."""


def only_on(dialect: str, index: Index) -> Index:
    """An index that only one engine has; migrations read it from `info`."""
    index.info["only_on"] = dialect
    index.ddl_if(dialect=dialect)
    return index


positions = Table(
    "positions",
    metadata,
    Column("reader", String(64), primary_key=True),
    Column("notification_id", BigInteger, nullable=False),
    Column("stream_sequence", BigInteger, nullable=False, default=0),
)
"""How far each reader of the event store has come, written in the transaction of what it wrote."""

recipients = Table(
    "recipients",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("bot", String(32), nullable=False),
    Column("chat_id", BigInteger),
    Column("status", String(16), nullable=False, default="active"),
    Column("status_at", BigInteger, nullable=False, default=0),
    Column("username", String(64)),
    Column("first_name", Text, nullable=False, default=""),
    Column("last_name", Text, nullable=False, default=""),
    Column("language", String(16)),
    Column("kind", String(16), nullable=False, default="employee"),
    Column("department", Text),
    Column("position", Text),
    Column("external_id", Text),
    Column("search", Text, nullable=False, default=""),
    Column("tag_lines", Text, nullable=False, default="", server_default=text("''")),
    Column("joined_at", Time, nullable=False, default=lambda: datetime.now(UTC)),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    UniqueConstraint("bot", "chat_id"),
    CheckConstraint("chat_id IS NOT NULL OR status = 'not_started'", name="recipients_reachable_by_chat"),
    Index("recipients_of_bot", "bot", "id"),
    # Whatever a rule asks of a person is in here: counting an audience reads no row of the table. PostgreSQL, whose
    # index entries end at 2,704 bytes, reads the table instead, with several workers.
    only_on(
        "sqlite",
        Index(
            "recipients_to_count",
            "bot",
            "department",
            "status",
            "kind",
            "position",
            "language",
            "joined_at",
            "tag_lines",
            "id",
        ),
    ),
    only_on("postgresql", Index("recipients_by_department", "bot", "department", "status")),
    Index("recipients_by_external_id", "bot", "external_id"),
    Index(
        "recipients_invited",
        "bot",
        "external_id",
        unique=True,
        sqlite_where=text("chat_id IS NULL"),
        postgresql_where=text("chat_id IS NULL"),
    ),
    sqlite_autoincrement=True,
)
"""The people connected to a bot. status: active, blocked, deactivated, not_started; kind: employee, contractor.

`chat_id` is null for who was entered by external id and has not pressed /start. `status_at` (unix seconds) is when the
status was learned: older news does not change it. `joined_at` is when the person became reachable by the bot.
`search` is the names and the external id in lower case: SQLite itself knows the case of ASCII letters only.
`tag_lines` is the tags once more, in lines, written with them: a rule is then decided by the row alone.
"""

former_recipients = Table(
    "former_recipients",
    metadata,
    Column("former_id", BigInteger, primary_key=True, autoincrement=False),
    Column("recipient_id", Id, ForeignKey("recipients.id", ondelete="CASCADE"), nullable=False, index=True),
)
"""Who came before their invitation was linked had two rows; the list they were put in may name the one that is gone."""

recipient_tags = Table(
    "recipient_tags",
    metadata,
    Column("recipient_id", Id, ForeignKey("recipients.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Index("recipient_tags_by_tag", "tag", "recipient_id"),
    sqlite_with_rowid=False,
)
"""Free words that somebody is marked with, in lower case."""

imports = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("bot", String(32), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("total", Integer, nullable=False, default=0),
    Column("read", Integer, nullable=False, default=0),
    Column("created", Integer, nullable=False, default=0),
    Column("updated", Integer, nullable=False, default=0),
    Column("refused", Integer, nullable=False, default=0),
    Column("started_at", Time, nullable=False),
    Column("beat_at", Time, nullable=False),
    Index("imports_by_time", "started_at", "id"),
)
"""A file of people being read. state: running, finished, failed, interrupted; read = created + updated + refused.
`total` is about how many rows the file has.

`beat_at` is written with every batch: a running import that is silent was interrupted.
"""

import_errors = Table(
    "import_errors",
    metadata,
    Column("import_id", Uuid, ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("column", String(64), primary_key=True),
    Column("code", String(32), nullable=False),
)
"""Why rows were refused, without what stood in them."""

telegram_updates = Table(
    "telegram_updates",
    metadata,
    Column("bot", String(32), primary_key=True),
    Column("update_id", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)
"""The updates of Telegram that took effect, so that a repeat has none."""

audiences = Table(
    "audiences",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("bot", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("definition", JSON, nullable=False),
    Column("archived", Boolean, nullable=False, default=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Index("audiences_by_time", "created_at", "id"),
)

audience_members = Table(
    "audience_members",
    metadata,
    Column("audience_id", Uuid, ForeignKey("audiences.id"), primary_key=True),
    Column("recipient_id", BigInteger, primary_key=True),
)
"""Who is in an audience that is an explicit list."""

broadcasts = Table(
    "broadcasts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("bot", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("search", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("parse_mode", String(16), nullable=False),
    Column("link_preview", Boolean, nullable=False),
    Column("silent", Boolean, nullable=False),
    Column("pictures_as_files", Boolean, nullable=False, default=False),
    Column("files", JSON, nullable=False, default=list),
    Column("audience_id", Uuid, nullable=False),
    Column("status", String(16), nullable=False),
    Column("stopping", Boolean, nullable=False, default=False),
    Column("stop_cause", String(32)),
    Column("stop_detail", Text),
    Column("created_by_name", Text, nullable=False),
    Column("created_by_position", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("sent_at", Time),
    Column("run", Integer, nullable=False, default=0),
    Column("version", Integer, nullable=False),
    Index("broadcasts_by_time", "created_at", "id"),
    Index("broadcasts_by_status", "status", "created_at", "id"),
    Index("broadcasts_by_name", "search", "id"),
    Index("broadcasts_by_status_and_name", "status", "search", "id"),
    Index("broadcasts_by_sending", "sent_at", "id"),
    Index("broadcasts_by_status_and_sending", "status", "sent_at", "id"),
    Index("broadcasts_by_audience", "audience_id"),
)
"""The list that officials see; `search` is the name in lower case, `sent_at` when the latest run started.

`files` are `broadcast_contracts.File` as JSON, with the kinds that suit them, whatever `pictures_as_files` says.
"""

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Time, nullable=False),
    Column("what", String(64), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("title", Text, nullable=False),
    Column("bot", String(32), nullable=False),
    Column("by_id", String(200), nullable=False),
    Column("by_name", Text, nullable=False),
    Column("by_position", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("request_id", String(100), nullable=False),
    Column("details", JSON, nullable=False),
    Index("audit_of_subject", "subject", "number"),
    Index("audit_of_bot", "bot", "number"),
    Index("audit_by_time", "at"),
)
"""Who did what, when, to what: a row for each event of the log, whose `number` it is. `bot` is empty where all are
meant, `by_*` where the system itself acted; `person` is name and id in lower case, to be searched.
"""

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("broadcast_id", Uuid, nullable=False),
    Column("run", Integer, nullable=False),
    Column("bot", String(32), nullable=False),
    Column("audience_id", Uuid, nullable=False),
    Column("audience", JSON),
    Column("content", JSON, nullable=False),
    Column("leg", Integer, nullable=False, default=1),
    Column("state", String(16), nullable=False),
    Column("started_at", Time, nullable=False),
    Column("send_trace", String(TRACEPARENT)),
    Column("trace", String(TRACEPARENT)),
    # the frozen audience
    Column("frozen_up_to", BigInteger, nullable=False, default=0),
    Column("frozen", Boolean, nullable=False, default=False),
    Column("size", Integer, nullable=False, default=0),
    Column("batch_size", Integer, nullable=False),
    # counts: absolute, summed from `batches` whenever one of them changes
    Column("total", Integer, nullable=False, default=0),
    Column("posted", Integer, nullable=False, default=0),
    Column("delivered", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("blocked", Integer, nullable=False, default=0),
    Column("unconfirmed", Integer, nullable=False, default=0),
    Column("skipped", Integer, nullable=False, default=0),
    Column("recalled", Integer, nullable=False, default=0),
    Column("unrecalled", Integer, nullable=False, default=0),
    UniqueConstraint("broadcast_id", "run"),
    Index("runs_by_delivered", "delivered", "broadcast_id"),
    Index("runs_by_state", "state", "delivered", "broadcast_id"),
)
"""A run. Run 0 holds the test messages of a broadcast and has the state `test`.

state: sending, stopping, stopped, sent, recalling, recalled. It is the fence between planner and stop: a batch is
marked issued only while the locked row says `sending`. `audience` is the rule as it stood when Send was pressed, with
nothing left to look up: lists and other audiences are written out. `size` counts those to be attempted, `total`
everybody, `posted` those who received anything that is known: what a recall is about. `send_trace` is the traceparent
of Send, `trace` that of whatever the run does now: Send, Resume, a resend or Recall.
"""

decisions = Table(
    "decisions",
    metadata,
    Column("run_id", BigInteger, ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("answer", String(16)),
    Column("recipients", JSON(none_as_null=True)),
    Column("carried_out", Boolean, nullable=False, default=False),
    Index(
        "decisions_to_carry_out",
        "run_id",
        sqlite_where=text("NOT carried_out"),
        postgresql_where=text("NOT carried_out"),
    ),
)
"""What operators decided about recipients of a run, in order; `number` is the version of the event that says so.

`answer` is about the unconfirmed: `recipients` (directory ids) or, where that is null, all without an answer. It is
null where those who failed and can be reached now are sent to again. A run goes on when all are carried out.
"""

batches = Table(
    "batches",
    metadata,
    Column("run_id", BigInteger, ForeignKey("runs.id"), primary_key=True),
    Column("batch", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    # the plan
    Column("issued_leg", Integer, nullable=False, default=0),
    Column("issues", Integer, nullable=False, default=0),
    Column("issued_at", Time),
    Column("ledger_since", Time),
    # the ledger, as of `version`
    Column("version", BigInteger, nullable=False, default=0),
    Column("closed_leg", Integer, nullable=False, default=0),
    Column("in_flight", Integer, nullable=False, default=0),
    Column("sealed", Boolean, nullable=False, default=False),
    Column("posted", Integer, nullable=False, default=0),
    Column("delivered", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("blocked", Integer, nullable=False, default=0),
    Column("unconfirmed", Integer, nullable=False, default=0),
    Column("skipped", Integer, nullable=False, default=0),
    Column("timeline", JSON, nullable=False, default=dict),
    # the recall ledger, as of `recall_version`
    Column("recall_issues", Integer, nullable=False, default=0),
    Column("recall_issued_at", Time),
    Column("recall_version", BigInteger, nullable=False, default=0),
    Column("recall_sealed", Boolean, nullable=False, default=False),
    Column("recalled", Integer, nullable=False, default=0),
    Column("unrecalled", Integer, nullable=False, default=0),
    Index("batches_to_plan", "run_id", "sealed", "issued_leg"),
)
"""A batch of a run. `ledger_since` is when the stream was made that has its log: in one made later the log is lost.

Batch -1 holds those who were known to be unreachable when the audience was frozen.

`timeline` is its outcomes by time, as `adapters/timeline.py` says.
"""

deliveries = Table(
    "deliveries",
    metadata,
    Column("run_id", BigInteger, primary_key=True),  # no foreign key: its check would double the time of the freeze
    Column("position", Integer, primary_key=True),
    Column("recipient_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("outcome", String(16)),
    Column("reason", Text),
    Column("message_ids", Text),
    Column("sent_at", BigInteger),
    Column("answer", String(16)),
    Column("recall_outcome", String(16)),
    Column("recall_reason", Text),
    sqlite_with_rowid=False,
)
"""A recipient of a run: batch = position // batch size, recipient i of the batch = position % batch size.

Negative positions belong to batch -1. `outcome` is null while pending; `message_ids` is a comma-separated list;
`sent_at` is unix seconds; `answer` is what an operator decided where the outcome is in doubt: delivered or leave.
"""

exceptional = deliveries.c.outcome.is_not(None) & (deliveries.c.outcome != literal_column("'delivered'"))
"""The few that somebody looks for by outcome. A query must repeat this condition to be served by the index."""

Index(
    "deliveries_exceptional",
    deliveries.c.run_id,
    deliveries.c.outcome,
    deliveries.c.position,
    sqlite_where=exceptional,
    postgresql_where=exceptional,
)

undecided = exists().where(decisions.c.run_id == runs.c.id, ~decisions.c.carried_out).correlate(runs)
"""A run for which something was decided that is not carried out yet."""
