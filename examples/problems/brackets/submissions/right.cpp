#include <iostream>
#include <string>
#include <vector>

static bool balanced(const std::string &word)
{
    const std::string opening = "([{", closing = ")]}";
    std::vector<char> stack;
    for (char c : word) {
        auto kind = closing.find(c);
        if (kind == std::string::npos) {
            stack.push_back(c);
        } else {
            if (stack.empty() || stack.back() != opening[kind])
                return false;
            stack.pop_back();
        }
    }
    return stack.empty();
}

int main()
{
    int n;
    std::string word;
    std::cin >> n;
    while (n-- > 0 && std::cin >> word)
        std::cout << (balanced(word) ? "yes" : "no") << '\n';
}
