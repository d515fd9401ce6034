// A vector that grows without end.
#include <vector>

int main()
{
    std::vector<long> numbers;
    for (long i = 0;; i++)
        numbers.push_back(i);
}
