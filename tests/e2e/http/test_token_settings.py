"""The list of access tokens, and the addresses on which a service needs one."""

from pathlib import Path

import pytest

from allocation.entrypoints.cli.exits import Exit
from tests.support.api import Api
from tests.support.processes import run_to_end, running
from tests.support.services import web


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "queries", "run"])
def test_without_a_token_the_service_listens_on_loopback_only(
    command: str, environment: dict[str, str], tmp_path: Path
) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        code, output = run_to_end(command, environment | {"ALLOCATION_HOST": host, "ALLOCATION_DATA": str(tmp_path)})
        assert code == Exit.NOT_RUN
        assert output == (
            f"Error: ALLOCATION_HOST={host}: without an access token, the service listens on loopback addresses only. "
            "Create a token with allocation access-token new, and set ALLOCATION_ACCESS_TOKENS_FILE\n"
        )


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("shop command", "line 1: an access token needs a name, scopes, a hash, and may have an expiry"),
        ("\n# x\n-shop command sha256:" + "0" * 64, "line 3: a name has 1 to 64 letters"),
        ("shop write sha256:" + "0" * 64, "line 1: the scope 'write' is none of command, query, metrics, admin"),
        ("shop command md5:0", "line 1: the hash must be sha256: and 64 hexadecimal digits"),
        ("shop command sha256:" + "0" * 64 + " tomorrow", "line 1: the expiry 'tomorrow' must be a moment"),
        ("shop command sha256:" + "0" * 64 + " 2027-01-01", "line 1: the expiry '2027-01-01' needs a time zone"),
    ],
)
def test_a_bad_list_of_tokens_is_named(tokens: str, message: str, environment: dict[str, str]) -> None:
    code, output = run_to_end("serve", environment | {"ALLOCATION_ACCESS_TOKENS": tokens})
    assert code == Exit.NOT_RUN
    assert output.startswith(f"Error: ALLOCATION_ACCESS_TOKENS, {message}"), output


@pytest.mark.slow
def test_a_new_token_is_printed_with_its_line(environment: dict[str, str]) -> None:
    arguments = "access-token new --name shop --scope command --scope query --days 30"
    code, output = run_to_end(arguments, environment)
    secret, line, *_ = output.splitlines()
    assert code == 0
    assert line.startswith("shop command,query sha256:")
    with running("relay", environment), web(environment | {"ALLOCATION_ACCESS_TOKENS": line}) as port:
        api = Api(port, secret)
        assert api.add_batch("b1", "S", 10).status == 201
        assert api.get("batches", "b1").status == 200
        api.connection.close()
