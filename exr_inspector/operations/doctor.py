"""Tries each step from the settings to a stored row by itself; each says what it saw, or what is wrong and how to mend it."""

from __future__ import annotations

import json
import math
import os
import socket
import ssl
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from exr_inspector.catalogue import connection
from exr_inspector.database.persist import open_store
from exr_inspector.database.rows import new_stamp, rows_of, to_tables
from exr_inspector.database.session import Ledger, Store
from exr_inspector.embedding.vectors import compute_channel_fingerprint, compute_metadata_embedding
from exr_inspector.errors import BadHeader, BadSettings, InspectorError, ObjectUnavailable, Reject
from exr_inspector.function import objects
from exr_inspector.function.job import Job, make_runtime
from exr_inspector.operations import migrations
from exr_inspector.operations.migrations import State
from exr_inspector.operations.verification import differences
from exr_inspector.payload import document
from exr_inspector.payload.places import place_of
from exr_inspector.settings import Settings, environment_bundle
from vast_schemas import CURRENT_VERSION, TABLES, schema_for

TIMEOUT = 5.0
KEYS = {
    "VAST_DB_ACCESS_KEY": "db_access_key",
    "VAST_DB_SECRET_KEY": "db_secret_key",
    "S3_ACCESS_KEY": "s3_access_key",
    "S3_SECRET_KEY": "s3_secret_key",
}
"""What the steps before the credentials do without."""
SHOWN = 5
"""Differences of tables that are named."""
_SAMPLE = "/exr-inspector/doctor.exr"


class StepFailed(Reject):
    """A step failed."""

    code = "step_failed"


class _RolledBack(BaseException):
    """Ends the transaction of the trial write."""


@dataclass
class Patient:
    """What is examined, and what the steps learn, each for those after it."""

    endpoint: str | None = None
    schema: str | None = None
    input: Path | None = None
    settings: Settings = field(default_factory=Settings)
    no_keys: BadSettings | None = None
    store: Store | None = None
    state: State | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the endpoint."""
        return _address(str(self.settings.db_endpoint))

    @property
    def opened(self) -> Store:
        """The store, once there is one."""
        if self.store is None:
            raise StepFailed("there is no session")
        return self.store


def read_settings(patient: Patient) -> str:
    """The environment and the options, read as the function reads them."""
    try:
        patient.settings = connection.settings_of(patient.endpoint, patient.schema)
    except BadSettings as error:
        patient.settings = _without_keys(patient, error)
        patient.no_keys = error
    missing = [name for name in ("db_endpoint", "db_access_key", "db_secret_key") if not getattr(patient.settings, name)]
    if missing and not patient.no_keys:
        names = ", ".join("VAST_" + name.upper() for name in missing)
        raise BadSettings(f"{names}: not set", remedy="docs/CONFIGURATION.md describes it")
    return f"{patient.settings.db_endpoint}, {patient.settings.db_bucket}/{patient.settings.db_schema}"


def _without_keys(patient: Patient, error: BadSettings) -> Settings:
    """The settings where keys alone are missing, so that the address can be tried. Raises the error where more is wrong."""
    missing = error.place.get("settings", ())
    if not missing or not set(missing) <= KEYS.keys():
        raise error
    made_up = os.environ | dict.fromkeys(missing, "-")
    none: dict[str, Any] = {KEYS[name]: None for name in missing}
    return replace(connection.settings_of(patient.endpoint, patient.schema, made_up), **none)


def resolve_host(patient: Patient) -> str:
    """The host's addresses."""
    host, port = patient.address
    try:
        addresses = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        remedy = "Check VAST_DB_ENDPOINT, and the name server of this network"
        raise StepFailed(f"{host} has no address: {error}", remedy=remedy) from error
    return f"{host} is {', '.join(addresses)}"


