"""The command line of the import: exit codes, sentences, options, and where the refused lines go."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from customers.models import Customer

pytestmark = pytest.mark.django_db
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, settings: Any) -> Run:
    """Import this text by the command; what it printed."""
    settings.CLARION_VAR = tmp_path / "var"

    def command(content: str | bytes, *arguments: str) -> str:
        path = tmp_path / "people.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        out = io.StringIO()
        call_command("import_customers", str(path), *arguments, stdout=out)
        return out.getvalue()

    return command


def test_the_summary_names_every_number(run: Run, tmp_path: Path) -> None:
    printed = run("Phone,Name x\n0712345678,Ann\n0712345678,Bea\n\n12345,Cat\n")
    assert "3 records: 1 created, 0 updated, 0 unchanged, 1 repeated by a later line, 1 refused." in printed
    assert "1 blank lines" in printed
    assert "Phone → phone, Name x → name_x" in printed
    [path] = (tmp_path / "var" / "imports").iterdir()
    assert str(path) in printed
    assert path.read_text("utf-8-sig").splitlines()[0] == "line,column,reason,value"
    assert path.read_text("utf-8-sig").splitlines()[1].startswith("5,Phone,")


def test_options_are_obeyed(run: Run) -> None:
    content = "Nummer:Vorname:x\n0712345678:Zoë:1\n".encode("cp1250")
    run(content, "--column", "Nummer=phone", "--column", "x=-", "--region", "tz", "--delimiter=:", "--encoding=cp1250")
    customer = Customer.objects.get()
    assert (customer.phone, customer.first_name, customer.attributes) == ("+255712345678", "Zoë", {})


def test_a_dry_run_says_so(run: Run) -> None:
    assert "nothing was stored" in run("phone\n0712345678\n", "--dry-run")
    assert not Customer.objects.exists()


@pytest.mark.parametrize("word", ["tab", "\\t", "\t"])
def test_a_tab_can_be_named(run: Run, word: str) -> None:
    run("phone\tfirst name\n0712345678\tAnn\n", "--delimiter", word)
    assert Customer.objects.get().first_name == "Ann"


@pytest.mark.parametrize(
    ("content", "arguments", "says"),
    [
        ("", [], "is empty. Nothing was stored."),
        ("name\nAnn\n", [], "No column looks like the phone number"),
        ("PK\x03\x04", [], "spreadsheet"),
        ("phone\n1\n", ["--region", "XX"], "--region: This is not a region"),
        ("phone\n1\n", ["--encoding", "klingon"], "no encoding"),
        ("phone\n1\n", ["--delimiter", "ab"], "one character"),
        ("phone\n1\n", ["--column", "phone"], "NAME=FIELD"),
        ("phone\n1\n", ["--column", "fone=phone"], "There is no column “fone”"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_stored(
    run: Run, content: str, arguments: list[str], says: str
) -> None:
    with pytest.raises(CommandError, match=says) as refusal:
        run(content, *arguments)
    assert refusal.value.returncode == 1
    assert not Customer.objects.exists()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file"):
        call_command("import_customers", str(tmp_path / "none.csv"))
