/* Recursion without an end: the stack runs out. */
static int deeper(volatile int *previous)
{
    volatile int block[1024];
    block[0] = *previous + 1;
    return deeper(block) + block[0];
}

int main(void)
{
    volatile int start = 0;
    return deeper(&start);
}
