"""Edits that can change a result change a fingerprint; edits that cannot leave it as it is."""

import shutil

import pytest

from scaling.runs.code_modules import CodeError, read_sources
from scaling.runs.deciding_code import PACKAGE, START, STOPS, TELLING_KEYWORDS, TRAINING
from scaling.runs.fingerprint import Code
from scaling.runs.fingerprint_cache import FingerprintCache
from scaling.study.recipe import Recipe

FAMILIES = ("mlp", "alexnet", "vgg", "googlenet", "plain", "resnet", "vit", "swin")


def fingerprints(package):
    code = Code(package, (*STOPS, START), TELLING_KEYWORDS)
    found = {family: code.fingerprint([f"scaling.models.{family}:family"]) for family in FAMILIES}
    return found | {"training": code.fingerprint(TRAINING)}


@pytest.fixture(scope="module")
def unedited():
    return fingerprints(PACKAGE)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package, in which each test takes its edits back."""
    copy = tmp_path_factory.mktemp("copy") / "scaling"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.npz", "__pycache__"))
    return copy


@pytest.fixture
def edited(unedited, copied):
    """A function that edits a copy of the package and says whose fingerprints changed: families, or the training loop."""
    before = {}

    def edit(file, old, new):
        path = copied / file
        text = path.read_text()
        assert old in text
        before.setdefault(path, text)
        path.write_text(text.replace(old, new))
        now = fingerprints(copied)
        return {name for name in now if now[name] != unedited[name]}

    yield edit
    for path, text in before.items():
        path.write_text(text)


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        ("models/vit.py", "PATCH = 7", "PATCH = 14", {"vit"}),
        ("models/vit.py", 'global_pool="avg"', 'global_pool="max"', {"vit"}),
        ("models/transformer.py", "** -0.5", "** -0.4", {"vit", "swin"}),
        ("training/schedule.py", "math.cos(", "math.sin(", {"training"}),
        ("data/augment.py", "flip", "mirror", {"training"}),
        ("models/family.py", "unusual_options(self.name, dict(options))", "options", {"training", *FAMILIES}),
        ("training/device.py", "set_num_threads(1)", "set_num_threads(2)", {"training"}),
        ("training/device.py", "cuda.matmul.allow_tf32 = False", "cuda.matmul.allow_tf32 = True", {"training"}),
        ("training/evaluation.py", "EVALUATION_BATCH = ", "EVALUATION_BATCH = 1 + ", {"training"}),
        ("data/subsets.py", "0x5B5E7", "0x5B5E8", {"training"}),
        ("training/streams.py", "digest_size=8", "digest_size=16", {"training"}),
        ("study/recipe.py", "math.ceil(self.length(images) / self.batch)", "self.length(images)", {"training"}),
    ],
)
def test_an_edit_that_can_change_a_result_touches_exactly_the_runs_that_it_can_change(edited, file, old, new, touched):
    assert edited(file, old, new) == touched


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models/vit.py", "PATCH = 7", "# the side of a patch\nPATCH   =   7"),
        ("models/vit.py", "PATCH", "SIDE_OF_PATCH"),
        ("models/vit.py", "channels; dropout where the paper has it", "channels"),
        ("models/vit.py", "model", "net"),
        ("models/vit.py", "arXiv:2010.11929", "arXiv 2010.11929"),
        ("models/family.py", "it must be positive and finite", "allowed: above 0"),
        ("training/schedule.py", "rise", "warm"),
        ("training/schedule.py", "step: int, steps: int", "step, steps"),
        ("runs/lease.py", "HEARTBEAT_SECONDS: Final = 10.0", "HEARTBEAT_SECONDS: Final = 20.0"),
        ("study/recipe.py", "images per step", "images in each step"),
    ],
)
def test_an_edit_of_names_comments_messages_or_layout_touches_nothing(edited, file, old, new):
    if (old, new) == ("model", "net"):
        old, new = "model = Vision", "net = Vision"
        assert edited(file, "(model)\n    return model", "(net)\n    return net")  # half of a renaming is an edit
    assert edited(file, old, new) == set()


DEEP = "\n".join(f"def a{i}(): return a{i + 1}()\ndef b{i}(): return b{i + 1}()" for i in range(9))
"""Two chains of functions that look alike down to their ends."""

PAIRS = {
    "nonlocal": (
        "def f():\n    x = 0\n    def g():\n        nonlocal x\n        x = 1\n    g()\n    return x",
        "def f():\n    x = 0\n    def g():\n        x = 1\n    g()\n    return x",
    ),
    "a draw within a message": ("def f(r): print(r.random()); return r.random()", "def f(r): return r.random()"),
    "two names that the module has too": ("a = b = 1\ndef f(a, b): return a - b", "a = b = 1\ndef f(a, b): return b - a"),
    "names of attributes": ("a = b = 1\nclass f:\n    a = 2\n    b = 3", "a = b = 1\nclass f:\n    b = 2\n    a = 3"),
    "a default": ("def f(x=1): return x", "def f(x=2): return x"),
    "a decorator": ("import functools\n@functools.cache\ndef f(): return 1", "import functools\ndef f(): return 1"),
    "a decorator's argument": ("def d(n): return n\n@d(1)\ndef f(): return 1", "def d(n): return n\n@d(2)\ndef f(): return 1"),
    "a base": ("class A: x = 1\nclass f(A): pass", "class A: x = 2\nclass f(A): pass"),
    "a registry": ("T = {}\nT['x'] = 1\ndef f(): return T", "T = {}\nT['x'] = 2\ndef f(): return T"),
    "a registry's entry": (
        "def g(): return 1\nT = {'x': g}\ndef f(n): return T[n]()",
        "def g(): return 2\nT = {'x': g}\ndef f(n): return T[n]()",
    ),
    "a condition": ("def f(x): return 1 if x else 2", "def f(x): return 2 if x else 1"),
    "what an object that is given does": (
        "class A:\n    def m(self): return 1\ndef f(a: A): return a.m()",
        "class A:\n    def m(self): return 2\ndef f(a: A): return a.m()",
    ),
    "the same, its class in quotes": (
        "class A:\n    def m(self): return 1\ndef f(a: 'A | None'): return a.m()",
        "class A:\n    def m(self): return 2\ndef f(a: 'A | None'): return a.m()",
    ),
    "the other branch of TYPE_CHECKING": (
        "if TYPE_CHECKING:\n    y = 1\nelse:\n    x = 1\ndef f(): return x",
        "if TYPE_CHECKING:\n    y = 1\nelse:\n    x = 2\ndef f(): return x",
    ),
    "the far end of two chains": (
        f"{DEEP}\ndef a9(): return 1\ndef b9(): return 2\ndef f(): return a0() - b0()",
        f"{DEEP}\ndef a9(): return 2\ndef b9(): return 1\ndef f(): return a0() - b0()",
    ),
    "the order of two statements": ("def f(x):\n    x.a()\n    x.b()", "def f(x):\n    x.b()\n    x.a()"),
}


def of_text(folder, text, other="x = 1"):
    package = folder / "p"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "m.py").write_text(text)
    (package / "other.py").write_text(other)
    return Code(package).fingerprint(["p.m:f"])


@pytest.mark.parametrize("name", PAIRS)
def test_an_edit_that_changes_what_a_function_does_is_seen(tmp_path, name):
    one, other = PAIRS[name]
    assert of_text(tmp_path, one) != of_text(tmp_path, other)


@pytest.mark.parametrize(
    "text",
    [
        "from p.other import x\ndef f(): return x",
        "from .other import x as y\ndef f(): return y",
        "from p import other\ndef f(): return other.x",
        "import p.other\ndef f(): return p.other.x",
        "import p.other as o\ndef f(): return o.x",
        "try:\n    from p.other import x\nexcept ImportError:\n    pass\ndef f(): return x",
        "def f():\n    from p.other import x\n    return x",
        "def f():\n    import p.other\n    return p.other.x",
    ],
)
def test_what_is_imported_is_followed_however_it_is_written(tmp_path, text):
    assert of_text(tmp_path, text) != of_text(tmp_path, text, "x = 2")
    assert of_text(tmp_path, text) == of_text(tmp_path, text, "x  =  1  # one")


def test_import_of_everything_is_refused(tmp_path):
    with pytest.raises(CodeError, match=r"import \* hides what is used"):
        of_text(tmp_path, "from p.other import *\ndef f(): return x")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(x: int) -> int: return x", "def f(x): return x"),
        ("def f():\n    print(f'{len([1])} left')\n    return 1", "def f(): return 1"),
        ("def g(): return 1\ndef f(): return g()", "def f(): return h()\n\n\ndef h():\n    'One.'\n    return 1"),
        ("def f(x):\n    y = x\n    return y", "def f(x):\n    z: int = x\n    return z"),
    ],
)
def test_two_ways_to_write_one_thing_are_one(tmp_path, one, other):
    assert of_text(tmp_path, one) == of_text(tmp_path, other)


def test_every_method_by_which_a_recipe_decides_a_run_is_named():
    """Its fields stand in the key as values; a method that is new here must be named in TRAINING, or only choose or tell.

    What ``of_run`` chooses, the batch, and the rate that tuning finds are in the key of each run.
    """
    own = {name for name, value in vars(Recipe).items() if callable(value) or isinstance(value, property)}
    methods = {name for name in own if not name.startswith(("_", "model_"))}
    assert methods == {name.rpartition(".")[2] for name in TRAINING if "Recipe." in name} | {"settings", "of_run", "is_tuned"}


def test_what_was_found_is_remembered_until_a_file_changes(tmp_path):
    package = tmp_path / "p"
    package.mkdir()
    file = package / "m.py"
    file.write_text("x = 1")
    path = package / "__pycache__" / "found.json"
    FingerprintCache(path, read_sources(package)).add("name", "abc")
    assert FingerprintCache(path, read_sources(package)).fingerprints == {"name": "abc"}
    path.write_text(path.read_text().replace("abc", "abd"))
    assert FingerprintCache(path, read_sources(package)).fingerprints == {}  # its checksum does not match
    FingerprintCache(path, read_sources(package)).add("name", "abc")
    file.write_text("x = 2")
    assert FingerprintCache(path, read_sources(package)).fingerprints == {}


def test_code_that_cannot_be_parsed_is_named_with_its_line(tmp_path):
    package = tmp_path / "scaling"
    package.mkdir()
    (package / "broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(CodeError, match=r"broken\.py: line 2"):
        Code(package).fingerprint(["scaling.broken:f"])
