"""A fork of the host has copies of the handles, and none of the runs."""

import gc
import multiprocessing
import os
import threading
import time

import pytest
from conftest import lives, python

from librunner import Command, Verdict, run

# Newer versions of Python warn of forks while there are threads, which is what is looked at here.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SLEEP = Command(["/bin/sleep", "100"], capture={1: 10})


def in_a_fork(function, seconds=20):
    """Its exit status: 0 where the function returns, 1 where it raises; killed where it hangs."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(1)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.kill(pid, 9)
    return os.waitpid(pid, 0)[1]


def refuses(process):
    for use in (process.poll, process.wait, process.usage, process.output, process.kill):
        with pytest.raises(ChildProcessError):
            use()


def test_a_fork_cannot_use_a_run():
    with SLEEP.spawn() as process:
        assert in_a_fork(lambda: refuses(process)) == 0
        assert process.poll() is None and lives(process.pid)


def test_a_fork_that_frees_its_copy_harms_nobody():
    with SLEEP.spawn() as process:
        assert in_a_fork(process.close) == 0
        assert in_a_fork(lambda: process.__exit__(None, None, None)) == 0

        def forget():
            nonlocal process
            del process
            gc.collect()
        assert in_a_fork(forget) == 0
        assert process.poll() is None and lives(process.pid)
        process.kill()
        assert process.wait(20).verdict == Verdict.KILLED


def test_a_fork_can_run_programs_of_its_own():
    def own():
        assert run(["/bin/echo", "x"]).stdout == b"x\n"
        with SLEEP.spawn() as process:
            process.kill()
            assert process.wait(20).verdict == Verdict.KILLED

    with SLEEP.spawn():
        assert in_a_fork(own) == 0


def test_a_fork_while_another_thread_has_the_lock():
    with SLEEP.spawn() as process:
        held, done = threading.Event(), threading.Event()

        def hold():
            with process._handle._lock:
                held.set()
                done.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        try:
            assert in_a_fork(lambda: (refuses(process), process.close()), seconds=5) == 0
        finally:
            done.set()
            holder.join()


def test_forks_while_other_threads_are_at_it():
    stop = threading.Event()

    def work():
        while not stop.is_set():
            with SLEEP.spawn() as process:
                process.poll()
                process.usage()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    statuses = [in_a_fork(gc.collect) for _ in range(20)]
    stop.set()
    for worker in workers:
        worker.join()
    assert statuses == [0] * 20


def test_a_held_start_in_a_fork():
    with SLEEP.replace(capture=None).hold() as held:
        def resume():
            with pytest.raises(OSError) as raised:
                held.resume()
            assert raised.value.errno == 10
        assert in_a_fork(resume) == 0
        assert in_a_fork(held.abort) == 0
        assert lives(held.pid)


def test_the_end_of_a_forked_interpreter():
    host = python("-c", "import os, sys, librunner\n"
                        "p = librunner.Command(['/bin/sleep', '100']).spawn()\n"
                        "if os.fork() == 0: sys.exit(7)\n"
                        "status = os.wait()[1]\n"
                        "print(os.WEXITSTATUS(status), p.poll(), flush=True)\n")
    out, err = host.communicate(timeout=30)
    assert (host.returncode, out, err) == (0, "7 None\n", "")


def judge(program):
    return run(program).exit_code


def test_multiprocessing():
    with SLEEP.spawn() as process:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            codes = pool.map(judge, [["/bin/sh", "-c", f"exit {n}"] for n in range(6)])
        assert codes == list(range(6))
        assert process.poll() is None and lives(process.pid)
