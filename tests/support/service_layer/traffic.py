import random
import threading

from allocation.service_layer.messagebus import MessageBus
from tests.support.service_layer.random_commands import random_commands


class Traffic:
    """Threads that execute random commands. `commands` is the number of executed commands."""

    def __init__(self, bus: MessageBus) -> None:
        self.commands = 0
        self._bus = bus

    def run(self, done: threading.Event) -> None:
        for command in random_commands(random.Random()):
            if done.is_set():
                return
            list(self._bus.handle_all([command]))
            self.commands += 1
