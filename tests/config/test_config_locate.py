"""On which line a value stands."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from twintrack.config.locate import locate


def test_tables_lists_and_dotted_keys_stand_where_they_are_written():
    text = "\n".join(
        [
            "a.b = 1",
            '"q \\u0041.x" = [  # ] is not the end',
            '  1, "]", { k = 2, "z z".w = """',
            'x]""" },',
            "  [3,",
            "   4],",
            "]",
            "[[d]]",
            "m = 1",
            "[d.s]",
            "k = 1",
            "[[d.t]]",
            "u = 1979-05-27 07:32:00",
            "[[d]]",
            "n = '''",
            "]=[ '''",
            "[[d.t]]",
            "v = 1",
            "[r.auto]",
            "[r]",
            "x = {}",
            'y = """a"""""',
            "z = 1",
        ]
    )
    tomllib.loads(text)
    assert locate(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("q A.x",): 2,
        ("q A.x", 0): 3,
        ("q A.x", 1): 3,
        ("q A.x", 2): 3,
        ("q A.x", 2, "k"): 3,
        ("q A.x", 2, "z z"): 3,
        ("q A.x", 2, "z z", "w"): 3,
        ("q A.x", 3): 5,
        ("q A.x", 3, 0): 5,
        ("q A.x", 3, 1): 6,
        ("d",): 8,
        ("d", 0): 8,
        ("d", 0, "m"): 9,
        ("d", 0, "s"): 10,
        ("d", 0, "s", "k"): 11,
        ("d", 0, "t"): 12,
        ("d", 0, "t", 0): 12,
        ("d", 0, "t", 0, "u"): 13,
        ("d", 1): 14,
        ("d", 1, "n"): 15,
        ("d", 1, "t"): 17,
        ("d", 1, "t", 0): 17,
        ("d", 1, "t", 0, "v"): 18,
        ("r",): 19,
        ("r", "auto"): 19,
        ("r", "x"): 21,
        ("r", "y"): 22,
        ("r", "z"): 23,
    }


def test_windows_line_ends_count_once():
    assert locate("a = 1\r\n\r\nb = [\r\n1]\r\n")["b", 0] == 4


# A generator of documents that knows on which line it put everything.

words = st.sampled_from(["a", "b-c", "d_1", "2", "e f", "g.h", "ü", 'i"j', "k\\l", ""])
plain = ["1", "-1.5e3", "nan", "true", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00", "07:32:00", "0x1F"]
quoted = ['""', '"x # ]"', "'{=}'", '"\\"]\\\\"', '"""m\n]\n"""', "'''m\n\n['''", '"""q"""""', "''''''"]
scalars = st.sampled_from([*plain, *quoted])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
blanks = st.sampled_from(["", "\n", "\n\n# ] [x] =\n", "# c\n"])


class Writer:
    def __init__(self, draw):
        self.draw, self.text, self.lines = draw, "", {}

    def note(self, path):
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def key(self, word):
        if word and word.isascii() and word.replace("-", "").replace("_", "").isalnum() and self.draw(st.booleans()):
            return word
        if '"' not in word and "\\" not in word:
            return f"'{word}'"
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def value(self, value, path):
        if isinstance(value, list):
            self.text += "[" + self.draw(blanks)
            for number, each in enumerate(value):
                self.note((*path, number))
                self.value(each, (*path, number))
                self.text += self.draw(blanks) + "," + self.draw(blanks)
            self.text += "]"
        elif isinstance(value, dict):
            self.text += "{"
            for number, (word, each) in enumerate(value.items()):
                self.text += ", " if number else " "
                self.note((*path, word))
                self.text += self.key(word) + " = "
                self.value(each, (*path, word))
            self.text += " }"
        else:
            self.text += value

    def table(self, table, path):
        for word, value in table.items():
            self.text += self.draw(blanks)
            at = (*path, word)
            self.note(at)
            self.text += self.key(word)
            while isinstance(value, dict) and len(value) == 1 and self.draw(st.booleans()):
                word, value = next(iter(value.items()))
                at = (*at, word)
                self.note(at)
                self.text += " . " + self.key(word)
            self.text += " = "
            self.value(value, at)
            self.text += " # end\n"


@st.composite
def documents(draw):
    """TOML text, and the line of each path in it."""
    writer = Writer(draw)
    writer.table(draw(st.dictionaries(words, values, max_size=3)), ())
    for number, name in enumerate(draw(st.lists(st.sampled_from(["t", "l", "o.p"]), unique=True))):
        table = f"{name}{number}"
        path = tuple(table.split("."))
        for copy in range(draw(st.integers(1, 3)) if name == "l" else 1):
            writer.text += draw(blanks)
            for length in range(1, len(path) + 1):
                writer.note(path[:length])
            at = (*path, copy) if name == "l" else path
            writer.note(at)
            writer.text += (f"[[ {table} ]]" if name == "l" else f"[{table}]") + draw(blanks) + "\n"
            writer.table(draw(st.dictionaries(words, values, max_size=3)), at)
    return writer.text, writer.lines


@given(documents())
def test_every_value_of_any_document_is_found_on_its_line(document):
    text, lines = document
    tomllib.loads(text)
    assert locate(text) == lines


@given(st.text(alphabet="ab.=[]{}\"'\\#\n ,1-", max_size=60))
def test_any_text_that_is_toml_can_be_followed(text):
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = locate(text)

    def paths(value, path):
        if path:
            yield path
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for part, child in children:
            yield from paths(child, (*path, part))

    assert set(paths(document, ())) == set(lines)
