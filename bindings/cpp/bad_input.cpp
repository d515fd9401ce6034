// Bad arguments and used-up handles: runner::error with EINVAL, before anything is started, and never a crash.
#include <cmath>
#include <limits>
#include <list>

#include <linux/filter.h>
#include <sched.h>
#include <sys/resource.h>

#include "check.hpp"

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;
using runner::command;

// What is no integer is refused by the compiler.
static_assert(!std::is_convertible_v<double, runner::number>);
static_assert(!std::is_convertible_v<bool, runner::number>);
static_assert(!std::is_convertible_v<runner::verdict, runner::number>);
static_assert(!std::is_convertible_v<int, runner::timespan>, "in which unit?");
static_assert(!std::is_convertible_v<std::vector<int>, runner::strings>);
static_assert(!std::is_convertible_v<std::vector<long>, runner::view<int>>);
static_assert(!std::is_convertible_v<std::vector<int>, runner::bytes>);

// Handles are moved, and their moves do not throw.
template <class T>
constexpr bool is_handle = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                           std::is_nothrow_default_constructible_v<T> && !std::is_copy_constructible_v<T>;
static_assert(is_handle<runner::process> && is_handle<runner::held> && is_handle<runner::descriptor>);
static_assert(std::is_nothrow_move_constructible_v<command> && std::is_nothrow_move_assignable_v<command>);
static_assert(std::is_copy_constructible_v<command> && std::is_copy_assignable_v<command>);
static_assert(std::is_nothrow_copy_constructible_v<runner::error>, "as an exception has to be");

