"""Every problem of docs/TROUBLESHOOTING.md that has a message, provoked: the heading -> the texts that the code then gives."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import ssl
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pyarrow as pa

import main
import vast_db_persistence as persistence
from contexts import Context, element
from databases import BUCKET, Database, database
from exr_bytes import FLOAT, attribute, channel, chlist, header, image, part, set_offsets, text, without_chunks
from exr_inspector import settings as vast_settings
from exr_inspector.catalogue import connection, engine, questions, similarity
from exr_inspector.catalogue.report import page as report_page
from exr_inspector.cli import command
from exr_inspector.embedding.vectors import EMBEDDING_VERSION
from exr_inspector.errors import InspectorError
from exr_inspector.function import host as function_host
from exr_inspector.function.host_events import VastEvent
from exr_inspector.function.job import STATE, make_runtime
from exr_inspector.pixels.decode import Decoders
from exr_inspector.settings import Settings
from exr_inspector.validation.policy import load_policy
from object_store import ScriptedStore
from old_schema import fill_old, run
from sample_payloads import payload

Provocation = Callable[["Scene"], Iterator[str]]
PROVOKED: dict[str, list[Provocation]] = {}


@dataclass(frozen=True)
class Scene:
    """Where problems are provoked: a prepared database, an object store, a folder."""

    db: Database
    objects: ScriptedStore
    folder: Path

    @property
    def settings(self) -> Settings:
        """Settings for all three."""
        given = self.objects.settings(s3_attempts=1)
        return replace(
            self.db.settings, s3_endpoint=given.s3_endpoint, s3_access_key="AKEY", s3_secret_key="s", s3_attempts=1,
            local_roots=(self.folder,), full_payload=True,
        )  # fmt: skip

    def file(self, data: bytes, name: str = "a.1001.exr") -> str:
        """A file in the folder."""
        path = self.folder / name
        path.write_bytes(data)
        return str(path)


def problem(heading: str) -> Callable[[Provocation], Provocation]:
    """Says which problem a function provokes."""

    def note(function: Provocation) -> Provocation:
        PROVOKED.setdefault(heading, []).append(function)
        return function

    return note


def raised(call: Callable[[], object]) -> str:
    """The message of the error that the call raises."""
    try:
        call()
    except InspectorError as error:
        return error.message
    raise AssertionError("nothing was raised")


def answer(place: Scene, event: Any, **changes: Any) -> dict[str, Any]:
    """What the handler answers to an event."""
    context = Context()
    setattr(context, STATE, make_runtime(context, **_values(replace(place.settings, **changes))))
    document: dict[str, Any] = main.handler(context, event)  # type: ignore[no-untyped-call]
    return document


def _values(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in Settings.__slots__}


def entries(place: Scene, data: bytes, **changes: Any) -> Iterator[str]:
    """The messages of errors and warnings of a file with these bytes, as the function describes it."""
    document = answer(place, {"data": {"path": place.file(data), **changes}}, db_endpoint=None)
    for listed in (document["errors"], document["warnings"], document["stats"].get("findings", [])):
        yield from (entry["message"] for entry in listed)


def refused(place: Scene, event: Any, **changes: Any) -> str:
    """Why the handler refuses or skips an event."""
    document = answer(place, event, **changes)
    (reason,) = [document["reason"]] if document.get("reason") else document["errors"]
    return str(reason["message"])


def fails(place: Scene, *faults: str, path: str = "/fault.exr") -> str:
    """The message with which storing fails under these faults; with none left behind."""
    place.db.server.faults.clear()
    place.db.server.faults.add(*faults)
    try:
        return raised(lambda: persistence.persist_to_vast_database(payload(path), session=place.db.store()))
    finally:
        place.db.server.faults.clear()


def nobody() -> tuple[str, int]:
    """A port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return "127.0.0.1", unused.getsockname()[1]


def connecting(place: Scene, **changes: Any) -> str:
    """Why no session can be opened with these settings."""
    return raised(lambda: persistence.open_store(replace(place.db.settings, **changes)))


def doctor(place: Scene, **changes: Any) -> str:
    """What the doctor says of the step that fails."""
    status, report = run(Database(place.db.server, replace(place.db.settings, **changes)), "doctor")
    assert status == 3
    return str(report["steps"][report["failed"]]["detail"])


def load(**environ: str) -> str:
    """What is wrong with an environment."""
    return raised(lambda: vast_settings.load(environ))


