import os
import shutil
import subprocess

import pytest

from seedwise.code.git import Commit, commit_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git makes the repositories")


def git(folder, *words):
    names = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"]
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", *words],
        cwd=folder,
        env={**os.environ, **dict.fromkeys(names, "a@b"), "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A repository of two commits, with a file in a folder."""
    folder = tmp_path / "project"
    (folder / "lib").mkdir(parents=True)
    git(folder, "init", "-q")
    for number in range(2):
        (folder / "train.py").write_text(f"LR = {number}\n")
        (folder / "lib" / "data.py").write_text("SIZE = 3\n")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"commit {number}")
    return folder


def clean(folder):
    return Commit(id=git(folder, "rev-parse", "HEAD"), dirty=False)


def test_the_commit_of_a_branch(project):
    assert commit_of(project) == commit_of(project / "lib") == clean(project)


def test_no_repository_no_commit(tmp_path):
    assert commit_of(tmp_path) is None


def test_a_repository_without_a_commit(tmp_path):
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) is None


def test_a_detached_head(project):
    git(project, "checkout", "-q", "HEAD~1")
    assert commit_of(project) == clean(project)


def test_packed_refs_and_packed_objects(project):
    for number in range(60):  # objects that differ little are packed as deltas
        (project / "train.py").write_text("\n".join(map(str, [*range(500), number])))
        (project / f"more{number}.py").write_text("1\n")
        git(project, "add", ".")
        git(project, "commit", "-qm", "more")
    git(project, "gc", "-q", "--aggressive", "--prune=now")
    assert not list((project / ".git" / "refs" / "heads").iterdir())
    assert commit_of(project) == clean(project)
    (project / "more3.py").write_text("2\n")
    assert commit_of(project).dirty is True


def test_a_worktree(project, tmp_path):
    other = tmp_path / "other"
    git(project, "worktree", "add", "-q", "-b", "other", str(other))
    (other / "train.py").write_text("LR = 7\n")
    git(other, "commit", "-qam", "there")
    assert commit_of(other) == clean(other) != commit_of(project)


def test_an_index_of_version_4(project):
    git(project, "update-index", "--index-version", "4")
    assert commit_of(project) == clean(project)
    (project / "lib" / "data.py").unlink()
    assert commit_of(project).dirty is True


@pytest.mark.parametrize("staged", [False, True])
def test_changes_that_no_commit_has_are_told(project, staged):
    (project / "lib" / "data.py").write_text("SIZE = 4\n")
    if staged:
        git(project, "add", ".")
    assert commit_of(project) == Commit(id=git(project, "rev-parse", "HEAD"), dirty=True)


def test_a_file_that_was_only_touched_or_has_other_line_ends_is_no_change(project):
    os.utime(project / "train.py", (1, 1))
    (project / "lib" / "data.py").write_bytes(b"SIZE = 3\r\n")
    assert commit_of(project) == clean(project)


def test_a_file_that_git_does_not_know_is_no_change(project):
    (project / "notes.txt").write_text("new\n")
    assert commit_of(project) == clean(project)


def test_no_program_that_a_repository_names_is_run(project, tmp_path):
    """`git status` itself would run both."""
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(trap))
    git(project, "config", "filter.trap.clean", str(trap))
    (project / ".gitattributes").write_text("*.py filter=trap\n")
    os.utime(project / "train.py", (1, 1))
    assert commit_of(project).id == (project / ".git/refs/heads/main").read_text().strip()
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"ref: ",
        b"ref: refs/../../../etc/passwd",
        b"ref: refs/heads/a",
        b"\xff\xfe",
        b"x" * 9000,
    ],
)
def test_what_git_never_wrote_is_no_commit(project, head):
    (project / ".git" / "HEAD").write_bytes(head)
    assert commit_of(project) is None


def test_a_ref_that_names_itself_is_no_commit(project):
    (project / ".git" / "refs" / "heads" / "main").write_text("ref: refs/heads/main\n")
    assert commit_of(project) is None


@pytest.mark.parametrize("damage", [b"", b"DIRC", b"DIRC\0\0\0\2\xff\xff\xff\xff", b"junk" * 99])
def test_a_damaged_index_leaves_it_open_whether_files_changed(project, damage):
    before = commit_of(project).id
    (project / ".git" / "index").write_bytes(damage)
    assert commit_of(project) == Commit(id=before, dirty=None)
