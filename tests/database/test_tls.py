"""TLS with a certificate of the cluster's own: what the settings say goes before the environment, and a failure says why."""

from __future__ import annotations

import errno
import socket
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import vastdb

import vast_db_persistence as persistence
from databases import BUCKET, Database, database
from exr_inspector.catalogue.connection import open_target
from exr_inspector.cli import backfill
from exr_inspector.database import rulings
from exr_inspector.database.session import connect
from exr_inspector.errors import StorageUnavailable, VASTDatabaseError
from exr_inspector.function import objects
from exr_inspector.operations import doctor
from exr_inspector.operations.samples import write_samples
from exr_inspector.settings import Settings
from sample_payloads import payload
from tls import TlsEndpoint, make_certificates, tls_before

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
UNTRUSTED = "the certificate is not trusted"

# Whoever switches the check off is warned by urllib3 at every request.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    """The plain server behind the TLS endpoint."""
    with database() as running:
        yield running


@pytest.fixture(scope="module")
def endpoint(db: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsEndpoint]:
    """The TLS endpoint."""
    with tls_before(db.server.url, tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the certificates and proxies of the machine that it runs on."""
    for name in (*BUNDLES, *PROXIES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def elsewhere(tmp_path: Path) -> str:
    """A bundle with another authority."""
    return str(make_certificates(tmp_path).authority)


def at(db: Database, endpoint: TlsEndpoint, **more: Any) -> Settings:
    """Settings for database and objects by TLS."""
    given = db.settings
    s3 = {"s3_endpoint": endpoint.url, "s3_access_key": given.db_access_key, "s3_secret_key": given.db_secret_key}
    return replace(given, db_endpoint=endpoint.url, s3_attempts=1, **s3, **more)


def outcome(settings: Settings, path: str = "/tls.exr") -> str:
    """How storing a file ends."""
    return str(persistence.persist_to_vast_database(payload(path), session=persistence.open_store(settings))["status"])


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_settings_go_before_bundles_of_the_environment(
    db: Database, endpoint: TlsEndpoint, elsewhere: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The cluster's authority is trusted, or nothing is checked, whatever file the environment names for other programs."""
    monkeypatch.setenv(name, elsewhere)
    assert outcome(at(db, endpoint, ca_bundle=endpoint.authority)) == "stored"
    assert outcome(at(db, endpoint, tls_verify=False)) == "stored"


def test_a_bundle_of_the_environment_counts_where_the_settings_name_none(
    db: Database, endpoint: TlsEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for every program that uses `requests`."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", endpoint.authority)
    assert outcome(at(db, endpoint)) == "stored"


def test_a_bundle_in_the_settings_is_not_widened_by_the_environment(
    db: Database, endpoint: TlsEndpoint, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that the settings do not name is not trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", endpoint.authority)
    with pytest.raises(VASTDatabaseError, match=UNTRUSTED):
        connect(at(db, endpoint, ca_bundle=elsewhere))


def test_an_untrusted_certificate_is_named_with_the_setting(db: Database, endpoint: TlsEndpoint) -> None:
    """The platform keeps the event, and nothing is tried again within the call."""
    with pytest.raises(VASTDatabaseError, match=f"{UNTRUSTED}: .*VAST_CA_BUNDLE") as caught:
        connect(at(db, endpoint))
    assert caught.value.code == "database_certificate"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"])
def test_the_object_store_is_verified_as_the_settings_say(
    db: Database, endpoint: TlsEndpoint, elsewhere: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The same two settings, the same precedence, and the same words."""
    monkeypatch.setenv(name, elsewhere)
    for more in ({"ca_bundle": endpoint.authority}, {"tls_verify": False}):
        client = objects.s3_client(at(db, endpoint, **more))
        assert objects.current_etag(client, BUCKET, "nothing.exr") is None
    client = objects.s3_client(at(db, endpoint, ca_bundle=elsewhere))
    with pytest.raises(StorageUnavailable, match=f"{UNTRUSTED}: .*VAST_CA_BUNDLE"):
        objects.current_etag(client, BUCKET, "nothing.exr")


def test_storing_by_tls_needs_no_query_engine(db: Database, endpoint: TlsEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver verifies by itself, so where it is installed every transaction of the client's own would fail."""
    monkeypatch.delitem(sys.modules, "adbc_driver_vastdb")
    assert outcome(at(db, endpoint, ca_bundle=endpoint.authority)) == "stored"


def test_the_query_engine_names_the_certificate(db: Database, endpoint: TlsEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the variable that its driver reads, with which it answers."""
    monkeypatch.delitem(sys.modules, "adbc_driver_vastdb")
    target = open_target(at(db, endpoint, ca_bundle=endpoint.authority))
    with pytest.raises(VASTDatabaseError, match=f"{UNTRUSTED}.*SSL_CERT_FILE") as caught, target.reading(engine=True):
        pass
    assert caught.value.code == "database_certificate"
    monkeypatch.setenv("SSL_CERT_FILE", endpoint.authority)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cannot disable autocommit")
        with target.reading(engine=True) as transaction:
            transaction.adbc_conn.cursor.execute("SELECT 1")
            assert transaction.adbc_conn.cursor.fetchall() == [(1,)]


def test_the_session_is_the_clients_in_all_but_tls(db: Database) -> None:
    """A newer client whose session has more to it fails here."""
    ours, theirs = connect(db.settings), db.session()
    assert isinstance(ours, vastdb.session.Session)
    assert vars(ours).keys() == vars(theirs).keys()
    assert vars(ours.api).keys() - {"with_endpoint"} == vars(theirs.api).keys()
    same = ("access", "secret", "adbc_driver_path", "_end_user")
    assert [getattr(ours, name) for name in same] == [getattr(theirs, name) for name in same]
    assert ours.api._max_entities_per_page == theirs.api._max_entities_per_page


def test_a_port_where_nobody_listens_refuses(db: Database) -> None:
    """The address, and what happened."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(VASTDatabaseError, match=f"{url}: the connection was refused.*VAST_DB_ENDPOINT"):
            connect(replace(db.settings, db_endpoint=url))


def test_a_server_that_stays_silent_runs_out_of_time(db: Database) -> None:
    """It accepts the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(VASTDatabaseError, match="there was no answer in time"):
            connect(replace(db.settings, db_endpoint=url, db_timeout=0.1))


def test_https_of_a_plain_server_is_named(db: Database) -> None:
    """The handshake is answered in plain text."""
    url = db.server.url.replace("http:", "https:")
    with pytest.raises(VASTDatabaseError, match="the endpoint does not speak TLS"):
        connect(replace(db.settings, db_endpoint=url))


def test_a_name_that_is_not_known_is_named(db: Database) -> None:
    """`.invalid` is reserved for names that do not exist."""
    with pytest.raises(VASTDatabaseError, match="the name of the host was not found"):
        connect(replace(db.settings, db_endpoint="http://data-vip.invalid"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "there is no route to the host"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "there is no route to the host"),
        (ConnectionResetError(), "the connection was closed before an answer came"),
        (OSError(errno.EIO, "Input/output error"), None),
    ],
)
def test_a_cause_is_found_below_other_errors(error: OSError, words: str | None) -> None:
    """Whatever errors of other layers were raised from it."""
    outer = RuntimeError()
    outer.__cause__ = error
    assert rulings.network_cause(outer) == words


def test_a_bundle_that_is_not_there_is_named(db: Database, endpoint: TlsEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings check their own; that of the environment is found missing at the first request."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authority.pem")
    with pytest.raises(VASTDatabaseError, match="that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names is not there"):
        connect(at(db, endpoint))


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_doctor_trusts_what_the_client_trusts(
    name: str, db: Database, endpoint: TlsEndpoint, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's authorities where the settings name none, the settings' before them, and none with the check off."""
    plain = at(db, endpoint)
    assert "VAST_CA_BUNDLE" in tls_step(plain)
    monkeypatch.setenv(name, endpoint.authority)
    assert tls_step(plain) == "ok"
    monkeypatch.setenv(name, elsewhere)
    assert [tls_step(replace(plain, **more)) for more in ({"ca_bundle": endpoint.authority}, {"tls_verify": False})] == ["ok"] * 2
    assert "VAST_CA_BUNDLE" in tls_step(plain)


def tls_step(settings: Settings) -> str:
    """How the doctor's look at the certificate ends: ok, or the remedy."""
    try:
        doctor.check_tls(doctor.Patient(settings=settings))
    except doctor.StepFailed as failure:
        return str(failure.remedy)
    return "ok"


def test_backfill_stores_by_the_same_certificates(
    db: Database, endpoint: TlsEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers, processes of their own, trust the cluster's authority in VAST_CA_BUNDLE as well."""
    write_samples(tmp_path)
    given = {"ENDPOINT": endpoint.url, "ACCESS_KEY": db.settings.db_access_key, "SECRET_KEY": db.settings.db_secret_key}
    for key, value in given.items():
        monkeypatch.setenv(f"VAST_DB_{key}", str(value))
    monkeypatch.setenv("VAST_DB_BUCKET", BUCKET)
    monkeypatch.setenv("VAST_DB_SCHEMA", "by_tls")
    monkeypatch.setenv("VAST_CA_BUNDLE", endpoint.authority)
    shot = next(path for path in sorted(tmp_path.rglob("*.exr"))).parent
    assert backfill.main([str(shot), "--workers", "1"]) == 0
    assert db.at("by_tls").rows("files")