# The function does not store, or does not start


@problem("VAST_DB_ENDPOINT not configured: nothing is stored")
def nothing_is_stored(place: Scene) -> Iterator[str]:
    document = answer(place, {"data": {"path": place.file(image())}}, db_endpoint=None)
    yield document["persistence"]["message"]


@problem("The function does not become ready: a setting is wrong")
def a_setting_is_wrong(place: Scene) -> Iterator[str]:
    yield load(VAST_DB_TIMEOUT="soon")
    yield load(VAST_DB_TIMEOUT="soon", LOG_LEVEL="LOUD")


@problem("The function does not become ready: a setting is wrong")
def a_deprecated_setting(place: Scene) -> Iterator[str]:
    item = SimpleNamespace(metadata={"deprecated": {"TLS_VERIFY": "VAST_TLS_VERIFY"}})
    with warnings.catch_warnings(record=True) as said_so:
        warnings.simplefilter("always")
        vast_settings._warn_if_deprecated(item, "TLS_VERIFY")  # type: ignore[arg-type]
    yield from (str(one.message) for one in said_so)


@problem("VAST_DB_ENDPOINT not configured: nothing is stored")
def an_endpoint_lacks_its_keys(place: Scene) -> Iterator[str]:
    yield load(VAST_DB_ENDPOINT="http://example.com", VAST_DB_ACCESS_KEY="A")
    yield connecting(place, db_secret_key=None)


@problem("Failed to create VAST DataBase session")
def out_of_reach_at_the_start(place: Scene) -> Iterator[str]:
    host, port = nobody()
    context = Context()
    setattr(context, STATE, make_runtime(context, **_values(replace(place.db.settings, db_endpoint=f"http://{host}:{port}"))))
    main.init(context)  # type: ignore[no-untyped-call]
    yield context.entries()[-1]["message"]


# Connection


@problem("Failed to create VAST DataBase session")
def the_address_has_no_host(place: Scene) -> Iterator[str]:
    yield doctor(place, db_endpoint="http://data-vip.invalid")


@problem("Failed to create VAST DataBase session")
def nobody_answers(place: Scene) -> Iterator[str]:
    host, port = nobody()
    yield doctor(place, db_endpoint=f"http://{host}:{port}")
    yield connecting(place, db_endpoint=f"http://{host}:{port}")


@problem("Another service answers, or the cluster is too old")
def another_server(place: Scene) -> Iterator[str]:
    yield connecting(place, db_endpoint=place.objects.url)
    yield fails(place, "501@begin**")


@problem("Another service answers, or the cluster is too old")
def an_old_cluster(place: Scene) -> Iterator[str]:
    with database(version="5.0.0.0") as old:
        yield raised(old.store)


@problem("The bucket or the schema is not there")
def no_bucket(place: Scene) -> Iterator[str]:
    settings = replace(place.db.settings, db_bucket="nobody")
    yield raised(lambda: persistence.persist_to_vast_database(payload("/b.exr"), settings=settings))


@problem("The object store does not answer")
def no_object_store(place: Scene) -> Iterator[str]:
    host, port = nobody()
    event = element("renders/a.exr")
    yield raised(lambda: answer(place, event, s3_endpoint=f"http://{host}:{port}"))
    with _bent(place.objects, 503, "SlowDown"):
        yield raised(lambda: answer(place, event))


@problem("The object store does not answer")
def no_object_endpoint(place: Scene) -> Iterator[str]:
    yield refused(place, element("renders/a.exr"), s3_endpoint=None)


@contextlib.contextmanager
def _bent(store: ScriptedStore, status: int, code: str) -> Iterator[None]:
    store.before = lambda count: (status, code)
    try:
        yield
    finally:
        store.before = lambda count: None


# Credentials


@problem("The database refuses the keys")
def wrong_database_keys(place: Scene) -> Iterator[str]:
    settings = replace(place.db.settings, db_secret_key="wrong")
    yield raised(lambda: persistence.persist_to_vast_database(payload("/k.exr"), settings=settings))


@problem("The object store refuses the keys")
def wrong_object_keys(place: Scene) -> Iterator[str]:
    with _bent(place.objects, 403, "SignatureDoesNotMatch"):
        yield raised(lambda: answer(place, element("renders/a.exr")))


