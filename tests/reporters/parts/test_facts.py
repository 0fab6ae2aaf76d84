"""Facts: descriptions and units for the fields of a document, with any keys."""

from epkit.reporters.parts.facts import facts, named

KNOWN = named(
    plain={
        "x.name": "name",
        "x.codes.*": "replies with the status {}",
        "x.pairs.*.*": "pair {}, column {}",
        "x.on": "on",
    },
    number={"x.port": "port"},
    share={"x.part": "part"},
    bytes={"x.files.*.size": "size of file {}"},
    ms={"x.lag": "lag"},
)


def test_a_document_is_said_in_words_and_units():
    document = {
        "name": "a", "on": True, "nothing": None, "port": 5001, "part": 0.125, "lag": 1234.5, "codes": {"200": 1234},
        "pairs": [["a", "b"]], "files": [{"size": 2048}, {"size": 1}],
    }  # fmt: skip

    assert [
        ("name", "a"), ("on", "yes"), ("port", "5001"), ("part", "12.5 %"), ("lag", "1,234.5 ms"),
        ("replies with the status 200", "1,234"), ("pair 1, column 1", "a"), ("pair 1, column 2", "b"),
        ("size of file 1", "2,048 bytes"), ("size of file 2", "1 byte"),
    ] == list(facts(KNOWN, "x", document))  # fmt: skip


def test_a_field_of_another_version_has_the_words_that_its_name_has():
    assert [("start spread ms", "1.5"), ("odd 1", "a")] == list(
        facts(KNOWN, "x", {"start_spread_ms": 1.5, "inner": {"odd": ["a"]}})
    )


def test_long_lists_end_and_say_how_many_more_there_are():
    said = list(facts(KNOWN, "x", {"codes": {str(code): 1 for code in range(100, 122)}}))

    assert 21 == len(said)
    assert ("replies with the status …", "and 2 more") == said[-1]
