"""The tables of the live store, as SQLAlchemy Core: the same in SQLite and PostgreSQL.

Times are µs UTC, money integer minor units. JSON is text. Who writes: the loop (decisions), the front (people, handling,
deliveries, actions); no row is written by both.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table

from jackstop.store import columns
from jackstop.store.columns import ID, in_order, key, time, words

metadata = columns.metadata
"""All of them."""

# --- what the loop decides -------------------------------------------------------------------------------------------

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("id", ID, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("segment", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    time("watermark"),
    time("made_at"),
    words("version"),
    Column("state", LargeBinary, nullable=False),
)
"""Where the loop stands: the spool's frame, and everything it remembers (`state`, compressed). Newest counts."""

readers = Table(
    "readers",
    metadata,
    Column("feed", String(400), primary_key=True),
    Column("state", LargeBinary, nullable=False),
)
"""How far each feed is read and how, as of the newest checkpoint."""

alerts = Table(
    "alerts",
    metadata,
    key("id"),
    Column("revision", Integer, nullable=False),
    Column("severity", String(10), nullable=False),
    Column("rank", Integer, nullable=False, comment="severity as a number, 0 info to 4 critical"),
    words("title"),
    words("terminals"),
    Column("currency", String(3), nullable=False),
    Column("unexplained", BigInteger, nullable=False),
    Column("money_at_risk", BigInteger, nullable=False),
    time("first_event"),
    time("raised_at"),
    time("updated_at"),
    time("paged_at", null=True),
    time("written_at"),
    Column("body", LargeBinary, nullable=False, comment="the whole model.results.Alert as JSON"),
    Index(None, "updated_at"),
    Index(None, "raised_at"),
)
alert_terminals = Table(
    "alert_terminals",
    metadata,
    Column("alert", String(100), primary_key=True),
    Column("terminal", String(200), primary_key=True),
    Index(None, "terminal"),
)
verdicts = Table(
    "verdicts",
    metadata,
    key("id"),
    Column("revision", Integer, nullable=False),
    Column("terminal", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    time("time"),
    Column("currency", String(3)),
    Column("picked", BigInteger),
    Column("presented", BigInteger),
    Column("retained", BigInteger),
    Column("verdict", String(30), nullable=False),
    words("reason"),
    words("explained_by"),
    words("gates_failed"),
    words("sources_missing"),
    Column("offset_ms", BigInteger),
    Column("uncertainty_ms", BigInteger),
    time("decided_at"),
    words("records"),
    Index(None, "terminal", "time"),
    Index(None, "time"),
    Index(None, "verdict", "time"),
    Index(None, "decided_at"),
)
"""The verdict that holds of each movement. Lists are JSON."""
verdict_history = Table(
    "verdict_history",
    metadata,
    Column("verdict_id", String(100), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("verdict", String(30), nullable=False),
    words("reason"),
    Column("picked", BigInteger),
    Column("presented", BigInteger),
    Column("retained", BigInteger),
    time("decided_at"),
    time("written_at"),
    Column("cause", String(30), nullable=False, comment="first, amounts, reversal, late"),
)
hours = Table(
    "hours",
    metadata,
    Column("terminal", String(200), primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("measure", String(60), primary_key=True),
    time("at"),
    Column("amount", BigInteger, nullable=False),
    Index(None, "hour"),
)
"""Counts by hour, for the KPIs: see `kpi.HOURS`."""
facts = Table(
    "facts",
    metadata,
    Column("terminal", String(200), primary_key=True),
    Column("fact", String(40), primary_key=True),
    time("at"),
    words("value"),
    Column("step", BigInteger, nullable=False, comment="rises with every change: what is new since"),
    Index(None, "step"),
)
"""What is known of each terminal now: door-opened, tamper, boot, last-cash, last-seen, level … (see `policy`)."""
feeds = Table(
    "feeds",
    metadata,
    Column("name", String(400), primary_key=True),
    Column("format", String(40), nullable=False),
    Column("terminal", String(200)),
    Column("records", BigInteger, nullable=False),
    Column("understood", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    time("first_received", null=True),
    time("last_received", null=True),
    time("last_event", null=True),
    words("reasons"),
)
history_files = Table(
    "history_files",
    metadata,
    Column("path", String(400), primary_key=True),
    Column("table", String(20), nullable=False),
    Column("day", String(10), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    time("first"),
    time("last"),
    Index(None, "table", "day"),
)
"""Parquet files of the history that count; a file not named here is left over from a crash."""
changes = Table(
    "changes",
    metadata,
    Column("id", ID, primary_key=True),
    Column("kind", String(20), nullable=False, comment="alert, verdict, action, case, handling, health"),
    Column("ref", String(100), nullable=False),
    Column("revision", Integer, nullable=False),
    time("at"),
    words("body"),
    Index(None, "kind", "id"),
    sqlite_autoincrement=True,
)
"""What changed, in order; whoever follows keeps the last id it has seen. `body` is a short JSON summary."""
in_order(changes)

# --- what people and the front write ---------------------------------------------------------------------------------

handling = Table(
    "handling",
    metadata,
    key("alert"),
    Column("status", String(20), nullable=False, comment="new, acknowledged, investigating, resolved, false-alarm"),
    Column("assignee", String(100)),
    Column("case_id", String(100)),
    time("changed_at"),
    Column("changed_by", String(100), nullable=False),
)
remarks = Table(
    "remarks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("subject", String(20), nullable=False, comment="alert or case"),
    Column("ref", String(100), nullable=False),
    time("at"),
    Column("author", String(100), nullable=False),
    words("body"),
    Index(None, "subject", "ref"),
)
cases = Table(
    "cases",
    metadata,
    key("id"),
    words("title"),
    Column("status", String(20), nullable=False, comment="open or closed"),
    time("opened_at"),
    Column("opened_by", String(100), nullable=False),
    time("closed_at", null=True),
    words("summary"),
)
holds = Table(
    "holds",
    metadata,
    key("id"),
    Column("case_id", String(100)),
    time("begins"),
    time("ends"),
    words("reason"),
    time("placed_at"),
    Column("placed_by", String(100), nullable=False),
    time("released_at", null=True),
    Column("released_by", String(100)),
)
"""Legal holds: spool and history received between `begins` and `ends` are not removed while one stands."""
announced = Table(
    "announced",
    metadata,
    Column("terminal", String(200), primary_key=True),
    Column("work_order", String(100), primary_key=True),
    Column("kind", String(20), nullable=False),
    time("begins"),
    time("ends"),
    words("people"),
    words("permits"),
    words("expected_in"),
    words("expected_out"),
    Column("cancelled", Boolean, nullable=False),
    time("changed_at"),
    Column("changed_by", String(100), nullable=False),
    Index(None, "ends"),
)
"""Visits that people announced through the API, as they last stood. Lists are JSON; expected: value to count."""
users = Table(
    "users",
    metadata,
    key("name"),
    Column("role", String(20), nullable=False),
    words("password", null=True),
    Column("totp", LargeBinary, comment="the secret, sealed with the service's key"),
    Column("totp_step", BigInteger, comment="last step used: a code serves once"),
    Column("subject", String(400), comment="issuer and subject of an OpenID Connect login"),
    Column("disabled", Boolean, nullable=False),
    time("created_at"),
    Index(None, "subject"),
)
sessions = Table(
    "sessions",
    metadata,
    key("digest"),
    Column("user", String(100), nullable=False),
    Column("csrf", String(100), nullable=False),
    time("begun_at"),
    time("seen_at"),
    time("ends_at"),
    Column("address", String(100), nullable=False),
)
tokens = Table(
    "tokens",
    metadata,
    key("id"),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    words("scopes"),
    Column("made_by", String(100), nullable=False),
    time("made_at"),
    time("ends_at", null=True),
    time("used_at", null=True),
    time("revoked_at", null=True),
)
"""API tokens by their SHA-256; `scopes` is JSON: roles, `intake:NAME`, `interlock`."""
audit = Table(
    "audit",
    metadata,
    Column("id", ID, primary_key=True),
    time("at"),
    Column("actor", String(100), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(200), nullable=False),
    words("detail"),
    Column("before", String(64), nullable=False, comment="hash of the row before"),
    Column("hash", String(64), nullable=False),
)
"""Who did what: append-only, each row holds the hash of the one before."""
keep = Table("keep", metadata, key("name"), Column("value", LargeBinary, nullable=False), time("at"))
"""Single facts of the service: the set-up link's digest, sealed keys, the migration's origin."""
switches = Table("switches", metadata, key("name"), words("value"), time("at"), Column("by", String(100), nullable=False))
"""What people switch while the service runs: `response.live`, `response.stopped`."""
cursors = Table(
    "cursors",
    metadata,
    key("name"),
    Column("position", BigInteger, nullable=False, comment="last id of `changes` dealt with"),
    Column("attempts", Integer, nullable=False),
    time("next_at"),
    time("ok_at", null=True),
    words("fault", null=True),
    Column("sent", BigInteger, nullable=False),
    Column("dead", BigInteger, nullable=False),
)
"""How far each follower of `changes` has come (sinks, the responder), and how it fares."""
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", ID, primary_key=True),
    Column("sink", String(100), nullable=False),
    Column("change_id", BigInteger, nullable=False),
    Column("key", String(200), nullable=False),
    time("at"),
    Column("attempts", Integer, nullable=False),
    words("fault"),
    Column("body", LargeBinary, nullable=False),
    time("asked_at", null=True),
    time("resent_at", null=True),
    Index(None, "sink", "key"),
    Index(None, "asked_at"),
)
"""What a sink will never take as it is. `asked_at`: when a person asked to send it again; `resent_at`: when it was taken."""
deliveries = Table(
    "deliveries",
    metadata,
    Column("sink", String(100), primary_key=True),
    Column("alert", String(100), primary_key=True),
    Column("revision", Integer, nullable=False, comment="newest dealt with: taken or given up"),
    Column("taken", Integer, nullable=False, comment="newest the sink took; 0 for none"),
    Column("severity", String(10), nullable=False, comment="of the newest it took; empty for none"),
    words("ref"),
    time("at"),
)
"""What each sink was told of each alert; `ref` is what the other side calls it (a ticket's number), empty for none."""
actions = Table(
    "actions",
    metadata,
    key("id"),
    Column("kind", String(40), nullable=False),
    Column("terminal", String(200)),
    Column("region", String(100)),
    Column("alert", String(100)),
    Column("state", String(20), nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("dry", Boolean, nullable=False),
    words("body"),
    Column("proposed_by", String(100), nullable=False),
    time("proposed_at"),
    time("changed_at"),
    time("ends_at"),
    Column("attempts", Integer, nullable=False),
    time("next_at"),
    Index(None, "state"),
    Index(None, "alert"),
)
action_steps = Table(
    "action_steps",
    metadata,
    Column("id", ID, primary_key=True),
    Column("action", String(100), nullable=False),
    time("at"),
    Column("actor", String(100), nullable=False),
    Column("before", String(20), nullable=False),
    Column("after", String(20), nullable=False),
    words("note"),
    Index(None, "action"),
)
"""Every step of every action, approvals included; append-only."""
