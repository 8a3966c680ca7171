"""The names that the processes of one service share on a Redis server. docs/operate.md describes the prefix.

    allocation:generations      string   "<live> <other>": readers use the live generation. Writers also write the other
                                         one: a generation under rebuild, or the former generation
    allocation:generation       string   counter for the names of generations
    allocation:etas             string   token of the reader cache: a writer replaces it when a cached value changes
    allocation:heartbeat        string   up to which moment the views are complete; see heartbeat.py
    allocation:handled:<name>   list     the events that a subscription of the relay has handled lately; with :parked
                                         after its name, those that it has parked
    allocation:alive:<process>  set      sorted: when each relay or consumer has shown a sign of life
    allocation:reports          set      sorted: when each process has written its report
    allocation:report:<process> string   the figures of a process, as JSON; see process_reports.py
    allocation:drift            string   number of registers that the relays have corrected
    allocation:drifted-at       string   when a relay has last corrected a register
    allocation:write-probe      string   exists for a moment after a check of the readiness
    allocation:committed        channel  wakes the relay
    allocation:database:<name>  channel  the relays of this database subscribe to it
    g<n>:…                      keys     the generation n; keys.py lists its keys
    readmodel_<version>         library  the Redis Functions

With the prefix `shop`, they are `shop:allocation:generations`, `shop:g<n>:…`, `shop_readmodel_2` and so on. Channels
and functions belong to the whole server. So services in two databases of one server also need different names.
"""

FUNCTIONS = 2
"""The version of the Redis Functions. Increase it with each change of a .lua file.

So processes of several releases can call their own functions on one server. The library of release 0.2.0 has no
version.
"""


class Names:
    """The names of the service with this prefix. A prefix consists of letters a to z, digits and underscores.

    It is empty for the first service of a server.
    """

    def __init__(self, prefix: str = "") -> None:
        self._start = f"{prefix}:" if prefix else ""
        self.generations = f"{self._start}allocation:generations"
        self.generation_counter = f"{self._start}allocation:generation"
        self.cache_token = f"{self._start}allocation:etas"
        self.heartbeat = f"{self._start}allocation:heartbeat"
        self.drift = f"{self._start}allocation:drift"
        self.drifted_at = f"{self._start}allocation:drifted-at"
        self.reports = f"{self._start}allocation:reports"
        self.write_probe = f"{self._start}allocation:write-probe"
        self.committed = f"{self._start}allocation:committed"
        library = f"readmodel_{FUNCTIONS}"
        self.library = f"{prefix}_{library}" if prefix else library
        self.apply = f"{self.library}_apply"
        self.compare = f"{self.library}_compare"
        self.relist = f"{self.library}_relist"
        self.repair = f"{self.library}_repair"
        self.swap = f"{self.library}_swap"

    def generation(self, number: int | str, suffix: str = "") -> str:
        """Return the name of a generation. `suffix` is that of its format."""
        return f"{self._start}g{number}{suffix}"

    def channel(self, name: str) -> str:
        """Return the channel that docs/reference.md lists under this name."""
        return f"{self._start}{name}"

    def handled(self, subscription: str) -> str:
        return f"{self._start}allocation:handled:{subscription}"

    def alive(self, process: str) -> str:
        return f"{self._start}allocation:alive:{process}"

    def report(self, process: str) -> str:
        return f"{self._start}allocation:report:{process}"

    def presence(self, database: str) -> str:
        return f"{self._start}allocation:database:{database}"


PLAIN = Names()
