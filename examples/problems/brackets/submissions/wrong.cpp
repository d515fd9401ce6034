// Counts how deep it is, whatever the kind of the bracket.
#include <iostream>
#include <string>

int main()
{
    int n;
    std::string word;
    std::cin >> n;
    while (n-- > 0 && std::cin >> word) {
        int depth = 0;
        for (char c : word)
            depth += c == '(' || c == '[' || c == '{' ? 1 : -1;
        std::cout << (depth == 0 ? "yes" : "no") << '\n';
    }
}
