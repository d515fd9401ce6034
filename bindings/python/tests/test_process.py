"""A watched run: waiting, killing, closing, and who may do what when."""

import gc
import os
import pickle
import random
import select
import signal
import sys
import threading
import time
from datetime import timedelta

import pytest
from conftest import lives, open_fds, python, soon, threads

import librunner
from librunner import Command, Evidence, Result, TimeoutExpired, Verdict, run
from librunner import _handle as handle_module

SLEEP = Command(["/bin/sleep", "100"])


def sh(script, **options):
    return Command(["/bin/sh", "-c", script], **options)


def test_run_is_like_subprocess():
    result = run(["/bin/sh", "-c", "cat; echo oops >&2; exit 3"], input=b"in")
    assert (result.stdout, result.stderr, result.returncode, result.ok) == (b"in", b"oops\n", 3, False)
    assert result.text(2) == "oops\n"
    assert run(["/bin/sh", "-c", "kill -9 $$"]).returncode == -9
    assert run(["/bin/printf", r"\377"]).text() == "\ufffd"
    assert run(["/bin/echo", "x"], capture_output=False).output == {}


def test_run_keeps_what_the_output_limit_allows():
    result = run(["/bin/sh", "-c", "printf 12345678"], output_limit=5)
    assert (result.stdout, result.verdict) == (b"12345", Verdict.OUTPUT_LIMIT)
    result = run(["/bin/sh", "-c", "printf 12345678; printf 123 >&2"], capture={1: 100}, capture_head={2: 2})
    assert (result.stdout, result.stderr, result.output_cut, result.output_fd) == (b"12345678", b"12", True, 2)


def test_run_after_its_timeout():
    fds = open_fds()
    begin = time.monotonic()
    with pytest.raises(TimeoutExpired) as raised:
        run(["/bin/sleep", "100"], timeout=0.1)
    assert 0.1 <= time.monotonic() - begin < 20
    assert raised.value.timeout == 0.1 and isinstance(raised.value, TimeoutError)
    assert open_fds() == fds


def test_durations():
    result = run(["/bin/sleep", "100"], wall_limit=timedelta(milliseconds=50))
    assert result.verdict == Verdict.WALL_LIMIT and result.wall >= 0.05
    with SLEEP.spawn() as process, pytest.raises(TimeoutExpired):
        process.wait(timedelta(milliseconds=1))


def test_a_command_again_and_replaced():
    command = sh("cat", capture={1: 100})
    assert [command.replace(input=data).run().stdout for data in (b"a", b"", b"b")] == [b"a", b"", b"b"]
    assert command.run().stdout == b""
    assert command.replace(args=["/bin/echo"]).run().stdout == b"\n"
    command = Command(iter(["/bin/sh", "-c", "ulimit -n; exit 1"]), rlimits={7: 9}, cpu_affinity=iter([0]))
    assert command.replace(capture={1: 10}).run().stdout == b"9\n"


def test_poll_in_a_loop_of_ones_own():
    with sh("echo x", capture={1: 10}).spawn() as process:
        poller = select.epoll()
        poller.register(process, select.EPOLLIN)
        while process.poll() is None:
            assert poller.poll(20)
        assert process.poll() is process.result
        assert process.result.stdout == b"x\n"


def test_output_and_figures_so_far():
    with sh("echo early; sleep 100", capture={1: 100}).spawn() as process:
        def early():
            process.poll()
            return process.output() == b"early\n"
        assert soon(early)
        usage = process.usage()
        assert usage.verdict == Verdict.NONE and usage.wall > 0 and usage.output_bytes == 6
        process.kill()
        result = process.wait(20)
        assert (result.verdict, result.evidence) == (Verdict.KILLED, Evidence.CALLER)
        assert result.stdout == process.output(1) == b"early\n"


def test_communicate():
    with sh("echo out; echo err >&2", capture={1: 10, 2: 10}).spawn() as process:
        assert process.communicate(timeout=20) == (b"out\n", b"err\n")


def test_the_end_of_with_kills_and_frees():
    fds = open_fds()
    with SLEEP.spawn() as process:
        assert lives(process.pid)
    assert not lives(process.pid)
    assert open_fds() == fds


def test_after_the_close():
    process = SLEEP.spawn()
    process.close()
    for use in (process.poll, process.wait, process.usage, process.output, process.fileno, process.communicate):
        with pytest.raises(ValueError, match="closed"):
            use()
    for _ in range(3):
        process.kill()
        process.close()
    assert "closed" in repr(process)


def test_a_result_outlives_the_close():
    with sh("echo x", capture={1: 10}).spawn() as process:
        result = process.wait(20)
    assert process.poll() is process.wait() is result
    assert process.output() == b"x\n"
    assert "FINISHED" in repr(process)


def test_garbage_is_killed():
    fds = open_fds()
    process = SLEEP.spawn()
    pid = process.pid
    del process
    gc.collect()
    assert not lives(pid)
    assert open_fds() == fds


