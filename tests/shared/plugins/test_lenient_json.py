"""JSON as sites send it."""

import pytest

from shared.plugins.aipkit.nonce import lacks_action
from shared.plugins.lenient_json import read_json, read_object


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_object(b'\xef\xbb\xbf{"success":true}') == {"success": True}
    assert read_object('\ufeff{"success":true}') == {"success": True}
    assert read_json(b"\xef\xbb\xbf") is None


@pytest.mark.parametrize("before", ["\n\n\ufeff", "\ufeff\r\n", "\ufeff\ufeff", "\ufeff\n\ufeff \n"])
def test_each_file_of_a_site_may_begin_with_blank_lines_and_a_byte_order_mark(before: str) -> None:
    assert read_object(f'{before}{{"success":true}}') == {"success": True}
    assert read_object(f'{before}{{"success":true}}'.encode()) == {"success": True}
    assert lacks_action(400, f"{before}0".encode())
