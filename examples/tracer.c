/* A tracer: logs which files a program opens, what it executes, starts and connects to, and its children too.
 *
 *   tracer [-d PATH] /PATH/OF/PROGRAM [ARGUMENT...]
 *
 * A seccomp filter picks the calls, so that all others run at full speed; ptrace(2) stops the program at those. The
 * log goes to stderr. Every call that names PATH or what is beneath it (default: /etc/shadow) fails with EPERM. When
 * the program ends, what it has left running is killed; the exit status is the program's.
 *
 * This is a log and a help, not a wall: between the look at a path and its use another thread can change it, and a
 * file may have other names. What a program must not reach does not belong into its root; see judge/sandbox.h.
 *
 * Linux 5.3, on x86-64 and AArch64.
 */
#define _GNU_SOURCE /* process_vm_readv, realpath */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the filter and the change of a system call are written for x86_64 and aarch64"
#endif

/* ---- which calls --------------------------------------------------------------------------------------------- */

enum { NONE = -1 };

/* By the number of its argument: a path, and the directory fd from which it goes. */
static const struct call {
    long number;
    const char *name;
    int directory, path;
} CALLS[] = {
    {SYS_openat, "openat", 0, 1},
    {SYS_openat2, "openat2", 0, 1},
    {SYS_execve, "execve", NONE, 0},
    {SYS_execveat, "execveat", 0, 1},
    {SYS_connect, "connect", NONE, NONE},
    {SYS_clone, "clone", NONE, NONE},
    {SYS_clone3, "clone3", NONE, NONE},
#ifdef __x86_64__ /* AArch64 came too late to have these */
    {SYS_open, "open", NONE, 0},
    {SYS_creat, "creat", NONE, 0},
    {SYS_fork, "fork", NONE, NONE},
    {SYS_vfork, "vfork", NONE, NONE},
#endif
};
enum { CALL_COUNT = sizeof CALLS / sizeof *CALLS };

/* Ways past the tracer: to open files without a call of the list, and a filter of the program's own, whose supervisor
 * could let a call go on that this one wants to see. */
static const long REFUSED[] = {SYS_io_uring_setup, SYS_open_by_handle_at, SYS_seccomp};
enum { REFUSED_COUNT = sizeof REFUSED / sizeof *REFUSED };

/* A few instructions for the architecture, two for each number, one for the rest. */
struct filter {
    struct sock_filter code[8 + 2 * (CALL_COUNT + REFUSED_COUNT)];
    uint16_t length;
};

static void append(struct filter *filter, struct sock_filter instruction)
{
    filter->code[filter->length++] = instruction;
}