def test_garbage_in_a_cycle_while_others_run():
    """The collector strikes in the middle of other runs, on any thread."""
    pids = []
    done = threading.Event()

    def collect():
        while not done.is_set():
            gc.collect()

    def make():
        for _ in range(20):
            knot = [SLEEP.spawn()]
            knot.append(knot)
            pids.append(knot[0].pid)
            assert run(["/bin/echo", "x"]).stdout == b"x\n"

    collector = threading.Thread(target=collect)
    collector.start()
    workers = [threading.Thread(target=make) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    collector.join()
    gc.collect()
    assert len(pids) == 60 and not any(map(lives, pids))


def test_a_command_that_is_garbage_leaves_its_run():
    process = sh("sleep 0.2; echo x", capture={1: 10}).spawn()
    gc.collect()
    assert process.wait(20).stdout == b"x\n"
    process.close()


def test_one_command_from_many_threads():
    command = sh("cat", input=b"same", capture={1: 10}, stderr=2)
    results = []

    def use():
        results.extend(command.run(60).stdout for _ in range(15))

    workers = [threading.Thread(target=use) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [b"same"] * 120


def test_one_run_from_many_threads():
    """In any order, and closed by one of them: ValueError is all that may come of it."""
    wrong = []

    def use(process, seed):
        chance = random.Random(seed)
        uses = [process.poll, process.usage, process.output, process.fileno, process.kill,
                lambda: process.wait(0.001)]
        for _ in range(chance.randrange(60)):
            try:
                chance.choice(uses)()
            except (ValueError, TimeoutExpired):
                pass
            except BaseException as error:
                wrong.append(error)
        process.close()

    fds, before = open_fds(), threads()
    for seed in range(40):
        process = sh("while :; do echo x; done", capture_head={1: 1000}).spawn()
        workers = [threading.Thread(target=use, args=(process, 10 * seed + n)) for n in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not lives(process.pid)
    assert not wrong
    assert soon(lambda: open_fds() == fds and threads() <= before)


def test_a_close_wakes_who_waits():
    process = SLEEP.spawn()
    told = []

    def wait():
        try:
            process.wait()
        except ValueError as error:
            told.append(str(error))

    workers = [threading.Thread(target=wait, daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert soon(lambda: process._handle._waiters == 3)
    process.close()
    for worker in workers:
        worker.join(20)
    assert told == ["the run is closed"] * 3
    assert process._handle._pointer is None and not lives(process.pid)


def test_a_kill_by_another_thread():
    with SLEEP.spawn() as process:
        threading.Timer(0.1, process.kill).start()
        assert process.wait(30).verdict == Verdict.KILLED


def test_other_threads_go_on_while_one_waits():
    count = [0]

    def tick():
        while process.poll() is None:
            count[0] += 1
            time.sleep(0.001)

    with sh("sleep 0.3").spawn() as process:
        ticker = threading.Thread(target=tick)
        ticker.start()
        process.wait(20)
        ticker.join()
    assert count[0] > 20


def traced(what, during):
    """Calls `during` at every line of the handle's methods, as a signal handler could."""
    def trace(frame, event, arg):
        if frame.f_code.co_filename != handle_module.__file__:
            return None
        if event == "line":
            during()
        return trace

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        return what()
    finally:
        sys.settrace(old)


class Recorder:
    """Notes the order in which things happen to a run's memory."""

    def __init__(self, real, notes, names):
        self._real, self._notes, self._names = real, notes, names

    def __getattr__(self, name):
        value = getattr(self._real, name)
        if name not in self._names:
            return value

        def call(*args):
            self._notes.append(name)
            return value(*args)
        return call


@pytest.mark.parametrize("name", ["kill", "close", "poll", "usage", "output"])
def test_a_signal_handler_comes_between(name, monkeypatch):
    """It would free or move the output while it is copied, were it not put off."""
    notes = []
    monkeypatch.setattr(handle_module, "lib", Recorder(handle_module.lib, notes, {
        "runner_process_output", "runner_process_kill", "runner_process_free", "runner_process_step"}))
    monkeypatch.setattr(handle_module, "ffi", Recorder(handle_module.ffi, notes, {"buffer"}))
    with sh("echo x; sleep 100", capture={1: 10}).spawn() as process:
        assert soon(lambda: process.poll() is None and process.output() == b"x\n")

        def during():
            try:
                getattr(process, name)()
            except ValueError:
                assert name == "close"

        before = len(notes)
        try:
            assert traced(process.output, during) == b"x\n"
        except ValueError:
            assert name == "close"
        between = notes[before:]
        assert "buffer" in between or name == "close"
        copying = 0
        for note in between:
            copying += {"runner_process_output": 1, "buffer": -1}.get(note, 0)
            assert not copying or note in ("runner_process_output", "buffer"), between
        if name == "kill":
            assert process.wait(20).verdict == Verdict.KILLED
        if name == "close":
            assert process._handle._pointer is None and not lives(process.pid)


def test_a_handler_that_waits_in_the_middle_of_a_method():
    with SLEEP.spawn() as process:
        refused = []

        def during():
            try:
                process.wait(0.01)
            except RuntimeError as error:
                refused.append(error)
            except TimeoutExpired:
                pass

        traced(process.usage, during)
        assert refused
        process.kill()
        assert process.wait(20).verdict == Verdict.KILLED


def test_signals_while_it_waits():
    """A storm of them, whose handler uses the run."""
    with sh("sleep 0.3; echo x", capture={1: 10}).spawn() as process:
        seen = []
        old = signal.signal(signal.SIGALRM, lambda *_: seen.append(process.usage().wall and process.output()))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            assert process.wait(20).stdout == b"x\n"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
    assert len(seen) > 20


def interrupted(code):
    """Starts a Python that prints the pid of its run, interrupts it while it waits: its status and traceback."""
    host = python("-c", code)
    pid = int(host.stdout.readline())
    time.sleep(0.2)
    assert lives(pid)
    host.send_signal(signal.SIGINT)
    _, trace = host.communicate(timeout=20)
    assert soon(lambda: not lives(pid))
    return host.returncode, trace


def test_keyboard_interrupt_in_a_wait():
    status, trace = interrupted(
        "import librunner\n"
        "with librunner.Command(['/bin/sleep', '100']).spawn() as p:\n"
        "    print(p.pid, flush=True)\n"
        "    p.wait()\n")
    assert status == -signal.SIGINT and trace.rstrip().endswith("KeyboardInterrupt")


def test_keyboard_interrupt_in_run():
    status, trace = interrupted(
        "import librunner\n"
        "librunner.run(['/bin/sh', '-c', 'echo $$ >&9; exec sleep 100'], files={9: 1})\n")
    assert status == -signal.SIGINT and trace.rstrip().endswith("KeyboardInterrupt")


def test_keyboard_interrupt_in_an_event_loop():
    status, trace = interrupted(
        "import asyncio, librunner\n"
        "asyncio.run(librunner.run_async(['/bin/sh', '-c', 'echo $$ >&9; exec sleep 100'], files={9: 1}))\n")
    assert status == -signal.SIGINT and trace.rstrip().endswith("KeyboardInterrupt")


ENDS = {
    "a live run": "",
    "a thread that waits": "import contextlib, threading\n"
                           "def wait():\n"
                           "    with contextlib.suppress(ValueError): p.wait()\n"
                           "threading.Thread(target=wait, daemon=True).start()",
    "threads that use it": "import threading\n"
                           "for _ in range(4): threading.Thread(target=lambda: [p.usage() for _ in iter(int, 1)],"
                           " daemon=True).start()",
    "sys.exit": "import sys; sys.exit()",
    "a cycle": "p.itself = p; del p",
    "a held start": "h = librunner.Command(['/bin/true']).hold()",
    "a module that goes first": "import builtins; builtins.kept = p",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_the_interpreter(end):
    host = python("-c", "import librunner\n"
                        "p = librunner.Command(['/bin/sleep', '100'], capture={1: 10}).spawn()\n"
                        "print(p.pid, flush=True)\n" + ENDS[end])
    out, err = host.communicate(timeout=30)
    assert host.returncode == 0
    if end != "threads that use it":
        assert err == ""
    assert soon(lambda: not lives(int(out)))


def test_nothing_is_left():
    fds, count = open_fds(), threads()
    for _ in range(20):
        assert run(["/bin/true"]).ok
        with pytest.raises(librunner.LaunchError):
            run(["/nonexistent"])
    gc.collect()
    assert soon(lambda: open_fds() == fds and threads() <= count)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_results_and_errors_can_be_pickled():
    result = run(["/bin/echo", "x"])
    assert pickle.loads(pickle.dumps(result)) == result
    with pytest.raises(librunner.LaunchError) as raised:
        run(["/nonexistent"])
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (str(copy), copy.stage, copy.index, copy.errno) == (
        str(raised.value), librunner.Stage.EXEC, -1, 2)
    assert pickle.loads(pickle.dumps(TimeoutExpired(1.5))).timeout == 1.5
    assert pickle.loads(pickle.dumps(Verdict(4000))) == 4000


def test_a_result_cannot_be_changed():
    result = run(["/bin/true"])
    with pytest.raises(AttributeError):
        result.verdict = Verdict.KILLED
    assert isinstance(result, Result)


def test_what_is_missing_has_names():
    result = run(["/bin/true"], cpu_quota=50)
    assert len(result.missing_names) == bin(result.missing).count("1")
    assert not result.missing or "unknown" not in result.missing_names


def test_an_error_in_words():
    with pytest.raises(librunner.LaunchError) as raised:
        run(["/nonexistent/program"])
    error = raised.value
    assert isinstance(error, OSError)
    assert (error.errno, error.stage, error.stage_name, error.index) == (2, librunner.Stage.EXEC, "exec", -1)
    assert "/nonexistent/program" in error.message
    assert str(error).startswith("exec: ") and str(error).endswith("(errno 2)")


def test_a_probe():
    probe = librunner.probe()
    assert probe.kernel >= (5, 4) and probe.pidfd is True
    assert isinstance(probe.runs_miss, librunner.Missing)
