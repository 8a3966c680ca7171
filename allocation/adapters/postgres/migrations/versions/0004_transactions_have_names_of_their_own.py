"""The name of a transaction stays unique after a restore into a new cluster, whose numbers start again."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Both parts are the same for a whole transaction: now() is its start. Two names are equal only if 2^20 transactions
    # start in a second.
    op.execute("""
        ALTER TABLE events ALTER COLUMN transaction SET DEFAULT
            (CAST(extract(epoch FROM now()) AS bigint) << 20)
            | (CAST(CAST(pg_current_xact_id() AS text) AS bigint) & 1048575)
    """)
