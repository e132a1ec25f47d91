"""The one reading of environment, secrets and event credentials, into a frozen value.

Each field of `Settings` declares its own names, its kind, its default and its meaning; reading, error messages and
docs/CONFIGURATION.md all come from that declaration. For every field the order is: the platform's secrets, then the
environment, then the default. Database credentials in an event come before both, but only as a complete set and only where
`allow_event_credentials` is on.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from exr_inspector.errors import BadSettings
from exr_inspector.path_templates import BadTemplate, Template, parse_templates

KIB = 1024
MIB = 1024 * KIB
# What other functions for EXR on VAST call the secret of their database, and its keys; see docs/COMING_FROM.md.
DATABASE_SECRET = ("VAST_DB_SECRET_NAME", "vast-db")
DATABASE_SECRET_KEYS = {"endpoint": "VAST_DB_ENDPOINT", "accesskey": "VAST_DB_ACCESS_KEY", "secretkey": "VAST_DB_SECRET_KEY"}
EVENT_CREDENTIALS = ("vastdb_endpoint", "vastdb_access_key", "vastdb_secret_key")
_SIZE_UNITS = {"KIB": KIB, "MIB": MIB, "GIB": 1024 * MIB}
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_SECRET_NAMES = ("exr-inspector",)
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class SettingKind:
    """How a value is written: `shape` for people; `parse` turns the text into a value or raises ValueError."""

    shape: str
    parse: Callable[[str], Any]


def _url(text: str) -> str:
    """The address; one without a scheme, as VAST's own examples have it, is http."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError
    if len(parts.hostname) > 253 or any(len(label) > 63 for label in parts.hostname.split(".")):  # RFC 1035, 2.3.4
        raise ValueError
    _ = parts.port  # raises ValueError when it is not a number of 0 to 65535
    return parts.geturl().rstrip("/")


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError


