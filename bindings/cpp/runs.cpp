// Watched runs and other starts: what is told of them, waiting, threads, and what becomes of them when nobody cares.
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/time.h>

#include "check.hpp"

using namespace std::chrono_literals;
using namespace std::string_literals;
using runner::command;
using runner::verdict;
using clock_type = std::chrono::steady_clock;

namespace {

const command sleeps = command{"/bin/sleep", "1000"};

// The first line of what it prints.
std::string line_of(runner::process &process) {
    while (process.output().find('\n') == std::string::npos)
        if (process.wait_for(10ms))
            throw check::failure{"it ended too early"};
    return process.output();
}

// A child of init is a zombie until init comes.
bool is_dead(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    return !std::getline(stat, text) || text.find(") Z") != text.npos;
}

// A thread of this process that is joined whatever happens.
class thread {
public:
    template <class Body>
    explicit thread(Body body) : thread_(body) {}
    ~thread() { thread_.join(); }

private:
    std::thread thread_;
};

long threads() { return check::entries("/proc/self/task"); }

} // namespace

TEST("every figure of a result") {
    const auto before = clock_type::now();
    const char *script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo 12345; exit 3";
    const runner::result got = command{"/bin/sh", "-c", script}.capture_head(1, 3).process_limit(50).run();
    const auto wall = clock_type::now() - before;
    EQUAL(got.verdict(), verdict::finished);
    EQUAL(got.evidence(), runner::evidence::exit_code);
    CHECK(got.exit_code() == 3 && got.signal() == 0 && !got.ok());
    CHECK(got.wall() > 0ns && got.setup() > 0ns && got.wall() + got.setup() <= wall);
    CHECK(got.cpu() > 1ms && got.cpu() < 20s && got.user() + got.system() == got.cpu());
    CHECK(got.memory_peak() > 4096 && got.memory_peak() < 1u << 30);
    CHECK(got.cpu_source() != runner::source::none && got.memory_source() != runner::source::none);
    CHECK(got.processes_peak() == 1 && got.processes_source() != runner::source::none);
    CHECK(got.oom_kills() == 0 && got.process_limit_hits() == 0);
    CHECK(got.output_cut() && got.output_fd() == 1 && got.output_bytes() == 3 && got.output() == "123");
    const bool lacks = got.missing() != runner::missing::none;
    EQUAL(lacks, *got.reason() != '\0');
}

TEST("an error tells stage, index, errno and a sentence") {
    const command command = runner::command{"/bin/true"}.files({0, 123456});
    try {
        command.run();
        CHECK(false);
    } catch (const std::system_error &error) { // as who knows nothing of this library
        CHECK(error.code() == std::errc::bad_file_descriptor);
        CONTAINS(error.what(), "dup[1]: ");
        CONTAINS(error.what(), "123456");
        const auto &more = dynamic_cast<const runner::error &>(error);
        CHECK(more.stage() == runner::stage::dup && more.index() == 1 && more.stage_name() == "dup"s);
        CHECK(more.info().message() == std::string(more.message()));
    }
    runner::error_info failed;
    const runner::result result = command.run(failed);
    CHECK(result.verdict() == verdict::launch_error && result.evidence() == runner::evidence::launch);
    EQUAL(result.reason(), std::string(failed.message()));
    runner::command{"/bin/true"}.run(failed);
    CHECK(!failed && failed.stage() == runner::stage::none && *failed.message() == '\0');
}

TEST("waiting for a while, until a time") {
    runner::process process = sleeps.spawn();
    CHECK(!process.step() && !process.wait_for(0s) && !process.wait_until(clock_type::now() - 1h));
    const auto before = clock_type::now();
    CHECK(!process.wait_for(20ms) && clock_type::now() - before >= 20ms);
    CHECK(!process.wait_until(before + 50ms) && clock_type::now() - before >= 50ms);
    EQUAL(process.usage().verdict(), verdict::none);
}

TEST("waiting for the end") {
    runner::process process = command({"/bin/sh", "-c", "exit 4"}).spawn();
    EQUAL(process.wait_for(20s).value().exit_code(), 4);
    CHECK(process.wait().exit_code() == 4 && process.step()->exit_code() == 4); // and for good
    CHECK(process.wait_until(clock_type::time_point::max())->exit_code() == 4 && process.usage().exit_code() == 4);
    process.kill();
    EQUAL(process.wait().verdict(), verdict::finished);
}

TEST("a limit is enforced while somebody waits") {
    runner::process process = command(sleeps).wall_limit(50ms).spawn();
    EQUAL(process.wait().verdict(), verdict::wall_limit);
}

TEST("signals of the host do not end a wait") {
    struct sigaction old, handled = {};
    static std::atomic<int> alarms;
    handled.sa_handler = [](int) { ++alarms; };
    sigaction(SIGALRM, &handled, &old);
    const itimerval often = {{0, 5000}, {0, 5000}}, never = {};
    setitimer(ITIMER_REAL, &often, nullptr);
    const runner::result got = command({"/bin/sleep", "0.1"}).run();
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &old, nullptr);
    CHECK(got.ok() && alarms > 2);
}

TEST("output so far, and more of it later") {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const runner::descriptor reads(ends[0]), writes(ends[1]);
    const command echoes = command{"/bin/sh", "-c", "echo a; read b; echo $b"}.files({reads.get()}).capture(1, 100);
    runner::process process = echoes.spawn();
    EQUAL(line_of(process), "a\n");
    EQUAL(write(writes.get(), "b\n", 2), 2);
    const runner::result got = process.wait();
    CHECK(process.output() == "a\nb\n" && got.outputs().empty() && got.output_bytes() == 4);
}

