// Built with -fno-exceptions: every call by value, its success and its failure. TAP, in one test a line.
// With -DTHROWING it must not compile.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/wait.h>

#include <runner.hpp>

using namespace std::chrono_literals;
using runner::command;
using runner::error_info;

namespace {

int number, bad;

void check(bool holds, const char *name) {
    std::printf("%s %d - by value: %s\n", holds ? "ok" : "not ok", ++number, name);
    bad += !holds;
}

bool is(const error_info &failed, int err, runner::stage stage) {
    return failed.code().value() == err && failed.stage() == stage && std::strlen(failed.message()) > 0;
}

bool invalid(const error_info &failed) { return is(failed, EINVAL, runner::stage::none); }

int exit_code(pid_t pid) {
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void commands() {
    const command good = command{"/bin/sh", "-c", "echo hi; exit 3"}.capture(1, 100);
    const command starts{"/bin/sh", "-c", "exit 4"};
    error_info failed;
    good.check(failed);
    check(!failed, "a good command");
    const runner::result result = good.run(failed);
    check(!failed && result.exit_code() == 3 && *result.output(1, failed) == "hi\n", "run");
    check(!result.output(2, failed) && invalid(failed), "what was not captured");
    check(exit_code(starts.start(failed)) == 4 && !failed, "start");
    const runner::started started = starts.start_pidfd(failed);
    check(!failed && started.pidfd.get() >= 0 && exit_code(started.pid) == 4, "start_pidfd");
    check(starts.explain(failed).find("execve(\"/bin/sh\"") != std::string::npos && !failed, "explain");
    check(runner::probe(failed).kernel() > 0 && !failed, "probe");
}

void failures() {
    const command absent{"/nonexistent"}, wrong = command{"/bin/true"}.nice(100);
    error_info failed;
    const auto is_absent = [&] { return is(failed, ENOENT, runner::stage::exec); };
    const auto is_wrong = [&] { return is(failed, EINVAL, runner::stage::options); };
    check(absent.run(failed).verdict() == runner::verdict::launch_error && is_absent(), "no run");
    check(!absent.spawn(failed) && is_absent(), "no spawn");
    check(absent.start(failed) == -ENOENT && is_absent(), "no start");
    check(absent.start_pidfd(failed).pid == -1 && is_absent(), "no start_pidfd");
    check(absent.hold(failed).resume(failed) == -ENOENT && is_absent(), "no resume");
    wrong.check(failed);
    check(is_wrong(), "a bad argument");
    check(wrong.explain(failed).empty() && is_wrong(), "no explain");
    failed.clear();
    check(!failed, "an error that is cleared");
}

void processes() {
    error_info failed;
    runner::process process = command{"/bin/sh", "-c", "echo hi; exec sleep 1000"}.capture(1, 100).spawn(failed);
    check(!failed && process.pid(failed) > 0 && process.fd(failed) >= 0, "spawn, pid, fd");
    check(!process.step(failed) && !failed, "step of what goes on");
    check(!process.wait_for(1ms, failed) && !failed, "wait_for");
    check(!process.wait_until(std::chrono::steady_clock::now() + 1ms, failed) && !failed, "wait_until");
    check(!process.wait_for(-1ms, failed) && invalid(failed), "a negative time");
    check(process.usage(failed).verdict() == runner::verdict::none && !failed, "usage");
    while (process.output(1, failed).empty())
        process.wait_for(1ms, failed);
    check(process.output(1, failed) == "hi\n" && !failed, "output");
    check(process.output(2, failed).empty() && invalid(failed), "output that is not captured");
    process.kill(failed);
    check(!failed && process.wait(failed).verdict() == runner::verdict::killed && !failed, "kill, wait");
}

void nothing() {
    error_info failed;
    runner::process process;
    runner::held held;
    check(process.pid(failed) == -EINVAL && invalid(failed), "pid of nothing");
    check(process.fd(failed) == -EINVAL && invalid(failed), "fd of nothing");
    check(!process.step(failed) && invalid(failed), "step of nothing");
    check(process.wait(failed).verdict() == runner::verdict::none && invalid(failed), "wait for nothing");
    check(process.usage(failed).verdict() == runner::verdict::none && invalid(failed), "usage of nothing");
    check(process.output(1, failed).empty() && invalid(failed), "output of nothing");
    process.kill(failed);
    check(invalid(failed), "kill of nothing");
    check(held.pid(failed) == -EINVAL && invalid(failed), "pid of nothing held");
    check(held.pidfd(failed) == -EINVAL && invalid(failed), "pidfd of nothing held");
    check(held.resume(failed) == -EINVAL && invalid(failed), "resume of nothing");
}

void holds() {
    error_info failed;
    runner::held held = command{"/bin/sh", "-c", "exit 5"}.hold(failed);
    check(!failed && held.pid(failed) > 0 && held.pidfd(failed) >= 0 && !failed, "hold, pid, pidfd");
    const pid_t pid = held.resume(failed);
    check(!failed && exit_code(pid) == 5, "resume");
}

// What can be noexcept is.
[[maybe_unused]] void are_noexcept(const command &command, runner::process &process, runner::held &held,
                                   std::chrono::steady_clock::time_point time, error_info &failed) {
    static_assert(noexcept(runner::probe(failed)) && noexcept(command.check(failed)));
    static_assert(noexcept(command.start(failed)) && noexcept(command.start_pidfd(failed)));
    static_assert(noexcept(command.hold(failed)));
    static_assert(noexcept(held.pid(failed)) && noexcept(held.pidfd(failed)) && noexcept(held.resume(failed)));
    static_assert(noexcept(held.abort()) && noexcept(process.close()) && noexcept(process.kill(failed)));
    static_assert(noexcept(process.pid(failed)) && noexcept(process.fd(failed)) && noexcept(process.usage(failed)));
    static_assert(noexcept(process.step(failed)) && noexcept(process.wait(failed)));
    static_assert(noexcept(process.wait_for(runner::unlimited, failed)));
    static_assert(noexcept(process.wait_until(time, failed)));
}

} // namespace

int main() {
    commands();
    failures();
    processes();
    nothing();
    holds();
    std::printf("1..%d\n", number);
#ifdef THROWING
    command{"/bin/true"}.run();
#endif
    return bad != 0;
}
