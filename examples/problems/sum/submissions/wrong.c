/* The sum does not fit into an int: right for the first test only. */
#include <stdio.h>

int main(void)
{
    int n, x, sum = 0;
    scanf("%d", &n);
    while (n-- > 0 && scanf("%d", &x) == 1)
        sum = (int)((unsigned)sum + (unsigned)x);
    printf("%d\n", sum);
    return 0;
}
