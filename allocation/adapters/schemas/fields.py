"""The types of a command's members: identifiers, quantities and ETAs."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

LARGEST_QTY = 2_147_483_647
LONGEST_IDENTIFIER = 255
MOST_LINES = 1_000


def without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not contain a NUL character")
    return text


def as_date(value: Any) -> date | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("eta", "must be a date as YYYY-MM-DD, or null")


def whole_number_from(least: int) -> BeforeValidator:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= LARGEST_QTY:
            raise PydanticCustomError("qty", f"must be a whole number from {least} to {LARGEST_QTY}")
        return value

    return BeforeValidator(check)


Identifier = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=LONGEST_IDENTIFIER, json_schema_extra={"pattern": r"^[^\u0000]*$"}),
    AfterValidator(without_nul),
]
OrderId = Annotated[Identifier, Field(examples=["order-1"])]
Sku = Annotated[Identifier, Field(examples=["RED-CHAIR"])]
Ref = Annotated[Identifier, Field(examples=["ship-1"])]
Quantity = Annotated[
    int, whole_number_from(1), Field(examples=[10], json_schema_extra={"minimum": 1, "maximum": LARGEST_QTY})
]
BatchQuantity = Annotated[
    int, whole_number_from(0), Field(examples=[2], json_schema_extra={"minimum": 0, "maximum": LARGEST_QTY})
]
"""The quantity of an existing batch, which may shrink to 0."""
Eta = Annotated[
    date | None, BeforeValidator(as_date), Field(description="null: in the warehouse", examples=["2027-01-15"])
]
