"""Create the tables of products, batches and order lines, and the log."""

from alembic import op

revision = "0001"
down_revision = None

FENCE_TAG = 0x2A11
"""The upper 16 bits of the key of each advisory lock of the fence. `event_log.py` has the same constant."""


def upgrade() -> None:
    op.execute("""
        CREATE TABLE products (
            sku           text COLLATE "C" PRIMARY KEY,
            version       bigint NOT NULL DEFAULT 0,
            available     bigint NOT NULL DEFAULT 0 CHECK (available >= 0),
            waiting_lines bigint NOT NULL DEFAULT 0 CHECK (waiting_lines >= 0),
            waiting_units bigint NOT NULL DEFAULT 0 CHECK (waiting_units >= waiting_lines)
        ) WITH (fillfactor = 50)
    """)
    # The index uses the column used_up, not its expression. So an update that keeps used_up does not write the index.
    op.execute("""
        CREATE TABLE batches (
            ref         text COLLATE "C" PRIMARY KEY,
            sku         text COLLATE "C" NOT NULL REFERENCES products,
            purchased   integer NOT NULL,
            eta         date,
            created_qty integer NOT NULL CHECK (created_qty > 0),
            created_eta date,
            allocated   integer NOT NULL DEFAULT 0,
            used_up     boolean NOT NULL GENERATED ALWAYS AS (allocated = purchased) STORED,
            version     bigint NOT NULL,
            CHECK (allocated BETWEEN 0 AND purchased)
        ) WITH (fillfactor = 50)
    """)
    op.execute("CREATE INDEX batches_with_room ON batches (sku) WHERE NOT used_up")
    create_order_lines()
    create_log()


def create_order_lines() -> None:
    op.execute("""
        CREATE TABLE order_lines (
            orderid  text COLLATE "C" NOT NULL,
            sku      text COLLATE "C" NOT NULL REFERENCES products,
            qty      integer NOT NULL CHECK (qty > 0),
            arrived  bigint NOT NULL,
            status   text NOT NULL CHECK (status IN ('allocated', 'waiting')),
            batchref text COLLATE "C" REFERENCES batches,
            version  bigint NOT NULL,
            PRIMARY KEY (orderid, sku),
            CHECK ((status = 'allocated') = (batchref IS NOT NULL))
        )
    """)
    op.execute("CREATE INDEX waiting_lines ON order_lines (sku, qty, arrived) WHERE status = 'waiting'")


def create_log() -> None:
    op.execute("CREATE TABLE log (identity uuid NOT NULL)")
    op.execute("INSERT INTO log VALUES (gen_random_uuid())")
    op.execute("""
        CREATE TABLE events (
            position    bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
            transaction bigint NOT NULL DEFAULT CAST(CAST(pg_current_xact_id() AS text) AS bigint),
            sku         text COLLATE "C" NOT NULL,
            version     bigint NOT NULL,
            type        text NOT NULL,
            last        boolean NOT NULL,
            data        json NOT NULL,
            UNIQUE (sku, version)
        )
    """)
    # Use up the first value of the sequence, so that last_value is below every later position.
    op.execute("SELECT nextval(pg_get_serial_sequence('events', 'position'))")
    op.execute(f"""
        CREATE FUNCTION hold_the_fence() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(({FENCE_TAG}::bigint << 48) | last_value) FROM events_position_seq;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER hold_the_fence BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION hold_the_fence()
    """)
