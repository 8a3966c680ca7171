"""A Redis connection that counts its round trips."""

from typing import Any

from readmodel.store.connection import PackedCommands, ThreadConnection


class Counting(ThreadConnection):
    """`trips` is the number of round trips so far."""

    trips = 0

    def send_packed(self, commands: PackedCommands) -> list[Any]:
        self.trips += 1
        return super().send_packed(commands)
