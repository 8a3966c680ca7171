"""The service reaches both stores over TLS, and refuses a server that it can't verify."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.api import Api
from tests.support.processes import run_to_end, running
from tests.support.services import web
from tests.support.tls import Certificates, create_certificates, greeting_of_postgres, no_greeting, over_tls


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return create_certificates(tmp_path)


@pytest.fixture
def encrypted(environment: dict[str, str], certificates: Certificates) -> Iterator[dict[str, str]]:
    """Yield the variables of a service that reaches its stores over TLS."""
    database, redis = urlsplit(environment["DATABASE_URL"]), urlsplit(environment["REDIS_URL"])
    assert database.port is not None
    assert redis.port is not None
    with (
        over_tls(database.port, certificates, greeting_of_postgres) as database_port,
        over_tls(redis.port, certificates, no_greeting) as redis_port,
    ):
        access, _, _ = database.netloc.rpartition("@")
        options = f"sslmode=verify-full&sslrootcert={certificates.authority}"
        database_url = f"postgresql://{access}@localhost:{database_port}{database.path}?{options}"
        access, _, _ = redis.netloc.rpartition("@")
        redis_url = f"rediss://{access}@localhost:{redis_port}{redis.path}?ssl_ca_certs={certificates.authority}"
        yield {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


@pytest.mark.slow
def test_the_service_works_over_tls(encrypted: dict[str, str]) -> None:
    with running("relay", encrypted), web(encrypted) as port, web(encrypted, "queries") as queries_port:
        api, queries = Api(port), Api(queries_port)
        assert api.add_batch("b1", "S", 10).status == 201
        assert api.allocate("o1", "S", 3).status == 202
        assert queries.allocations("o1").json == [{"sku": "S", "batchref": "b1"}]
        api.connection.close()
        queries.connection.close()
    assert run_to_end("verify", encrypted) == (0, "The views match the database\n")


@pytest.mark.slow
def test_a_server_that_can_not_be_verified_is_refused(encrypted: dict[str, str], certificates: Certificates) -> None:
    def with_(old: str, new: str) -> dict[str, str]:
        return {name: value.replace(old, new) for name, value in encrypted.items()}

    by_a_stranger = with_(str(certificates.authority), str(certificates.stranger))
    of_another_host = with_("@localhost:", "@127.0.0.1:")
    for environment in (by_a_stranger, of_another_host):
        for role in ("commands", "queries"):
            code, output = run_to_end(f"check {role}", environment)
            assert code == 1, output
            assert "can't be reached" in output or "unreachable" in output, output
