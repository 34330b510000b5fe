from scaling.runs.answers import ASKED, Answer, asked_images, keep_answers, kept_answers
from scaling.runs.store import Store


def test_the_images_asked_are_spread_over_all_of_them():
    assert asked_images(10_000)[:3] == [0, 833, 1666]
    assert len(asked_images(10_000)) == ASKED
    assert asked_images(3) == [0, 1, 2]


def test_answers_are_kept_and_a_damaged_file_holds_none(tmp_path):
    store, key = Store(tmp_path), "a" * 24
    store.folder(key).mkdir()
    assert kept_answers(store, key) == []
    said = [Answer(833 * place, place % 10, 0.5) for place in range(ASKED)]
    keep_answers(store, key, said)
    assert kept_answers(store, key) == said
    (path,) = store.folder(key).iterdir()
    assert path.stat().st_size < 1000
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6"))
    assert kept_answers(store, key) == []
