"""A client process. Several of them send the same commands with the same idempotency keys, each in its own order.

Arguments: the port, the number of commands, the seed of the order, and `one-by-one` or `in-bulk`. The process prints a
JSON object that maps each key to its answer.
"""

import json
import random
import sys
from typing import Any

from tests.support.api import Api


def commands(number: int) -> dict[str, tuple[str, dict[str, Any]]]:
    """Map each key to a route and a body.

    Few SKUs and orders occur, so that commands conflict. The order of execution decides which commands are refused.
    """
    rng = random.Random(number)
    by_key: dict[str, tuple[str, dict[str, Any]]] = {}
    for n in range(number):
        sku, orderid = f"S{rng.randrange(5)}", f"o{rng.randrange(number // 4)}"
        line = {"orderid": orderid, "sku": sku}
        lines = [{"sku": f"S{k}", "qty": 2} for k in rng.sample(range(6), 3)]
        choices: list[tuple[str, dict[str, Any]]] = [
            ("add_batch", {"ref": f"b{n}", "sku": sku, "qty": 30}),
            ("allocate", line | {"qty": rng.randrange(1, 9)}),
            ("deallocate", line),
            ("change_line_quantity", line | {"qty": rng.randrange(1, 9)}),
            ("ship", line),
            ("allocate_order", {"orderid": orderid, "lines": lines}),
            ("cancel_order", {"orderid": orderid}),
            ("change_batch_quantity", {"ref": f"b{rng.randrange(number)}", "qty": rng.choice([0, 10, 40])}),
        ]
        [by_key[f"k{n}"]] = rng.choices(choices, weights=[2, 8, 2, 2, 1, 3, 1, 1])
    return by_key


def one_by_one(api: Api, keys: list[str], wanted: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, object]:
    answers = {key: api.keyed(key, *wanted[key]) for key in keys}
    return {key: (answer.status, answer.body) for key, answer in answers.items()}


def in_bulk(api: Api, keys: list[str], wanted: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, object]:
    results = api.bulk(*({"type": wanted[key][0], "id": key} | wanted[key][1] for key in keys))
    return {str(result["id"]): result for result in results}


if __name__ == "__main__":
    port, number, seed, mode = sys.argv[1:]
    wanted = commands(int(number))
    keys = random.Random(seed).sample(list(wanted), len(wanted))
    answers = {"one-by-one": one_by_one, "in-bulk": in_bulk}[mode](Api(int(port)), keys, wanted)
    print(json.dumps(answers, sort_keys=True))  # noqa: T201
