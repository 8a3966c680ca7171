"""The loader sends the rows of CSV files through the message bus."""

import gzip
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.csv.rows import BadFile
from allocation.adapters.schemas.commands import COMMANDS
from allocation.entrypoints.load import Loader
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import StoreUnavailable
from tests.support.paths import SAMPLE

BAD_QUOTE = "row has a misplaced quote, or a line break inside a field"


class Load:
    """Loads files, counts their rows and collects the reports."""

    def __init__(self, bus: MessageBus) -> None:
        self.reports: list[str] = []
        self.rows = 0
        self._loader = Loader(bus, self.reports.append, self._done)

    def _done(self) -> None:
        self.rows += 1

    def batches(self, path: Path) -> "Load":
        self._loader.load(path, COMMANDS["add_batch"])
        return self

    def orders(self, path: Path) -> "Load":
        self._loader.load(path, COMMANDS["allocate"])
        return self


def write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n")
    return path


def test_a_second_load_of_the_sample_changes_nothing(bus: MessageBus, engine: Engine) -> None:
    for _ in range(2):
        load = Load(bus).batches(SAMPLE / "batches.csv").orders(SAMPLE / "orders.csv")
        assert load.reports == []
        with engine.connect() as connection:
            counts = connection.execute(
                text("SELECT (SELECT count(*) FROM batches), (SELECT count(*) FROM order_lines)")
            ).one()
            events = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
        assert sum(counts) == events == load.rows


def test_the_loader_reports_bad_rows_and_loads_the_others(bus: MessageBus, tmp_path: Path, engine: Engine) -> None:
    Load(bus).batches(write(tmp_path / "b.csv", "ref,sku,qty,eta", "b1,S,10,"))
    path = write(
        tmp_path / "orders.csv",
        "orderid,sku,qty",
        "o1,S,1",
        "o2,S,many",
        "o3,S",
        "o4,S,1,more",
        ",S,1",
        "o5,X,1",
        "o1,S,2",
        b"o6\xff,S,1",
        '"o',
        '7",S,1',
        "",
        "o8,S,-1",
        "o9,S,2",
        "x" * 200_000 + ",S,1",
        "o10,S,1",
    )
    load = Load(bus).orders(path)
    assert sorted(load.reports) == sorted(
        [
            f"{path}, line 3: qty must be a whole number from 1 to 2147483647, not 'many'",
            f"{path}, line 4: row has 2 fields, not 3",
            f"{path}, line 5: row has 4 fields, not 3",
            f"{path}, line 6: orderid is missing",
            f"{path}, line 7: Invalid sku X",
            f"{path}, line 8: Order o1's line of S already exists with quantity 1, not 2",
            f"{path}, line 9: orderid must be text in UTF-8, not 'o6\\udcff'",
            f"{path}, line 10: {BAD_QUOTE}",
            f"{path}, line 11: {BAD_QUOTE}",
            f"{path}, line 13: qty must be a whole number from 1 to 2147483647, not -1",
            f"{path}, line 15: orderid must be a string of 1 to 255 characters, not '{'x' * 79}…",
        ]
    )
    with engine.connect() as connection:
        loaded = connection.execute(text("SELECT orderid FROM order_lines ORDER BY orderid")).scalars().all()
    assert loaded == ["o1", "o10", "o9"]


def test_the_loader_reads_gzip_and_columns_in_any_order(bus: MessageBus, tmp_path: Path) -> None:
    path = tmp_path / "batches.csv.gz"
    path.write_bytes(gzip.compress("\ufeffnote,qty,sku,ref\nx,5,S,b1\n".encode()))
    load = Load(bus).batches(path)
    assert (load.rows, load.reports) == (1, [])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "line 1: the header lacks ref, sku, qty; it should be ref,sku,qty,eta"),
        ("a.csv", b"ref;sku;qty\n", "line 1: the header lacks ref, sku, qty"),
        ("a.csv.gz", b"ref,sku,qty,eta\n", "line 1: can't be read: Not a gzipped file"),
    ],
)
def test_the_loader_refuses_a_file_of_another_format(
    bus: MessageBus, tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadFile, match=reason):
        Load(bus).batches(path)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_the_loader_loads_the_rows_before_damaged_data(
    bus: MessageBus, tmp_path: Path, engine: Engine, damage: str
) -> None:
    rows = b"".join(b"b%d,S%d,1\n" % (n * 7919, n * 104_729) for n in range(20_000))
    packed = gzip.compress(b"ref,sku,qty\n" + rows, mtime=0)
    middle = len(packed) // 2
    path = tmp_path / "batches.csv.gz"
    path.write_bytes(packed[:middle] if damage == "cut" else packed[:middle] + b"\xff" * 100 + packed[middle + 100 :])
    load = Load(bus)
    with pytest.raises(BadFile, match=r"batches.csv.gz, line \d+: can't be read"):
        load.batches(path)
    with engine.connect() as connection:
        loaded = connection.execute(text("SELECT count(*) FROM batches")).scalar_one()
    assert 1_000 < loaded + len(load.reports) == load.rows < 20_000


def test_an_open_quote_spoils_only_its_own_line(bus: MessageBus, tmp_path: Path, engine: Engine) -> None:
    path = write(tmp_path / "batches.csv", "ref,sku,qty", "b1,S,1", '"b2,S,1', "b3,S,1")
    load = Load(bus).batches(path)
    assert (load.rows, load.reports) == (3, [f"{path}, line 3: {BAD_QUOTE}"])
    with engine.connect() as connection:
        loaded = connection.execute(text("SELECT ref FROM batches ORDER BY ref")).scalars().all()
    assert loaded == ["b1", "b3"]


def test_a_load_ends_when_the_database_has_no_tables(engine: Engine, bus: MessageBus, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE order_lines, batches, products"))
    path = write(tmp_path / "batches.csv", "ref,sku,qty", "b1,S,1", "b2,S,1")
    with pytest.raises(StoreUnavailable, match="does not exist"):
        Load(bus).batches(path)
