// Grades a program: grade PROGRAM INPUT EXPECTED
//
// The program gets the file INPUT as its stdin, and sees a root with the system's programs in it and nothing else of
// the machine. What it prints is compared with the file EXPECTED, white space at the end aside. Ends with 0 where it
// is accepted.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include <unistd.h>

#include <runner.hpp>

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int MIB = 1 << 20, NOBODY = 65534;

// An empty directory, over which the new root is mounted.
class empty_directory {
public:
    empty_directory() {
        if (!mkdtemp(path_.data()))
            throw std::system_error(errno, std::generic_category(), path_);
    }
    empty_directory(const empty_directory &) = delete;
    empty_directory &operator=(const empty_directory &) = delete;
    ~empty_directory() { rmdir(path_.c_str()); }
    const std::string &path() const { return path_; }

private:
    std::string path_ = fs::temp_directory_path() / "grade-XXXXXX";
};

// It runs as nobody: root's nobody is the machine's, an ordinary user's is himself.
static runner::command sandbox(const fs::path &program, const std::string &root) {
    using runner::ns, runner::bind_flag;
    constexpr bind_flag system = bind_flag::ro | bind_flag::rec;
    runner::command command{"/program"};
    command.unshare(ns::user | ns::pid | ns::mount | ns::net | ns::ipc | ns::uts);
    if (geteuid() == 0)
        command.uid_mapping(NOBODY, NOBODY).gid_mapping(NOBODY, NOBODY).credential(NOBODY, NOBODY);
    else
        command.uid_mapping(NOBODY, geteuid()).gid_mapping(NOBODY, getegid());
    command.pivot_root(root)
        .bind("/bin", "bin", system)
        .bind("/usr", "usr", system)
        .bind("/lib", "lib", system)
        .bind("/lib64", "lib64", system | bind_flag::optional)
        .bind(program, "program", bind_flag::ro)
        .tmpfs("tmp", 16 * MIB)
        .proc("proc", runner::proc_flag::mask)
        .dev("dev");
    command.drop_caps().no_new_privs();
    command.cpu_limit(1s).wall_limit(3s).memory_limit(64 * MIB).process_limit(16).output_limit(MIB);
    return command.capture(STDOUT_FILENO, MIB);
}

static std::string contents(const char *path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::system_error(errno, std::generic_category(), path);
    return {std::istreambuf_iterator<char>(file), {}};
}

static std::string trimmed(const std::string &text) { return text.substr(0, text.find_last_not_of(" \t\r\n") + 1); }

static std::string said_of(const runner::result &result, const std::string &expected) {
    if (!result.ok())
        return std::string(name(result.verdict())) + " by " + name(result.evidence());
    return trimmed(result.output()) == trimmed(expected) ? "accepted" : "wrong_answer";
}

static bool grade(const char *program, const char *input, const char *expected) {
    const empty_directory root;
    const runner::result result = sandbox(fs::absolute(program), root.path()).stdin_bytes(contents(input)).run();
    const std::string said = said_of(result, contents(expected));
    std::printf("%s; %.1f ms CPU, %.1f MiB\n", said.c_str(), static_cast<double>(result.cpu().count()) / 1e6,
                static_cast<double>(result.memory_peak()) / MIB);
    return said == "accepted";
}

int main(int argc, char **argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: grade PROGRAM INPUT EXPECTED\n");
        return 2;
    }
    try {
        return grade(argv[1], argv[2], argv[3]) ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "grade: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