def reach_endpoint(patient: Patient) -> str:
    """A connection to the port."""
    host, port = patient.address
    _connect(host, port, "VAST_DB_ENDPOINT").close()
    return f"{host}:{port} answers"


def _connect(host: str, port: int, setting: str) -> socket.socket:
    try:
        return socket.create_connection((host, port), TIMEOUT)
    except OSError as error:
        remedy = f"Check {setting}, the port, the route and the firewall between here and the data VIP"
        raise StepFailed(f"{host}:{port} cannot be reached: {error}", remedy=remedy) from error


def check_tls(patient: Patient) -> str:
    """The certificate, where there is one."""
    return _shake_hands(str(patient.settings.db_endpoint), "VAST_DB_ENDPOINT", patient.settings.verify())


def _shake_hands(endpoint: str, setting: str, verify: bool | str) -> str:
    """The protocol that an endpoint speaks, and whether its certificate is trusted."""
    if not endpoint.startswith("https:"):
        return "the endpoint is http, so nothing is encrypted"
    host, port = _address(endpoint)
    context = _trust(verify)
    try:
        with _connect(host, port, setting) as plain, context.wrap_socket(plain, server_hostname=host) as secure:
            return f"{secure.version()}, " + ("verified" if verify is not False else "not verified")
    except OSError as error:
        remedy = "Set VAST_CA_BUNDLE to the cluster's certificate authority, or the endpoint to http"
        raise StepFailed(f"{host}:{port}: {error}", remedy=remedy) from error


def _address(endpoint: str) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(endpoint)
    return str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)


def _trust(verify: bool | str) -> ssl.SSLContext:
    """What both clients trust: the settings' authorities, else those that the database's library finds in the environment."""
    named = verify if isinstance(verify, str) else environment_bundle()
    folder = named is not None and Path(named).is_dir()
    try:
        context = ssl.create_default_context(cafile=None if folder else named, capath=named if folder else None)
    except OSError as error:
        remedy = "Name an existing PEM file in VAST_CA_BUNDLE, or unset REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE"
        raise StepFailed(f"{named} cannot be read: {error}", remedy=remedy) from error
    if verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def reach_objects(patient: Patient) -> str:
    """The object store: its address, its certificate, and the keys. Which objects they may read, only an event shows."""
    settings = patient.settings
    if not settings.s3_endpoint:
        return "S3_ENDPOINT is not set, so the function reads local files and no objects"
    said = _shake_hands(settings.s3_endpoint, "S3_ENDPOINT", settings.verify())
    return f"{settings.s3_endpoint}: {said}; {_try_keys(settings)}"


