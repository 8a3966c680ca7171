"""Numbers as short texts."""

from allocation.adapters.postgres.checks.lags import Lag

SECONDS = (("d", 172_800, 86_400), ("h", 7_200, 3_600), ("min", 120, 60))
"""Units of time, from how many seconds on this module uses them, and their seconds."""
BYTES = ("bytes", "kB", "MB", "GB", "TB")


def age(seconds: float) -> str:
    for unit, least, length in SECONDS:
        if seconds >= least:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def size(number: float) -> str:
    unit = 0
    while number >= 1_000 and unit < len(BYTES) - 1:
        number, unit = number / 1_000, unit + 1
    return f"{number:.1f} {BYTES[unit]}" if unit and number < 10 else f"{number:.0f} {BYTES[unit]}"


def count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun.removesuffix('y')}ies" if noun.endswith("ry") else f"{number:,} {noun}s"


def events(lag: Lag) -> str:
    """Return the lag as a text, for example "312 events, the oldest 12 s old"."""
    if not lag.events and not lag.more:
        return "up to date"
    number = f"more than {count(lag.events, 'event')}" if lag.more else count(lag.events, "event")
    return f"{number}, the oldest {age(lag.seconds)} old" if lag.events else number
