"""Settings: where they come from, which source wins, and what a wrong one is told."""

from __future__ import annotations

import os
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import settings as vast_settings
from exr_inspector.errors import BadSettings
from exr_inspector.settings import TEXT, Settings, environment_name, load, with_event_credentials
from generators import configuration

DATABASE = {"VAST_DB_ENDPOINT": "http://db:80", "VAST_DB_ACCESS_KEY": "AK", "VAST_DB_SECRET_KEY": "SK"}
EVENT = {"vastdb_endpoint": "http://other:80", "vastdb_access_key": "EA", "vastdb_secret_key": "ES"}


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing has to be set for an inspection; what is missing for the database has a name."""
    settings = load({})
    assert settings == Settings()
    assert settings.s3_region == "us-east-1"
    assert (settings.first_range, settings.header_limit) == (64 * 1024, 64 * 1024**2)
    assert settings.missing_for_database() == "VAST_DB_ENDPOINT"


def test_a_database_that_is_configured_misses_nothing() -> None:
    """Endpoint and both keys are what it takes."""
    assert load(DATABASE).missing_for_database() is None


SPELLINGS = [(name, item.name) for item in fields(Settings) if item.metadata["kind"] is TEXT for name in item.metadata["names"]]


@pytest.mark.parametrize(("name", "field"), SPELLINGS)
def test_every_spelling_of_a_name_is_read(name: str, field: str) -> None:
    """VAST_DB_*, VASTDB_*, S3_* and AWS_* spellings mean the same field."""
    assert getattr(load({name: "value"}), field) == "value"


def test_the_first_spelling_wins_over_the_others() -> None:
    """Where two spellings disagree, the documented name counts."""
    assert load({"VASTDB_BUCKET": "old", "VAST_DB_BUCKET": "new"}).db_bucket == "new"


@pytest.mark.parametrize("key", ["vdbendpoint", "VDB_ENDPOINT", "VASTDB_ENDPOINT", "vast-db-endpoint", "VAST_DB_ENDPOINT"])
def test_keys_in_secrets_are_free_in_case_and_separators(key: str) -> None:
    """The platform's user interface and its examples spell keys in many ways."""
    rest = {"vdbaccesskey": "AK", "vdbsecretkey": "SK"}
    assert load({}, {key: "http://db:80", **rest}).db_endpoint == "http://db:80"


def test_secrets_win_over_the_environment() -> None:
    """Endpoint in the environment, keys in a secret: the usual deployment; where both have a value the secret counts."""
    settings = load({**DATABASE, "VAST_DB_ACCESS_KEY": "weak"}, {"vdbaccesskey": "strong"})
    assert (settings.db_endpoint, settings.db_access_key, settings.db_secret_key) == ("http://db:80", "strong", "SK")


def test_all_wrong_settings_are_reported_at_once_each_with_its_shape() -> None:
    """One error names every wrong setting, what was expected, and what came."""
    wrong = {
        "VAST_DB_ENDPOINT": "ftp://db",
        "VAST_DB_TIMEOUT": "soon",
        "S3_MAX_ATTEMPTS": "0",
        "EXR_FIRST_RANGE": "64 parsecs",
        "VAST_TLS_VERIFY": "perhaps",
        "LOG_LEVEL": "LOUD",
        "EXR_LOCAL_ROOTS": "relative/folder",
        "VAST_CA_BUNDLE": "/does/not/exist.pem",
    }
    with pytest.raises(BadSettings) as caught:
        load(wrong)
    assert sorted(caught.value.place["settings"]) == sorted(wrong)
    for name, value in wrong.items():
        assert f"{name}: expected" in str(caught.value)
        assert repr(value) in str(caught.value) or name == "VAST_DB_ENDPOINT"
    assert "docs/CONFIGURATION.md" in str(caught.value)


