"""Create the dead letters: events and messages that a handler can't handle. Store each subscription's last error."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # An event has a position, and a message has its bytes. The subject is the SKU of an event, or the batch of a
    # message: later ones with the same subject wait.
    op.execute("""
        CREATE TABLE IF NOT EXISTS dead_letters (
            id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            subscription text NOT NULL,
            subject      text COLLATE "C" NOT NULL,
            position     bigint,
            version      bigint,
            type         text,
            data         json,
            message      bytea,
            state        text NOT NULL CHECK (state IN ('retry', 'dead', 'waiting')),
            attempts     integer NOT NULL DEFAULT 0,
            error        text,
            failed_at    timestamptz,
            parked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
            due_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
            UNIQUE (subscription, position),
            CHECK ((position IS NULL) = (message IS NOT NULL)),
            CHECK (num_nulls(position, version, type, data) IN (0, 4)),
            CHECK ((state = 'waiting') OR error IS NOT NULL)
        )
    """)
    op.execute("""
        CREATE INDEX IF NOT EXISTS dead_letters_in_order ON dead_letters (subscription, subject, position, id)
    """)
    # The metrics count the letters every few seconds, and many of them may wait.
    op.execute("CREATE INDEX IF NOT EXISTS dead_letters_states ON dead_letters (subscription, state)")
    op.execute("""
        ALTER TABLE subscriptions
            ADD COLUMN IF NOT EXISTS last_error text,
            ADD COLUMN IF NOT EXISTS last_error_at timestamptz,
            ADD COLUMN IF NOT EXISTS failing_since timestamptz
    """)
