"""The privileges of the role that the processes of the service use. The role of the migrations owns the tables."""

from sqlalchemy import Connection, text

from allocation.service_layer.unit_of_work import StoreUnavailable

PRIVILEGES = {
    "alembic_version": "SELECT",
    "products": "SELECT, INSERT, UPDATE, DELETE",
    "batches": "SELECT, INSERT, UPDATE",
    "order_lines": "SELECT, INSERT, UPDATE",
    "events": "SELECT, INSERT",  # The log keeps every event.
    "events_position_seq": "SELECT, UPDATE",
    "log": "SELECT, UPDATE",
    "idempotency_keys": "SELECT, INSERT, UPDATE, DELETE",
    "subscriptions": "SELECT, UPDATE",
    "out_of_stock_mails": "SELECT, INSERT, UPDATE",
    "dead_letters": "SELECT, INSERT, UPDATE, DELETE",
}


def grant(connection: Connection, role: str) -> None:
    """Give the role the privileges that all processes together need, and no others. Raise StoreUnavailable.

    The caller commits. A repeated call changes nothing.
    """
    find = text("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = :role")
    quoted = connection.execute(find, {"role": role}).scalar_one_or_none()
    if quoted is None:
        raise StoreUnavailable(f"The role {role} of DATABASE_URL does not exist. Create it first")
    for table, privileges in PRIVILEGES.items():
        kind = "SEQUENCE" if table.endswith("_seq") else "TABLE"
        connection.execute(text(f"REVOKE ALL ON {kind} {table} FROM {quoted}"))
        connection.execute(text(f"GRANT {privileges} ON {kind} {table} TO {quoted}"))
