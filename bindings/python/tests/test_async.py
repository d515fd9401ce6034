"""Runs in an event loop, which is never held up."""

import asyncio
import gc
import os
import resource
import threading

import pytest
from conftest import lives, open_fds, soon, threads

from librunner import Command, TimeoutExpired, Verdict, probe, run_async

SLEEP = Command(["/bin/sleep", "100"])


@pytest.fixture(autouse=True)
def nothing_is_left():
    with_loop = asyncio.new_event_loop()
    with_loop.close()
    gc.collect()
    fds = open_fds()
    yield
    gc.collect()
    assert soon(lambda: open_fds() == fds)


def test_run():
    async def main():
        return await run_async(["/bin/sh", "-c", "cat; exit 3"], input=b"in", wall_limit=20)

    result = asyncio.run(main())
    assert (result.stdout, result.exit_code) == (b"in", 3)


def test_a_limit_is_enforced():
    result = asyncio.run(run_async(["/bin/sh", "-c", "while :; do :; done"], cpu_limit=0.1, wall_limit=20))
    assert result.verdict == Verdict.TIME_LIMIT


# Without cgroups each run looks at all processes of the machine, so what many runs cost grows with their square.
SLEEPERS = 300 if not probe().runs_miss else 100


def test_hundreds_of_sleeping_runs_without_a_thread():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    try:
        asyncio.run(sleeping_runs(SLEEPERS))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def sleeping_runs(count):
    before = threads()
    # They sleep until the pipe is closed.
    read, write = os.pipe()
    command = Command(["/bin/sh", "-c", "cat; echo x"], stdin=read, capture={1: 10}, wall_limit=300)
    tasks = [asyncio.create_task(command.run_async()) for _ in range(count)]
    for _ in range(50):
        await asyncio.sleep(0.01)
        assert threads() <= before
    assert not any(task.done() for task in tasks)
    os.close(read)
    os.close(write)
    results = await asyncio.gather(*tasks)
    assert [result.stdout for result in results] == [b"x\n"] * count
    assert threads() <= before


def test_cancelling_kills():
    async def main():
        process = SLEEP.spawn()
        task = asyncio.create_task(process.wait_async())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await process.wait_async(20)).verdict == Verdict.KILLED
        process.close()

    asyncio.run(main())


def test_cancelling_run_async_leaves_nothing():
    async def main():
        async with SLEEP.spawn() as process:
            pid = process.pid
            # A copy of what run_async() is, with its pid known.
            task = asyncio.create_task(process.wait_async())
            await asyncio.sleep(0.05)
            task.cancel()
        assert not lives(pid)
        with pytest.raises(asyncio.CancelledError):
            await task

        marker = "31415"
        task = asyncio.create_task(run_async(["/bin/sleep", marker]))
        await asyncio.sleep(0.1)
        assert sleepers(marker)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not sleepers(marker)

    asyncio.run(main())


def sleepers(marker):
    import glob
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if file.read() == f"/bin/sleep\0{marker}\0".encode():
                    found.append(path)
        except OSError:
            pass
    return found


def test_many_cancelled_at_once_do_not_hold_up_the_loop():
    async def main():
        tasks = [asyncio.create_task(SLEEP.run_async()) for _ in range(50)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)

    asyncio.run(main())


def test_wait_for():
    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(SLEEP.run_async(), 0.1)

    asyncio.run(main())


def test_timeouts():
    async def main():
        async with SLEEP.spawn() as process:
            for _ in range(2):
                with pytest.raises(TimeoutExpired):
                    await process.wait_async(0.05)
            assert process.poll() is None and lives(process.pid)
            process.kill()
            assert (await process.wait_async(20)).verdict == Verdict.KILLED
            assert (await process.wait_async(0)).verdict == Verdict.KILLED
        with pytest.raises(TimeoutExpired):
            await SLEEP.run_async(timeout=0.05)
        for timeout in ("1", float("nan"), []):
            with pytest.raises((TypeError, ValueError)):
                await SLEEP.run_async(timeout=timeout)

    asyncio.run(main())


def test_two_wait_for_the_same():
    async def main():
        async with Command(["/bin/sleep", "0.2"]).spawn() as process:
            first, second = await asyncio.gather(process.wait_async(), process.wait_async())
            assert first is second and first.ok

    asyncio.run(main())


def test_loops_of_two_threads_wait_for_the_same():
    results = []
    with Command(["/bin/sleep", "0.2"]).spawn() as process:
        def wait():
            results.append(asyncio.run(process.wait_async()))

        workers = [threading.Thread(target=wait) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert [result.ok for result in results] == [True] * 3


def test_a_close_wakes_who_waits():
    async def main():
        process = SLEEP.spawn()
        asyncio.get_running_loop().call_later(0.05, process.close)
        with pytest.raises(ValueError, match="closed"):
            await process.wait_async(20)
        assert not lives(process.pid)
        with pytest.raises(ValueError, match="closed"):
            await process.wait_async()

    asyncio.run(main())


def test_a_task_that_nobody_holds_is_kept_alive():
    async def main():
        done = asyncio.Event()

        async def quietly():
            await run_async(["/bin/sleep", "0.2"])
            done.set()

        asyncio.create_task(quietly())
        for _ in range(5):
            gc.collect()
            await asyncio.sleep(0.01)
        await asyncio.wait_for(done.wait(), 20)

    asyncio.run(main())


def test_a_loop_that_is_closed_in_the_middle():
    async def main():
        asyncio.create_task(process.wait_async())
        await asyncio.sleep(0.05)

    process = SLEEP.spawn()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    # It is not told of the task any more, which logs that it was pending.
    loop.set_exception_handler(lambda *_: None)
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
    loop.close()
    process.close()
    # The wait was never over, so the run was only killed; it is freed with what is left of the loop.
    del loop, task
    gc.collect()
    assert process._handle._pointer is None and not lives(process.pid)


def test_errors_of_the_launch_are_raised():
    async def main():
        with pytest.raises(OSError, match="exec"):
            await run_async(["/nonexistent"])
        with pytest.raises(ValueError):
            await run_async(["/bin/true"], nice=100)

    asyncio.run(main())
