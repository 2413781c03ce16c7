"""JSON as sites send it."""

from shared.plugins.answers import read_json, read_object


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_object(b'\xef\xbb\xbf{"success":true}') == {"success": True}
    assert read_object('\ufeff{"success":true}') == {"success": True}
    assert read_json(b"\xef\xbb\xbf") is None