namespace {

struct setter {
    const char *name;
    std::function<void(command &)> call;
};

// This one fails, by its name, at once and at every start; the same by value.
void is_refused(const setter &bad) {
    command command{"/bin/true"};
    bad.call(command);
    const runner::error error = THROWN(command.check());
    try {
        EQUAL(error.code(), std::make_error_code(std::errc::invalid_argument));
        EQUAL(error.stage(), runner::stage::options);
        EQUAL(std::string(error.message()).rfind(bad.name + ": "s, 0), 0u);
        FAILS(EINVAL, command.run());
        FAILS(EINVAL, command.spawn());
        FAILS(EINVAL, command.start());
        FAILS(EINVAL, command.start_pidfd());
        FAILS(EINVAL, command.hold());
        FAILS(EINVAL, command.explain());
        runner::error_info failed;
        EQUAL(command.run(failed).verdict(), runner::verdict::launch_error);
        CHECK(failed.code() == error.code() && !command.spawn(failed) && command.start(failed) == -EINVAL);
        CHECK(command.start_pidfd(failed).pid == -1 && !command.hold(failed) && command.explain(failed).empty());
        CHECK(failed && failed.message() == "" + std::string(error.message()));
    } catch (const check::failure &failure) {
        throw check::failure{bad.name + ": "s + failure.text};
    }
}

void are_refused(std::initializer_list<setter> all) {
    for (const setter &bad : all)
        is_refused(bad);
}

// With this string at every place where there is one.
void no_string_is(runner::text bad) {
    are_refused({
        {"args", [&](command &c) { c.args({"/bin/echo", bad}); }},
        {"env", [&](command &c) { c.env({"A=1", bad}); }},
        {"workdir", [&](command &c) { c.workdir(bad); }},
        {"hostname", [&](command &c) { c.hostname(bad); }},
        {"domainname", [&](command &c) { c.domainname(bad); }},
        {"cgroup_path", [&](command &c) { c.cgroup_path(bad); }},
        {"cgroup_root", [&](command &c) { c.cgroup_root(bad); }},
        {"pivot_root", [&](command &c) { c.pivot_root(bad); }},
        {"mount", [&](command &c) { c.mount("/a", bad, "tmpfs", 0); }},
        {"bind", [&](command &c) { c.bind(bad, "bin"); }},
        {"bind", [&](command &c) { c.bind("/bin", bad); }},
        {"tmpfs", [&](command &c) { c.tmpfs(bad, 0); }},
        {"proc", [&](command &c) { c.proc(bad); }},
        {"dev", [&](command &c) { c.dev(bad); }},
        {"dir", [&](command &c) { c.dir(bad); }},
        {"symlink", [&](command &c) { c.symlink(bad, "a"); }},
        {"symlink", [&](command &c) { c.symlink("a", bad); }},
        {"file", [&](command &c) { c.file(bad, ""); }},
    });
}

// With this number at every place where only a small one above 0 can be.
void no_number_is(runner::number bad) {
    are_refused({
        {"exec_fd", [&](command &c) { c.exec_fd(bad); }},
        {"unshare", [&](command &c) { c.unshare(bad); }},
        {"uid_mapping", [&](command &c) { c.uid_mapping(bad, 0); }},
        {"uid_mapping", [&](command &c) { c.uid_mapping(0, bad); }},
        {"gid_mapping", [&](command &c) { c.gid_mapping(0, 0, bad); }},
        {"credential", [&](command &c) { c.credential(bad, 0); }},
        {"credential", [&](command &c) { c.credential(0, bad); }},
        {"rlimit", [&](command &c) { c.rlimit(bad, 0, 0); }},
        {"cgroup_fd", [&](command &c) { c.cgroup_fd(bad); }},
        {"death_signal", [&](command &c) { c.death_signal(bad); }},
        {"umask", [&](command &c) { c.umask(bad); }},
        {"nice", [&](command &c) { c.nice(bad); }},
        {"oom_score_adj", [&](command &c) { c.oom_score_adj(bad); }},
        {"personality", [&](command &c) { c.personality(bad); }},
        {"scheduler", [&](command &c) { c.scheduler(bad); }},
        {"scheduler", [&](command &c) { c.scheduler(SCHED_FIFO, bad); }},
        {"tmpfs", [&](command &c) { c.tmpfs("tmp", 0, bad); }},
        {"dir", [&](command &c) { c.dir("a", bad); }},
        {"file", [&](command &c) { c.file("a", "", bad); }},
        {"mount", [&](command &c) { c.mount("/a", "a", "tmpfs", bad); }},
        {"cpu_quota", [&](command &c) { c.cpu_quota(bad); }},
        {"capture", [&](command &c) { c.capture(bad, 1); }},
        {"capture_head", [&](command &c) { c.capture_head(bad, 1); }},
    });
}

// With this number where any from 0 on can be.
void no_amount_is(runner::number bad) {
    are_refused({
        {"keep_caps", [&](command &c) { c.keep_caps(bad); }},
        {"rlimit", [&](command &c) { c.rlimit(RLIMIT_NOFILE, bad, 5); }},
        {"rlimit", [&](command &c) { c.rlimit(RLIMIT_NOFILE, 0, bad); }},
        {"tmpfs", [&](command &c) { c.tmpfs("tmp", bad); }},
        {"memory_limit", [&](command &c) { c.memory_limit(bad); }},
        {"process_limit", [&](command &c) { c.process_limit(bad); }},
        {"output_limit", [&](command &c) { c.output_limit(bad); }},
        {"capture", [&](command &c) { c.capture(1, bad); }},
        {"capture_head", [&](command &c) { c.capture_head(1, bad); }},
    });
}

void no_time_is(runner::timespan bad) {
    are_refused({
        {"wall_limit", [&](command &c) { c.wall_limit(bad); }},
        {"cpu_limit", [&](command &c) { c.cpu_limit(bad); }},
    });
    FAILS(EINVAL, command({"/bin/true"}).spawn().wait_for(bad));
}

void every_call_fails(int number, runner::process &process) {
    FAILS(number, process.step());
    FAILS(number, process.wait());
    FAILS(number, process.wait_for(1s));
    FAILS(number, process.wait_until({}));
    FAILS(number, process.kill());
    FAILS(number, process.usage());
    FAILS(number, process.output());
}

void is_empty(runner::process &process) {
    CHECK(!process);
    every_call_fails(EINVAL, process);
    FAILS(EINVAL, process.pid());
    FAILS(EINVAL, process.fd());
    process.close();
    process.close();
}

void is_empty(runner::held &held) {
    CHECK(!held);
    FAILS(EINVAL, held.pid());
    FAILS(EINVAL, held.pidfd());
    FAILS(EINVAL, held.resume());
    held.abort();
    held.abort();
}

} // namespace

TEST("a NUL in a string is refused everywhere") {
    no_string_is("a\0b"sv);
    no_string_is("/usr\0"s);
    is_refused({"mount", [](command &c) { c.mount("/a\0"sv, "a", "tmpfs", 0); }});
    is_refused({"mount", [](command &c) { c.mount("/a", "a", "tmpfs\0"sv, 0); }});
    is_refused({"mount", [](command &c) { c.mount("/a", "a", "tmpfs", 0, "size=1\0"sv); }});
}

