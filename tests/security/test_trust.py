"""What comes from outside is data: it reaches no shell, no SQL, no terminal, and runs no code."""

import ast
import io
import os
import stat
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import seedwise
from helpers.pictures import encoded, folders, picture
from helpers.store_records import ENDED, dataset, run
from seedwise.cli import cli
from seedwise.data.decode import Undecodable, decode
from seedwise.data.sources import open_source
from seedwise.errors import DataError
from seedwise.seeds import Seed
from seedwise.setups import Setup
from seedwise.store import Store, check_study, merge_studies
from seedwise.study import Study
from seedwise.study.config import load_study

SOURCES = sorted(Path(seedwise.__file__).parent.rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "subprocess", "pty"}
ONE_PROGRAM = "cards"
"""The module that runs one program, nvidia-smi, in words that stand in it."""
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.stem)
def test_no_module_loads_pickles_runs_programs_or_evaluates_text(file):
    """Ray and multiprocessing send pickles between our own processes; no file holds any."""
    forbidden = FORBIDDEN_MODULES - ({"subprocess"} if file.stem == ONE_PROGRAM else set())
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            assert not forbidden & {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in forbidden
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", None)
            assert called not in FORBIDDEN_CALLS
            named = getattr(node.func, "attr", None)
            on = getattr(getattr(node.func, "value", None), "id", None)
            assert (on, named) not in {("os", "system"), ("os", "popen"), ("torch", "load")}
            words = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            assert words.get("allow_pickle") in (None, False)
            assert words.get("shell") in (None, False)
            if (on, named) in {("np", "load"), ("numpy", "load")}:
                assert words.get("allow_pickle") is False


def test_the_one_program_that_is_run_is_asked_in_words_of_our_own():
    (file,) = [file for file in SOURCES if file.stem == ONE_PROGRAM]
    tree = ast.parse(file.read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("subprocess.")
    ]
    assert [ast.unparse(call.func) for call in calls] == ["subprocess.run"]
    name = ast.unparse(calls[0].args[0])
    (words,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    assert words[0] == "nvidia-smi"


EVIL = [
    "'); DROP TABLE runs; --",
    'a" OR 1=1 --',
    "[bold red]mish[/bold red]",
    "[/]",
    "\x1b[2J\x1b[1;31mmish\x07",
    "\x9b31mmish",
    "mish\r\x08\x08relu",
    "\u202ehsim",
    "$(touch owned) `touch owned`; touch owned",
    "../../../etc/passwd",
    "<script>alert(1)</script>",
    "a\nb",
    "%s %n {0}",
    "mish:bug:",
]


@pytest.fixture
def evil(tmp_path):
    """A study whose every text is hostile; study.toml refuses such names, a file may hold them."""
    path = tmp_path / "evil.db"
    with Store.open(path, create=True) as store:
        store.set_dataset(dataset(name=EVIL[4], classes=(EVIL[2], EVIL[4])))
        for number, name in enumerate(EVIL):
            store.add_setup(name, Setup(lr=1.0 + number))
            for seed in range(2):
                store.add_run(name, Seed.of(seed), run(value=seed), ended_at=ENDED)
            bad = run(state="diverged", error=f"Traceback:\n{name}")
            store.add_run(name, Seed.of(5), bad, ended_at=ENDED)
            failed = run(state="failed", error=name)
            store.add_run(name, Seed.of(6), failed, ended_at=ENDED)
    return path


def test_hostile_names_are_kept_as_they_are(evil):
    with Store.open(evil, readonly=True) as store:
        assert list(store.setups()) == EVIL
        assert len(store.runs()) == 4 * len(EVIL)
        for name in EVIL:
            assert len(store.runs(name)) == 4


def commands(path, tmp_path):
    yield ["status", path]
    yield ["check", path]
    yield ["merge", path, path, "-o", tmp_path / "both.db"]
    for name in EVIL:
        yield ["compare", path, name, EVIL[0]]
        yield ["compare", path, EVIL[0], name, "--metric", name]
        yield ["compare", path, f"{name}x", EVIL[0]]


def test_nothing_from_a_study_commands_the_terminal(evil, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for words in commands(evil, tmp_path):
        result = CliRunner().invoke(cli, [str(word) for word in words])
        assert result.exit_code in (0, 2), result.output
        said = result.stdout + result.stderr
        assert {char for char in said if not char.isprintable()} <= {"\n", "\t"}, words
        assert "Traceback (most recent call last)" not in said
    status = CliRunner().invoke(cli, ["status", str(evil)]).stdout
    assert "[bold red]mish[/bold red]" in status  # shown, not obeyed
    assert "mish:bug: seed 6 failed" in status
    assert not (tmp_path / "owned").exists()


def test_hostile_studies_are_merged_and_sound(evil, tmp_path):
    merge_studies([evil, evil], tmp_path / "both.db")
    assert check_study(tmp_path / "both.db").faults == ()


def test_events_of_a_run_command_no_terminal(tmp_path, monkeypatch):
    """A training whose error and metric names are hostile."""
    (tmp_path / "evil_training.py").write_text(
        f"def train(seed):\n"
        f"    if seed.init:\n        raise RuntimeError({EVIL[4]!r})\n"
        f"    return {{{EVIL[4]!r}: 1.0, {EVIL[2]!r}: 2.0}}\n"
    )
    (tmp_path / "study.toml").write_text(
        'seeds = 2\n[setups."[bold]a[/bold]"]\ntrain = "evil_training:train"\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    result = CliRunner().invoke(cli, ["run", "study.toml"])
    assert result.exit_code == 1
    said = result.stdout + result.stderr
    assert {char for char in said if not char.isprintable()} <= {"\n", "\t"}
    assert "[bold]a[/bold]" in said
    sys.modules.pop("evil_training", None)


def test_reading_a_study_toml_runs_no_code(tmp_path):
    """Only `train` names code, and reading the file does not import it."""
    (tmp_path / "loud.py").write_text("raise SystemExit('imported')\n")
    file = tmp_path / "study.toml"
    file.write_text('seeds = 1\n[setups.a]\ntrain = "loud:train"\n')
    assert load_study(file).setups["a"].train == "loud:train"
    assert "loud" not in sys.modules


@pytest.mark.parametrize(
    "train", ["os:system", "builtins:eval", "seedwise.study.fake:nothing", "loud"]
)
def test_a_training_function_is_named_by_the_user_alone_and_given_a_seed(tmp_path, train):
    """A study file names functions too; none of them is ever called because it stands there."""
    path = tmp_path / "study.db"
    with Store.open(path, create=True) as store:
        if ":" in train:
            store.add_setup("evil", Setup(train=train))
    Study(path).run({"good": Setup(train="seedwise.study.fake:train")}, seeds=1)
    summary = Study(path).summary()
    assert {row.name: row.finished for row in summary.setups}["good"] == 1


def zip_with(path, name, content=b"x", *, mode=0o100644, **changes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def items(path, tmp_path):
    return list(open_source(str(path), place=None, downloads=tmp_path).items())


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("../a/b.png", 0o100644, "leads out of the archive"),
        ("/a/b.png", 0o100644, "leads out of the archive"),
        ("a/../../b.png", 0o100644, "leads out of the archive"),
        ("a\\..\\..\\b.png", 0o100644, "leads out of the archive"),
        ("C:\\b.png", 0o100644, "leads out of the archive"),
        ("a/b.png", stat.S_IFLNK | 0o777, "a link or device"),
        ("a/b.png", stat.S_IFCHR | 0o666, "a link or device"),
        ("a/b.png", stat.S_IFIFO | 0o666, "a link or device"),
    ],
)
def test_zips_that_reach_out_are_refused(tmp_path, name, mode, message):
    with pytest.raises(DataError, match=message):
        items(zip_with(tmp_path / "bad.zip", name, b"/etc/passwd", mode=mode), tmp_path)


def test_a_zip_that_would_grow_without_bound_is_refused_before_it_is_read(tmp_path):
    with pytest.raises(DataError, match="more than 50 times its size"):
        items(zip_with(tmp_path / "bomb.zip", "a/b.png", bytes(50_000_000)), tmp_path)


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_says(tmp_path):
    """Its directory promises 10 bytes where 50 MB would come."""
    path = zip_with(tmp_path / "liar.zip", "a/b.png", bytes(50_000_000))
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        items(path, tmp_path)


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zip_with(tmp_path / "secret.zip", "a/b.png")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        items(path, tmp_path)


def test_a_sparse_file_in_a_tar_is_bounded_too(tmp_path):
    path = tmp_path / "sparse.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("a/b.png")
        info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
        header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        header[483:495] = b"77777777777\0"  # its real size: 8 GB
        header[148:156] = b" " * 8
        header[148:156] = f"{sum(header[:512]):06o}\0 ".encode()
        archive.fileobj.write(header + bytes(1024))
    with pytest.raises(DataError):
        items(path, tmp_path)


def test_pipes_and_devices_in_a_folder_are_refused(tmp_path):
    pets = folders(tmp_path / "pets", {"a/x": 0, "b/y": 1})
    os.mkfifo(pets / "a" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png is not a regular file"):
        items(pets, tmp_path)
    (pets / "a" / "pipe.png").unlink()
    (pets / "a" / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"zero\.png is not a regular file"):
        items(pets, tmp_path)


def test_a_program_in_the_guise_of_an_image_is_no_image():
    """Pillow would hand PostScript to Ghostscript, which runs it."""
    eps = io.BytesIO()
    from PIL import Image

    Image.fromarray(picture(0)).save(eps, "EPS")
    for content in (eps.getvalue(), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"):
        with pytest.raises(Undecodable, match="not an image"):
            decode(content)
    assert decode(encoded(picture(0), "PNG")).shape == (20, 24, 3)