def _try_keys(settings: Settings) -> str:
    """What the object store says to the keys. That they may not list buckets is nothing that the function minds."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        count = len(objects.s3_client(replace(settings, s3_attempts=1)).list_buckets()["Buckets"])
    except (BotoCoreError, ClientError) as error:
        verdict = objects.as_inspector_error(error, str(settings.s3_endpoint))
        if isinstance(verdict, ObjectUnavailable):
            return "its keys may not list buckets, which is not needed"
        raise verdict from None
    return f"its keys see {count} bucket{'' if count == 1 else 's'}"


def begin_transaction(patient: Patient) -> str:
    """A session, and a transaction that is begun and ended."""
    if patient.no_keys:
        raise patient.no_keys
    patient.store = open_store(patient.settings)
    with patient.store.transaction(Ledger()):
        pass
    version = ".".join(map(str, patient.store.session.features.vast_version))
    return f"a transaction was begun; the server is version {version}"


def open_bucket(patient: Patient) -> str:
    """The bucket as a database."""
    with patient.opened.transaction(Ledger()) as work:
        work.names()
    return f"{patient.settings.db_bucket} is a database"


def read_schema(patient: Patient) -> str:
    """The schema, or that it will be made."""
    patient.state = migrations.read_state(patient.opened)
    if not patient.state.tables:
        absent = connection.nothing_stored(patient.opened)
        why = (
            absent.remedy if absent else "the function makes them with the first file, and exr-inspector schema init without one"
        )
        return f"{patient.settings.db_schema} has no tables yet. {why}"
    recorded = patient.state.recorded_version
    words = f"recorded as {recorded}" if recorded else "which is not recorded; exr-inspector schema init does so"
    return f"{patient.settings.db_schema} is of version {patient.state.version}, {words}"


def compare_tables(patient: Patient) -> str:
    """What the function writes fits into the tables."""
    if patient.state is None or not patient.state.tables:
        return "none to compare"
    harmless = ("extra_table", "extra_column", "version", "index")
    wrong = [entry for entry in differences(patient.state, CURRENT_VERSION) if entry["kind"] not in harmless]
    if wrong:
        said = [str(entry["what"]) for entry in wrong[:SHOWN]]
        more = [f"and {len(wrong) - SHOWN} more, which exr-inspector schema verify lists"] if len(wrong) > SHOWN else []
        remedy = str(wrong[0]["remedy"])
        raise StepFailed("; ".join(said + more), remedy=remedy[0].upper() + remedy[1:])
    held = ", ".join(f"{name} {stored.rows}" for name, stored in patient.state.tables.items())
    return f"{len(patient.state.tables)} tables fit; they hold {held}"


def make_payload(patient: Patient) -> str:
    """The payload of what was named."""
    if patient.input is None:
        facts = document.FileFacts(path=_SAMPLE, bucket=None, object_key=None, size_bytes=0, mtime=None, etag=None)
        patient.payload = document.describe_unreadable(facts, BadHeader("a trial", offset=0))
        return "of a file that cannot be read; name an EVENT.json or FILE.exr for a real one"
    patient.payload = _inspect(patient.input, patient.settings)
    file = patient.payload["file"]
    return f"{file['path']}: {file['status']}, {len(patient.payload['parts'])} parts, {len(patient.payload['channels'])} channels"


def _inspect(path: Path, chosen: Settings) -> dict[str, Any]:
    """What the function makes of an event or a file, without storing it."""
    is_event = path.suffix.lower() == ".json"
    try:
        event = json.loads(path.read_text(encoding="utf-8")) if is_event else {"data": {"path": str(path)}}
    except (OSError, ValueError) as error:
        raise StepFailed(f"{path}: {error}", remedy="Name an event as JSON, or an EXR") from error
    ctx = SimpleNamespace()
    roots = chosen.local_roots if is_event else (*chosen.local_roots, path.resolve())
    job = Job(ctx, make_runtime(ctx, local_roots=roots))
    request = job.locate(event)[0]
    return job.describe(request, job.read(request))


def read_place(patient: Patient) -> str:
    """Where the file belongs, and the template that tells it."""
    path, templates = patient.payload["file"]["path_normalized"], patient.settings.path_templates
    told = {name: value for name, value in asdict(place_of(path, templates)).items() if value is not None}
    where = ", ".join(f"{name} {value}" for name, value in told.items()) or "no show and no shot"
    if not templates:
        return f"{where}, by the conventions of the field; EXR_PATH_TEMPLATE is not set"
    fitting = next((template.text for template in templates if template.fits(path)), None)
    return f"{where}, by {fitting}" if fitting else f"{where}: no template of EXR_PATH_TEMPLATE fits"


def compute_vectors(patient: Patient) -> str:
    """Both vectors, of unit length."""
    made = (compute_metadata_embedding(patient.payload), compute_channel_fingerprint(patient.payload["channels"]))
    lengths = [math.sqrt(sum(value * value for value in vector)) for vector in made]
    if any(abs(length - 1) > 1e-3 for length in lengths):
        raise StepFailed(f"vectors have the lengths {lengths}", remedy="Report it with the file's header")
    return f"{len(made[0])} and {len(made[1])} numbers, of unit length"


def make_rows(patient: Patient) -> str:
    """The Arrow rows that would be stored."""
    rows = rows_of({**patient.payload, "file": {**patient.payload["file"], "path_normalized": _SAMPLE}})
    patient.tables = to_tables([(rows, new_stamp())])
    made = ", ".join(f"{name} {table.num_rows}" for name, table in patient.tables.items())
    return f"of this one payload would be stored: {made}"


def write_and_roll_back(patient: Patient) -> str:
    """The rows inserted, in a transaction that is rolled back: tables that are not there yet are made within it."""
    loaded: dict[str, Any] = {}
    try:
        with patient.opened.transaction(Ledger(), loaded) as work:
            _prepare_tables(work, patient, loaded)
            work.insert(patient.tables)
            raise _RolledBack
    except _RolledBack:
        pass
    _check_nothing_stayed(patient)
    return "inserted and rolled back; nothing stayed behind"


def _prepare_tables(work: Any, patient: Patient, loaded: dict[str, Any]) -> None:
    missing = [name for name in patient.tables if work.load(name) is None]
    if missing:
        work.create({name: (schema_for(name), TABLES[name].vector_index) for name in missing})
    loaded.update({name: work.load(name) for name in patient.tables})


def _check_nothing_stayed(patient: Patient) -> None:
    loaded: dict[str, Any] = {}
    with patient.opened.transaction(Ledger(), loaded) as work:
        loaded["files"] = work.load("files")
        if loaded["files"] is None:
            return
        mine = patient.tables["files"]["file_id"].to_pylist()
        if work.select("files", ["file_id"], "file_id", mine).num_rows:
            raise StepFailed("a row stayed after the roll-back", remedy=f"Delete the rows of {_SAMPLE}, and report it")


@dataclass(frozen=True, slots=True)
class Examination:
    """One step: what it does, and the steps without which it says nothing."""

    run: Callable[[Patient], str]
    needs: tuple[str, ...] = ()


STEPS = {
    "settings": Examination(read_settings),
    "dns": Examination(resolve_host, ("settings",)),
    "endpoint": Examination(reach_endpoint, ("dns",)),
    "tls": Examination(check_tls, ("endpoint",)),
    "credentials": Examination(begin_transaction, ("tls",)),
    "bucket": Examination(open_bucket, ("credentials",)),
    "schema": Examination(read_schema, ("bucket",)),
    "tables": Examination(compare_tables, ("schema",)),
    "payload": Examination(make_payload),
    "place": Examination(read_place, ("payload",)),
    "vectors": Examination(compute_vectors, ("payload",)),
    "rows": Examination(make_rows, ("vectors",)),
    "write": Examination(write_and_roll_back, ("tables", "rows")),
    "objects": Examination(reach_objects, ("settings",)),
}
"""The steps by name, in their order."""


def examine(patient: Patient, leave_out: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Try every step that can be tried; step -> its `verdict` (ok, failed, not tried), with a `detail`."""
    verdicts: dict[str, dict[str, Any]] = {}
    for name, step in STEPS.items():
        if name in leave_out:
            verdicts[name] = {"verdict": "not tried", "detail": "left out by --dry-run"}
        else:
            verdicts[name] = _try(step, patient, verdicts)
    return verdicts


def _try(step: Examination, patient: Patient, before: dict[str, dict[str, Any]]) -> dict[str, Any]:
    blocked = [name for name in step.needs if before[name]["verdict"] != "ok"]
    if blocked:
        return {"verdict": "not tried", "detail": f"needs {blocked[0]}"}
    started = perf_counter()
    try:
        verdict: dict[str, Any] = {"verdict": "ok", "detail": step.run(patient)}
    except InspectorError as error:
        verdict = {"verdict": "failed", "detail": str(error), "remedy": error.remedy, "code": error.code}
    return verdict | {"milliseconds": round(1000 * (perf_counter() - started), 1)}
