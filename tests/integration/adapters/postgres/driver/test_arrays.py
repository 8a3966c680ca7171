"""PostgreSQL reads arrays that the adapter writes as text."""

from collections.abc import Sequence
from datetime import date
from random import Random

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.arrays import array

PIECES = ["", "NULL", '"', "\\", "'", "{", "}", ",", " ", "\n", "\t", "\x01", ":sku", "%s", "ä", "表", "💡"]
ELEMENTS: dict[str, list[object]] = {
    "int": [0, -1, 2_147_483_647, None],
    "bigint": [2**40],
    "boolean": [True, False, None],
    "date": [date(2027, 1, 15), None],
    "text": [],
}


def read_back(engine: Engine, element_type: str, elements: Sequence[object]) -> object:
    with engine.connect() as connection:
        query = text(f"SELECT CAST(:elements AS {element_type}[])")
        return connection.execute(query, {"elements": array(elements)}).scalar_one()


def test_postgresql_reads_back_the_strings_of_an_array(engine: Engine) -> None:
    rng = Random(1)
    strings = [*PIECES, None, *("".join(rng.choices(PIECES, k=rng.randrange(9))) for _ in range(5_000))]
    assert read_back(engine, "text", strings) == strings


def test_postgresql_reads_back_arrays_of_each_type(engine: Engine) -> None:
    found = {element_type: read_back(engine, element_type, elements) for element_type, elements in ELEMENTS.items()}
    assert found == ELEMENTS
