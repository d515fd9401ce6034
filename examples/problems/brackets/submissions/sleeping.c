/* Reads, and then waits for something that never comes. */
#include <unistd.h>

int main(void)
{
    pause();
    return 0;
}
