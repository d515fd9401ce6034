#include <stdio.h>

int main(void)
{
    long long n, x, sum = 0;
    scanf("%lld", &n);
    while (n-- > 0 && scanf("%lld", &x) == 1)
        sum += x;
    printf("%lld\n", sum);
    return 0;
}
