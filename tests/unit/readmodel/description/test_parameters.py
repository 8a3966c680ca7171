"""A query reads the parameters that its route describes, and no others."""

import pytest

from readmodel.web import parameters
from readmodel.web.answers import Problem
from readmodel.web.edge.request import Request
from readmodel.web.parameters import LONGEST_IDENTIFIER, QUERY, Parameter
from readmodel.web.routes import ROUTES
from tests.support.edge_client import Headers, Response, Scope

ALL = [one for one in vars(parameters).values() if isinstance(one, Parameter) and one.place == QUERY]
OF_EVERY_QUERY = {parameters.AT_LEAST.name}
GOOD = {"id": "a", "qty": "1"}
"""Values of the parameters that are required."""
BAD = "x" * (LONGEST_IDENTIFIER + 1)


def is_read(route: str, name: str) -> bool:
    """Return whether bad values of the parameter get a 400. Every parameter but the identifiers occurs once."""
    good = "&".join(f"{one}={value}" for one, value in GOOD.items() if one != name)
    request = Request(Scope("GET", "/", Headers([]), f"{good}&{name}={BAD}&{name}={BAD}"), Response(b""))
    try:
        ROUTES[route].prepare(request)
    except Problem as error:
        return error.answer.status == 400
    return False


@pytest.mark.parametrize("route", ROUTES)
def test_a_query_reads_the_parameters_that_it_describes(route: str) -> None:
    described = {one.name for one in ROUTES[route].parameters if one.place == QUERY}
    assert {one.name for one in ALL if is_read(route, one.name)} - OF_EVERY_QUERY == described


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_describes_a_name_if_it_has_one(route: str) -> None:
    names = [one for one in ROUTES[route].parameters if one.place == parameters.PATH]
    assert len(names) == (1 if "{}" in route or route.endswith("/") else 0)
    assert bool(ROUTES[route].not_found) == bool(names)
