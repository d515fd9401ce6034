/* The program that the benchmark starts: it exits at once. With -DNO_LIBC -static -nostdlib there is not even a libc
 * that begins, so what is measured is the start. */
#ifdef NO_LIBC
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txorl %edi, %edi\n\tmovl $231, %eax\n\tsyscall\n"); /* exit_group(0) */
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x0, #0\n\tmov x8, #94\n\tsvc #0\n"); /* exit_group(0) */
#else
#error "build it without NO_LIBC"
#endif
#else
int main(void)
{
    return 0;
}
#endif
