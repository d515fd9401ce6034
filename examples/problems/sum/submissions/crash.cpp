// An exception that nobody catches: abort(). As pid 1 of its namespace a program is immune to its own SIGABRT, and dies
// of the instruction with which abort() makes sure.
#include <stdexcept>

int main()
{
    throw std::runtime_error("nobody catches this");
}
