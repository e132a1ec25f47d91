"""Which endpoint, which schema, whose keys: the same options and environment for every script that talks to the database.

`--endpoint URL` and `--schema BUCKET/SCHEMA` go before the environment (VAST_DB_ENDPOINT, VAST_DB_BUCKET, VAST_DB_SCHEMA). Keys
come from the environment alone (VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY): a command line is visible to everyone on the machine.
"""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import vast_settings
from exr_errors import BadSettings, InspectorError
from vast_errors import as_inspector_error
from vast_session import connect, judged
from vast_settings import Settings


@dataclass(frozen=True, slots=True)
class Target:
    """A session, and the schema that the tables are in."""

    session: Any = field(repr=False)
    settings: Settings
    bucket: str
    schema: str

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"VAST DataBase at {self.settings.db_endpoint}, {self.bucket}/{self.schema}"

    @contextmanager
    def reading(self, *, engine: bool = False) -> Iterator[Any]:
        """A transaction of the SDK that is rolled back at the end; with `engine` it has a connection to the query engine.

        Where the ADBC driver is installed, the SDK's own `with` opens such a connection for every transaction, and fails where
        the endpoint has no query engine. Reading through the SDK needs none.
        """
        with judged(lambda error, ruling: as_inspector_error(error, ruling, self.place)):
            transaction = self.session.transaction()
            if engine:
                with transaction:
                    yield transaction
                return
            transaction.txid = int(self.session.api.begin_transaction().headers["tabular-txid"])
            try:
                yield transaction
            finally:
                with suppress(InspectorError), judged(lambda error, ruling: as_inspector_error(error, ruling, self.place)):
                    self.session.api.rollback_transaction(transaction.txid)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--endpoint` and `--schema`."""
    group = parser.add_argument_group("database", "Keys come from VAST_DB_ACCESS_KEY and VAST_DB_SECRET_KEY.")
    group.add_argument("--endpoint", metavar="URL", help="default: VAST_DB_ENDPOINT")
    group.add_argument("--schema", metavar="BUCKET/SCHEMA", help="default: VAST_DB_BUCKET/VAST_DB_SCHEMA")


def settings_of(endpoint: str | None, schema: str | None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings with these two put before the environment. Raises BadSettings for a schema that is not BUCKET/SCHEMA."""
    chosen = dict(os.environ if environ is None else environ)
    if endpoint:
        chosen["VAST_DB_ENDPOINT"] = endpoint
    if schema:
        bucket, _, name = schema.partition("/")
        if not bucket or not name:
            raise BadSettings(f"--schema {schema!r}: expected BUCKET/SCHEMA", remedy="Write it like renders/exr")
        chosen |= {"VAST_DB_BUCKET": bucket, "VAST_DB_SCHEMA": name}
    return vast_settings.load(chosen)


def open_target(settings: Settings) -> Target:
    """Connect. Raises BadSettings where endpoint or keys are missing, VASTDatabaseError where the endpoint does not answer."""
    return Target(connect(settings), settings, settings.db_bucket, settings.db_schema)


def from_arguments(arguments: argparse.Namespace) -> Target:
    """The target that `add_arguments` and the environment name; what the client's libraries say of themselves is not shown."""
    # The ADBC driver has no autocommit switch, and its manager says so at every connection.
    warnings.filterwarnings("ignore", message="Cannot disable autocommit")
    # The SDK says at every read that an endpoint names no others.
    logging.getLogger("vastdb").setLevel(logging.CRITICAL)
    return open_target(settings_of(arguments.endpoint, arguments.schema))
