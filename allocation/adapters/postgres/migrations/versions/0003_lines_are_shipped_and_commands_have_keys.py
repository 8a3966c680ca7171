"""Allow shipped lines. A line keeps its rank on its batch when it changes. Create the idempotency keys."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE batches
            ADD COLUMN shipped integer NOT NULL DEFAULT 0,
            ADD CHECK (shipped BETWEEN 0 AND allocated)
    """)
    op.execute("""
        ALTER TABLE order_lines
            ADD COLUMN placed bigint NOT NULL DEFAULT 0,
            DROP CONSTRAINT order_lines_status_check,
            DROP CONSTRAINT order_lines_check,
            ADD CONSTRAINT order_lines_status_check
                CHECK (status IN ('allocated', 'waiting', 'deallocated', 'shipped')),
            ADD CONSTRAINT order_lines_check
                CHECK ((status IN ('allocated', 'shipped')) = (batchref IS NOT NULL))
    """)
    # Before this migration, a line did not change while it was on a batch. Its version still dates from its allocation.
    op.execute("UPDATE order_lines SET placed = version WHERE status = 'allocated'")
    op.execute("DROP INDEX lines_on_batches")
    op.execute("CREATE INDEX lines_on_batches ON order_lines (batchref, placed) WHERE status = 'allocated'")
    # A transaction inserts each row and later updates it with the outcome. The fill factor leaves room for the update.
    op.execute("""
        CREATE TABLE idempotency_keys (
            scope       text COLLATE "C" NOT NULL,
            key         text COLLATE "C" NOT NULL,
            fingerprint text NOT NULL,
            outcome     json,
            effects     json,
            created_at  timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (scope, key)
        ) WITH (fillfactor = 50)
    """)
    op.execute("CREATE INDEX oldest_idempotency_keys ON idempotency_keys (created_at)")
