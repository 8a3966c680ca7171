from typing import Any

from readmodel.store.connection import PackedCommands, ThreadConnection


class Counting(ThreadConnection):
    trips = 0

    def send_packed(self, commands: PackedCommands) -> list[Any]:
        self.trips += 1
        return super().send_packed(commands)
