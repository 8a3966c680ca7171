"""What `verify` must know about the keys of a view. Each view maps its kinds of keys to one of these classes."""

from collections.abc import Callable
from typing import NamedTuple

from readmodel.store.lists import ListEntry

Name = tuple[str | int, ...]
"""The SKU of a product, the reference of a batch, the order id and the SKU of a line, or the SKU and version of an
event."""

Row = tuple[str, Name]
"""The kind of a row, and its name. Of "stock", the name is a SKU and the reference of a batch of this product.

An order has no row of its own. Of "order", the name is an order id that a line has.
"""


class Registers(NamedTuple):
    """A hash of registers.

    `row_of` returns the row that a register describes, from the identifier in the key and from the field. It returns
    None if the view has no such field. `row_of_key` returns the row that the identifier names: it must exist if the key
    exists.
    """

    row_of: Callable[[str, str], Row | None]
    row_of_key: Callable[[str], Row]


class ListOfRegisters(NamedTuple):
    """A list of registers.

    `register_of` returns the key and the field of an entry's register, and `row_of` its row: both from the identifier
    in the list's key, and from the name of the entry. `number` is the place of the list among the register's lists,
    from 1. `row_of_key` returns the row that the identifier names, or None if the key has no identifier.
    """

    register_of: Callable[[str, str], tuple[str, str]]
    row_of: Callable[[str, str], Row]
    number: int
    row_of_key: Callable[[str], Row | None] = lambda _: None


class ListOfEvents(NamedTuple):
    """A list of events. `event_of` returns the SKU and the version of an entry's event. It raises ModelDamaged.

    `row_of_key` returns the row that the identifier in the key names.
    """

    event_of: Callable[[ListEntry], Name]
    row_of_key: Callable[[str], Row]


Kind = Registers | ListOfRegisters | ListOfEvents
