"""What the tables of the live store are made of: their names' pattern, kinds of columns, and the order of `changes`."""

from sqlalchemy import DDL, BigInteger, Column, Integer, MetaData, String, Table, Text, event

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
ID = BigInteger().with_variant(Integer, "sqlite")
"""Running numbers: SQLite counts only plain INTEGER keys by itself."""


def key(name: str) -> Column[str]:
    """A primary key of text."""
    return Column(name, String(100), primary_key=True)


def time(name: str, *, null: bool = False) -> Column[int]:
    """A time in µs UTC."""
    return Column(name, BigInteger, nullable=null)


def words(name: str, *, null: bool = False) -> Column[str]:
    """Text of any length."""
    return Column(name, Text, nullable=null)


IN_ORDER = (
    "CREATE OR REPLACE FUNCTION changes_in_order() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_advisory_xact_lock(1784767339); RETURN NULL; END $$",
    "CREATE OR REPLACE TRIGGER changes_in_order BEFORE INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION changes_in_order()",
)
"""PostgreSQL numbers rows when they are inserted, not when they are committed; so that no follower of `changes` misses one,
whoever inserts waits for those who did before it. Insert them last in a transaction. The lock is that of the audit log too: two
locks, taken in either order, would hold each other up."""


def in_order(table: Table) -> None:
    """Have rows of a table numbered in the order they are committed, where it is made on PostgreSQL."""
    for statement in IN_ORDER:
        event.listen(table, "after_create", DDL(statement).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]
