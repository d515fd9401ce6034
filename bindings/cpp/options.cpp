// Options reach the library: those that the shared cases do not show, the ways to write arguments, chains and copies.
#include <array>
#include <deque>
#include <filesystem>
#include <set>

#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "check.hpp"

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;
using runner::command;

extern char **environ;

namespace {

command true_program() { return command{"/bin/true"}; }

// What the program prints with these options.
std::string printed(command command) { return command.capture(1, 1 << 20).run().output(); }

// What a script exits with.
int exits(const char *script, runner::view<int> files) {
    return command{"/bin/sh", "-c", script}.files(files).run().exit_code();
}

struct option {
    const char *shows; // in what explain() says
    std::function<void(command &)> set;
};

// What is set is there, and was not there before.
void is_explained(const option &option) {
    command command = true_program().unshare(runner::ns::user | runner::ns::net | runner::ns::uts);
    CHECK(command.explain().find(option.shows) == std::string::npos);
    option.set(command);
    CONTAINS(command.explain(), option.shows);
}

struct reset {
    const char *name;
    std::function<void(command &)> set, clear;
};

} // namespace

TEST("options are what explain() tells") {
    const option all[] = {
        {"execveat(", [](command &c) { c.exec_fd(0); }},
        {"chdir(\"/usr\")", [](command &c) { c.workdir(std::filesystem::path("/usr")); }},
        {"sethostname(\"box\"", [](command &c) { c.hostname("box"s); }},
        {"setdomainname(\"home\"", [](command &c) { c.domainname("home"sv); }},
        {"IFF_UP", [](command &c) { c.loopback_up(); }},
        {"unshare(CLONE_NEWCGROUP)", [](command &c) { c.unshare_cgroup_after_sync(); }},
        {"RLIMIT_CORE", [](command &c) { c.rlimit(RLIMIT_CORE, 0, RLIM_INFINITY); }},
        {"PR_SET_NO_NEW_PRIVS", [](command &c) { c.no_new_privs(); }},
        {"capset(", [](command &c) { c.drop_caps(); }},
        {"PR_CAP_AMBIENT_RAISE", [](command &c) { c.keep_caps(1u << 7); }},
        {"seccomp(", [](command &c) { c.seccomp({BPF_STMT(BPF_RET | BPF_K, 0x7fff0000u)}); }},
        {"PTRACE_TRACEME", [](command &c) { c.ptrace(); }},
        {"SIGSTOP", [](command &c) { c.stop_before_seccomp(); }},
        {"TIOCSCTTY", [](command &c) { c.ctty(); }},
        {"setpgid(", [](command &c) { c.session(runner::session::new_group); }},
        {"PR_SET_PDEATHSIG, 9", [](command &c) { c.death_signal(SIGKILL); }},
        {"umask(077)", [](command &c) { c.umask(077); }},
        {"setpriority(PRIO_PROCESS, 0, 5)", [](command &c) { c.nice(5); }},
        {"oom_score_adj", [](command &c) { c.oom_score_adj(500); }},
        {"sched_setaffinity(", [](command &c) { c.cpu_affinity({0}); }},
        {"personality(", [](command &c) { c.personality(ADDR_NO_RANDOMIZE); }},
        {"KEYCTL_JOIN_SESSION_KEYRING", [](command &c) { c.new_session_keyring(); }},
        {"sched_setscheduler(", [](command &c) { c.scheduler(SCHED_BATCH); }},
    };
    for (const option &one : all)
        is_explained(one);
}

TEST("options of root are what explain() tells") {
    check::needs("root");
    const option all[] = {
        {"7 0 2", [](command &c) { c.uid_mapping(7, 0, 2); }},
        {"8 0 2", [](command &c) { c.gid_mapping(8, 0, 2); }},
        {"allow", [](command &c) { c.allow_setgroups(); }},
        {"setgroups(2, [5, 6])", [](command &c) { c.credential(0, 0, {5, 6}); }},
    };
    for (const option &one : all)
        is_explained(one);
}

