// Two threads that spin: CPU time runs twice as fast as the clock.
#include <thread>

static void spin()
{
    for (volatile unsigned long counter = 0;; counter = counter + 1)
        ;
}

int main()
{
    std::thread other(spin);
    spin();
}
