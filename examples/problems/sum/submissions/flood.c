/* Prints without end. */
#include <stdio.h>

int main(void)
{
    while (puts("0000000000000000000000000000000000000000000000000000000000000000") >= 0)
        ;
    return 0;
}
