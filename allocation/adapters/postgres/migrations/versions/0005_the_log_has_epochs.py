"""Number the histories of the log, and describe its server. An event without an epoch belongs to epoch 1."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE log
            ADD COLUMN IF NOT EXISTS epoch bigint NOT NULL DEFAULT 1,
            ADD COLUMN IF NOT EXISTS server text
    """)