@problem("An object may not be read, or is not there")
def a_forbidden_object(place: Scene) -> Iterator[str]:
    with _bent(place.objects, 403, "AccessDenied"):
        yield refused(place, element("renders/a.exr"))


@problem("An event is rejected")
def not_a_bucket(place: Scene) -> Iterator[str]:
    yield refused(place, {"bucket": "renders--x-s3", "object_key": "a.exr"})


@problem("The platform ends an event, or it takes too much memory")
def an_event_without_memory(place: Scene) -> Iterator[str]:
    with patch("exr_inspector.function.objects.LocalFile", side_effect=MemoryError):
        yield refused(place, {"data": {"path": place.file(image())}})


@problem("An object may not be read, or is not there")
def no_object(place: Scene) -> Iterator[str]:
    yield refused(place, element("renders/gone.exr"))
    with _bent(place.objects, 404, "NoSuchBucket"):
        yield refused(place, element("renders/a.exr"))


# TLS


@problem("The certificate cannot be verified, or TLS fails")
def an_unknown_authority(place: Scene) -> Iterator[str]:
    with _secure(place.folder) as url:
        yield doctor(place, db_endpoint=url)
        yield connecting(place, db_endpoint=url)


@problem("The certificate cannot be verified, or TLS fails")
def tls_where_there_is_none(place: Scene) -> Iterator[str]:
    url = place.db.server.url.replace("http:", "https:")
    yield doctor(place, db_endpoint=url)
    yield connecting(place, db_endpoint=url)


@problem("The function does not become ready: a setting is wrong")
def no_bundle(place: Scene) -> Iterator[str]:
    yield load(VAST_CA_BUNDLE="/etc/nothing.pem")


