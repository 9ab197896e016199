"""The tables the loop writes, and `changes`."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Running numbers."""


_IN_ORDER = (
    "CREATE OR REPLACE FUNCTION changes_in_order() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_advisory_xact_lock(1784767339); RETURN NULL; END $$",
    "CREATE OR REPLACE TRIGGER changes_in_order BEFORE INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION changes_in_order()",
)
"""Rows of `changes` are numbered in the order they are committed."""


def upgrade() -> None:
    """Make the tables."""
    _checkpoints()
    _readers()
    _alerts()
    _alert_terminals()
    _verdicts()
    _verdict_history()
    _hours()
    _facts()
    _feeds()
    _history_files()
    _changes()


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("id", ID, nullable=False, autoincrement=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("watermark", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_checkpoints"),
    )


def _readers() -> None:
    op.create_table(
        "readers",
        sa.Column("feed", sa.String(400), nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("feed", name="pk_readers"),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False, comment="severity as a number, 0 info to 4 critical"),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("terminals", sa.Text, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("unexplained", sa.BigInteger, nullable=False),
        sa.Column("money_at_risk", sa.BigInteger, nullable=False),
        sa.Column("first_event", sa.BigInteger, nullable=False),
        sa.Column("raised_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("paged_at", sa.BigInteger, nullable=True),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False, comment="the whole model.results.Alert as JSON"),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_raised_at", "alerts", ["raised_at"])
    op.create_index("ix_alerts_updated_at", "alerts", ["updated_at"])


def _alert_terminals() -> None:
    op.create_table(
        "alert_terminals",
        sa.Column("alert", sa.String(100), nullable=False),
        sa.Column("terminal", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("alert", "terminal", name="pk_alert_terminals"),
    )
    op.create_index("ix_alert_terminals_terminal", "alert_terminals", ["terminal"])


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("terminal", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("picked", sa.BigInteger, nullable=True),
        sa.Column("presented", sa.BigInteger, nullable=True),
        sa.Column("retained", sa.BigInteger, nullable=True),
        sa.Column("verdict", sa.String(30), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("explained_by", sa.Text, nullable=False),
        sa.Column("gates_failed", sa.Text, nullable=False),
        sa.Column("sources_missing", sa.Text, nullable=False),
        sa.Column("offset_ms", sa.BigInteger, nullable=True),
        sa.Column("uncertainty_ms", sa.BigInteger, nullable=True),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("records", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_decided_at", "verdicts", ["decided_at"])
    op.create_index("ix_verdicts_terminal_time", "verdicts", ["terminal", "time"])
    op.create_index("ix_verdicts_time", "verdicts", ["time"])
    op.create_index("ix_verdicts_verdict_time", "verdicts", ["verdict", "time"])


def _verdict_history() -> None:
    op.create_table(
        "verdict_history",
        sa.Column("verdict_id", sa.String(100), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("verdict", sa.String(30), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("picked", sa.BigInteger, nullable=True),
        sa.Column("presented", sa.BigInteger, nullable=True),
        sa.Column("retained", sa.BigInteger, nullable=True),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.String(30), nullable=False, comment="first, amounts, reversal, late"),
        sa.PrimaryKeyConstraint("verdict_id", "revision", name="pk_verdict_history"),
    )


def _hours() -> None:
    op.create_table(
        "hours",
        sa.Column("terminal", sa.String(200), nullable=False),
        sa.Column("hour", sa.BigInteger, nullable=False),
        sa.Column("measure", sa.String(60), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("terminal", "hour", "measure", name="pk_hours"),
    )
    op.create_index("ix_hours_hour", "hours", ["hour"])


def _facts() -> None:
    op.create_table(
        "facts",
        sa.Column("terminal", sa.String(200), nullable=False),
        sa.Column("fact", sa.String(40), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False, comment="rises with every change: what is new since"),
        sa.PrimaryKeyConstraint("terminal", "fact", name="pk_facts"),
    )
    op.create_index("ix_facts_step", "facts", ["step"])


def _feeds() -> None:
    op.create_table(
        "feeds",
        sa.Column("name", sa.String(400), nullable=False),
        sa.Column("format", sa.String(40), nullable=False),
        sa.Column("terminal", sa.String(200), nullable=True),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("understood", sa.BigInteger, nullable=False),
        sa.Column("refused", sa.BigInteger, nullable=False),
        sa.Column("duplicates", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("first_received", sa.BigInteger, nullable=True),
        sa.Column("last_received", sa.BigInteger, nullable=True),
        sa.Column("last_event", sa.BigInteger, nullable=True),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_feeds"),
    )


def _history_files() -> None:
    op.create_table(
        "history_files",
        sa.Column("path", sa.String(400), nullable=False),
        sa.Column("table", sa.String(20), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_history_files"),
    )
    op.create_index("ix_history_files_table_day", "history_files", ["table", "day"])


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("id", ID, nullable=False, autoincrement=True),
        sa.Column("kind", sa.String(20), nullable=False, comment="alert, verdict, action, case, handling, health"),
        sa.Column("ref", sa.String(100), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_kind_id", "changes", ["kind", "id"])
    if op.get_context().dialect.name == "postgresql":
        for statement in _IN_ORDER:
            op.execute(statement)
