"""Describes the error of a handler or a view in one line, with the place in the code."""

from pathlib import PurePath
from traceback import walk_tb

from readmodel.logs import visible

LONGEST = 500


def reason_of(error: BaseException) -> str:
    """Return the type and the text of the error, and the innermost line of code that raised it.

    The text has at most about LONGEST characters, and no line breaks or invisible characters.
    """
    text = " ".join(str(error).split())
    said = visible(f"{type(error).__name__}: {text}" if text else type(error).__name__)
    place = ""
    for frame, line in walk_tb(error.__traceback__):
        place = f" ({PurePath(frame.f_code.co_filename).name}, line {line})"
    return (said if len(said) <= LONGEST else said[:LONGEST] + "…") + place
