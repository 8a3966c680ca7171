"""Lines can be shipped and keep their rank on their batch when they change. Commands have idempotency keys."""

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
    # Until now, a line on a batch only changed when it left the batch.
    op.execute("UPDATE order_lines SET placed = version WHERE status = 'allocated'")
    op.execute("DROP INDEX lines_on_batches")
    op.execute("CREATE INDEX lines_on_batches ON order_lines (batchref, placed) WHERE status = 'allocated'")
    # The fill factor leaves room for the second version of each row, which has the outcome.
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
