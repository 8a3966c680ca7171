"""Maps the classes of the model to tables, imperatively. The indexes are ours: the book creates none."""

from sqlalchemy import Column, Date, ForeignKey, Integer, String, Table
from sqlalchemy.orm import registry, relationship

from benchmarks.peers.book.model import Batch, OrderLine, Product

mapper = registry()

products = Table(
    "products",
    mapper.metadata,
    Column("sku", String(255), primary_key=True),
    Column("version", Integer, nullable=False),
)
batches = Table(
    "batches",
    mapper.metadata,
    Column("id", Integer, primary_key=True),
    Column("ref", String(255), unique=True),
    Column("sku", ForeignKey("products.sku"), index=True),
    Column("purchased", Integer, nullable=False),
    Column("eta", Date),
)
order_lines = Table(
    "order_lines",
    mapper.metadata,
    Column("id", Integer, primary_key=True),
    Column("orderid", String(255), index=True),
    Column("sku", String(255)),
    Column("qty", Integer, nullable=False),
)
allocations = Table(
    "allocations",
    mapper.metadata,
    Column("id", Integer, primary_key=True),
    Column("line_id", ForeignKey("order_lines.id"), index=True),
    Column("batch_id", ForeignKey("batches.id"), index=True),
)

# One statement loads a product with its batches and all their lines. The book leaves that to three lazy loads.
mapper.map_imperatively(OrderLine, order_lines)
mapper.map_imperatively(
    Batch,
    batches,
    properties={"lines": relationship(OrderLine, secondary=allocations, collection_class=set, lazy="joined")},
)
mapper.map_imperatively(Product, products, properties={"batches": relationship(Batch, lazy="joined")})
