"""Which endpoint, which schema, whose keys: the same options and environment for every script that talks to the database.

`--endpoint URL` and `--schema [BUCKET/]SCHEMA` go before the environment (VAST_DB_ENDPOINT, VAST_DB_BUCKET, VAST_DB_SCHEMA). Keys
come from the environment alone (VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY): a command line is visible to everyone on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from exr_inspector.database.rulings import Ruling, as_inspector_error
from exr_inspector.database.session import connect, translate_errors
from exr_inspector.errors import BadSettings, InspectorError, Reject
from exr_inspector.settings import Settings, load

_REMEDY = "The function makes it with the first file, and exr-inspector schema init without one"
SHOWN = 20
"""Schemas of a bucket that a message names."""


class NothingStored(Reject):
    """The bucket, the schema or the table that was asked is not there; the message says which schemas are."""

    code = "nothing_stored"


class Location(Protocol):
    """Where tables are: a Target, or a Store."""

    @property
    def session(self) -> Any:
        """The client's session."""
        ...

    @property
    def bucket(self) -> str:
        """The database."""
        ...

    @property
    def schema(self) -> str:
        """The schema in it."""
        ...

    @property
    def place(self) -> str:
        """How messages name it."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A session, and the schema that the tables are in."""

    session: Any = field(repr=False)
    settings: Settings
    bucket: str
    schema: str
    is_local: bool = False
    """Whether the local endpoint answers, which is not VAST."""

    @property
    def place(self) -> str:
        """How messages name it."""
        if self.is_local:
            return f"the local endpoint, {self.bucket}/{self.schema}"
        return f"VAST DataBase at {self.settings.db_endpoint}, {self.bucket}/{self.schema}"

    def tables(self, transaction: Any) -> Any:
        """The schema within a transaction, as the SDK's object; its method `table` gives one of the tables."""
        return transaction.bucket(self.bucket).schema(self.schema)

    @contextmanager
    def reading(self, *, engine: bool = False) -> Iterator[Any]:
        """A transaction of the SDK that is rolled back at the end; with `engine` it has a connection to the query engine.

        Where the ADBC driver is installed, the SDK's own `with` opens such a connection for every transaction, and fails where
        the endpoint has no query engine. Reading through the SDK needs none.
        """
        with translate_errors(self._translate), self.session.transaction() if engine else _plain_transaction(self) as transaction:
            yield transaction

    def _translate(self, error: BaseException, ruling: Ruling) -> InspectorError:
        absence = nothing_stored(self) if ruling.code in ("database_not_found", "database_bucket_missing") else None
        return absence or as_inspector_error(error, ruling, self.place)


def _errors_at(where: Location) -> AbstractContextManager[None]:
    """Raise the client's errors as those of this project, with the place in their message."""

    def name_place(error: BaseException, ruling: Ruling) -> InspectorError:
        return as_inspector_error(error, ruling, where.place)

    return translate_errors(name_place)


@contextmanager
def _plain_transaction(where: Location) -> Iterator[Any]:
    transaction = where.session.transaction()
    transaction.txid = int(where.session.api.begin_transaction().headers["tabular-txid"])
    try:
        yield transaction
    finally:
        with suppress(InspectorError), _errors_at(where):
            where.session.api.rollback_transaction(transaction.txid)


def nothing_stored(where: Location, tables: Iterable[str] = ("files",)) -> NothingStored | None:
    """What is not there of a bucket, its schema and these tables; None where all is, or where the database does not say."""
    with suppress(InspectorError), _errors_at(where), _plain_transaction(where) as transaction:
        return _absence(where, transaction, tables)
    return None


def _absence(where: Location, transaction: Any, tables: Iterable[str]) -> NothingStored | None:
    from vastdb.errors import MissingBucket

    try:
        bucket = transaction.bucket(where.bucket)
    except MissingBucket:
        remedy = "Check --schema BUCKET/SCHEMA; a bucket for tables is a view with the protocols S3 and DATABASE"
        return NothingStored(f"{where.place}: there is no bucket {where.bucket!r}", remedy=remedy)
    schema = bucket.schema(where.schema, fail_if_missing=False)
    if schema is None:
        message = f"{where.place}: there is no schema {where.schema!r} in the bucket {where.bucket!r}"
        return NothingStored(message, remedy=_named_schemas(sorted(one.name for one in bucket.schemas())))
    missing = sorted(set(tables) - set(schema.tablenames()))
    if not missing:
        return None
    message = f"{where.place}: there is no table {missing[0]!r} in the schema {where.schema!r}"
    return NothingStored(message, remedy=_REMEDY)


def _named_schemas(names: list[str]) -> str:
    if not names:
        return f"The bucket has no schema: nothing was stored yet. {_REMEDY}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"The bucket has the schemas {', '.join(names[:SHOWN])}{more}: give one as --schema BUCKET/SCHEMA. {_REMEDY}"


def settings_of(endpoint: str | None, schema: str | None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings with these two put before the environment; a schema is [BUCKET/]SCHEMA. Raises BadSettings."""
    chosen = dict(os.environ if environ is None else environ)
    if endpoint:
        chosen["VAST_DB_ENDPOINT"] = endpoint
    if schema:
        bucket, slash, name = schema.rpartition("/")
        if not name or (slash and not bucket) or "/" in bucket:
            raise BadSettings(f"--schema {schema!r}: expected [BUCKET/]SCHEMA", remedy="Write it like renders/exr, or exr")
        chosen |= {"VAST_DB_SCHEMA": name} | ({"VAST_DB_BUCKET": bucket} if bucket else {})
    return load(chosen)


def open_target(settings: Settings, *, is_local: bool = False) -> Target:
    """Connect. Raises BadSettings where endpoint or keys are missing, VASTDatabaseError where the endpoint does not answer."""
    return Target(connect(settings), settings, settings.db_bucket, settings.db_schema, is_local)