@contextlib.contextmanager
def _secure(folder: Path) -> Iterator[str]:
    """A server on loopback whose certificate it signed itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_shake_hands, args=(server, context))
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True):
                pass


def _certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that no authority signed, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(form))
    return path


# Time-outs and load


@problem("Connection timeout")
def a_slow_database(place: Scene) -> Iterator[str]:
    slow = Database(place.db.server, replace(place.db.settings, db_timeout=0.1)).store()
    place.db.server.faults.add("latency=400@begin**")
    with patch("exr_inspector.database.upsert.ATTEMPTS", 1):
        yield raised(lambda: persistence.persist_to_vast_database(payload("/slow.exr"), session=slow))
    place.db.server.faults.clear()


@problem("The database is busy or full")
def a_busy_database(place: Scene) -> Iterator[str]:
    with patch("exr_inspector.database.upsert.ATTEMPTS", 1), patch("exr_inspector.database.session._SLOW_DOWN", {"max_tries": 1}):
        yield fails(place, "503@begin**")
        yield fails(place, "500@insert**")
        yield fails(place, "408@insert**")


@problem("Transaction failed")
def an_expired_transaction(place: Scene) -> Iterator[str]:
    yield fails(place, "expire@insert**")


@problem("The database is busy or full")
def a_full_database(place: Scene) -> Iterator[str]:
    yield fails(place, "507@insert**")


# Events


@problem("An event is skipped")
def skipped_events(place: Scene) -> Iterator[str]:
    yield refused(place, element("renders/notes.txt"))
    yield refused(place, element("renders/folder/"))
    yield refused(place, element("renders/a.exr", "ElementTagCreated"))
    yield refused(place, {"type": "vastdata.com:Schedule.TimerElapsed", "data": {}})


@problem("An event is rejected")
def no_object_named(place: Scene) -> Iterator[str]:
    yield refused(place, element(""))


@problem("A path is refused")
def refused_paths(place: Scene) -> Iterator[str]:
    yield refused(place, {"data": {"path": "/etc/secret.exr"}})
    yield refused(place, {"data": {"path": str(place.folder / "missing.exr")}})
    yield refused(place, {"data": {"path": str(place.folder)}})


@problem("An event is rejected")
def wrong_fields(place: Scene) -> Iterator[str]:
    yield refused(place, {"data": {"path": "/a.exr", "stats": "maybe"}})
    yield refused(place, {"data": "{"})


@problem("The host refuses the event")
def refused_by_the_host(place: Scene) -> Iterator[str]:
    headers = {"content-type": "application/json", "ce-specversion": "1.0", "ce-type": "vastdata.com:Element.ElementCreated"}
    full = {**headers, "ce-id": "10", "ce-source": "vastdata.com:trigger", "ce-subject": "broker"}
    for given in (headers, full, {**full, "ce-id": "hello"}):
        try:
            VastEvent.parse(given, b"{}")
        except ValueError as error:
            yield str(error)


@problem("The function does not become ready: a setting is wrong")
def a_host_that_is_not_ready(place: Scene) -> Iterator[str]:
    go_on = threading.Event()

    def broken(context: Any) -> None:
        go_on.wait(10)
        vast_settings.load({"LOG_LEVEL": "LOUD"})

    with function_host.FunctionHost(main.handler, broken) as host:
        yield host._probe("/readiness")[1]
        go_on.set()
        with contextlib.suppress(InspectorError):
            host.wait_until_ready(10)
        yield host._probe("/readiness")[1]


# Files


@problem("The file is not an EXR")
def no_exr(place: Scene) -> Iterator[str]:
    yield from entries(place, b"These are notes")
    yield from entries(place, image()[:4] + b"\x09" + image()[5:])


@problem("The header is cut short, damaged or too large")
def a_cut_header(place: Scene) -> Iterator[str]:
    yield from entries(place, image()[:100])
    yield from entries(place, header(part())[:-1] + attribute("note", "string", b"", 100_000))


@problem("The header is cut short, damaged or too large")
def a_damaged_header(place: Scene) -> Iterator[str]:
    yield from entries(place, header([*part(), attribute("note", "string", b"x", -1)]))
    yield from entries(place, header([*part(), attribute("n" * 300, "string", b"x")]))


@problem("The header is cut short, damaged or too large")
def a_large_header(place: Scene) -> Iterator[str]:
    data = image(*(text(f"note{number}", "x" * 60_000) for number in range(3)))
    document = answer(place, {"data": {"path": place.file(data)}}, db_endpoint=None, header_limit=100_000)
    yield document["errors"][0]["message"]


@problem("A frame is incomplete: chunks are missing")
def missing_chunks(place: Scene) -> Iterator[str]:
    yield from entries(place, without_chunks(image(), len(header(_head())), 3, 4))


@problem("A frame is incomplete: chunks are missing")
def unlisted_chunks(place: Scene) -> Iterator[str]:
    yield from entries(place, set_offsets(image(), header(_head()), dict.fromkeys(range(8), 0)))
    yield from entries(place, set_offsets(image(), header(_head()), {3: 0}))


def _head() -> list[bytes]:
    return part(window=(0, 0, 63, 127))


@problem("The file was cut short")
def a_cut_file(place: Scene) -> Iterator[str]:
    data = image()
    yield from entries(place, data[:-60])
    yield from entries(place, data[: len(header(_head())) + 12])


@problem("The offset table is damaged")
def damaged_offsets(place: Scene) -> Iterator[str]:
    data, head = image(), header(_head())
    yield from entries(place, set_offsets(data, head, {2: 9}))
    yield from entries(place, set_offsets(data, head, {2: 1 << 40}))
    (third,) = struct.unpack_from("<Q", data, len(head) + 8 * 3)
    yield from entries(place, set_offsets(data, head, {2: third}))


@problem("The offset table is damaged")
def uncountable_chunks(place: Scene) -> Iterator[str]:
    yield from entries(place, image(without=("compression",)))


@problem("The header contradicts itself")
def contradictions(place: Scene) -> Iterator[str]:
    yield from entries(place, image(without=("lineOrder",)))
    yield from entries(place, image(display=(100, 100, 163, 227)))
    yield from entries(place, image(channels=chlist(channel("R"), channel("R"))))


@problem("An attribute does not decode, or something is left out")
def odd_attributes(place: Scene) -> Iterator[str]:
    yield from entries(place, image(attribute("fps", "rational", b"12345"), text("owner", b"\xff\xfe")))


@problem("A cryptomatte has no metadata, or contradicts itself")
def undeclared_cryptomattes(place: Scene) -> Iterator[str]:
    yield from entries(place, image(channels=chlist(channel("CryptoAsset00.R", FLOAT), channel("R"))))


@problem("A cryptomatte has no metadata, or contradicts itself")
def a_wrong_cryptomatte(place: Scene) -> Iterator[str]:
    prefix = "cryptomatte/1234567/"
    fields = {"name": "crypto_object", "hash": "MurmurHash3_32", "conversion": "uint32_to_float32", "manifest": "{"}
    yield from entries(place, image(*(text(prefix + name, value) for name, value in fields.items())))


@problem("The file changes while it is read")
def a_changing_file(place: Scene) -> Iterator[str]:
    place.objects.objects["renders/b.exr"] = image(*(text(f"note{number}", "x" * 60_000) for number in range(3)))
    count = iter(range(1000))

    def replaced(_: int) -> None:
        place.objects.objects["renders/b.exr"] += bytes([next(count) % 256])

    place.objects.before = replaced
    yield raised(lambda: answer(place, element("renders/b.exr"), db_endpoint=None))
    place.objects.before = lambda _: None


@problem("An attribute does not decode, or something is left out")
def many_findings(place: Scene) -> Iterator[str]:
    many = image(*(text(f"n{number}", b"\xff") for number in range(300)))
    event = {"data": {"path": place.file(many)}}
    yield answer(place, event, db_endpoint=None)["warnings"][-1]["message"]
    yield answer(place, event, db_endpoint=None, full_payload=False)["warnings"][-1]["message"]


@problem("Pixels do not decode, or statistics are incomplete")
def damaged_pixels(place: Scene) -> Iterator[str]:
    yield from entries(place, image(), stats=True)


@problem("Pixels do not decode, or statistics are incomplete")
def missing_pixels(place: Scene) -> Iterator[str]:
    yield from entries(place, without_chunks(image(), len(header(_head())), 3), stats=True)


@problem("Pixels do not decode, or statistics are incomplete")
def no_decoder(place: Scene) -> Iterator[str]:
    event = {"data": {"path": place.file(image()), "stats": True}}
    with patch("sys.executable", "/no/such/python"), patch("exr_inspector.pixels.statistics.decode", Decoders(1).decode):
        yield raised(lambda: answer(place, event))


# Vectors


@problem("Vector size mismatch")
def no_vector(place: Scene) -> Iterator[str]:
    yield raised(lambda: persistence.compute_metadata_embedding({**payload(), "channels": "RGBA"}))
    yield raised(lambda: persistence.compute_channel_fingerprint(None))


@problem("Vector size mismatch")
def a_vector_of_another_size(place: Scene) -> Iterator[str]:
    given = persistence.compute_metadata_embedding(payload(), 128)
    yield persistence.persist_to_vast_database(payload("/v.exr"), session=place.db.store(), embedding=given)["error"]["message"]
    yield raised(lambda: persistence.compute_metadata_embedding(payload(), 8))


@problem("Vector is not normalized")
def a_long_vector(place: Scene) -> Iterator[str]:
    long = [2.0, *[0.0] * 383]
    db = place.db.at("unit")
    persistence.persist_to_vast_database(payload("/long.exr"), session=db.store(), embedding=long)
    yield from details(db)
    bad = [float("nan"), *[0.0] * 383]
    stored = persistence.persist_to_vast_database(payload("/nan.exr"), session=db.store(), embedding=bad)
    yield stored["error"]["message"]


def details(db: Database) -> Iterator[str]:
    """What the integrity check finds."""
    for finding in run(db, "check")[1]["findings"]:
        yield finding["detail"]


@problem("A similarity search misses files")
def an_old_vector(place: Scene) -> Iterator[str]:
    db = place.db.at("versions")
    with patch("exr_inspector.database.rows.EMBEDDING_VERSION", EMBEDDING_VERSION - 1):
        persistence.persist_to_vast_database(payload("/earlier.exr"), session=db.store())
    yield from details(db)


@problem("A similarity search misses files")
def no_reference(place: Scene) -> Iterator[str]:
    target = connection.open_target(place.db.settings)
    yield raised(lambda: similarity.reference(target, "nothing.exr", "metadata"))


@problem("A command is refused")
def no_earlier_page(place: Scene) -> Iterator[str]:
    earlier = Path(place.file(b"<html></html>", "earlier.html"))
    yield raised(lambda: report_page.read_previous(earlier))


# Transactions


@problem("Transaction failed")
def a_conflict(place: Scene) -> Iterator[str]:
    yield fails(place, "409@commit**")


@problem("Rollback failed, or the answer to a commit is lost")
def a_lost_commit(place: Scene) -> Iterator[str]:
    with patch("exr_inspector.database.upsert.ATTEMPTS", 1):
        store = place.db.warm()
        place.db.server.faults.add("reset@commit")
        yield raised(lambda: persistence.persist_to_vast_database(payload("/lost.exr"), session=store))
        yield fails(place, "reset@commit**")
        place.db.server.faults.add("lost@commit", "reset@begin+1**")
        yield raised(lambda: persistence.persist_to_vast_database(payload("/unknown.exr"), session=store))
        place.db.server.faults.clear()


@problem("The frame number in the header is not the one in the name")
def another_frame(place: Scene) -> Iterator[str]:
    yield from entries(place, image(text("arnold/version", "Arnold 7.3"), attribute("arnold/frame", "int", b"\x02\0\0\0")))


@problem("An attribute does not decode, or something is left out")
def a_very_large_header(place: Scene) -> Iterator[str]:
    yield from entries(place, image(*(text(f"note{number}", "x" * 60_000) for number in range(40))))
    names = (channel(f"c{number:03}") for number in range(500))
    far = 2**30
    yield from entries(place, header(part(window=(-far, -far, far, far), channels=chlist(*names))))


@problem("Rows contradict each other")
def contradicting_rows(place: Scene) -> Iterator[str]:
    db = place.db.at("twice")
    persistence.persist_to_vast_database(payload("/twice.exr"), session=db.store())
    with db.session().transaction() as tx:
        files = tx.bucket(BUCKET).schema("twice").table("files")
        row = files.select().read_all()
        files.insert(row)
        files.insert(_changed(row, file_path_normalized="/none.exr", is_current=False))
        for version in ("a", "b"):
            files.insert(_changed(row, file_path_normalized="/both.exr", file_id=version))
    yield from details(db)


def _changed(rows: pa.Table, **values: Any) -> pa.Table:
    """A row with other values in some columns."""
    (row,) = rows.to_pylist()
    return pa.Table.from_pylist([row | values], schema=rows.schema)


# Types and schema


@problem("The tables do not fit the function")
def an_old_schema(place: Scene) -> Iterator[str]:
    old = place.db.at("old")
    fill_old(old)
    yield persistence.persist_to_vast_database(payload("/s.exr"), session=old.store())["error"]["message"]
    yield from (entry["what"] for entry in run(old, "verify", "--version", "1.1.0")[1]["differences"][:1])


@problem("Cannot convert int32 to float32")
def a_wrong_payload(place: Scene) -> Iterator[str]:
    wrong = payload("/w.exr", size_bytes="many")
    yield persistence.persist_to_vast_database(wrong, session=place.db.store())["error"]["message"]


@problem("Cannot convert int32 to float32")
def refused_rows(place: Scene) -> Iterator[str]:
    place.db.server.faults.add("400@insert**")
    yield persistence.persist_to_vast_database(payload("/r.exr"), session=place.db.store())["error"]["message"]
    place.db.server.faults.clear()


# Queries and policies


@problem("The bucket or the schema is not there")
def nothing_where_one_asks(place: Scene) -> Iterator[str]:
    target = connection.open_target(place.db.at("misspelt").settings)
    yield raised(lambda: engine.ask_client(target, questions.parse("SELECT file_path FROM files")))


@problem("A query is slow, or the query engine cannot be used")
def no_query_engine(place: Scene) -> Iterator[str]:
    statement = questions.parse("SELECT count(*) FROM files")
    yield raised(lambda: engine.ask_server(connection.open_target(place.db.settings), statement))
    with _engine_down(place) as arguments, contextlib.redirect_stdout(io.StringIO()):
        yield said_by("ask", "compression", *arguments).splitlines()[0]


@problem("A command is refused")
def no_such_question(place: Scene) -> Iterator[str]:
    for arguments in (["nothing"], ["missing_frames", "--param", "show"], ["missing_frames", "--param", "nothing=1"]):
        yield re.sub(r"^exr-inspector ask[^:]*: ", "", said_by("ask", *arguments))


def said(call: Callable[[], object]) -> str:
    """What a command line says on standard error."""
    with contextlib.redirect_stderr(io.StringIO()) as words:
        call()
    return words.getvalue().strip()


def said_by(*words: str) -> str:
    """What `exr-inspector` says on standard error."""
    with patch.object(sys, "argv", sys.argv):
        return said(partial(command.main, words))


@problem("Validation policy not found, or it has a mistake")
def no_policy(place: Scene) -> Iterator[str]:
    yield raised(lambda: load_policy(place.folder / "nothing.toml"))
    yield raised(lambda: load_policy(place.file(b"id = ", "broken.toml")))
    event = {"data": {"path": place.file(image()), "policy_path": "/etc/policy.toml"}}
    yield answer(place, event, db_endpoint=None)["errors"][-1]["message"]


@problem("Validation policy not found, or it has a mistake")
def a_wrong_policy(place: Scene) -> Iterator[str]:
    head = b'id = "mine"\nversion = "1"\n[[rule]]\nid = "a"\n'
    yield raised(lambda: load_policy(place.file(head + b'kind = "compresion"\nseverity = "FAIL"\n', "kind.toml")))
    rule = b'kind = "compression"\nseverity = "FAIL"\nallowed = ["zip"]\n'
    yield raised(lambda: load_policy(place.file(head + rule + b'colour = "red"\n', "key.toml")))


# Scripts


@problem("A backup, a restore or a backfill is refused")
def refused_backups(place: Scene) -> Iterator[str]:
    path, db = str(place.folder / "backup"), place.db.at("kept")
    persistence.persist_to_vast_database(payload("/kept.exr"), session=db.store())
    assert run(db, "backup", "--backup-path", path)[0] == 0
    for name, there in (("backup", path), ("restore", path), ("restore", str(place.folder / "nowhere"))):
        yield run(db, name, "--backup-path", there)[1]["error"]["message"]
    (place.folder / "backup/files.parquet").write_bytes(b"")
    yield run(place.db.at("fresh"), "restore", "--backup-path", path)[1]["error"]["message"]


@problem("A backup, a restore or a backfill is refused")
def no_backfill(place: Scene) -> Iterator[str]:
    yield run(place.db, "backfill", str(place.folder / "nowhere"))[1]["error"]["message"]


@problem("A command is refused")
def refused_commands(place: Scene) -> Iterator[str]:
    event = place.file(b"{", "event.json")
    with contextlib.suppress(SystemExit):
        yield said(lambda: _exits(lambda: main.main([event]))).splitlines()[-1]
    yield raised(lambda: connection.settings_of(None, "renders/"))


def _exits(call: Callable[[], object]) -> None:
    with contextlib.suppress(SystemExit):
        call()


@problem("An error nobody foresaw")
def a_fault_of_the_program(place: Scene) -> Iterator[str]:
    with patch("exr_inspector.payload.document.describe", side_effect=KeyError("dataWindow")):
        yield raised(lambda: answer(place, {"data": {"path": place.file(image())}}))


@problem("Vector queries are slow")
def a_search_without_engine(place: Scene) -> Iterator[str]:
    with _engine_down(place) as arguments, contextlib.redirect_stdout(io.StringIO()):
        yield said_by("similar", place.file(image()), *arguments).splitlines()[0]


@contextlib.contextmanager
def _engine_down(place: Scene) -> Iterator[list[str]]:
    """The query engine's driver is there, and finds no engine; yields the options that name the database."""
    given = place.db.settings
    keys = {"VAST_DB_ACCESS_KEY": str(given.db_access_key), "VAST_DB_SECRET_KEY": str(given.db_secret_key)}
    place.db.server.faults.add("501@engine**")
    with patch.dict("os.environ", keys), patch.dict("sys.modules"):
        del sys.modules["adbc_driver_vastdb"]
        yield ["--endpoint", str(given.db_endpoint), "--schema", f"{BUCKET}/{given.db_schema}"]
    place.db.server.faults.clear()


@problem("The tables do not fit the function")
def other_tables(place: Scene) -> Iterator[str]:
    db = place.db.at("other")
    with db.session().transaction() as tx:
        columns = pa.schema([("file_id", pa.int64())])
        tx.bucket(BUCKET).create_schema("other").create_table("files", columns)
    yield from (entry["what"] for entry in run(db, "verify")[1]["differences"] if entry["kind"] in ("type", "index"))


@problem("A command is refused")
def a_failing_trial(place: Scene) -> Iterator[str]:
    with patch("main.handler", lambda ctx, event: {"errors": [{"code": "rejected", "message": "no"}]}):
        yield run(place.db, "test_function", "--sample-files", "1")[1]["error"]["message"]
    with function_host.FunctionHost(lambda ctx, event: 1 / 0) as host:
        host.wait_until_ready(10)
        yield run(place.db, "test_function", "--sample-files", "1", "--url", host.url)[1]["error"]["message"]
