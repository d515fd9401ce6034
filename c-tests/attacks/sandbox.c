/* The shipped judge's sandbox, examples/judge/sandbox.h, against what the hostile program knows. Each attack is
 * also tried with the library's defaults alone, where it has to succeed: else it would show nothing. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "judge.h"
#include "victim.h"
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

/* An attack, and what comes of it in the sandbox. */
struct row {
    const char *want;
    char attack[400];
};

static struct row rows[64];
static size_t row_count;

TAP_PRINTF(2, 3) static void add(const char *want, const char *format, ...) {
    va_list args;
    struct row *row = &rows[row_count++];
    va_start(args, format);
    vsnprintf(row->attack, sizeof row->attack, format, args);
    va_end(args);
    row->want = want;
}

/* What the host has, and the attacker knows of. */
static struct {
    char work[64], queue[64], name[64];
    struct victim victim;
    int socket, segment;
    key_t key;
} host;

static void on_processes(void) {
    int pid = (int)host.victim.pid;
    void *byte = (void *)host.victim.byte;
    /* Signal 0 only asks whether one might. */
    add("ESRCH", "kill %d 0", pid), add("ESRCH", "pidfd-kill %d 0", pid), add("ENOENT", "proc-kill %d 0", pid);
    add("EPERM", "ptrace %d", pid), add("EPERM", "vm %d %p", pid, byte), add("ENOENT", "mem %d %p", pid, byte);
    add("ENOENT", "environ %d", pid), add("ENOENT", "oom %d", pid);
    add("ESRCH", "renice %d", pid), add("ESRCH", "affinity %d", pid);
    add("ESRCH", "fd-of %d %d", pid, host.victim.file), add("ENOENT", "proc-fd %d %d", pid, host.victim.file);
}

static void on_files(void) {
    add("nothing", "walk %s/secret", host.work);
    add("0 MiB ENOENT", "files %s/box 1 1", host.work);
    add("EPERM", "reopen 0");
    if (!is_root())
        return;
    add("EPERM", "mount-over %s", host.work);
    add("EPERM", "leave-group %s/secret", host.work);
    add("ENOENT", "sysctl /proc/sys/kernel/core_pattern");
}

static void on_shared(void) {
    add("EPERM", "key %d of-host", KEY_SPEC_SESSION_KEYRING);
    add("EPERM", "leave-key %d of-run", KEY_SPEC_SESSION_KEYRING);
    add("ECONNREFUSED", "connect %s", host.name);
    add("ENOENT", "shm %d", host.key);
    add("EMFILE", "leave-queue %s", host.queue);
}

/* With the library's defaults alone; for the machine's sake there is a mount namespace beside them. */
static const char *bare_answer(const char *attack) {
    runner_t *bare = hostile();
    runner_set_unshare_flags(bare, is_root() ? CLONE_NEWNS : 0);
    const char *got = answer_with(bare, hostile_path(), attack, NULL, 0);
    runner_free(bare);
    return got;
}

/* Not every kernel has every door, and not for every user. */
static void add_if_open(const char *want, const char *attack) {
    if (strcmp(bare_answer(attack), "got") == 0)
        add(want, "%s", attack);
}

static void on_kernel(void) {
    add_if_open("EPERM", "userns"), add_if_open("EPERM", "userns-clone"), add_if_open("ENOSYS", "userns-clone3");
#ifdef __x86_64__
    add_if_open("killed 31", op("int80 %d", 20)), add_if_open("killed 31", op("x32 %d", SYS_getpid));
#endif
    add_if_open("EPERM", "uring /dev/null"), add_if_open("EPERM", "locked 1");
    if (is_root())
        add("EPERM", "clock");
}

static void open_host(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(host.work, sizeof host.work, "%s", scratch_dir());
    snprintf(host.queue, sizeof host.queue, "/runner-test-%d", (int)getpid());
    snprintf(host.name, sizeof host.name, "@runner-test-%d", (int)getpid());
    memcpy(address.sun_path + 1, host.name + 1, strlen(host.name) - 1);
    host.key = 0x52000000 | (getpid() & 0xffffff);
    host.segment = shmget(host.key, 4096, IPC_CREAT | IPC_EXCL | 0666);
    host.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ok(bind(host.socket, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
            strlen(host.name))) == 0 && listen(host.socket, 8) == 0, "a listener");
    ok(put_file(join(host.work, "secret"), "secret", 0644) && mkdir(join(host.work, "box"), 0755) == 0, "files");
    ok(copy_file(hostile_path(), join(host.work, "box/hostile"), 0755), "the hostile program in its box");
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    syscall(SYS_add_key, "user", "of-host", "secret", 6, KEY_SPEC_SESSION_KEYRING);
    host.victim = victim_of(is_root() ? OUTSIDE_ID : geteuid());
}

static void close_host(void) {
    was_killed(&host.victim);
    shmctl(host.segment, IPC_RMID, NULL);
    mq_unlink(host.queue);
    close(host.socket);
    remove_dir(host.work);
}

/* All attacks by one program in the sandbox; what it says. */
static const char *answers_in_sandbox(void) {
    static char says[1 << 16];
    static const char *const env[] = {NULL};
    const char *argv[COUNT(rows) + 2] = {"/box/hostile"};
    struct sandbox sandbox;
    for (size_t i = 0; i < row_count; i++)
        argv[i + 1] = rows[i].attack;
    says[0] = '\0';
    if (!sandbox_open(&sandbox, host.work))
        return says;
    const struct run run = {argv, env, "input", join(host.work, "box"), false,
                            {5000000000, 10000000000, 256 << 20, 1 << 20, 16 << 20, 32}};
    runner_t *runner = sandbox_runner(&sandbox, &run);
    runner_process_t *process = runner_spawn(runner, &last_error);
    runner_result_t r = RUNNER_RESULT_INIT;
    const void *data;
    size_t length;
    if (ok(process != NULL, "the sandbox starts") && runner_process_wait(process, -1, &r) == 1 &&
        runner_process_output(process, 1, &data, &length) == 0)
        snprintf(says, sizeof says, "%s", (const char *)data);
    ok_str(runner_verdict_name(r.verdict), "finished", "the verdict");
    runner_process_free(process);
    runner_free(runner);
    return says;
}

static bool succeeded(const char *got) {
    return strncmp(got, "got", 3) == 0 || strcmp(got, "1 MiB ok") == 0;
}

static void everything_checks(void) {
    open_host();
    on_processes();
    on_files();
    on_shared();
    on_kernel();
    char *says = strdup(answers_in_sandbox()), *rest = says;
    for (size_t i = 0; i < row_count; i++) {
        ok_str(strsep(&rest, "\n"), rows[i].want, "%s", rows[i].attack);
        const char *got = bare_answer(rows[i].attack);
        ok(succeeded(got), "control: %s with the defaults alone: %s", rows[i].attack, got);
    }
    ok(row_count > 20, "%zu attacks", row_count);
    free(says);
    close_host();
}

static void everything(void) {
    if (!have_userns() && !is_root())
        SKIP("no user namespaces for this user");
    in_child(everything_checks);
}

static const struct test tests[] = {
    {"the shipped judge's sandbox against every attack at once", everything},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
