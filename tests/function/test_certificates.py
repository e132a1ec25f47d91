"""A cluster with a certificate of its own, from the event to the answer: objects and database by TLS, and nothing else set up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import pytest

import main
from contexts import Context, element
from exr_inspector.cli import backfill, doctor
from exr_inspector.cli.ask import main as ask
from exr_inspector.errors import StorageUnavailable
from exr_inspector.operations.samples import SAMPLES
from exr_inspector.settings import Settings
from local_vast import LocalVast
from tls import TlsEndpoint, make_certificates, tls_before

# Whoever switches the check off is warned by urllib3 at every request.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Unverified HTTPS request"),
    pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow:DeprecationWarning"),
]

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
BEAUTY = next(name for name in SAMPLES if name.endswith("beauty_v003.1001.exr"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVast]:
    """An endpoint with one render."""
    path = tmp_path_factory.mktemp("render") / "a.exr"
    SAMPLES[BEAUTY](path)
    with LocalVast(buckets=("renders", "exr-data")) as running:
        keys = {"aws_access_key_id": running.access_key, "aws_secret_access_key": running.secret_key}
        client = boto3.client("s3", endpoint_url=running.url, region_name="us-east-1", **keys)
        client.put_object(Bucket="renders", Key="sq010/a.exr", Body=path.read_bytes())
        yield running


@pytest.fixture(scope="module")
def endpoint(server: LocalVast, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsEndpoint]:
    """The same by TLS, with a certificate of an authority that nobody knows."""
    with tls_before(server.url, tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture
def environment(server: LocalVast, endpoint: TlsEndpoint, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Addresses and keys of both services; nothing of this machine's, and nothing about certificates."""
    for name in (*BUNDLES, *(name for item in fields(Settings) for name in item.metadata["names"])):
        monkeypatch.delenv(name, raising=False)
    for service in ("S3", "VAST_DB"):
        for name, value in {"ENDPOINT": endpoint.url, "ACCESS_KEY": server.access_key, "SECRET_KEY": server.secret_key}.items():
            monkeypatch.setenv(f"{service}_{name}", value)
    monkeypatch.setenv("VAST_DB_BUCKET", "exr-data")
    monkeypatch.setenv("S3_MAX_ATTEMPTS", "1")
    return monkeypatch


@pytest.fixture(params=["VAST_CA_BUNDLE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "VAST_TLS_VERIFY"])
def told(request: pytest.FixtureRequest, environment: pytest.MonkeyPatch, endpoint: TlsEndpoint) -> str:
    """Each way to say what is to be trusted; the last says that nothing is checked. What it is of is the schema's name, too."""
    name: str = request.param
    environment.setenv(name, "false" if name == "VAST_TLS_VERIFY" else endpoint.authority)
    environment.setenv("VAST_DB_SCHEMA", name.lower())
    return name


def inspect() -> dict[str, Any]:
    """The function's answer to the event of the render."""
    context = Context()
    main.init(context)
    answer: dict[str, Any] = main.handler(context, element("renders/sq010/a.exr"))
    return answer


def steps(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the doctor says of each step that has to do with a certificate."""
    doctor.main([])
    lines = capsys.readouterr().out.splitlines()
    return {name: line for name in ("tls", "objects") for line in lines if f" {name}: " in line}


@pytest.mark.usefixtures("told")
def test_the_function_reads_and_stores(capsys: pytest.CaptureFixture[str]) -> None:
    """One setting is enough for both services; then the row answers a question."""
    answer = inspect()
    assert (answer["status"], answer["persistence"]["status"]) == ("ok", "stored")
    assert ask(["render_trends", "--engine", "client", "--format", "json"]) == 0
    assert '"new_files": 1' in capsys.readouterr().out


@pytest.mark.usefixtures("told")
def test_backfill_reads_and_stores_a_bucket() -> None:
    """In processes of its own."""
    assert backfill.main(["s3://renders/sq010", "--workers", "1", "--force"]) == 0


def test_the_doctor_says_what_is_checked(told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of both services."""
    word = "not verified" if told == "VAST_TLS_VERIFY" else "verified"
    seen = steps(capsys)
    assert seen["tls"].startswith("ok")
    assert seen["objects"].startswith("ok")
    assert seen["tls"].endswith(f", {word}")
    assert f", {word}; its keys see 2 buckets" in seen["objects"]


@pytest.mark.parametrize("name", ["VAST_CA_BUNDLE", "REQUESTS_CA_BUNDLE", None])
def test_the_doctor_finds_what_is_not_trusted(
    name: str | None, environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another authority, or none; of the objects as well where the database is asked in plain text."""
    if name:
        environment.setenv(name, str(make_certificates(tmp_path).authority))
    assert {step: line.split()[0] for step, line in steps(capsys).items()} == {"tls": "FAILED", "objects": "FAILED"}


def test_the_objects_are_looked_at_by_themselves(
    server: LocalVast, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database answers in plain text, the object store has a certificate that is not trusted."""
    environment.setenv("VAST_DB_ENDPOINT", server.url)
    seen = steps(capsys)
    assert seen["tls"].startswith("ok")
    assert seen["objects"].startswith("FAILED")
    assert "certificate verify failed" in seen["objects"]


def test_wrong_keys_of_the_objects_are_found(
    server: LocalVast, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database has others."""
    environment.setenv("VAST_TLS_VERIFY", "false")
    environment.setenv("S3_SECRET_KEY", "wrong")
    seen = steps(capsys)
    assert (seen["tls"].split()[0], seen["objects"].split()[0]) == ("ok", "FAILED")


def test_without_an_object_store_there_is_nothing_to_try(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever inspects local files alone."""
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        environment.delenv(f"S3_{name}")
    assert "S3_ENDPOINT is not set" in steps(capsys)["objects"]


def test_a_bundle_that_is_not_there_is_named(environment: pytest.MonkeyPatch) -> None:
    """Of the environment, with the variables that may name it; the platform keeps the event."""
    environment.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authority.pem")
    context = Context()
    main.init(context)
    with pytest.raises(StorageUnavailable, match=r"CURL_CA_BUNDLE names is not there\)\. Correct the variable"):
        main.handler(context, element("renders/sq010/a.exr"))