def _number(low: float, high: float, cast: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = cast(text)
        if not low <= value <= high:  # False for NaN as well
            raise ValueError
        return value

    return parse


def _size(text: str) -> int:
    compact = text.replace(" ", "").upper()
    for unit, factor in _SIZE_UNITS.items():
        if compact.endswith(unit):
            return int(compact.removesuffix(unit)) * factor
    return int(compact)


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError
    return text


def _folders(text: str) -> tuple[Path, ...]:
    folders = tuple(Path(item) for item in text.split(os.pathsep) if item)
    if not all(folder.is_absolute() for folder in folders):
        raise ValueError
    return folders


def _level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise ValueError
    return text.upper()


def _choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError
        return text.lower()

    return parse


def _names(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


TEXT = SettingKind("text", str)
URL = SettingKind("a URL such as http://host:port, without user name and password", _url)
FLAG = SettingKind("true or false", _flag)
SECONDS = SettingKind("seconds, 0.1 to 3600", _number(0.1, 3600.0, float))
ATTEMPTS = SettingKind("a whole number, 1 to 20", _number(1, 20, int))
CONNECTIONS = SettingKind("a whole number, 1 to 1000", _number(1, 1000, int))
GROUP = SettingKind("a whole number, 1 to 1000", _number(1, 1000, int))
RANGE = SettingKind("bytes, 1 KiB to 16 MiB; units KiB and MiB are understood", _number(KIB, 16 * MIB, _size))
LIMIT = SettingKind("bytes, 1 KiB to 2 GiB; units KiB, MiB and GiB are understood", _number(KIB, 2048 * MIB, _size))
FILE = SettingKind("the path of an existing file", _file)
FOLDERS = SettingKind(f"absolute folders, separated by `{os.pathsep}`", _folders)
MEMORY = SettingKind("bytes, 128 MiB to 64 GiB; units KiB, MiB and GiB are understood", _number(128 * MIB, 65536 * MIB, _size))
COUNT = SettingKind("a whole number, 1 or more", _number(1, 2**53, int))
STATS = SettingKind("one of off, full, sampled", _choice("off", "full", "sampled"))
LEVEL = SettingKind("one of " + ", ".join(_LOG_LEVELS), _level)
NAMES = SettingKind("names, separated by commas", _names)
TEMPLATES = SettingKind("path templates, separated by `;` or line breaks", parse_templates)


def _setting(
    *names: str,
    kind: SettingKind,
    help: str,
    group: str,
    default: Any = None,
    keys: tuple[str, ...] = (),
    secret: bool = False,
    deprecated: Mapping[str, str] | None = None,
) -> Any:
    """A field of `Settings`. `names`: environment spellings, the first is the documented one; `keys`: further keys in secrets.

    `deprecated`: spellings that will go, each with what to use instead; whoever still uses one is warned at the start.
    """
    metadata = {"names": names, "kind": kind, "help": help, "group": group, "keys": keys, "secret": secret}
    metadata["deprecated"] = deprecated or {}
    if callable(default):
        return field(default_factory=default, repr=not secret, metadata=metadata)
    return field(default=default, repr=not secret, metadata=metadata)


def default_local_roots() -> tuple[Path, ...]:
    """The working folder and the system's folder for temporary files, where it has one that can be written to."""
    import tempfile  # late: it takes longer to load than this module

    try:
        return (Path.cwd(), Path(tempfile.gettempdir()))
    except FileNotFoundError:  # a container whose file system is read-only
        return (Path.cwd(),)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured. Secrets stay out of `repr`. Sizes are bytes, times are seconds."""

    db_endpoint: str | None = _setting(
        "VAST_DB_ENDPOINT", "VASTDB_ENDPOINT", kind=URL, group="Database", keys=("vdbendpoint",),
        help="Address of VAST DataBase, a data VIP. Without it nothing is stored, and `persistence.status` is `skipped`.",
    )  # fmt: skip
    db_access_key: str | None = _setting(
        "VAST_DB_ACCESS_KEY", "VASTDB_ACCESS_KEY", kind=TEXT, group="Database", keys=("vdbaccesskey",), secret=True,
        help="Access key for the database. Needed with an endpoint.",
    )  # fmt: skip
    db_secret_key: str | None = _setting(
        "VAST_DB_SECRET_KEY", "VASTDB_SECRET_KEY", kind=TEXT, group="Database", keys=("vdbsecretkey",), secret=True,
        help="Secret key for the database. Needed with an endpoint.",
    )  # fmt: skip
    db_bucket: str = _setting(
        "VAST_DB_BUCKET", "VASTDB_BUCKET", kind=TEXT, group="Database", keys=("vdbbucket",), default="exr-metadata",
        help="The database bucket (a view with the protocols S3 and DATABASE). It must exist.",
    )  # fmt: skip
    db_schema: str = _setting(
        "VAST_DB_SCHEMA", "VASTDB_SCHEMA", kind=TEXT, group="Database", keys=("vdbschema",), default="exr_inspector",
        help="The schema within the bucket. It is created if it does not exist.",
    )  # fmt: skip
    db_timeout: float = _setting(
        "VAST_DB_TIMEOUT", "VASTDB_TIMEOUT", kind=SECONDS, group="Database", default=30.0,
        help="How long one request to the database may take.",
    )  # fmt: skip
    db_read_back: bool = _setting(
        "VAST_DB_READ_BACK", kind=FLAG, group="Database", default=True,
        help="Read the path back after the commit and repair what racing containers left: 3 requests.",
    )  # fmt: skip
    db_group: int = _setting(
        "VAST_DB_GROUP", kind=GROUP, group="Database", default=100,
        help="How many files that wait in one container are stored together at most; 1 stores each alone.",
    )  # fmt: skip
    s3_endpoint: str | None = _setting(
        "S3_ENDPOINT", "S3_ENDPOINT_URL", kind=URL, group="Objects", keys=("s3endpoint",),
        help="Address of the object store. Needed for events that name an object.",
    )  # fmt: skip
    s3_access_key: str | None = _setting(
        "S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID", kind=TEXT, group="Objects", keys=("s3accesskey",), secret=True,
        help="Access key for the objects. Needed with an endpoint.",
    )  # fmt: skip
    s3_secret_key: str | None = _setting(
        "S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", kind=TEXT, group="Objects", keys=("s3secretkey",), secret=True,
        help="Secret key for the objects. Needed with an endpoint.",
    )  # fmt: skip
    s3_region: str = _setting(
        "S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION", kind=TEXT, group="Objects", default="us-east-1",
        help="Region that requests are signed for.",
    )  # fmt: skip
    s3_connect_timeout: float = _setting(
        "S3_CONNECT_TIMEOUT", kind=SECONDS, group="Objects", default=5.0,
        help="How long opening a connection to the object store may take.",
    )  # fmt: skip
    s3_read_timeout: float = _setting(
        "S3_READ_TIMEOUT", kind=SECONDS, group="Objects", default=30.0,
        help="How long the object store may stay silent during a request.",
    )  # fmt: skip
    s3_attempts: int = _setting(
        "S3_MAX_ATTEMPTS", kind=ATTEMPTS, group="Objects", default=4,
        help="Attempts per request, the first one included.",
    )  # fmt: skip
    s3_connections: int = _setting(
        "S3_MAX_CONNECTIONS", kind=CONNECTIONS, group="Objects", default=20,
        help="Size of the connection pool; the runtime runs up to 20 handler threads in a container.",
    )  # fmt: skip
    tls_verify: bool = _setting(
        "VAST_TLS_VERIFY", "TLS_VERIFY", kind=FLAG, group="TLS", default=True,
        help="Verify the certificates of the database and of the object store.",
    )  # fmt: skip
    ca_bundle: str | None = _setting(
        "VAST_CA_BUNDLE", "AWS_CA_BUNDLE", kind=FILE, group="TLS",
        help="PEM file with the certificate authorities to trust, for a cluster with a certificate of its own.",
    )  # fmt: skip
    local_roots: tuple[Path, ...] = _setting(
        "EXR_LOCAL_ROOTS", kind=FOLDERS, group="Reading", default=default_local_roots,
        help="Folders below which an event may name a local file. Default: the working folder and the system's temporary folder.",
    )  # fmt: skip
    first_range: int = _setting(
        "EXR_FIRST_RANGE", kind=RANGE, group="Reading", default=64 * KIB,
        help="Size of the first read of a file; most headers and their offset tables fit in it.",
    )  # fmt: skip
    exact_tail: bool = _setting(
        "EXR_EXACT_TAIL", kind=FLAG, group="Reading", default=False,
        help="Always read the leader of an object's last chunk: one more small request, which finds copies that were cut within "
        "the second half of that chunk.",
    )  # fmt: skip
    header_limit: int = _setting(
        "EXR_HEADER_LIMIT", kind=LIMIT, group="Reading", default=64 * MIB,
        help="The largest header that is read; a file with a larger one is rejected.",
    )  # fmt: skip
    path_templates: tuple[Template, ...] = _setting(
        "EXR_PATH_TEMPLATE", kind=TEMPLATES, group="Reading", default=(),
        help="Where show, sequence, shot and task are in a path; the first template that fits counts. [PATHS.md](PATHS.md) has "
        "the fields, and the conventions that are used without a template.",
    )  # fmt: skip
    stats: str = _setting(
        "EXR_STATS", kind=STATS, group="Computing", default="off",
        help="Pixel statistics of every file: of all pixels, or of a sample. A single event may ask for them as well.",
    )  # fmt: skip
    deep_stats: bool = _setting(
        "EXR_DEEP_STATS", kind=FLAG, group="Computing", default=False,
        help="Statistics of deep parts as well, which take longer.",
    )  # fmt: skip
    stats_stride: int = _setting(
        "EXR_STATS_STRIDE", kind=COUNT, group="Computing", default=1,
        help="Count every n-th pixel of every n-th line.",
    )  # fmt: skip
    stats_max_pixels: int | None = _setting(
        "EXR_STATS_MAX_PIXELS", kind=COUNT, group="Computing",
        help="A file with more pixels is sampled, and says so. Unset: no limit.",
    )  # fmt: skip
    stats_memory: int = _setting(
        "EXR_STATS_MEMORY", kind=MEMORY, group="Computing", default=512 * MIB,
        help="Memory for pixel statistics, for all files that a container reads at a time together.",
    )  # fmt: skip
    validate: bool = _setting(
        "EXR_VALIDATE", kind=FLAG, group="Computing", default=False,
        help="Validate every file against the policy. A single event may ask for it as well.",
    )  # fmt: skip
    policy: str = _setting(
        "EXR_POLICY", kind=TEXT, group="Computing", default="default",
        help="The policy, unless an event names another: a TOML file, or the name of one that ships.",
    )  # fmt: skip
    report_passes: bool = _setting(
        "EXR_REPORT_PASSES", kind=FLAG, group="Computing", default=True,
        help="Report and store the rules that a file passes, too.",
    )  # fmt: skip
    full_payload: bool = _setting(
        "EXR_FULL_PAYLOAD", kind=FLAG, group="Answering", default=False,
        help="Return the whole payload, not its summary. The platform logs whatever is returned. Local invocation always does.",
    )  # fmt: skip
    allow_event_credentials: bool = _setting(
        "EXR_ALLOW_EVENT_CREDENTIALS", kind=FLAG, group="Answering", default=False,
        help="Whether an event may bring its own `vastdb_endpoint`, `vastdb_access_key` and `vastdb_secret_key` (all three).",
    )  # fmt: skip
    log_level: str = _setting(
        "LOG_LEVEL", "VAST_LOG_LEVEL", kind=LEVEL, group="Answering", default="INFO",
        help="Lowest level that is logged. `DEBUG=true` is another way to say DEBUG.",
    )  # fmt: skip
    secret_names: tuple[str, ...] = _setting(
        "EXR_SECRET_NAMES", kind=NAMES, group="Answering", default=_SECRET_NAMES,
        help="Names of the platform's secrets to read. If none of them exists, every secret of the function is read.",
    )  # fmt: skip

    def missing_for_database(self) -> str | None:
        """The documented name of the setting without which nothing can be stored; None when there is an endpoint."""
        return None if self.db_endpoint else environment_name("db_endpoint")

    def logs(self, level: str) -> bool:
        """Whether a line of this level (`info`, `warning`, `error`) is to be written."""
        return _LOG_LEVELS.index(level.upper()) >= _LOG_LEVELS.index(self.log_level)

    def hide_secrets(self, text: str) -> str:
        """`text` with every secret value of these settings replaced by `***`; for texts of errors that nobody foresaw."""
        for item in _FIELDS.values():
            value = getattr(self, item.name) if item.metadata["secret"] else None
            text = text.replace(value, "***") if value else text
        return text

    def verify(self) -> bool | str:
        """What requests, botocore and vastdb call `verify`: False, True, or the path of the CA bundle."""
        return (self.ca_bundle or True) if self.tls_verify else False


def environment_bundle() -> str | None:
    """The authorities that `requests`, and so the database's client, trusts where the settings name none: a file, or a folder."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or None


def environment_name(field_name: str) -> str:
    """The documented environment variable of a field of `Settings`."""
    return str(_FIELDS[field_name].metadata["names"][0])


_FIELDS: dict[str, Field[Any]] = {item.name: item for item in fields(Settings)}
_TOGETHER = (("db_endpoint", "db_access_key", "db_secret_key"), ("s3_endpoint", "s3_access_key", "s3_secret_key"))


def load(environ: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None) -> Settings:
    """Read all settings once.

    `environ` defaults to the process environment; `secrets` is a flat mapping of secret keys to text. Spelling of keys in
    secrets is free in case, `_` and `-`. Empty values count as absent, except that an empty EXR_LOCAL_ROOTS allows no folder.
    Raises BadSettings with every wrong or missing setting at once.
    """
    environ = os.environ if environ is None else environ
    keyed = {_plain(key): value for key, value in (secrets or {}).items()}
    values: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for item in _FIELDS.values():
        strongest = next(_candidates(item, environ, keyed), None)
        if strongest is not None:
            _parse(item, *strongest, values, problems)
            _warn_if_deprecated(item, strongest[0])
    if environ.get("EXR_LOCAL_ROOTS") == "":
        values["local_roots"] = ()
    if environ.get("DEBUG", "").lower() in _TRUE:
        values["log_level"] = "DEBUG"
    _borrow_from_objects(values, problems)
    settings = Settings(**values)
    problems += _incomplete(settings, wrong={name for name, _ in problems})
    if problems:
        raise _bad_settings(problems)
    return settings


def secret_names(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The setting that says where to find others; see `Settings.secret_names`."""
    text = (os.environ if environ is None else environ).get(environment_name("secret_names"), "")
    return _names(text) or _SECRET_NAMES


def database_secret(environ: Mapping[str, str] | None = None) -> str:
    """The name of the secret in which other functions for EXR on VAST keep endpoint and keys of the database."""
    name, default = DATABASE_SECRET
    return (os.environ if environ is None else environ).get(name, "").strip() or default


def named_for_database(entries: Mapping[str, str]) -> dict[str, str]:
    """The entries of that secret, under the names that `load` knows."""
    keyed = {_plain(key): value for key, value in entries.items()}
    return {name: keyed[key] for key, name in DATABASE_SECRET_KEYS.items() if key in keyed}


def _borrow_from_objects(values: dict[str, Any], problems: Sequence[tuple[str, str]]) -> None:
    """Where a database bucket is named and not where it is, or not with which keys, take the object store's, with a warning.

    So do other functions for EXR on VAST. Without a bucket nobody said that rows are wanted, and where events may bring a
    database, they say which.
    """
    if "db_bucket" not in values or values.get("allow_event_credentials") or problems:
        return
    wanted = ([] if "db_endpoint" in values else ["endpoint"]) + (
        [] if {"db_access_key", "db_secret_key"} & values.keys() else ["access_key", "secret_key"]
    )
    if not wanted or any(f"s3_{name}" not in values for name in wanted):
        return
    values |= {f"db_{name}": values[f"s3_{name}"] for name in wanted}
    missing, instead = (", ".join(environment_name(f"{prefix}_{name}") for name in wanted) for prefix in ("db", "s3"))
    warnings.warn(f"{missing}: not set although VAST_DB_BUCKET is; {instead} used instead", stacklevel=3)


def with_event_credentials(settings: Settings, data: Mapping[str, Any]) -> tuple[Settings, dict[str, Any] | None]:
    """The settings for one event, and a warning when the event brings credentials that are not used.

    `data` may hold vastdb_endpoint, vastdb_access_key and vastdb_secret_key. All three replace the configured ones, together;
    a part of them, or any of them where `allow_event_credentials` is off, replaces nothing and is named in the warning
    (`code`, `message`, `remedy`, `field`; never a value).
    """
    given = {name: data[name] for name in EVENT_CREDENTIALS if data.get(name)}
    if not given:
        return settings, None
    if not settings.allow_event_credentials:
        remedy = f"Set {environment_name('allow_event_credentials')}=true to allow them"
        return settings, _credentials_warning("the event brings database credentials, which are not allowed here", remedy, given)
    missing = [name for name in EVENT_CREDENTIALS if name not in given]
    if missing:
        remedy = f"Add {', '.join(missing)}, or none of them"
        return settings, _credentials_warning("the event brings only a part of the database credentials", remedy, given)
    for name, value in given.items():
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
            raise BadSettings(f"event field {name}: expected a text of printable ASCII", field=name)
    try:
        endpoint = _url(given["vastdb_endpoint"])
    except ValueError:
        raise BadSettings(f"event field vastdb_endpoint: expected {URL.shape}", field="vastdb_endpoint") from None
    access, secret = given["vastdb_access_key"], given["vastdb_secret_key"]
    return replace(settings, db_endpoint=endpoint, db_access_key=access, db_secret_key=secret), None


def _credentials_warning(message: str, remedy: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"code": "event_credentials_ignored", "message": message, "remedy": remedy, "field": ", ".join(given)}


def _plain(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def _candidates(item: Field[Any], environ: Mapping[str, str], secrets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(where, text) for every source that has a value for this field, the strongest first."""
    for name in (*item.metadata["names"], *item.metadata["keys"]):
        text = secrets.get(_plain(name), "").strip()
        if text:
            yield f"secret key {name}", text
    for name in item.metadata["names"]:
        text = environ.get(name, "").strip()
        if text:
            yield name, text


def _warn_if_deprecated(item: Field[Any], where: str) -> None:
    """A FutureWarning, which Python shows by default: whoever deploys is not a developer."""
    instead = item.metadata["deprecated"].get(where.removeprefix("secret key "))
    if instead:
        warnings.warn(f"{where} is deprecated and will go; use {instead}", FutureWarning, stacklevel=3)


def _parse(item: Field[Any], where: str, text: str, values: dict[str, Any], problems: list[tuple[str, str]]) -> None:
    kind: SettingKind = item.metadata["kind"]
    try:
        values[item.name] = kind.parse(text)
        if kind is URL and "://" not in text:
            warnings.warn(f"{where} has no scheme and is taken as http; write http:// or https:// before it", stacklevel=4)
    except BadTemplate as error:
        problems.append((item.name, f"{where}: expected {kind.shape}; {error}"))
    except ValueError:
        # A URL that does not parse may hold a password, so neither it nor a secret is repeated.
        got = "" if item.metadata["secret"] or kind is URL else f", got {text[:80]!r}"
        problems.append((item.name, f"{where}: expected {kind.shape}{got}"))


def _incomplete(settings: Settings, wrong: set[str]) -> list[tuple[str, str]]:
    """Keys that an endpoint needs and that are missing."""
    return [
        (name, f"{environment_name(name)}: missing although {environment_name(endpoint)} is set; set both or neither")
        for endpoint, *keys in _TOGETHER
        if getattr(settings, endpoint)
        for name in keys
        if not getattr(settings, name) and name not in wrong
    ]


def _bad_settings(problems: list[tuple[str, str]]) -> BadSettings:
    count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
    return BadSettings(
        f"{count} wrong: " + "; ".join(text for _, text in problems),
        remedy="docs/CONFIGURATION.md describes every setting",
        settings=[environment_name(name) for name, _ in problems],
    )