TEST("a null pointer is refused everywhere") {
    no_string_is(nullptr);
    are_refused({
        {"args", [](command &c) { c.args(static_cast<char **>(nullptr)); }},
        {"env", [](command &c) { c.env(static_cast<const char *const *>(nullptr)); }},
        {"files", [](command &c) { c.files({nullptr, 3}); }},
        {"credential", [](command &c) { c.credential(1, 1, {nullptr, 3}); }},
        {"seccomp", [](command &c) { c.seccomp({nullptr, 3}); }},
        {"cpu_affinity", [](command &c) { c.cpu_affinity({nullptr, 3}); }},
        {"stdin_bytes", [](command &c) { c.stdin_bytes({nullptr, 3}); }},
        {"stdin_bytes", [](command &c) { c.stdin_bytes(static_cast<const char *>(nullptr)); }},
        {"file", [](command &c) { c.file("a", {nullptr, 3}); }},
        {"file", [](command &c) { c.file("a", nullptr); }},
    });
}

TEST("which string of a list is wrong is told") {
    EQUAL(THROWN(command{"/bin/echo", "a", "b\0"sv, nullptr}.check()).index(), 2);
    EQUAL(THROWN(command{"/bin/true"}.env(std::vector<const char *>{"A=1", nullptr}).check()).index(), 1);
    EQUAL(THROWN(command{"/bin/true"}.nice(99).check()).index(), -1);
}

TEST("a negative number is refused everywhere") {
    for (int bad : {-2000, std::numeric_limits<int>::min()})
        no_number_is(bad);
    no_number_is(std::numeric_limits<long long>::min());
    for (long bad : {-1L, -4096L, std::numeric_limits<long>::min()})
        no_amount_is(bad);
    no_amount_is(static_cast<signed char>(-1));
    is_refused({"files", [](command &c) { c.files({0, -2}); }});
}

TEST("a number that is too large is refused, not cut") {
    no_number_is(1ull << 32);
    no_number_is((1ull << 32) + 1);
    no_number_is(UINT64_MAX);
    is_refused({"cpu_quota", [](command &c) { c.cpu_quota(UINT64_MAX); }});
    command{"/bin/true"}.cpu_quota(runner::unlimited).memory_limit(UINT64_MAX).capture(1, runner::unlimited).check();
}

TEST("numbers at the ends of their types are taken as they are") {
    EQUAL(runner::number(INT64_MIN).as<std::int64_t>().value(), INT64_MIN);
    EQUAL(runner::number(INT32_MIN).as<std::int32_t>().value(), INT32_MIN);
    CHECK(!runner::number(INT64_C(-2147483649)).as<std::int32_t>());
    CHECK(!runner::number(2147483648u).as<std::int32_t>());
    EQUAL(runner::number(UINT32_MAX).as<std::uint32_t>().value(), UINT32_MAX);
    EQUAL(runner::number(UINT64_MAX).as<std::uint64_t>().value() == UINT64_MAX, true);
    CHECK(!runner::number(-1).as<std::uint64_t>());
}

TEST("a negative time, or none, is refused") {
    no_time_is(-1ns);
    no_time_is(-1h);
    no_time_is(std::chrono::hours::min());
    no_time_is(std::chrono::duration<double>(std::nan("")));
    no_time_is(std::chrono::duration<float>(-1e-3f));
}

TEST("a time that is longer than any is no limit") {
    for (runner::timespan time : {runner::timespan(std::chrono::hours::max()), runner::timespan(runner::unlimited),
                                  runner::timespan(std::chrono::duration<double>(HUGE_VAL))}) {
        CHECK(time.valid() && !time.limited());
        EQUAL(command{"/bin/true"}.wall_limit(time).cpu_limit(time).run().exit_code(), 0);
        EQUAL(command({"/bin/true"}).spawn().wait_for(time).value().exit_code(), 0);
    }
    EQUAL(runner::timespan(1500us).time().count(), 1500000);
    EQUAL(runner::timespan(std::chrono::duration<double>(0.25)).time().count(), 250000000);
}

TEST("lists that are too long, and none at all") {
    EQUAL(THROWN(command(std::vector<std::string>(1000000, "/bin/true")).run()).stage(), runner::stage::exec);
    are_refused({
        {"args", [](command &c) { c.args({}); }},
        {"files", [](command &c) { c.files(std::vector<int>(1 << 21, 0)); }},
        {"credential", [](command &c) { c.credential(1, 1, std::vector<std::uint32_t>(1 << 17)); }},
        {"cpu_affinity", [](command &c) { c.cpu_affinity({}); }},
        {"cpu_affinity", [](command &c) { c.cpu_affinity({1u << 20}); }},
        // As 16 bits these would be 1.
        {"seccomp", [](command &c) { c.seccomp(std::vector<sock_filter>((1 << 16) + 1)); }},
        {"seccomp", [](command &c) { c.seccomp({}); }},
        {"session", [](command &c) { c.session(static_cast<runner::session>(9)); }},
        {"bind", [](command &c) { c.bind("/bin", "bin", static_cast<runner::bind_flag>(1u << 30)); }},
        {"proc", [](command &c) { c.proc("proc", static_cast<runner::proc_flag>(1u << 30)); }},
        {"unshare", [](command &c) { c.unshare(CLONE_VM); }},
    });
}

