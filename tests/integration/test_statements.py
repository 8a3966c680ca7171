from datetime import date
from random import Random

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.statements import array

PIECES = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    "'",
    "{",
    "}",
    ",",
    " ",
    "\n",
    "\t",
    "\x01",
    ":sku",
    "%s",
    "\\\\",
    "ä",
    "表",
    "💡",
]


@pytest.mark.parametrize("seed", range(20))
def test_postgresql_reads_the_text_of_an_array_as_what_was_meant(seed: int, engine: Engine) -> None:
    rng = Random(seed)
    meant = [*PIECES, None, *("".join(rng.choices(PIECES, k=rng.randrange(9))) for _ in range(300))]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT CAST(:it AS text[])"), {"it": array(meant)}).scalar_one() == meant


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("int", [0, -1, 2_147_483_647, None]),
        ("bigint", [2**40]),
        ("boolean", [True, False, None]),
        ("date", [date(2027, 1, 15), None]),
        ("text", []),
    ],
)
def test_so_are_arrays_of_other_types(kind: str, meant: list[object], engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text(f"SELECT CAST(:it AS {kind}[])"), {"it": array(meant)}).scalar_one() == meant
