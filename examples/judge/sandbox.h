/* The sandbox: everything that a judged program gets to see, and may do and use, in one place.
 *
 * sandbox_open() finds out what this machine allows; sandbox_runner() turns a run into the options of librunner.
 */
#ifndef JUDGE_SANDBOX_H
#define JUDGE_SANDBOX_H

#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runner.h"

/* Who a program is. Outside it is somebody without files or rights; inside, an ordinary user. */
enum { INSIDE_ID = 1000, OUTSIDE_ID = 61999 };

/* How much it may complain: a compiler has much to say, and whoever says more than this floods. */
enum { ERRORS = 1 << 20 };

/* Of the whole run, whatever it forks. */
struct limits {
    uint64_t cpu_ns, wall_ns;
    uint64_t memory, output, scratch; /* bytes */
    uint64_t processes;
};

struct run {
    const char *const *argv;
    const char *const *env;
    const char *input; /* NULL: none */
    const char *box;   /* the host's directory that the program sees as /box */
    bool box_writable; /* for a compiler */
    struct limits limits;
};

struct sandbox {
    runner_probe_t probe;
    bool user_namespace;  /* else: root without one */
    bool with_proc;       /* some containers refuse a new /proc */
    char root[PATH_MAX];  /* an empty directory, over which the new root is mounted; boxes are not beneath it */
};

/* The setters only fail on nonsense, and the first nonsense is enough. */
#define TRY(call)            \
    do {                     \
        int error_ = (call); \
        if (error_ < 0)      \
            return error_;   \
    } while (0)

/* ---- the filter ---------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the seccomp filter below is written for x86_64 and aarch64"
#endif

#define NEW_NAMESPACE_FLAGS                                                                                         \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define FAIL(error) RETURN(SECCOMP_RET_ERRNO | (error))
/* If the number is this one, the call fails with EPERM. */
#define REFUSE(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), FAIL(EPERM)

/* The namespaces and the ids are the wall; this keeps programs away from the parts of the kernel that no solution
 * needs and in which most holes were found. */
static const struct sock_filter FILTER[] = {
    /* 32-bit and x32 entries have other numbers for the same calls: no list below would hold. */
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
#ifdef __x86_64__
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
    /* other processes */
    REFUSE(ptrace), REFUSE(process_vm_readv), REFUSE(process_vm_writev), REFUSE(pidfd_getfd), REFUSE(kcmp),
    /* mounts and namespaces */
    REFUSE(mount), REFUSE(umount2), REFUSE(pivot_root), REFUSE(chroot), REFUSE(move_mount), REFUSE(open_tree),
    REFUSE(fsopen), REFUSE(fsconfig), REFUSE(fsmount), REFUSE(fspick), REFUSE(unshare), REFUSE(setns),
    REFUSE(open_by_handle_at),
    /* the kernel itself */
    REFUSE(bpf), REFUSE(perf_event_open), REFUSE(userfaultfd), REFUSE(io_uring_setup), REFUSE(io_uring_enter),
    REFUSE(io_uring_register), REFUSE(keyctl), REFUSE(add_key), REFUSE(request_key), REFUSE(init_module),
    REFUSE(finit_module), REFUSE(delete_module), REFUSE(kexec_load), REFUSE(reboot), REFUSE(swapon),
    REFUSE(swapoff), REFUSE(quotactl), REFUSE(acct), REFUSE(syslog),
    /* clone3 has its flags behind a pointer, which a filter cannot see: ENOSYS makes every libc use clone. */
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 0, 1), FAIL(ENOSYS),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3), LOAD(args[0]),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACE_FLAGS, 0, 1), FAIL(EPERM),
    RETURN(SECCOMP_RET_ALLOW),
};
enum { FILTER_LENGTH = sizeof FILTER / sizeof *FILTER };

/* ---- the options --------------------------------------------------------------------------------------------- */

/* The host's /usr and what leads into it: /bin and its like are links where /usr is merged, directories elsewhere. */
static int add_system(runner_t *runner)
{
    static const char *const tops[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    const uint32_t flags = RUNNER_BIND_RO | RUNNER_BIND_REC | RUNNER_BIND_OPTIONAL;
    TRY(runner_add_bind(runner, "/usr", "/usr", flags));
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        char link[PATH_MAX];
        ssize_t n = readlink(tops[i], link, sizeof link - 1);
        if (n > 0) {
            link[n] = 0;
            TRY(runner_add_symlink(runner, link, tops[i]));
        } else {
            TRY(runner_add_bind(runner, tops[i], tops[i], flags));
        }
    }
    /* Of /etc only what compilers and the loader want: Debian's cc is a link through /etc/alternatives. */
    TRY(runner_add_bind(runner, "/etc/alternatives", "/etc/alternatives", flags));
    return runner_add_bind(runner, "/etc/ld.so.cache", "/etc/ld.so.cache", flags);
}

