"""Files as they are: encodings, delimiters, quotes that never close, and lines that must not get lost."""

from pathlib import Path

import pytest

from customers import reading
from customers.reading import Broken, Record, Source, Unreadable

TEXT = "Phone,Name\r\n0712345678,Zoë\r\n0712345679,Müller\r\n"


def file(folder: Path, content: bytes) -> Path:
    path = folder / "people.csv"
    path.write_bytes(content)
    return path


def read(path: Path, **options: str) -> list[tuple[int, list[str] | str]]:
    return [
        (piece.line, piece.fields if isinstance(piece, Record) else piece.reason)
        for piece in Source(path, **options).pieces()
    ]


@pytest.mark.parametrize(
    ("codec", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_the_encoding_is_found_out(tmp_path: Path, codec: str, named: str) -> None:
    path = file(tmp_path, TEXT.encode(codec))
    assert Source(path).encoding == named
    assert read(path) == [(1, ["Phone", "Name"]), (2, ["0712345678", "Zoë"]), (3, ["0712345679", "Müller"])]


def test_an_encoding_that_was_given_is_believed(tmp_path: Path) -> None:
    assert read(file(tmp_path, "Phone,Name\n1,Ł\n".encode("cp1250")), encoding="cp1250")[1] == (2, ["1", "Ł"])


def test_damaged_utf8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    content = "Phone,Name\n1,Zoë\n2,Noël\n3,Ann".encode() + b"\xff\n4,Bob\n"
    path = file(tmp_path, content)
    assert Source(path).encoding == "utf-8"
    assert [line for line, _ in read(path)] == [1, 2, 3, 4, 5]
    assert "bytes" in read(path)[3][1]


@pytest.mark.parametrize("delimiter", reading.DELIMITERS)
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    path = file(tmp_path, f"Phone{delimiter}Name\n1{delimiter}Ann\n".encode())
    assert Source(path).delimiter == delimiter
    assert read(path)[1] == (2, ["1", "Ann"])


def test_a_spreadsheets_hint_names_the_delimiter_and_is_no_record(tmp_path: Path) -> None:
    assert read(file(tmp_path, b"sep=;\r\nPhone;a,b,c\r\n")) == [(2, ["Phone", "a,b,c"])]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_numbers_count_physical_lines(tmp_path: Path, ending: str) -> None:
    lines = ["a,b", '1,"x', 'y"', "", "2,z"]
    pieces = read(file(tmp_path, ending.join(lines).encode()))
    assert [line for line, _ in pieces] == [1, 2, 4, 5]
    assert pieces[1] == (2, ["1", f"x{ending}y"])


def test_a_quote_that_is_never_closed_takes_only_its_own_line(tmp_path: Path) -> None:
    lines = ["a,b", '1,"Ann', *(f"{number},x" for number in range(2, 500))]
    pieces = read(file(tmp_path, "\n".join(lines).encode()))
    assert [line for line, _ in pieces] == list(range(1, 501))
    assert "quotation mark" in pieces[1][1]
    assert pieces[2:] == [(number + 1, [str(number), "x"]) for number in range(2, 500)]


def test_a_quote_that_closes_in_another_record_takes_only_its_own_line(tmp_path: Path) -> None:
    pieces = read(file(tmp_path, b'a,b\n1,"Ann\n2,Bob\n3,"""Classic"" Mug"\n4,x\n'))
    assert [line for line, _ in pieces] == [1, 2, 3, 4, 5]
    assert pieces[2:] == [(3, ["2", "Bob"]), (4, ["3", '"Classic" Mug']), (5, ["4", "x"])]


def test_an_unclosed_quote_in_every_line_ends(tmp_path: Path) -> None:
    pieces = read(file(tmp_path, b"a,b\n" + b'1,"x\n' * 301))
    assert [line for line, _ in pieces] == list(range(1, 303))


def test_text_after_a_closing_quote_is_told(tmp_path: Path) -> None:
    pieces = read(file(tmp_path, b'a,b\n1,"Classic" Mug\n2,x\n'))
    assert "After a closing quotation mark" in pieces[1][1]
    assert pieces[2] == (3, ["2", "x"])


def test_a_line_beyond_all_measure_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    pieces = read(file(tmp_path, b"a,b\n1," + b"x" * 350_000 + b"\n2,y\n"))
    assert "longer than 100000" in pieces[1][1]
    assert pieces[2] == (3, ["2", "y"])


def test_null_bytes_do_not_end_a_line(tmp_path: Path) -> None:
    assert read(file(tmp_path, b"a,b\n1,x\0y\n"))[1] == (2, ["1", "x\0y"])


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"PK\x03\x04....", "spreadsheet"), (b"\xd0\xcf\x11\xe0....", "spreadsheet")],
)
def test_what_is_no_text_file_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        Source(file(tmp_path, content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="There is no file"):
        Source(tmp_path / "none.csv")
    with pytest.raises(Unreadable, match="is not a file"):
        Source(tmp_path)


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    for name in ("klingon", "rot13"):
        with pytest.raises(Unreadable, match="no encoding"):
            Source(file(tmp_path, b"a\n"), encoding=name)


def test_a_broken_line_keeps_its_text(tmp_path: Path) -> None:
    pieces = list(Source(file(tmp_path, b'a,b\n1,"Ann\n')).pieces())
    assert isinstance(pieces[1], Broken)
    assert pieces[1].text == '1,"Ann\n'