@pytest.mark.parametrize("endpoint", ["VAST_DB_ENDPOINT", "S3_ENDPOINT"])
def test_an_endpoint_without_keys_names_the_keys_that_are_missing(endpoint: str) -> None:
    """Half a configuration is wrong at the start, not at the first event."""
    with pytest.raises(BadSettings) as caught:
        load({endpoint: "http://store:80"})
    prefix = endpoint.removesuffix("ENDPOINT")
    assert caught.value.place["settings"] == [f"{prefix}ACCESS_KEY", f"{prefix}SECRET_KEY"]


@pytest.mark.parametrize(
    "url",
    [
        "user:hush@store",
        "ftp://store",
        "http://",
        "http://user:hush@store",
        "http://store:port",
        "http://s/?k=hush",
        "http://s:99999",
    ],
)
def test_a_wrong_address_is_refused_and_never_repeated(url: str) -> None:
    """A URL may hold a password, so the message gives its shape alone."""
    with pytest.raises(BadSettings, match="a URL such as") as caught:
        load({"S3_ENDPOINT": url, "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.0.0.7", "http://10.0.0.7"), ("vip:8070/", "http://vip:8070"), ("[fd00::7]:80", "http://[fd00::7]:80")],
)
def test_an_address_without_a_scheme_is_http_with_a_warning(text: str, address: str) -> None:
    """As VAST's own examples write addresses; who means https has to say so."""
    with pytest.warns(UserWarning, match="VAST_DB_ENDPOINT has no scheme and is taken as http"):
        assert load({**DATABASE, "VAST_DB_ENDPOINT": text}).db_endpoint == address


@pytest.mark.parametrize(("text", "size"), [("65536", 65536), ("64KiB", 65536), ("1 MiB", 1024**2), ("2mib", 2 * 1024**2)])
def test_sizes_may_carry_units(text: str, size: int) -> None:
    """Binary units, in any case, with or without a blank."""
    assert load({"EXR_FIRST_RANGE": text}).first_range == size


def test_statistics_are_off_of_all_pixels_or_of_a_sample() -> None:
    """In any case; anything else is told what there is."""
    assert [load({"EXR_STATS": text}).stats for text in ("off", "Full", "SAMPLED")] == ["off", "full", "sampled"]
    with pytest.raises(BadSettings, match="one of off, full, sampled"):
        load({"EXR_STATS": "all"})


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False)])
def test_flags_are_read_in_their_usual_spellings(text: str, value: bool) -> None:
    """And `on`, `off`, `no`, by the same rule."""
    assert load({"EXR_FULL_PAYLOAD": text}).full_payload is value


def test_debug_is_another_way_to_ask_for_the_debug_level() -> None:
    """DEBUG=true wins over LOG_LEVEL; DEBUG=0 says nothing."""
    assert load({"DEBUG": "true", "LOG_LEVEL": "ERROR"}).log_level == "DEBUG"
    assert load({"DEBUG": "0", "LOG_LEVEL": "error"}).log_level == "ERROR"


def test_a_log_level_lets_through_itself_and_what_is_graver() -> None:
    """At WARNING, a line about a finished event is not written."""
    settings = Settings(log_level="WARNING")
    assert [settings.logs(level) for level in ("info", "warning", "error")] == [False, True, True]


def test_local_roots_are_a_list_of_folders_and_an_empty_one_allows_none() -> None:
    """Unset means the working folder and the temporary one; set and empty means none at all."""
    assert load({"EXR_LOCAL_ROOTS": os.pathsep.join(["/a", "/b"])}).local_roots == (Path("/a"), Path("/b"))
    assert load({"EXR_LOCAL_ROOTS": ""}).local_roots == ()
    assert Path.cwd() in load({}).local_roots


def test_the_bundle_of_authorities_counts_only_while_certificates_are_verified(tmp_path: Path) -> None:
    """`verify` as requests and botocore understand it: True, False, or a file."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    assert load({}).verify() is True
    assert load({"VAST_CA_BUNDLE": str(bundle)}).verify() == str(bundle)
    assert load({"VAST_CA_BUNDLE": str(bundle), "VAST_TLS_VERIFY": "no"}).verify() is False


def test_secrets_show_neither_in_repr_nor_in_errors() -> None:
    """Not in the settings' own text, and not in the text of an error about other settings."""
    environ = {**DATABASE, "VAST_DB_SECRET_KEY": "hush-db", "S3_SECRET_KEY": "hush-s3", "S3_ACCESS_KEY": "hush-access"}
    assert "hush" not in repr(load(environ))
    with pytest.raises(BadSettings) as caught:
        load({**environ, "VAST_DB_TIMEOUT": "x"})
    assert "hush" not in str(caught.value)


