"""Random names."""

from proxy.chat.ids import MAX_BYTES, random_hex


def test_names_have_the_size_asked_for_and_never_repeat() -> None:
    names = [random_hex(size) for size in range(8, MAX_BYTES + 1) for _ in range(100)]

    assert [len(name) for name in names] == [2 * size for size in range(8, MAX_BYTES + 1) for _ in range(100)]
    assert len(set(names)) == len(names)
    assert set("".join(names)) == set("0123456789abcdef")