TEST("pieces of the root are what explain() tells") {
    const auto with = runner::ns::user | runner::ns::mount | runner::ns::pid;
    const command plain = true_program().unshare(with).pivot_root("/usr");
    const option all[] = {
        {"MS_NOSUID", [](command &c) { c.mount("none", "m", "tmpfs", MS_NOSUID, "size=4096"); }},
        {"size=4096", [](command &c) { c.mount(nullptr, "m", "tmpfs", 0, "size=4096"); }},
        {"\"opt\"", [](command &c) { c.bind("/usr", "opt"); }},
        {"size=8192", [](command &c) { c.tmpfs("tmp", 8192); }},
        {"\"proc\"", [](command &c) { c.proc(); }},
        {"urandom", [](command &c) { c.dev(); }},
        {"\"some\"", [](command &c) { c.dir("some", 0700); }},
        {"symlink", [](command &c) { c.symlink("to", "link"); }},
        {"\"motto\"", [](command &c) { c.file("motto", std::vector<unsigned char>{'a', 0}); }},
    };
    for (const option &one : all) {
        command command = plain;
        one.set(command);
        CHECK(command.explain() != plain.explain());
        if (command.explain().find(one.shows) == std::string::npos)
            throw check::failure{one.shows + ": "s + command.explain()};
        EQUAL(command.clear_root().explain(), plain.explain());
    }
}

TEST("what is cleared is as if it had not been set") {
    const command plain = true_program().unshare(runner::ns::user);
    const reset all[] = {
        {"mappings", [](command &c) { c.uid_mapping(7, 0).gid_mapping(7, 0); },
         [](command &c) { c.clear_mappings(); }},
        {"credential", [](command &c) { c.credential(0, 0); }, [](command &c) { c.clear_credential(); }},
        {"rlimits", [](command &c) { c.rlimit(RLIMIT_CORE, 0, 0); }, [](command &c) { c.clear_rlimits(); }},
        {"seccomp", [](command &c) { c.seccomp({BPF_STMT(BPF_RET, 0)}); },
         [](command &c) { c.clear_seccomp().no_new_privs(false); }},
        {"exec_fd", [](command &c) { c.exec_fd(0); }, [](command &c) { c.exec_fd(-1); }},
        {"drop_caps", [](command &c) { c.drop_caps(); }, [](command &c) { c.drop_caps(false); }},
    };
    for (const reset &one : all) {
        command command = plain;
        one.set(command);
        CHECK(command.explain() != plain.explain());
        one.clear(command);
        EQUAL(command.explain(), plain.explain());
    }
    // A path that is no cgroup fails the start; forgotten, it does not.
    FAILS(ENOENT, true_program().cgroup_path("/nonexistent").run());
    EQUAL(true_program().cgroup_path("/nonexistent").cgroup_fd(0).clear_cgroups().run().exit_code(), 0);
    FAILS(ENOENT, true_program().cgroup_root("/nonexistent").run());
    command limited = true_program().cgroup_root("/nonexistent").wall_limit(0s).stdin_bytes("abc").capture(1, 0);
    const runner::result unlimited = limited.clear_limits().run();
    CHECK(unlimited.ok() && unlimited.outputs().empty());
}

TEST("a program as braces, vector, array, range or argv") {
    const char *argv[] = {"ignored", "/bin/echo", "a", "b", nullptr};
    const std::array<std::string_view, 3> array = {"/bin/echo", "a", "b"};
    EQUAL(printed({"/bin/echo", "a"s, "b"sv}), "a b\n");
    EQUAL(printed(command(argv + 1)), "a b\n");
    EQUAL(printed(command{argv + 1}), "a b\n");
    EQUAL(printed(command(array)), "a b\n");
    const std::vector<std::string> vector(array.begin(), array.end());
    const std::deque<const char *> deque(argv + 1, argv + 4);
    const std::vector<std::filesystem::path> paths(array.begin(), array.end());
    EQUAL(printed(command(vector)), "a b\n");
    EQUAL(printed(command{vector}), "a b\n");
    EQUAL(printed(command(deque)), "a b\n");
    EQUAL(printed(command().args(paths)), "a b\n");
    EQUAL(printed(command("/bin/pwd").workdir("/")), "/\n");
    EQUAL(printed(command(std::filesystem::path("/bin/pwd")).workdir("/")), "/\n");
    EQUAL(printed({"/bin/echo", "", std::string_view()}), " \n"); // empty strings are strings
}

TEST("an environment of one's own, the host's, none") {
    const std::set<std::string> variables = {"A=1", "B=2"};
    EQUAL(printed(command{"/usr/bin/env"}.env(variables)), "A=1\nB=2\n");
    EQUAL(printed(command{"/usr/bin/env"}.env({"A=1"}).env({})), "");
    setenv("RUNNER_CPP", "here", 1);
    CONTAINS(printed(command{"/usr/bin/env"}.env(environ)), "RUNNER_CPP=here\n");
}

