from typing import Any

from readmodel.store.connection import Packed, Wire


class Counting(Wire):
    trips = 0

    def send(self, commands: Packed) -> list[Any]:
        self.trips += 1
        return super().send(commands)
