/* Small seccomp filters, written as tables of system call numbers. */

#ifndef FILTERS_H
#define FILTERS_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

enum { FILTER_MAX = 256 };

/* A filter while it is put together. */
struct filter {
    struct sock_filter code[FILTER_MAX];
    uint16_t len;
};

TAP_HELPER void filter_add(struct filter *filter, uint16_t op, uint32_t k, uint8_t yes, uint8_t no) {
    filter->code[filter->len++] = (struct sock_filter)BPF_JUMP(op, k, yes, no);
}

/* For the listed calls `action`, for all others `other`. */
TAP_HELPER struct filter filter_for(const int *calls, size_t n, uint32_t action, uint32_t other) {
    struct filter filter = {.len = 0};
    filter_add(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    for (size_t i = 0; i < n; i++)
        filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(n - i), 0);
    filter_add(&filter, BPF_RET | BPF_K, other, 0, 0);
    filter_add(&filter, BPF_RET | BPF_K, action, 0, 0);
    return filter;
}

/* `action` for these calls, all else allowed. */
#define filter_on(action, ...) \
    filter_for((int[]){__VA_ARGS__}, COUNT(((int[]){__VA_ARGS__})), (action), SECCOMP_RET_ALLOW)
/* These calls allowed, `action` for all else. */
#define filter_only(action, ...) \
    filter_for((int[]){__VA_ARGS__}, COUNT(((int[]){__VA_ARGS__})), SECCOMP_RET_ALLOW, (action))

TAP_HELPER int set_filter(runner_t *runner, const struct filter *filter) {
    return runner_set_seccomp(runner, filter->code, filter->len);
}

/* What the C library of a static program calls before and after main. */
#define STATIC_STARTUP                                                                                          \
    SYS_brk, SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_prlimit64, SYS_readlinkat, SYS_getrandom,  \
        SYS_mprotect, SYS_fstat, SYS_newfstatat, SYS_write, SYS_exit, SYS_exit_group, STATIC_STARTUP_OF_MACHINE
#ifdef __x86_64__
#define STATIC_STARTUP_OF_MACHINE SYS_arch_prctl, SYS_readlink
#else
#define STATIC_STARTUP_OF_MACHINE SYS_uname
#endif

#endif
