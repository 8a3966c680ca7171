"""The write side with the library `eventsourcing`: one aggregate per SKU, in the library's tables on PostgreSQL."""
