"""The name of a generation names its format. A process reports a format that it does not know."""

import pytest

from readmodel.store.errors import ModelDamaged, UnknownFormat
from readmodel.store.formats import FORMAT_1, NEWEST, Format, format_of
from readmodel.store.generations import Generations
from readmodel.store.names import Names


@pytest.mark.parametrize("prefix", ["", "shop", "g1"])
@pytest.mark.parametrize("known", [FORMAT_1, Format(2), Format(2, 1), Format(2, 100_000)])
def test_a_name_keeps_its_format(prefix: str, known: Format) -> None:
    name = Names(prefix).generation(7, known.suffix)
    assert format_of(name) == known
    assert Generations.parse(name) == Generations(name)
    assert Generations.parse(f"g1 {name}") == Generations("g1", name)


def test_release_0_2_0_wrote_names_without_a_format() -> None:
    assert FORMAT_1.suffix == ""


@pytest.mark.parametrize(
    "name", [f"g7.{NEWEST + 1}", f"g7.{NEWEST + 1}.100", "g7.1", "g7.2.0", "g7.02", "g7.2.100.5", "g7.x"]
)
def test_another_format_is_unknown(name: str) -> None:
    with pytest.raises(UnknownFormat, match=name):
        format_of(name)
    for stored in (name, f"{name} g1"):
        with pytest.raises(UnknownFormat, match=name):
            Generations.parse(stored)


def test_a_newer_release_may_build_another_generation() -> None:
    """This release reads and writes the live one until the switch, and leaves the other one alone."""
    found = Generations.parse(f"g1 g7.{NEWEST + 1}")
    assert (found.live, found.written, str(found)) == ("g1", ["g1"], f"g1 g7.{NEWEST + 1}")


@pytest.mark.parametrize("stored", ["7", "g7.", "g7..2", "g7.2 ", "x y z", "g7.2,3", "g1 g2 g3"])
def test_another_text_is_damage(stored: str) -> None:
    with pytest.raises(ModelDamaged):
        Generations.parse(stored)
