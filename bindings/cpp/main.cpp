// Runs the tests: suite [PART OF A NAME]. TAP on stdout; ends with 1 where one fails.
#include "check.hpp"

namespace {

// Everything that a test began has to have ended with it.
void nothing_is_left(std::ptrdiff_t fds) {
    EQUAL(check::entries("/proc/self/fd"), fds);
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD);
}

std::string outcome(const check::test &test) {
    const std::ptrdiff_t fds = check::entries("/proc/self/fd");
    try {
        test.body();
        nothing_is_left(fds);
        return "";
    } catch (const check::failure &failure) {
        return failure.text;
    } catch (const std::exception &error) {
        return std::string("it threw ") + error.what();
    }
}

} // namespace

int main(int argc, char **argv) {
    const std::string wanted = argc > 1 ? argv[1] : "";
    int number = 0, failed = 0;
    for (const check::test &test : check::tests()) {
        if (test.name.find(wanted) == test.name.npos)
            continue;
        ++number;
        try {
            const std::string why = outcome(test);
            failed += !why.empty();
            std::cout << (why.empty() ? "ok " : "not ok ") << number << " - " << test.name << "\n";
            if (!why.empty())
                std::cout << "# " << why << "\n";
        } catch (const check::skipped &skipped) {
            std::cout << "ok " << number << " - " << test.name << " # skip " << skipped.why << "\n";
        }
        std::cout.flush();
    }
    std::cout << "1.." << number << "\n";
    return failed != 0 || number == 0;
}
