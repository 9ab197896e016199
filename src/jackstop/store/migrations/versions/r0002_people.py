"""The tables people and the front write."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Running numbers."""


def upgrade() -> None:
    """Make the tables."""
    _handling()
    _remarks()
    _cases()
    _holds()
    _announced()
    _users()
    _sessions()
    _tokens()
    _audit()
    _keep()
    _switches()
    _cursors()
    _dead_letters()
    _deliveries()
    _actions()
    _action_steps()


def _handling() -> None:
    op.create_table(
        "handling",
        sa.Column("alert", sa.String(100), nullable=False),
        sa.Column("status", sa.String(20), nullable=False, comment="new, acknowledged, investigating, resolved, false-alarm"),
        sa.Column("assignee", sa.String(100), nullable=True),
        sa.Column("case_id", sa.String(100), nullable=True),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("alert", name="pk_handling"),
    )


def _remarks() -> None:
    op.create_table(
        "remarks",
        sa.Column("id", ID, nullable=False, autoincrement=True),
        sa.Column("subject", sa.String(20), nullable=False, comment="alert or case"),
        sa.Column("ref", sa.String(100), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String(100), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_remarks"),
    )
    op.create_index("ix_remarks_subject_ref", "remarks", ["subject", "ref"])


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False, comment="open or closed"),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("opened_by", sa.String(100), nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        sa.Column("summary", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
    )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("case_id", sa.String(100), nullable=True),
        sa.Column("begins", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("placed_by", sa.String(100), nullable=False),
        sa.Column("released_at", sa.BigInteger, nullable=True),
        sa.Column("released_by", sa.String(100), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )


def _announced() -> None:
    op.create_table(
        "announced",
        sa.Column("terminal", sa.String(200), nullable=False),
        sa.Column("work_order", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("begins", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("people", sa.Text, nullable=False),
        sa.Column("permits", sa.Text, nullable=False),
        sa.Column("expected_in", sa.Text, nullable=False),
        sa.Column("expected_out", sa.Text, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("terminal", "work_order", name="pk_announced"),
    )
    op.create_index("ix_announced_ends", "announced", ["ends"])


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password", sa.Text, nullable=True),
        sa.Column("totp", sa.LargeBinary, nullable=True, comment="the secret, sealed with the service's key"),
        sa.Column("totp_step", sa.BigInteger, nullable=True, comment="last step used: a code serves once"),
        sa.Column("subject", sa.String(400), nullable=True, comment="issuer and subject of an OpenID Connect login"),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )
    op.create_index("ix_users_subject", "users", ["subject"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(100), nullable=False),
        sa.Column("user", sa.String(100), nullable=False),
        sa.Column("csrf", sa.String(100), nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("address", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
    )


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("made_by", sa.String(100), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=True),
        sa.Column("used_at", sa.BigInteger, nullable=True),
        sa.Column("revoked_at", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("before", sa.String(64), nullable=False, comment="hash of the row before"),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )


def _keep() -> None:
    op.create_table(
        "keep",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_keep"),
    )


def _switches() -> None:
    op.create_table(
        "switches",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_switches"),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False, comment="last id of `changes` dealt with"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("ok_at", sa.BigInteger, nullable=True),
        sa.Column("fault", sa.Text, nullable=True),
        sa.Column("sent", sa.BigInteger, nullable=False),
        sa.Column("dead", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cursors"),
    )


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", ID, nullable=False, autoincrement=True),
        sa.Column("sink", sa.String(100), nullable=False),
        sa.Column("change_id", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=True),
        sa.Column("resent_at", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
    )
    op.create_index("ix_dead_letters_asked_at", "dead_letters", ["asked_at"])
    op.create_index("ix_dead_letters_sink_key", "dead_letters", ["sink", "key"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("sink", sa.String(100), nullable=False),
        sa.Column("alert", sa.String(100), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, comment="newest dealt with: taken or given up"),
        sa.Column("taken", sa.Integer, nullable=False, comment="newest the sink took; 0 for none"),
        sa.Column("severity", sa.String(10), nullable=False, comment="of the newest it took; empty for none"),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sink", "alert", name="pk_deliveries"),
    )


def _actions() -> None:
    op.create_table(
        "actions",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("terminal", sa.String(200), nullable=True),
        sa.Column("region", sa.String(100), nullable=True),
        sa.Column("alert", sa.String(100), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("automatic", sa.Boolean, nullable=False),
        sa.Column("dry", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("proposed_by", sa.String(100), nullable=False),
        sa.Column("proposed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_actions"),
    )
    op.create_index("ix_actions_alert", "actions", ["alert"])
    op.create_index("ix_actions_state", "actions", ["state"])


def _action_steps() -> None:
    op.create_table(
        "action_steps",
        sa.Column("id", ID, nullable=False, autoincrement=True),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("before", sa.String(20), nullable=False),
        sa.Column("after", sa.String(20), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_action_steps"),
    )
    op.create_index("ix_action_steps_action", "action_steps", ["action"])