TEST("the first bad argument is the one that is told, and stays") {
    command bad = command{"/bin/true"}.nice(7).umask(-1).nice(-100).umask(022);
    CONTAINS(THROWN(bad.run()).what(), "options: umask: a number that is negative");
    const command copy = bad;
    CONTAINS(THROWN(copy.run()).what(), "umask");
    bad = command{"/bin/true"};
    EQUAL(bad.run().exit_code(), 0);
}

TEST("a command that was moved from can be given a new one") {
    command first{"/bin/true"};
    const command second = std::move(first);
    CONTAINS(THROWN(first.run()).what(), "moved from"); // NOLINT: on purpose
    CONTAINS(THROWN(first.nice(1).run()).what(), "nice: it was moved from");
    const command copy = first;
    FAILS(EINVAL, copy.check());
    CHECK(first.raw() == nullptr);
    first = second;
    first = *&first;
    EQUAL(first.run().exit_code(), 0);
}

TEST("a process that was moved from or closed") {
    runner::process process;
    is_empty(process);
    process = command({"/bin/sleep", "1000"}).spawn();
    const pid_t pid = process.pid();
    runner::process other = std::move(process);
    is_empty(process);
    CHECK(other && other.pid() == pid);
    other.close();
    is_empty(other);
    CHECK(!check::is_there(pid));
}

TEST("what a process is assigned over is killed") {
    runner::process process = command({"/bin/sleep", "1000"}).spawn();
    const pid_t pid = process.pid();
    process = command({"/bin/true"}).spawn();
    CHECK(!check::is_there(pid));
    EQUAL(process.wait().exit_code(), 0);
}

TEST("a held start that was moved from, resumed or aborted") {
    runner::held held;
    is_empty(held);
    held = command({"/bin/true"}).hold();
    runner::held other = std::move(held);
    is_empty(held);
    EQUAL(check::ending(other.resume()).exit_code(), 0);
    is_empty(other);
    other = command({"/bin/true"}).hold();
    other.abort();
    is_empty(other);
}

TEST("an fd that is not captured") {
    const command command = runner::command{"/bin/echo", "hi"}.capture(1, 100);
    const runner::result result = command.run();
    CONTAINS(THROWN(result.output(2)).what(), "output: this fd is not captured");
    runner::error_info failed;
    CHECK(result.output(2, failed) == nullptr && failed.code().value() == EINVAL);
    CHECK(*result.output(1, failed) == "hi\n" && !failed);
    runner::process process = command.spawn();
    for (int fd : {2, -1, INT32_MAX})
        CONTAINS(THROWN(process.output(fd)).what(), "this fd is not captured");
    EQUAL(process.wait().exit_code(), 0);
    EQUAL(process.output(1), "hi\n");
}

TEST("a descriptor is closed once") {
    runner::descriptor one(dup(0)), two;
    const int fd = one.get();
    two = std::move(one);
    CHECK(one.get() == -1 && two.get() == fd);
    two.close();
    two.close();
    CHECK(dup(fd) == -1 && errno == EBADF);
    two = runner::descriptor(dup(0));
    close(two.release());
}

TEST("in a fork of the host") {
    runner::process process = command({"/bin/sleep", "1000"}).spawn();
    runner::held held = command({"/bin/true"}).hold();
    const pid_t child = fork();
    if (child == 0) {
        int wrong = 0;
        try {
            every_call_fails(ECHILD, process);
            FAILS(ECHILD, held.resume());
            process.close();
            EQUAL(command({"/bin/sh", "-c", "exit 5"}).run().exit_code(), 5);
        } catch (const check::failure &failure) {
            std::cerr << failure.text << "\n";
            wrong = 1;
        }
        _exit(wrong);
    }
    EQUAL(check::ending(child).exit_code(), 0);
    CHECK(check::is_there(process.pid())); // that it was freed there has not killed it
    EQUAL(check::ending(held.resume()).exit_code(), 0);
}
