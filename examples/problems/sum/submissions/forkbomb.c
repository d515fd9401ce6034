/* Every process makes processes. */
#include <unistd.h>

int main(void)
{
    for (;;)
        fork();
}