static void append_case(struct filter *filter, long number, uint32_t action)
{
    append(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1));
    append(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void make_filter(struct filter *filter)
{
    /* 32-bit and x32 entries have other numbers for the same calls: neither list would hold. */
    const struct sock_filter begin[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
#endif
    };
    filter->length = 0;
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
        append(filter, begin[i]);
    for (size_t i = 0; i < REFUSED_COUNT; i++)
        append_case(filter, REFUSED[i], SECCOMP_RET_ERRNO | EPERM);
    for (size_t i = 0; i < CALL_COUNT; i++)
        append_case(filter, CALLS[i].number, SECCOMP_RET_TRACE);
    append(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

static const struct call *find_call(uint64_t number)
{
    for (size_t i = 0; i < CALL_COUNT; i++)
        if ((uint64_t)CALLS[i].number == number)
            return &CALLS[i];
    return NULL;
}

/* ---- what is in the program ---------------------------------------------------------------------------------- */

/* Bytes of the program's memory; how many there were, at most `size`. */
static size_t peek(pid_t pid, uint64_t address, void *to, size_t size)
{
    struct iovec here = {to, size}, there = {(void *)(uintptr_t)address, size};
    ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
    return n < 0 ? 0 : (size_t)n;
}

/* A string may end right before a page that cannot be read, so it is read page by page. */
static bool peek_string(pid_t pid, uint64_t address, char text[PATH_MAX])
{
    const uint64_t page = 4096; /* or a multiple of it */
    for (size_t length = 0; length < PATH_MAX;) {
        size_t part = (size_t)(page - (address + length) % page);
        if (part > PATH_MAX - length)
            part = PATH_MAX - length;
        size_t n = peek(pid, address + length, text + length, part);
        if (memchr(text + length, 0, n))
            return true;
        if (n < part)
            return false;
        length += n;
    }
    return false;
}

/* realpath(3), also of a file that is yet to be made; as it was where there is no directory either. */
static void resolve(char path[PATH_MAX], char real[PATH_MAX])
{
    char *slash = strrchr(path, '/');
    if (realpath(path, real))
        return;
    *slash = 0;
    bool found = realpath(path, real) && strlen(real) + strlen(slash + 1) + 2 <= PATH_MAX;
    *slash = '/';
    if (found)
        strcat(strcat(real, "/"), slash + 1);
    else
        strcpy(real, path);
}

/* The file that a path of the program leads to. False: nobody knows, since the program hides from this one, as it may
 * by PR_SET_DUMPABLE. */
static bool find_file(pid_t pid, int directory, const char *path, char real[PATH_MAX])
{
    char base[64], link[8], whole[PATH_MAX];
    if (path[0] == '/')
        snprintf(base, sizeof base, "/proc/%d/root", (int)pid);
    else if (directory == AT_FDCWD)
        snprintf(base, sizeof base, "/proc/%d/cwd", (int)pid);
    else
        snprintf(base, sizeof base, "/proc/%d/fd/%d", (int)pid, directory);
    if (readlink(base, link, sizeof link) < 0 && errno != ENOENT)
        return false;
    if (snprintf(whole, sizeof whole, "%s/%s", base, path) >= PATH_MAX)
        return false;
    resolve(whole, real);
    return true;
}

static bool is_beneath(const char *path, const char *top)
{
    size_t n = strlen(top);
    return strncmp(path, top, n) == 0 && (path[n] == 0 || path[n] == '/');
}

/* Skips the call that the program is about to make: it has no number any more, and has returned -EPERM. */
static void deny(pid_t pid)
{
#ifdef __x86_64__
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L);
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), (long)-EPERM);
#else
    int number = -1;
    struct user_regs_struct registers;
    struct iovec call = {&number, sizeof number}, all = {&registers, sizeof registers};
    ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &call);
    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all);
    registers.regs[0] = (unsigned long long)-EPERM;
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all);
#endif
}

/* ---- the log ------------------------------------------------------------------------------------------------- */

/* The program chose these bytes: they must not begin a new line of the log, nor be commands to a terminal. */
static void print_quoted(const char *text)
{
    fputs(" \"", stderr);
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127 || *text == '"' || *text == '\\')
            fprintf(stderr, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, stderr);
    fputs("\"", stderr);
}

static void print_address(pid_t pid, uint64_t address, uint64_t length)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage all;
        char bytes[sizeof(struct sockaddr_storage) + 1];
    } to = {.bytes = {0}};
    char host[64], port[16];
    size_t size = peek(pid, address, &to, length < sizeof to.all ? (size_t)length : sizeof to.all);
    if (to.any.sa_family == AF_UNIX) {
        char *name = to.local.sun_path;
        if (size > offsetof(struct sockaddr_un, sun_path) && !*name)
            *name = '@'; /* as everybody prints abstract names */
        print_quoted(name);
    } else if (getnameinfo(&to.any, (socklen_t)size, host, sizeof host, port, sizeof port,
                           NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        fprintf(stderr, " %s port %s", host, port);
    } else {
        fprintf(stderr, " address family %d", to.any.sa_family);
    }
}

/* True: may be used. */
static bool look_at_path(pid_t pid, const struct call *call, const uint64_t *arguments, const char *denied)
{
    char path[PATH_MAX], real[PATH_MAX];
    int directory = call->directory == NONE ? AT_FDCWD : (int)arguments[call->directory];
    if (!peek_string(pid, arguments[call->path], path))
        return false;
    print_quoted(path);
    return find_file(pid, directory, path, real) && !is_beneath(real, denied);
}

