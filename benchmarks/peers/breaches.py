"""Compares the stored lines with the stock and with the answers that the clients got."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.peers.stored import StoredLine


def breaches(stock: Mapping[str, int], acknowledged: Mapping[str, int], stored: Sequence[StoredLine]) -> Iterator[str]:
    """Yield a sentence for each contradiction.

    `stock` maps the batches to their units. `acknowledged` maps the orders that got a 202 to their quantities.
    """
    used = defaultdict[str, int](int)
    for line in stored:
        if line.batchref is not None:
            used[line.batchref] += line.qty
    for ref, units in used.items():
        if units > stock.get(ref, 0):
            yield f"batch {ref} has {stock.get(ref, 0)} units, and {units} are allocated"
    for orderid, times in Counter(line.orderid for line in stored).items():
        if times > 1:
            yield f"order {orderid} is stored {times} times"
    found = {line.orderid: line.qty for line in stored}
    if lost := acknowledged.keys() - found.keys():
        yield f"{len(lost)} acknowledged lines are not stored, for example {min(lost)}"
    if surprising := found.keys() - acknowledged.keys():
        yield f"{len(surprising)} stored lines were not acknowledged, for example {min(surprising)}"
    if other := {orderid for orderid in found.keys() & acknowledged if found[orderid] != acknowledged[orderid]}:
        yield f"{len(other)} lines are stored with another quantity, for example {min(other)}"