TEST("fds of the host, or none") {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    const runner::descriptor reads(ends[0]);
    runner::descriptor writes(ends[1]);
    const std::vector<int> table = {-1, writes.get(), writes.get()};
    EQUAL(exits("echo out; echo err >&2; [ ! -e /proc/self/fd/0 ]", table), 0);
    writes.close();
    char text[100] = "";
    EQUAL(read(reads.get(), text, sizeof text - 1), 8);
    EQUAL(text, "out\nerr\n"s);
    EQUAL(exits("[ ! -e /proc/self/fd/1 ]", {}), 0);
    const runner::descriptor directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    FAILS(EISDIR, true_program().files({directory.get()}).run());
    EQUAL(true_program().files({directory.get()}).allow_directory_files().run().exit_code(), 0);
}

TEST("input of any bytes, of nothing, of none") {
    const std::vector<std::uint8_t> bytes = {'a', 0, 255};
    const command count = command{"/usr/bin/wc", "-c"};
    EQUAL(printed(command(count).stdin_bytes(bytes)), "3\n");
    EQUAL(printed(command(count).stdin_bytes("a\0b\0"sv)), "4\n");
    EQUAL(printed(command(count).stdin_bytes({bytes.data(), 2})), "2\n");
    const runner::descriptor full(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    // In the place of the file.
    for (const runner::bytes none : {runner::bytes(""), runner::bytes(std::string_view()), runner::bytes(nullptr, 0)})
        EQUAL(printed(command(count).files({full.get()}).stdin_bytes(none)), "0\n");
    CHECK(printed(command(count).files({full.get()}).stdin_bytes("").clear_stdin_bytes()) != "0\n");
}

TEST("lvalue and rvalue chains, and copies that do not share") {
    command lvalue{"/bin/sh", "-c", "echo $A; pwd"};
    lvalue.env({"A=1"}).workdir("/usr").capture(1, 100);
    command copy = lvalue;
    copy.env({"A=2"}).workdir("/").capture(2, 100);
    EQUAL(lvalue.run().output(1), "1\n/usr\n");
    EQUAL(copy.run().output(1), "2\n/\n");
    EQUAL(lvalue.run().outputs().size(), 1);
    EQUAL(copy.run().outputs().size(), 2);
    const command chained = command{"/bin/sh", "-c", "echo $A"}.env({"A=3"}).capture(1, 100);
    EQUAL(chained.run().output(), "3\n");
}

TEST("a thing of the C library that is not here") {
    command command = true_program();
    static pid_t seen;
    const auto look = [](pid_t pid, void *) {
        seen = pid;
        return 0;
    };
    EQUAL(runner_set_sync_func(command.raw(), look, nullptr), 0);
    runner::process process = command.spawn();
    EQUAL(seen, process.pid());
    EQUAL(process.wait().exit_code(), 0);
}

TEST("flags are sets") {
    using runner::ns;
    ns flags = ns::user | ns::pid;
    CHECK(has(flags, ns::user) && !has(flags, ns::net) && !has(flags, ns::user | ns::net));
    flags |= ns::net;
    CHECK((flags & ns::net) == ns::net && (flags & ns::ipc) == ns::none);
    const int in_c = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    EQUAL(true_program().unshare(flags).explain(), true_program().unshare(in_c).explain());
}

TEST("numbers without a name have one that says so") {
    EQUAL(runner::name(static_cast<runner::stage>(9999)), "unknown"sv);
    EQUAL(runner::name(static_cast<runner::verdict>(9999)), "unknown"sv);
    EQUAL(runner::name(static_cast<runner::evidence>(9999)), "unknown"sv);
    EQUAL(runner::name(static_cast<runner::source>(9999)), "unknown"sv);
    EQUAL(runner::name(static_cast<runner::missing>(1u << 31)), "unknown"sv);
    EQUAL(runner::name(runner::missing::quota), "CPU quota"sv);
}

TEST("the machine, and the library's version") {
    const runner::machine machine = runner::probe();
    CHECK(machine.kernel() >> 16 >= 4 && machine.seccomp() && machine.pidfd());
    CHECK(machine.cgroup_v1() || machine.cgroup_v2() || machine.controllers_v1() == runner::controller::none);
    CHECK(has(machine.controllers_v1(), machine.controllers_v1_writable()));
    EQUAL(runner::version(), RUNNER_VERSION);
}
