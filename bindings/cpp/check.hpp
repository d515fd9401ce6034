// The tests' own tools: TEST, what they look with, and a main() that prints TAP. After each test nothing may be left:
// no fd, no child.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <runner.hpp>

namespace check {

struct failure {
    std::string text;
};
struct skipped {
    std::string why;
};
struct test {
    std::string name;
    void (*body)();
};

inline std::vector<test> &tests() {
    static std::vector<test> all;
    return all;
}

struct registered {
    registered(const char *name, void (*body)()) { tests().push_back({name, body}); }
};

// Integers of different signs are compared as the numbers that they are; none here is beyond a long long.
template <class A, class B>
bool same(const A &a, const B &b) {
    if constexpr (std::is_integral_v<A> && std::is_integral_v<B>)
        return static_cast<long long>(a) == static_cast<long long>(b);
    else
        return a == b;
}

template <class T>
decltype(auto) shown(const T &value) {
    if constexpr (std::is_enum_v<T>)
        return runner::name(value);
    else
        return (value);
}

template <class A, class B>
void equal(const A &got, const B &wanted, const char *what, int line) {
    if (same(got, wanted))
        return;
    std::ostringstream text;
    text << "line " << line << ": " << what << " is \"" << shown(got) << "\", not \"" << shown(wanted) << "\"";
    throw failure{text.str()};
}

inline void holds(bool value, const char *what, int line) {
    if (!value)
        throw failure{"line " + std::to_string(line) + ": not so: " + what};
}

inline void contains(std::string_view text, std::string_view part, int line) {
    if (text.find(part) == text.npos)
        throw failure{"line " + std::to_string(line) + ": no \"" + std::string(part) + "\" in: " + std::string(text)};
}

// What the call throws: it has to.
inline runner::error thrown(const std::function<void()> &call, int line) {
    try {
        call();
    } catch (const runner::error &error) {
        return error;
    }
    throw failure{"line " + std::to_string(line) + ": nothing was thrown"};
}

// A directory that is there for one test. Others may pass through it.
class scratch {
public:
    scratch() {
        const char *place = getenv("TMPDIR");
        path_ = std::string(place ? place : "/tmp") + "/runner-cpp-XXXXXX";
        if (!mkdtemp(path_.data()) || chmod(path_.c_str(), 0755) != 0)
            throw failure{"no scratch directory: " + path_};
    }
    scratch(const scratch &) = delete;
    scratch &operator=(const scratch &) = delete;
    ~scratch() { std::filesystem::remove_all(path_); }
    const std::string &path() const { return path_; }

private:
    std::string path_;
};

// How a child of this process has ended, named as in runner::result.
class ending {
public:
    explicit ending(pid_t pid) {
        if (waitpid(pid, &status_, 0) != pid)
            throw failure{"there is no such child"};
    }
    int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }
    int signal() const { return WIFSIGNALED(status_) ? WTERMSIG(status_) : 0; }

private:
    int status_ = 0;
};

inline bool is_there(pid_t pid) { return ::kill(pid, 0) == 0; }

inline std::ptrdiff_t entries(const char *directory) {
    return std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator());
}

// Skips the test where the machine, or the user, does not have what a case needs.
inline void needs(const std::string &what) {
    static const runner::machine machine = runner::probe();
    const auto runs_have = [](runner::missing flag) { return !has(machine.runs_miss(), flag); };
    const bool there = what == "root"             ? geteuid() == 0
                       : what == "user_namespace" ? machine.user_namespace()
                       : what == "memory_cgroup"  ? runs_have(runner::missing::memory)
                       : what == "pids_cgroup"    ? runs_have(runner::missing::processes)
                       : what == "cpu_cgroup"     ? runs_have(runner::missing::cpu)
                                                  : throw failure{"an unknown need: " + what};
    if (!there)
        throw skipped{what};
}

} // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN_(a, b)
#define TEST(name)                                                                                                   \
    static void CHECK_JOIN(test_, __LINE__)();                                                                       \
    static const check::registered CHECK_JOIN(registered_, __LINE__)(name, CHECK_JOIN(test_, __LINE__));             \
    static void CHECK_JOIN(test_, __LINE__)()
#define CHECK(condition) check::holds(condition, #condition, __LINE__)
#define EQUAL(got, wanted) check::equal(got, wanted, #got, __LINE__)
#define CONTAINS(text, part) check::contains(text, part, __LINE__)
#define THROWN(...) check::thrown([&] { (void)(__VA_ARGS__); }, __LINE__)
// It fails with this errno.
#define FAILS(number, ...) EQUAL(THROWN(__VA_ARGS__).code().value(), number)

#endif