TEST("an exception while a run is alive kills the whole tree") {
    pid_t shell = 0, child = 0;
    try {
        runner::process process = command{"/bin/sh", "-c", "sleep 1000 & echo $!; wait"}.capture(1, 100).spawn();
        shell = process.pid();
        child = std::stoi(line_of(process));
        CHECK(check::is_there(shell) && check::is_there(child));
        throw std::runtime_error("the judge has a bug");
    } catch (const std::runtime_error &) {
    }
    CHECK(!check::is_there(shell) && is_dead(child));
}

TEST("an exception while a start is held aborts it") {
    pid_t pid = 0;
    try {
        const runner::held held = command({"/bin/true"}).hold();
        pid = held.pid();
        CHECK(check::is_there(pid));
        throw std::runtime_error("the judge has a bug");
    } catch (const std::runtime_error &) {
    }
    CHECK(!check::is_there(pid));
}

TEST("one thread waits, another kills") {
    runner::process process = sleeps.spawn();
    const thread killer([&] {
        std::this_thread::sleep_for(50ms);
        process.kill();
    });
    const runner::result got = process.wait();
    CHECK(got.verdict() == verdict::killed && got.evidence() == runner::evidence::caller);
}

namespace {

// What output() copies is in the library's memory, which moves when somebody else's step takes in more.
void used_by_many_threads() {
    constexpr std::size_t size = 16000000;
    runner::process process = command{"/bin/sh", "-c", "yes | head -c 16000000; exit 6"}.capture(1, size).spawn();
    std::atomic<int> ended{0}, torn{0};
    const auto waits = [&] { ended += process.wait().exit_code() == 6; };
    const auto copies = [&] {
        while (ended == 0) {
            const std::string text = process.output();
            torn += !text.empty() && text.back() != 'y' && text.back() != '\n';
        }
    };
    {
        const thread a(copies), b(copies), c(waits), d(waits);
    }
    CHECK(ended == 2 && torn == 0 && process.output().size() == size);
}

} // namespace

TEST("many threads use one run at once") {
    for (int turns = 0; turns < 5; ++turns)
        used_by_many_threads();
}

TEST("many threads start one command at once") {
    const command command = runner::command{"/bin/echo", "hi"}.capture(1, 100);
    std::atomic<int> good{0};
    const auto use = [&] {
        for (int i = 0; i < 10; ++i)
            good += command.run().output() == "hi\n";
    };
    {
        const thread a(use), b(use), c(use);
    }
    EQUAL(good, 30);
}

TEST("a fork while another thread is in the library") {
    runner::process process = sleeps.spawn();
    std::atomic<bool> over{false};
    const auto use = [&] {
        while (!over)
            process.usage();
    };
    int status = 0;
    {
        const thread user(use);
        for (int i = 0; i < 50 && status == 0; ++i) {
            const pid_t child = fork();
            if (child == 0) {
                alarm(20); // a lock that nobody can let go
                runner::error_info failed;
                process.kill(failed);
                _exit(failed.code().value() != ECHILD);
            }
            waitpid(child, &status, 0);
        }
        over = true;
    }
    EQUAL(status, 0);
}

TEST("300 sleeping runs, watched by this thread alone") {
    const long before = threads();
    std::map<int, runner::process> runs;
    std::vector<pollfd> fds;
    const command naps = command{"/bin/sleep", "1000"}.wall_limit(1500ms);
    for (int i = 0; i < 300; ++i) {
        runner::process process = naps.spawn();
        fds.push_back({process.fd(), POLLIN, 0});
        runs.emplace(process.fd(), std::move(process));
    }
    EQUAL(threads(), before);
    int limited = 0;
    while (!runs.empty()) {
        CHECK(poll(fds.data(), fds.size(), 20000) > 0);
        for (pollfd &one : fds) {
            if (!one.revents)
                continue;
            if (const auto ended = runs.at(one.fd).step()) {
                limited += ended->verdict() == verdict::wall_limit;
                runs.erase(one.fd);
                one.fd = -1; // poll passes over it
            }
        }
    }
    CHECK(limited == 300 && threads() == before);
}

TEST("a pid and a pidfd") {
    const runner::started child = command({"/bin/sh", "-c", "exit 8"}).start_pidfd();
    pollfd one = {child.pidfd.get(), POLLIN, 0};
    EQUAL(poll(&one, 1, 20000), 1);
    EQUAL(check::ending(child.pid).exit_code(), 8);
    FAILS(ENOENT, command({"/nonexistent"}).start_pidfd());
}

TEST("a held start is another thread's to resume") {
    runner::held held = command({"/bin/sh", "-c", "exit 8"}).hold();
    const pid_t pid = held.pid();
    pollfd one = {held.pidfd(), POLLIN, 0};
    EQUAL(poll(&one, 1, 0), 0);
    {
        const thread other([&] { EQUAL(held.resume(), pid); });
    }
    EQUAL(check::ending(pid).exit_code(), 8);
}

TEST("a held start fails as any other") {
    runner::held held = command({"/nonexistent"}).hold();
    const runner::error error = THROWN(held.resume());
    CHECK(error.code().value() == ENOENT && error.stage() == runner::stage::exec && !held);
    FAILS(ENOENT, command({"/bin/true"}).workdir("/nonexistent").hold());
}