/* The program is stopped before a call of the list. What cannot be looked at is not let through. */
static void on_call(pid_t pid, const char *denied)
{
    struct __ptrace_syscall_info info = {0};
    const struct call *call = NULL;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0)
        call = find_call(info.seccomp.nr);
    if (!call) {
        kill(pid, SIGKILL);
        return;
    }
    const uint64_t *arguments = info.seccomp.args;
    bool refused = false;
    fprintf(stderr, "%d %s", (int)pid, call->name);
    if (call->number == SYS_connect)
        print_address(pid, arguments[1], arguments[2]);
    if (call->path != NONE)
        refused = !look_at_path(pid, call, arguments, denied);
    if (refused)
        deny(pid);
    fputs(refused ? ", refused\n" : "\n", stderr);
}

/* ---- the trace ----------------------------------------------------------------------------------------------- */

static void on_event(pid_t pid, int event, const char *denied)
{
    unsigned long message = 0;
    char program[64], path[PATH_MAX] = "";
    switch (event) {
    case PTRACE_EVENT_SECCOMP:
        on_call(pid, denied);
        break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
        fprintf(stderr, "%d made %lu\n", (int)pid, message);
        break;
    case PTRACE_EVENT_EXEC:
        snprintf(program, sizeof program, "/proc/%d/exe", (int)pid);
        if (readlink(program, path, sizeof path - 1) < 0)
            strcpy(path, "?");
        fprintf(stderr, "%d runs", (int)pid);
        print_quoted(path);
        fputc('\n', stderr);
        break;
    }
}

/* The signal with which a stopped process goes on: the one that it stopped for. Not SIGSTOP: every new child stops
 * for one that nobody has sent, so none can be told from it, and nothing that is traced can be stopped. */
static int on_stop(pid_t pid, int status, const char *denied)
{
    int event = status >> 16, signal = WSTOPSIG(status);
    if (event == 0)
        return signal == SIGSTOP ? 0 : signal;
    on_event(pid, event, denied);
    return 0;
}

/* Until the first process ends; its exit status, as a shell would put it. */
static int trace(pid_t first, const char *denied)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
        if (pid > 0 && WIFSTOPPED(status)) {
            ptrace(PTRACE_CONT, pid, 0, on_stop(pid, status, denied));
        } else if (pid > 0) {
            fprintf(stderr, WIFEXITED(status) ? "%d exit code %d\n" : "%d signal %d\n", (int)pid,
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
            if (pid == first)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
    return 2;
}

/* The process has stopped before the filter, since only now can it be said that the filter stops it: without the
 * option the calls of the list would fail with ENOSYS. So do those of a child that escapes by CLONE_UNTRACED. The
 * other options: children are traced from their first instruction, and nothing outlives the tracer. */
static bool prepare(pid_t pid)
{
    const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    int status;
    return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) &&
           ptrace(PTRACE_SETOPTIONS, pid, 0, options) == 0 && ptrace(PTRACE_CONT, pid, 0, 0) == 0;
}

static pid_t start(char **argv)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    struct filter filter;
    make_filter(&filter);
    runner_t *runner = runner_new();
    runner_set_args(runner, (const char *const *)argv);
    runner_set_env(runner, (const char *const[]){"PATH=/usr/local/bin:/usr/bin:/bin", NULL});
    runner_set_files(runner, (const int[]){0, 1, 2}, 3);
    runner_set_seccomp(runner, filter.code, filter.length);
    runner_set_ptrace(runner, true); /* by this thread: no other could wait for the program */
    pid_t pid = runner_start(runner, &error);
    runner_free(runner);
    if (pid < 0)
        fprintf(stderr, "%s: %s\n", runner_stage_name(error.stage), error.message);
    return pid;
}

int main(int argc, char **argv)
{
    static char denied[PATH_MAX] = "/etc/shadow";
    bool option = argc > 2 && strcmp(argv[1], "-d") == 0;
    if (argc < 2 + 2 * option) {
        fprintf(stderr, "usage: %s [-d PATH] /PATH/OF/PROGRAM [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    if (option && !realpath(argv[2], denied)) {
        perror(argv[2]);
        return 2;
    }
    setvbuf(stderr, NULL, _IOLBF, 0); /* whole lines, since the program writes there too */
    pid_t pid = start(argv + 1 + 2 * option);
    if (pid < 0)
        return 2;
    if (prepare(pid))
        return trace(pid, denied);
    perror("ptrace");
    kill(pid, SIGKILL);
    return 2;
}