def test_secret_values_are_taken_out_of_foreign_texts() -> None:
    """For errors that nobody foresaw."""
    assert load(DATABASE).hide_secrets("key SK of AK") == "key *** of ***"


def test_event_credentials_are_used_as_a_complete_set_where_they_are_allowed() -> None:
    """All three replace the configured ones together."""
    allowed = load({**DATABASE, "EXR_ALLOW_EVENT_CREDENTIALS": "true"})
    settings, warning = with_event_credentials(allowed, EVENT)
    assert (settings.db_endpoint, settings.db_access_key, settings.db_secret_key) == ("http://other:80", "EA", "ES")
    assert warning is None


@pytest.mark.parametrize("left_out", list(EVENT))
def test_a_part_of_the_event_credentials_replaces_nothing(left_out: str) -> None:
    """They are never mixed with the configured ones; the warning names what is missing, and no value."""
    allowed = load({**DATABASE, "EXR_ALLOW_EVENT_CREDENTIALS": "true"})
    given = {key: value for key, value in EVENT.items() if key != left_out}
    settings, warning = with_event_credentials(allowed, given)
    assert settings is allowed
    assert warning is not None
    assert left_out in warning["remedy"]
    assert not {"EA", "ES"} & set(str(warning).split("'"))


def test_event_credentials_are_ignored_with_a_warning_where_they_are_not_allowed() -> None:
    """Not allowed is the default."""
    configured = load(DATABASE)
    settings, warning = with_event_credentials(configured, EVENT)
    assert settings is configured
    assert warning is not None
    assert "EXR_ALLOW_EVENT_CREDENTIALS" in warning["remedy"]


def test_an_event_without_credentials_changes_nothing() -> None:
    """And warns of nothing."""
    configured = load(DATABASE)
    assert with_event_credentials(configured, {"path": "/a.exr"}) == (configured, None)


def test_a_wrong_address_in_an_event_is_a_reject() -> None:
    """It would not get better by delivering the event again."""
    with pytest.raises(BadSettings, match="vastdb_endpoint"):
        with_event_credentials(Settings(allow_event_credentials=True), {**EVENT, "vastdb_endpoint": "ftp://nowhere"})


def test_the_names_of_secrets_come_from_the_environment_alone() -> None:
    """They say where the other settings are."""
    assert vast_settings.secret_names({"EXR_SECRET_NAMES": "one, two"}) == ("one", "two")
    assert vast_settings.secret_names({}) == Settings().secret_names


@pytest.mark.filterwarnings("ignore:.* has no scheme")
@given(st.dictionaries(st.sampled_from([environment_name(item.name) for item in fields(Settings)]), st.text(max_size=12)))
def test_any_environment_gives_settings_or_says_what_is_wrong(environ: dict[str, Any]) -> None:
    """No text in a setting raises anything but BadSettings, and that names only settings that exist."""
    try:
        load(environ)
    except BadSettings as error:
        named = set(error.place["settings"])
    else:
        named = set()
    assert named <= {environment_name(item.name) for item in fields(Settings)}


def test_the_configuration_page_names_every_setting_and_every_spelling() -> None:
    """None is left out."""
    page = configuration.page()
    for item in fields(Settings):
        for name in (*item.metadata["names"], *item.metadata["keys"]):
            assert f"`{name}`" in page


def test_a_system_without_a_folder_for_temporary_files_has_the_working_folder_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose file system is read-only; the names of secrets are found there as well."""

    def refuse() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    assert load({}).local_roots == (Path.cwd(),)
    assert vast_settings.secret_names({}) == ("exr-inspector",)
