"""The demonstration of uploads, `scripts/upload_demo`."""

from __future__ import annotations

import pytest

from exr_inspector.cli import uploads


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["--fast"], 2)])
def test_the_demonstration_of_uploads_explains_itself(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for help, or for an option that there is not, gets an answer and no demonstration."""
    monkeypatch.setattr(uploads, "local_cloud", lambda: pytest.fail("the demonstration runs"))
    with pytest.raises(SystemExit) as ended:
        uploads.main(arguments)
    printed = capsys.readouterr()
    assert (ended.value.code, "scripts/upload_demo" in printed.out + printed.err) == (status, True)
