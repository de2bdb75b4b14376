"""The page of what survived: rows that were played on their own are taken up, and no other is touched."""

from __future__ import annotations

from tests.faults.table import Row, as_markdown, rows_on, taken_up

CUT = Row("the line is cut", 3, "A B", 0, "2026-01-02, abc1234")
LOST = Row("answers are lost", 20, "A B C", 0, "2026-01-02, abc1234")


def test_a_page_is_read_as_it_was_written() -> None:
    assert rows_on(as_markdown([CUT, LOST])) == [CUT, LOST]


def test_rows_played_later_take_their_place_and_new_ones_come_last() -> None:
    again = Row(CUT.fault, 4, "A B", 1, "2026-03-04, def5678")
    new = Row("killed on the way back", 7, "A", 0, "2026-03-04, def5678")
    assert taken_up([CUT, LOST], [new, again]) == [again, LOST, new]


def test_the_page_counts_all_of_its_rows() -> None:
    page = as_markdown([CUT, LOST, Row("one more", 1_000, "A", 2, "2026-03-04, def5678")])
    assert page.splitlines()[2].startswith("1,023 deploys")
    assert "; 2 violations." in page
