"""What stands at the program's fds."""

import os
import socket
import tempfile

import pytest

from librunner import CLOSED, DEVNULL, INHERIT, Command, run

# Which of its first fds a program has, without those that it opens to look.
LIST = ["/bin/sh", "-c", "for n in 0 1 2 3 4 5 6 7 8 9; do if [ -e /proc/$$/fd/$n ]; then echo $n; fi; done"]


def test_files_of_python():
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(b"from a file")
        source.seek(0)
        assert run(["/bin/cat"], stdin=source, stdout=target).ok
        assert not source.closed and not target.closed
        target.seek(0)
        assert target.read() == b"from a file"


def test_bare_fds_and_pipes_and_sockets():
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    with ours, theirs, open(read, "rb") as reader:
        os.write(write, b"pipe")
        os.close(write)
        assert run(["/bin/cat"], stdin=read, stdout=theirs).ok
        theirs.close()
        assert ours.recv(100) == b"pipe"
        assert reader.read() == b""


def test_other_fds():
    with tempfile.TemporaryFile() as target:
        result = run(["/bin/sh", "-c", "echo seven >&7; echo one"], files={7: target})
        assert result.stdout == b"one\n"
        target.seek(0)
        assert target.read() == b"seven\n"


def test_only_what_was_given():
    leaked = os.open("/dev/zero", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    result = run(LIST, files={5: leaked, 7: DEVNULL})
    os.close(leaked)
    assert result.stdout.split() == [b"0", b"1", b"2", b"5", b"7"]


def test_none_is_dev_null_and_closed_is_nothing():
    script = "cd /proc/$$/fd; for n in 0 2 5; do readlink $n || echo closed; done"
    result = run(["/bin/sh", "-c", script], stdin=DEVNULL, stderr=DEVNULL)
    assert result.stdout == b"/dev/null\n/dev/null\nclosed\n"
    # Without a 2, the shell's own readlink has none either, and still writes to 1.
    assert run(["/bin/sh", "-c", script], stdin=CLOSED, stderr=CLOSED).stdout == b"closed\nclosed\nclosed\n"


def test_inherit():
    read, write = os.pipe()
    saved = os.dup(2)
    try:
        os.dup2(write, 2)
        assert run(["/bin/sh", "-c", "echo inherited >&2"], stderr=INHERIT).ok
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(write)
    with open(read, "rb") as reader:
        assert reader.read() == b"inherited\n"


def test_two_programs_joined_by_pipes():
    """An interactor and a solution that talk to each other."""
    a_read, a_write = os.pipe()
    b_read, b_write = os.pipe()
    ask = Command(["/bin/sh", "-c", "echo 20; read answer; echo $answer >&2"],
                  stdin=b_read, stdout=a_write, capture={2: 10})
    answer = Command(["/bin/sh", "-c", "read n; echo $((n + 1))"], stdin=a_read, stdout=b_write)
    with ask.spawn() as asking, answer.spawn() as answering:
        for fd in (a_read, a_write, b_read, b_write):
            os.close(fd)
        assert answering.wait(20).ok
        assert asking.wait(20).stderr == b"21\n"


INPUTS = [b"", b"x", b"a\0b\xff", bytearray(b"array"), memoryview(b"view")[1:3], b"y" * 5_000_000]


@pytest.mark.parametrize("data", INPUTS, ids=lambda data: f"{type(data).__name__} of {len(data)}")
@pytest.mark.parametrize("option", ["input", "stdin"])
def test_input(data, option):
    assert run(["/bin/cat"], **{option: data}).stdout == bytes(data)


def test_an_input_is_copied():
    data = bytearray(b"before")
    command = Command(["/bin/cat"], input=data, capture={1: 10})
    data[:] = b"after!"
    assert command.run().stdout == b"before"


def test_a_program_by_its_open_file():
    with open("/bin/sh", "rb") as shell:
        result = run(["any name", "-c", "echo $0 $1", "zero", "one"], exec_file=shell)
    assert result.stdout == b"zero one\n"


def test_a_directory_is_refused_and_allowed():
    directory = os.open("/", os.O_RDONLY)
    try:
        with pytest.raises(OSError) as raised:
            run(["/bin/true"], stdin=directory)
        assert raised.value.errno == 21
        assert run(["/bin/true"], stdin=directory, allow_directory_files=True).ok
    finally:
        os.close(directory)


def test_captures_of_megabytes_on_several_fds():
    script = "head -c 3000000 /dev/zero & head -c 2000000 /dev/zero >&2 & head -c 1000000 /dev/zero >&9; wait"
    result = run(["/bin/sh", "-c", script], capture={9: 1 << 20})
    assert {fd: len(data) for fd, data in result.output.items()} == {1: 3_000_000, 2: 2_000_000, 9: 1_000_000}
    assert result.output_bytes == 6_000_000
