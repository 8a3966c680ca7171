"""Allow lines to leave their batches. Create the cursors of the subscriptions."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE order_lines
            DROP CONSTRAINT order_lines_status_check,
            ADD CONSTRAINT order_lines_status_check CHECK (status IN ('allocated', 'waiting', 'deallocated'))
    """)
    # A batch that shrinks loses the lines that were allocated last. This index finds them.
    op.execute("CREATE INDEX lines_on_batches ON order_lines (batchref, version) WHERE status = 'allocated'")
    # The subscriptions skip all events from before this migration.
    op.execute("""
        CREATE TABLE subscriptions (
            name   text PRIMARY KEY,
            cursor bigint NOT NULL
        )
    """)
    op.execute("""
        INSERT INTO subscriptions
        SELECT name, last_value FROM events_position_seq, unnest(ARRAY['line_allocated', 'out_of_stock']) AS name
    """)
    op.execute("""
        CREATE TABLE out_of_stock_mails (
            sku     text COLLATE "C" PRIMARY KEY,
            version bigint NOT NULL,
            sent_at timestamptz NOT NULL
        )
    """)
