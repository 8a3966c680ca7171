from collections.abc import Sequence
from datetime import date
from random import Random

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.arrays import array

PIECES = ["", "NULL", '"', "\\", "'", "{", "}", ",", " ", "\n", "\t", "\x01", ":sku", "%s", "ä", "表", "💡"]
KINDS: dict[str, list[object]] = {
    "int": [0, -1, 2_147_483_647, None],
    "bigint": [2**40],
    "boolean": [True, False, None],
    "date": [date(2027, 1, 15), None],
    "text": [],
}


def read_back(engine: Engine, kind: str, elements: Sequence[object]) -> object:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT CAST(:it AS {kind}[])"), {"it": array(elements)}).scalar_one()


def test_postgresql_reads_the_text_of_an_array_as_what_was_meant(engine: Engine) -> None:
    rng = Random(1)
    meant = [*PIECES, None, *("".join(rng.choices(PIECES, k=rng.randrange(9))) for _ in range(5_000))]
    assert read_back(engine, "text", meant) == meant


def test_so_are_arrays_of_other_types(engine: Engine) -> None:
    assert {kind: read_back(engine, kind, meant) for kind, meant in KINDS.items()} == KINDS