static int add_root(const struct sandbox *sandbox, const struct run *run, runner_t *runner)
{
    static const char passwd[] = "judged:x:1000:1000::/tmp:/bin/sh\n", group[] = "judged:x:1000:\n";
    TRY(runner_set_pivot_root(runner, sandbox->root));
    TRY(add_system(runner));
    TRY(runner_add_file(runner, "/etc/passwd", passwd, sizeof passwd - 1, 0444));
    TRY(runner_add_file(runner, "/etc/group", group, sizeof group - 1, 0444));
    TRY(runner_add_dev(runner, "/dev"));
    TRY(runner_add_tmpfs(runner, "/dev/shm", run->limits.scratch, 01777)); /* smaller than /dev's own */
    TRY(runner_add_tmpfs(runner, "/tmp", run->limits.scratch, 01777));
    TRY(runner_add_bind(runner, run->box, "/box", run->box_writable ? 0 : RUNNER_BIND_RO));
    if (sandbox->with_proc)
        TRY(runner_add_proc(runner, "/proc", RUNNER_PROC_SUBSET | RUNNER_PROC_HIDEPID | RUNNER_PROC_RO));
    return runner_set_workdir(runner, "/tmp");
}

/* Root gives the program an id without rights; anybody else can only give his own, which has none inside either. */
static int add_ids(const struct sandbox *sandbox, runner_t *runner)
{
    bool root = geteuid() == 0;
    if (sandbox->user_namespace) {
        TRY(runner_add_uid_mapping(runner, INSIDE_ID, root ? OUTSIDE_ID : geteuid(), 1));
        TRY(runner_add_gid_mapping(runner, INSIDE_ID, root ? OUTSIDE_ID : getegid(), 1));
    }
    uint32_t id = sandbox->user_namespace ? INSIDE_ID : OUTSIDE_ID;
    return root ? runner_set_credential(runner, id, id, NULL, 0) : 0;
}

/* The library finds the best that this machine has for each of these: the result of the run says what that was. */
static int add_limits(const struct limits *limits, runner_t *runner)
{
    TRY(runner_set_cpu_limit(runner, limits->cpu_ns));
    TRY(runner_set_wall_limit(runner, limits->wall_ns));
    TRY(runner_set_memory_limit(runner, limits->memory));
    TRY(runner_set_process_limit(runner, limits->processes));
    TRY(runner_set_output_limit(runner, limits->output)); /* of what is captured, and of any file */
    TRY(runner_add_rlimit(runner, RLIMIT_STACK, limits->memory, limits->memory)); /* deep recursion is no crime */
    TRY(runner_add_rlimit(runner, RLIMIT_NOFILE, 64, 64));
    TRY(runner_add_rlimit(runner, RLIMIT_CORE, 1, 1)); /* 0 would not stop a core_pattern that is a program (core(5)) */
    TRY(runner_add_rlimit(runner, RLIMIT_MEMLOCK, 0, 0));
    return runner_add_rlimit(runner, RLIMIT_MSGQUEUE, 0, 0);
}

/* Input is a sealed file in memory, which no program can change for the next one; output comes through pipes into the
 * judge. Without input fd 0 is /dev/null. */
static int add_files(const struct run *run, runner_t *runner)
{
    TRY(runner_set_stdin_bytes(runner, run->input, run->input ? strlen(run->input) : 0));
    TRY(runner_capture(runner, STDOUT_FILENO, run->limits.output));
    return runner_capture(runner, STDERR_FILENO, ERRORS);
}

static int add_all(const struct sandbox *sandbox, const struct run *run, runner_t *runner)
{
    const uint64_t no_user = sandbox->user_namespace ? 0 : CLONE_NEWUSER;
    TRY(runner_set_args(runner, run->argv));
    TRY(runner_set_env(runner, run->env));
    TRY(add_files(run, runner));
    TRY(add_limits(&run->limits, runner));
    TRY(runner_set_unshare_flags(runner, NEW_NAMESPACE_FLAGS & ~no_user));
    TRY(add_ids(sandbox, runner));
    TRY(add_root(sandbox, run, runner));
    TRY(runner_set_hostname(runner, "judge"));
    TRY(runner_set_umask(runner, 022));
    TRY(runner_set_death_signal(runner, SIGKILL)); /* pid 1 does not outlive the judge, nor do the rest */
    TRY(runner_set_drop_caps(runner, true));
    TRY(runner_set_no_new_privs(runner, true));
    return runner_set_seccomp(runner, FILTER, FILTER_LENGTH);
}

/* The run as a runner. NULL: an error of this program, with errno. */
static runner_t *sandbox_runner(const struct sandbox *sandbox, const struct run *run)
{
    runner_t *runner = runner_new();
    int error = runner ? add_all(sandbox, run, runner) : -ENOMEM;
    if (error == 0)
        return runner;
    runner_free(runner);
    errno = -error;
    return NULL;
}

/* What can be had here. False: nothing that isolates. */
static bool sandbox_open(struct sandbox *sandbox, const char *work)
{
    memset(sandbox, 0, sizeof *sandbox);
    if (runner_probe(&sandbox->probe) < 0)
        return false;
    sandbox->user_namespace = sandbox->probe.user_namespace;
    sandbox->with_proc = true;
    if (snprintf(sandbox->root, PATH_MAX, "%s/root", work) >= PATH_MAX || mkdir(sandbox->root, 0755) != 0)
        return false;
    return sandbox->user_namespace || (geteuid() == 0 && sandbox->probe.privileged_namespaces);
}

#endif
